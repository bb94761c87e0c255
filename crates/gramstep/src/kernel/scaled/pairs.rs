//! What a kernel says of one point and a run of others: values, and derivatives in its parameters and in the point.

use std::ops::Range;

use super::points::Points;
use crate::scalar::Scalar;

/// Points of a run: their numbers stay in the first cache.
pub(super) const RUN: usize = 128;

/// A kernel between two sets of points, a_i and b_k.
///
/// Derivatives are in logarithms of w_j (one number a coordinate), then in logits of shares: `into` has as many numbers
/// as [`parameters`](Self::parameters) says.
pub(super) trait Pairs<T: Scalar>: Sync {
    /// The points a_i and b_k.
    fn points(&self) -> (&Points<T>, &Points<T>);

    /// Number of parameters.
    fn parameters(&self) -> usize;

    /// Multiplications of the value of a pair, about.
    fn cost(&self) -> f64;

    /// out_k = K(a_i, b_k).
    fn values(&self, i: usize, run: Range<usize>, out: &mut [T]);

    /// into_p += Σ_k m_k ∂K(a_i, b_k)/∂p. m is left with other numbers.
    fn add_parameter_slopes(&self, i: usize, run: Range<usize>, m: &mut [T], work: &mut Vec<T>, into: &mut [T]);

    /// into_j += Σ_k m_k ∂K(a_i, b_k)/∂a_ij, j the columns of x. m is left with other numbers.
    fn add_input_slopes(&self, i: usize, run: Range<usize>, m: &mut [T], work: &mut Vec<T>, into: &mut [T]);
}
