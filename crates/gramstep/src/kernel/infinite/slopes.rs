//! Derivatives of the kernels of a run of pairs (i, j) on their way through the layers, x_j held: in k = K_ij and in
//! q = K_ii of the input, of which alone the kernels depend on x_i.
//!
//! ```text
//! dense    dK ← w·dK,  dΘ ← w·dΘ + w′·dK
//! φ        dK ← F_k·dK + F_a·da,  dΘ ← S·dΘ + Θ·(S_k·dK + S_a·da),  F = E[φφ], S = E[φ′φ′] = F_k, a = K_ii
//! sum      dK ← dK + dK of the branch, dΘ alike
//! ```

use super::dual::{Partials, Tables};
use super::layers::DenseVariances;
use super::pairs::{Pairs, RUN, Scales};
use super::steps::Step;
use crate::device::vectorized;
use crate::scalar::Scalar;

/// ∂K/∂t and ∂Θ/∂t of a run of pairs, for one variable t.
#[derive(Clone, Debug)]
pub(super) struct Along<T> {
    pub(super) covariance: Vec<T>,
    pub(super) theta: Vec<T>,
}

/// Both derivatives, and the memory of a walk.
#[derive(Clone, Debug)]
pub(super) struct Slopes<T> {
    /// t = k.
    pub(super) in_k: Along<T>,
    /// t = q.
    pub(super) in_q: Along<T>,
    partials: Partials<T>,
    saved: Vec<[Along<T>; 2]>,
}

impl<T: Scalar> Along<T> {
    fn new() -> Self {
        Self { covariance: vec![T::ZERO; RUN], theta: vec![T::ZERO; RUN] }
    }

    fn dense(&mut self, layer: DenseVariances) {
        let [weight, tangent] = [layer.weight, layer.weight_tangent].map(T::from_f64);
        vectorized(
            #[inline(always)]
            || {
                for (covariance, theta) in self.covariance.iter_mut().zip(&mut self.theta) {
                    *theta = weight.mul_add(*theta, tangent * *covariance);
                    *covariance *= weight;
                }
            },
        );
    }

    /// `growth`: ∂a/∂t; `theta`: Θ of the pairs.
    fn activation(&mut self, partials: &Partials<T>, growth: T, theta: &[T]) {
        let Partials { f_k, f_a, s_k, s_a } = partials;
        vectorized(
            #[inline(always)]
            || {
                let along = self.covariance.iter_mut().zip(&mut self.theta);
                let partials = f_k.iter().zip(f_a).zip(s_k.iter().zip(s_a));
                for (((dk, dtheta), ((&f_k, &f_a), (&s_k, &s_a))), &theta) in along.zip(partials).zip(theta) {
                    *dtheta = f_k.mul_add(*dtheta, theta * s_k.mul_add(*dk, s_a * growth));
                    *dk = f_k.mul_add(*dk, f_a * growth);
                }
            },
        );
    }

    fn join(&mut self, input: &Self) {
        for (values, others) in [(&mut self.covariance, &input.covariance), (&mut self.theta, &input.theta)] {
            values.iter_mut().zip(others).for_each(|(value, &other)| *value += other);
        }
    }
}

impl<T: Scalar> Slopes<T> {
    pub(super) fn new() -> Self {
        Self { in_k: Along::new(), in_q: Along::new(), partials: Partials::new(), saved: Vec::new() }
    }

    /// At the input: K = k, Θ = 0.
    pub(super) fn start(&mut self) {
        self.in_k.covariance.fill(T::ONE);
        self.in_q.covariance.fill(T::ZERO);
        self.in_k.theta.fill(T::ZERO);
        self.in_q.theta.fill(T::ZERO);
        self.saved.clear();
    }

    /// ∂a/∂q where the pairs are a point with itself: K_ii depends on q as k, as K_ii and as K_jj.
    pub(super) fn own_growth(&self) -> T {
        (T::ONE + T::ONE).mul_add(self.in_q.covariance[0], self.in_k.covariance[0])
    }

    /// One step, on pairs that have yet to take it; `growth`: ∂a/∂q of the row in front of it.
    pub(super) fn step(
        &mut self,
        step: &Step,
        pairs: &Pairs<T>,
        before: Scales<'_, T>,
        growth: T,
        tables: Option<Tables<'_, T>>,
    ) {
        match step {
            Step::Dense(layer) => {
                self.in_k.dense(*layer);
                self.in_q.dense(*layer);
            }
            Step::Activation(dual) => {
                dual.partials(&mut self.partials, pairs, before, tables);
                let theta = &pairs.theta[..before.columns.len()];
                self.in_k.activation(&self.partials, T::ZERO, theta);
                self.in_q.activation(&self.partials, growth, theta);
            }
            Step::Split => self.saved.push([self.in_k.clone(), self.in_q.clone()]),
            Step::Swap { .. } => {
                if let Some([in_k, in_q]) = self.saved.last_mut() {
                    std::mem::swap(&mut self.in_k, in_k);
                    std::mem::swap(&mut self.in_q, in_q);
                }
            }
            Step::Join { .. } => {
                if let Some([in_k, in_q]) = self.saved.pop() {
                    self.in_k.join(&in_k);
                    self.in_q.join(&in_q);
                }
            }
        }
    }
}
