//! Normalisation over infinitely many values, whose mean is 0 and whose variance is known: z ↦ z·n, n = 1/√(a + ε).
//!
//! ```text
//! E[φφ] = k·n n′,  E[φ′φ′] = n n′
//! ```

use super::super::pairs::{Pairs, Scales};
use super::partials::Partials;
use crate::device::vectorized;
use crate::scalar::Scalar;

/// a/(a + ε), 0 where there is nothing to normalise.
pub(super) fn second_moment(a: f64, epsilon: f64) -> f64 {
    let total = a + epsilon;
    if total > 0.0 { a / total } else { 0.0 }
}

/// n of a point with √a = r.
#[inline(always)]
pub(in super::super) fn factor<T: Scalar>(r: T, epsilon: T) -> T {
    let total = r.mul_add(r, epsilon);
    let positive = total > T::ZERO;
    let inverse = T::ONE / if positive { total.sqrt() } else { T::ONE };
    if positive { inverse } else { T::ZERO }
}

pub(super) fn apply<T: Scalar>(pairs: &mut Pairs<T>, before: Scales<'_, T>, epsilon: f64) {
    let epsilon = T::from_f64(epsilon);
    let row = factor(before.row, epsilon);
    let (_, _, theta) = pairs.slices(before.columns.len());
    vectorized(
        #[inline(always)]
        || {
            for (theta, &rj) in theta.iter_mut().zip(before.columns) {
                *theta *= row * factor(rj, epsilon);
            }
        },
    );
}

/// F_k = S = n n′,  F_a = −k n³n′/2,  S_k = 0,  S_a = −n³n′/2.
pub(super) fn partials<T: Scalar>(into: &mut Partials<T>, pairs: &Pairs<T>, before: Scales<'_, T>, epsilon: f64) {
    let epsilon = T::from_f64(epsilon);
    let half = T::from_f64(0.5);
    into.fill(
        pairs,
        before,
        #[inline(always)]
        |ri, rj, u, v| {
            let (ni, nj) = (factor(ri, epsilon), factor(rj, epsilon));
            let turned = -half * ni * ni * ni * nj;
            let k = half * ri * rj * (v - u);
            (ni * nj, k * turned, T::ZERO, turned)
        },
    );
}
