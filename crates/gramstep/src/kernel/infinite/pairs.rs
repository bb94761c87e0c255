//! The kernels of a run of pairs (i, j), j = j₀, j₀+1, …, on their way through the layers.
//!
//! Not K is carried but the correlation ρ = K_ij/(r_i r_j), r_i = √K_ii, and that as the two numbers u = 1 − ρ and
//! v = 1 + ρ. All of the arithmetic on them is sums of numbers ≥ 0, so the smaller one keeps its relative precision,
//! and so do the angle arccos ρ = 2·arcsin √(u/2) and its sine √(uv): at duplicates, opposite points, and close to them.

use super::layers::DenseVariances;
use crate::device::vectorized;
use crate::scalar::Scalar;

/// The largest number of pairs at a time: few enough to stay in the first-level cache.
pub(super) const RUN: usize = 256;

/// u, v and Θ of a run of pairs.
#[derive(Clone, Debug)]
pub(super) struct Pairs<T> {
    pub(super) u: Vec<T>,
    pub(super) v: Vec<T>,
    pub(super) theta: Vec<T>,
}

/// r_i of the row and r_j of the columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scales<'a, T> {
    pub(super) row: T,
    pub(super) columns: &'a [T],
}

/// One of two independent summands of a layer's output, for one pair.
#[derive(Clone, Copy)]
struct Summand<T> {
    ri: T,
    rj: T,
    u: T,
    v: T,
}

/// (u, v) of a sum of two independent parts P and Q, r² = p² + q²; every summand is ≥ 0:
///
/// ```text
/// u = (p_i p_j u_P + q_i q_j u_Q + e)/(r_i r_j),    v = (p_i p_j v_P + q_i q_j v_Q + e)/(r_i r_j)
/// e = r_i r_j − p_i p_j − q_i q_j = (p_i q_j − p_j q_i)²/(r_i r_j + p_i p_j + q_i q_j)
/// ```
#[inline(always)]
fn sum<T: Scalar>(p: Summand<T>, q: Summand<T>, norm: T) -> (T, T) {
    let (pp, qq) = (p.ri * p.rj, q.ri * q.rj);
    let twist = p.ri * q.rj - p.rj * q.ri;
    let positive = norm > T::ZERO;
    let inverse = T::ONE / if positive { norm } else { T::ONE };
    let e = twist * twist / if positive { norm + pp + qq } else { T::ONE };
    let u = pp.mul_add(p.u, qq.mul_add(q.u, e)) * inverse;
    let v = pp.mul_add(p.v, qq.mul_add(q.v, e)) * inverse;
    // Where nothing is summed there is no direction.
    if positive { (u, v) } else { (T::ONE, T::ONE) }
}

impl<T: Scalar> Pairs<T> {
    pub(super) fn new() -> Self {
        Self { u: vec![T::ZERO; RUN], v: vec![T::ZERO; RUN], theta: vec![T::ZERO; RUN] }
    }

    /// Starts from correlations, Θ = 0.
    pub(super) fn start(&mut self, correlations: &[T]) {
        let (u, v, theta) = self.slices(correlations.len());
        vectorized(
            #[inline(always)]
            || {
                for (((u, v), theta), &c) in u.iter_mut().zip(v).zip(theta).zip(correlations) {
                    *u = T::ONE - c;
                    *v = T::ONE + c;
                    *theta = T::ZERO;
                }
            },
        );
    }

    /// u, v and Θ of the first `length` pairs.
    pub(super) fn slices(&mut self, length: usize) -> (&mut [T], &mut [T], &mut [T]) {
        (&mut self.u[..length], &mut self.v[..length], &mut self.theta[..length])
    }

    /// K ← w·K + b, Θ ← w′·K + b′ + w·Θ.
    pub(super) fn dense(&mut self, layer: DenseVariances, before: Scales<'_, T>, after: Scales<'_, T>) {
        let [weight, tangent, bias_tangent] =
            [layer.weight, layer.weight_tangent * 0.5, layer.bias_tangent].map(T::from_f64);
        let ri = before.row;
        let (u, v, theta) = self.slices(before.columns.len());
        vectorized(
            #[inline(always)]
            || {
                for (((theta, &u), &v), &rj) in theta.iter_mut().zip(&*u).zip(&*v).zip(before.columns) {
                    *theta = weight.mul_add(*theta, (tangent * ri * rj).mul_add(v - u, bias_tangent));
                }
            },
        );
        if layer.bias > 0.0 || layer.weight == 0.0 {
            let (root, bias, two) = (T::from_f64(layer.weight.sqrt()), T::from_f64(layer.bias.sqrt()), T::ONE + T::ONE);
            vectorized(
                #[inline(always)]
                || {
                    let columns = before.columns.iter().zip(after.columns);
                    for ((u, v), (&rj, &norm)) in u.iter_mut().zip(v).zip(columns) {
                        let weights = Summand { ri: root * ri, rj: root * rj, u: *u, v: *v };
                        let biases = Summand { ri: bias, rj: bias, u: T::ZERO, v: two };
                        (*u, *v) = sum(weights, biases, after.row * norm);
                    }
                },
            );
        }
    }

    /// K ← K + K of the branch's input, Θ alike; their scales are `ours` and `theirs`.
    pub(super) fn join(&mut self, other: &Self, ours: Scales<'_, T>, theirs: Scales<'_, T>, after: Scales<'_, T>) {
        let (u, v, theta) = self.slices(ours.columns.len());
        vectorized(
            #[inline(always)]
            || {
                let branch = u.iter_mut().zip(v).zip(theta);
                let input = other.u.iter().zip(&other.v).zip(&other.theta);
                let scales = ours.columns.iter().zip(theirs.columns).zip(after.columns);
                for ((((u, v), theta), ((&u0, &v0), &theta0)), ((&p, &q), &norm)) in branch.zip(input).zip(scales) {
                    *theta += theta0;
                    let branch = Summand { ri: ours.row, rj: p, u: *u, v: *v };
                    let input = Summand { ri: theirs.row, rj: q, u: u0, v: v0 };
                    (*u, *v) = sum(branch, input, after.row * norm);
                }
            },
        );
    }
}
