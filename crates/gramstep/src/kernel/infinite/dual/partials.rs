//! The derivatives of a dual activation, for a run of pairs.

use super::super::pairs::{Pairs, RUN, Scales};
use crate::device::vectorized;
use crate::scalar::Scalar;

/// Derivatives of F = E[φφ] and S = E[φ′φ′] of a run of pairs in k and, for fixed k, in the row's variance a.
#[derive(Clone, Debug)]
pub(in super::super) struct Partials<T> {
    /// F_k = S
    pub(in super::super) f_k: Vec<T>,
    /// F_a
    pub(in super::super) f_a: Vec<T>,
    /// S_k
    pub(in super::super) s_k: Vec<T>,
    /// S_a
    pub(in super::super) s_a: Vec<T>,
}

/// F_k, F_a, S_k and S_a of one pair.
pub(super) type Partial<T> = (T, T, T, T);

impl<T: Scalar> Partials<T> {
    pub(in super::super) fn new() -> Self {
        let zeros = || vec![T::ZERO; RUN];
        Self { f_k: zeros(), f_a: zeros(), s_k: zeros(), s_a: zeros() }
    }

    /// Fills in what `partial` makes of r_i = √a, r_j, u and v.
    pub(super) fn fill(&mut self, pairs: &Pairs<T>, before: Scales<'_, T>, partial: impl Fn(T, T, T, T) -> Partial<T>) {
        vectorized(
            #[inline(always)]
            || {
                let partials = self.f_k.iter_mut().zip(&mut self.f_a).zip(self.s_k.iter_mut().zip(&mut self.s_a));
                let pairs = pairs.u.iter().zip(&pairs.v).zip(before.columns);
                for (((f_k, f_a), (s_k, s_a)), ((&u, &v), &rj)) in partials.zip(pairs) {
                    (*f_k, *f_a, *s_k, *s_a) = partial(before.row, rj, u, v);
                }
            },
        );
    }
}

/// Below it 1/x² is not finite in `f32`.
const SMALLEST: f64 = 1e-18;

/// 1/x, and 0 for numbers as good as 0: a point without variance has no direction to turn to.
#[inline(always)]
pub(super) fn inverse<T: Scalar>(x: T) -> T {
    let usable = x > T::from_f64(SMALLEST);
    let inverse = T::ONE / if usable { x } else { T::ONE };
    if usable { inverse } else { T::ZERO }
}
