//! Projected gradient ascent that chooses its step size by itself.

use super::search::at_least_one;
use super::{Attack, Search};
use crate::error::Result;
use crate::scalar::Scalar;

/// Auto-PGD (croce2020): no step size to choose. Each sample starts with steps of twice the radius and halves them at
/// checkpoints where too few steps have raised its value, going back to its best point:
///
/// ```text
/// z = P(x + η·direction),   x′ = P(x + ¾(z − x) + ¼(x − x_before))
/// ```
///
/// Use it with [`Margin`](super::Margin), which is defined from two classes on, or with any goal of a regression.
/// Checkpoints depend on the number of steps, so more steps need not be better for every sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Apgd {
    /// Steps of one restart, ≥ 1.
    pub steps: usize,
    /// Runs from different starts, ≥ 1; the first from the sample itself.
    pub restarts: usize,
    /// Seed of random starts.
    pub seed: u64,
}

/// Share of the step that goes towards z; the rest is momentum.
const FORWARD: f64 = 0.75;
/// Share of steps that have to rise.
const RISING: f64 = 0.75;

impl Default for Apgd {
    fn default() -> Self {
        Self { steps: 100, restarts: 1, seed: 0 }
    }
}

impl Apgd {
    /// The attack with a number of steps.
    #[must_use]
    pub fn new(steps: usize) -> Self {
        Self { steps, ..Self::default() }
    }

    /// The same attack with a number of runs from different starts.
    #[must_use]
    pub fn with_restarts(mut self, restarts: usize) -> Self {
        self.restarts = restarts;
        self
    }

    /// The same attack with another seed of random starts.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Steps before which the step size is judged: first after 22 %, then at distances that shrink by 3 % of all
    /// steps down to 6 %.
    fn checkpoints(&self) -> Vec<usize> {
        let (mut before, mut percent) = (0, 22);
        let mut points = Vec::new();
        while percent < 100 {
            points.push((percent * self.steps).div_ceil(100));
            (before, percent) = (percent, percent + (percent - before).saturating_sub(3).max(6));
        }
        points.dedup();
        points
    }

    fn climb<T: Scalar>(&self, search: &mut Search<'_, T>, state: &mut State<T>) -> Result<()> {
        let (mut checkpoints, mut last) = (self.checkpoints().into_iter().peekable(), 0);
        for step in 0..self.steps {
            state.advance(search, step == 0);
            // The last point needs no gradient.
            if step + 1 == self.steps {
                return search.evaluate(&state.x);
            }
            search.ascend(&state.x)?;
            state.judge(search);
            if checkpoints.next_if_eq(&(step + 1)).is_some() {
                state.halve(step + 1 - last);
                last = step + 1;
            }
        }
        Ok(())
    }
}

/// The run of a tile; one entry of each vector, or one row, for each sample.
struct State<T> {
    columns: usize,
    x: Vec<T>,
    before: Vec<T>,
    /// ∇ at x.
    gradient: Vec<T>,
    value: Vec<f64>,
    best_x: Vec<T>,
    best_gradient: Vec<T>,
    best: Vec<f64>,
    /// η in units of the radius.
    lengths: Vec<f64>,
    /// Steps since the last checkpoint that raised the value.
    rises: Vec<usize>,
    /// Whether the step was halved at the last checkpoint, and the best value there.
    halved: Vec<bool>,
    best_at_checkpoint: Vec<f64>,
    /// z, and room to compute.
    z: Vec<T>,
}

impl<T: Scalar> State<T> {
    /// Starts at x, whose values and gradients the search has just found.
    fn new(search: &Search<'_, T>, x: Vec<T>) -> Self {
        let (values, n) = (search.values().to_vec(), search.samples());
        let gradient = search.gradient().to_vec();
        Self {
            columns: search.inputs(),
            before: x.clone(),
            best_x: x.clone(),
            best_gradient: gradient.clone(),
            z: x.clone(),
            x,
            gradient,
            best: values.clone(),
            best_at_checkpoint: values.clone(),
            value: values,
            lengths: vec![2.0; n],
            rises: vec![0; n],
            halved: vec![true; n],
        }
    }

    /// x, x_before ← the next point and x.
    fn advance(&mut self, search: &Search<'_, T>, first: bool) {
        self.z.copy_from_slice(&self.x);
        search.step(&mut self.z, &self.gradient, &self.lengths);
        if !first {
            let (forward, momentum) = (T::from_f64(FORWARD), T::from_f64(1.0 - FORWARD));
            for ((z, &x), &before) in self.z.iter_mut().zip(&self.x).zip(&self.before) {
                *z = x + forward * (*z - x) + momentum * (x - before);
            }
            search.project(&mut self.z);
        }
        std::mem::swap(&mut self.before, &mut self.x);
        std::mem::swap(&mut self.x, &mut self.z);
    }

    /// Takes over values and gradients at x.
    fn judge(&mut self, search: &Search<'_, T>) {
        let d = self.columns;
        self.gradient.copy_from_slice(search.gradient());
        for (row, &value) in search.values().iter().enumerate() {
            self.rises[row] += usize::from(value > self.value[row]);
            self.value[row] = value;
            if value > self.best[row] {
                let at = row * d..(row + 1) * d;
                self.best[row] = value;
                self.best_x[at.clone()].copy_from_slice(&self.x[at.clone()]);
                self.best_gradient[at.clone()].copy_from_slice(&self.gradient[at]);
            }
        }
    }

    /// Halves the step of samples that oscillate, or whose last step length brought nothing since the last checkpoint.
    fn halve(&mut self, steps: usize) {
        let d = self.columns;
        for row in 0..self.lengths.len() {
            let oscillates = (self.rises[row] as f64) < RISING * steps as f64;
            let stuck = !self.halved[row] && self.best[row] <= self.best_at_checkpoint[row];
            self.halved[row] = oscillates || stuck;
            self.best_at_checkpoint[row] = self.best[row];
            self.rises[row] = 0;
            if self.halved[row] {
                let at = row * d..(row + 1) * d;
                self.lengths[row] /= 2.0;
                self.x[at.clone()].copy_from_slice(&self.best_x[at.clone()]);
                self.before[at.clone()].copy_from_slice(&self.best_x[at.clone()]);
                self.gradient[at.clone()].copy_from_slice(&self.best_gradient[at]);
                self.value[row] = self.best[row];
            }
        }
    }
}

impl<T: Scalar> Attack<T> for Apgd {
    fn name(&self) -> &'static str {
        "apgd"
    }

    fn check(&self) -> Result<()> {
        at_least_one("steps", self.steps)?;
        at_least_one("restarts", self.restarts)
    }

    fn evaluations(&self) -> usize {
        2 * (self.steps + 1) * self.restarts
    }

    fn starts_at_the_sample(&self) -> bool {
        true
    }

    fn search(&self, search: &mut Search<'_, T>) -> Result<()> {
        for restart in 0..self.restarts {
            let mut x = search.clean().to_vec();
            if restart > 0 {
                search.draw(self.seed, restart, &mut x);
                search.ascend(&x)?;
            }
            let mut state = State::new(search, x);
            self.climb(search, &mut state)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_those_of_the_paper() {
        assert_eq!(Apgd::new(100).checkpoints(), [22, 41, 57, 70, 80, 87, 93, 99]);
        assert!(Apgd::new(1).checkpoints().iter().all(|&at| at == 1));
    }
}
