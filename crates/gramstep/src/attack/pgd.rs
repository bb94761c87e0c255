//! Projected gradient ascent.

use super::search::at_least_one;
use super::{Attack, Search};
use crate::error::{Result, check_not_negative, check_positive};
use crate::scalar::Scalar;

/// Projected gradient ascent (madry2018), with restarts and momentum:
///
/// ```text
/// x ← P(x + α·ε·direction),   direction = sign(v) for ℓ∞, v/‖v‖ for ℓ2,   v ← μ v + ∇/‖∇‖₁ (v = ∇ for μ = 0)
/// ```
///
/// The best point of all steps and restarts is kept, so more of either never does worse. Differs from common practice
/// in that the step size is relative to the radius and does not depend on the number of steps.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Pgd {
    /// Steps of one restart, ≥ 1.
    pub steps: usize,
    /// α > 0, in units of the radius.
    pub step_size: f64,
    /// Runs from different starts, ≥ 1.
    pub restarts: usize,
    /// Whether the first run starts at a random point, too; the later ones do.
    pub random_start: bool,
    /// μ ≥ 0 (dong2018).
    pub momentum: f64,
    /// Seed of random starts.
    pub seed: u64,
}

impl Default for Pgd {
    fn default() -> Self {
        Self { steps: 20, step_size: 0.25, restarts: 1, random_start: false, momentum: 0.0, seed: 0 }
    }
}

impl Pgd {
    /// The attack with a number of steps.
    #[must_use]
    pub fn new(steps: usize) -> Self {
        Self { steps, ..Self::default() }
    }

    /// The same attack with another step size, in units of the radius.
    #[must_use]
    pub fn with_step_size(mut self, step_size: f64) -> Self {
        self.step_size = step_size;
        self
    }

    /// The same attack with a number of runs from different starts.
    #[must_use]
    pub fn with_restarts(mut self, restarts: usize) -> Self {
        self.restarts = restarts;
        self
    }

    /// The same attack with all runs from random points of the ball.
    #[must_use]
    pub fn with_random_start(mut self) -> Self {
        self.random_start = true;
        self
    }

    /// The same attack with momentum.
    #[must_use]
    pub fn with_momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// The same attack with another seed of random starts.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// One run; the gradient at x is there already if `ready`.
    fn climb<T: Scalar>(&self, search: &mut Search<'_, T>, x: &mut [T], mut ready: bool) -> Result<()> {
        let lengths = vec![self.step_size; search.samples()];
        let mut velocity = vec![T::ZERO; if self.momentum > 0.0 { x.len() } else { 0 }];
        for _ in 0..self.steps {
            if !std::mem::take(&mut ready) {
                search.ascend(x)?;
            }
            if self.momentum > 0.0 {
                accumulate(&mut velocity, search.gradient(), search.inputs(), self.momentum);
                search.step(x, &velocity, &lengths);
            } else {
                search.step_along(x, &lengths);
            }
        }
        search.evaluate(x)
    }
}

/// v ← μv + ∇/‖∇‖₁, row by row.
fn accumulate<T: Scalar>(velocity: &mut [T], gradient: &[T], columns: usize, momentum: f64) {
    let mu = T::from_f64(momentum);
    for (v, g) in velocity.chunks_exact_mut(columns).zip(gradient.chunks_exact(columns)) {
        let norm: f64 = g.iter().map(|g| g.to_f64().abs()).sum();
        let scale = T::from_f64(if norm > 0.0 { 1.0 / norm } else { 0.0 });
        v.iter_mut().zip(g).for_each(|(v, &g)| *v = mu * *v + scale * g);
    }
}

impl<T: Scalar> Attack<T> for Pgd {
    fn name(&self) -> &'static str {
        "pgd"
    }

    fn check(&self) -> Result<()> {
        at_least_one("steps", self.steps)?;
        at_least_one("restarts", self.restarts)?;
        check_positive("step size", self.step_size)?;
        check_not_negative("momentum", self.momentum)
    }

    fn evaluations(&self) -> usize {
        2 * (self.steps + 1) * self.restarts
    }

    fn starts_at_the_sample(&self) -> bool {
        !self.random_start
    }

    fn search(&self, search: &mut Search<'_, T>) -> Result<()> {
        let mut x = search.clean().to_vec();
        for restart in 0..self.restarts {
            let random = self.random_start || restart > 0;
            if random {
                search.draw(self.seed, restart, &mut x);
            }
            self.climb(search, &mut x, !random)?;
        }
        Ok(())
    }
}
