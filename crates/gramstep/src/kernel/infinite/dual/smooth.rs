//! Smooth functions with closed forms. k = K_ij, a = K_ii, b = K_jj, and ab − k² = ab·uv without cancellation.
//!
//! ```text
//! erf   E[φφ] = (2/π)·arcsin(2k/√E), E = (1+2a)(1+2b)             E[φ′φ′] = (4/π)/√(E − 4k²)        (williams1998)
//! sin   E[φφ] = (e₊ − e₋)/2, e± = exp(−(a+b)/2 ± k)               E[φ′φ′] = (e₊ + e₋)/2
//! cos   the two exchanged
//! gelu  E[φφ] = k/4 + (k·arcsin(k/√P) + (k² + ab·D)/(P√D))/(2π),  P = (1+a)(1+b), D = P − k²        (tsuchida2021)
//!       E[φ′φ′] = ¼ + (arcsin(k/√P) + k/√D·(1/D + (1 − ab)/P + 1))/(2π)
//! ```

use std::f64::consts::PI;

use super::super::pairs::{Pairs, Scales};
use super::partials::{Partial, Partials};
use crate::device::vectorized_body;
use crate::scalar::Scalar;
use crate::scalar::elementary::{angles, exp_m1_nonpositive, exp_nonpositive};

/// A dual activation in closed form.
pub(in super::super) trait Closed {
    /// (E[φφ], E[φ′φ′]) of one pair, from r_i = √a, r_j = √b, u and v.
    fn pair<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> (T, T);

    /// Their derivatives in k and a.
    fn partial<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> Partial<T>;
}

pub(super) fn partials<T: Scalar>(dual: &impl Closed, into: &mut Partials<T>, pairs: &Pairs<T>, before: Scales<'_, T>) {
    into.fill(
        pairs,
        before,
        #[inline(always)]
        |ri, rj, u, v| dual.partial(ri, rj, u, v),
    );
}

/// E[φ(x)²] for x of this variance.
pub(super) fn second_moment(dual: &impl Closed, variance: f64) -> f64 {
    let r = variance.sqrt();
    dual.pair(r, r, 0.0, 2.0).0
}

/// K ← E[φφ], Θ ← Θ·E[φ′φ′].
pub(super) fn apply<T: Scalar>(dual: &impl Closed, pairs: &mut Pairs<T>, before: Scales<'_, T>, after: Scales<'_, T>) {
    let ri = before.row;
    let (u, v, theta) = pairs.slices(before.columns.len());
    vectorized_body(
        #[inline(always)]
        || {
            let scales = before.columns.iter().zip(after.columns);
            for (((u, v), theta), (&rj, &norm)) in u.iter_mut().zip(&mut *v).zip(&mut *theta).zip(scales) {
                let (value, slope) = dual.pair(ri, rj, *u, *v);
                let same = ri == rj && *u * *v == T::ZERO;
                *theta *= slope;
                (*u, *v) = normalised(value, after.row * norm, same);
            }
        },
    );
}

/// (1 − ρ, 1 + ρ) for ρ = value/norm. Of x′ = ±x (`same`) the result is ±1 exactly, if it is that up to rounding.
#[inline(always)]
pub(super) fn normalised<T: Scalar>(value: T, norm: T, same: bool) -> (T, T) {
    let positive = norm > T::ZERO;
    let ratio = value / if positive { norm } else { T::ONE };
    let ratio = if positive { ratio.max(-T::ONE).min(T::ONE) } else { T::ZERO };
    let (u, v) = (T::ONE - ratio, T::ONE + ratio);
    let rounding = T::from_f64(64.0) * T::EPSILON;
    let (u, v) = if same && u < rounding { (T::ZERO, T::ONE + T::ONE) } else { (u, v) };
    if same && v < rounding { (T::ONE + T::ONE, T::ZERO) } else { (u, v) }
}

/// k and ab − k² of a pair.
#[inline(always)]
pub(super) fn covariance<T: Scalar>(ri: T, rj: T, u: T, v: T) -> (T, T) {
    let rr = ri * rj;
    (T::from_f64(0.5) * rr * (v - u), rr * rr * u * v)
}

/// arcsin(k/√total) where total = k² + rest.
#[inline(always)]
fn arcsine<T: Scalar>(k: T, total: T, rest: T) -> T {
    let c = k / total.sqrt();
    // 1 − |c| = (1 − c²)/(1 + |c|).
    angles(c, rest / (total * (T::ONE + c.abs()))).0
}

/// erf z.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Erf;

impl Closed for Erf {
    #[inline(always)]
    fn pair<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> (T, T) {
        let (two, four) = (T::from_f64(2.0), T::from_f64(4.0));
        let (k, gap) = covariance(ri, rj, u, v);
        let (a, b) = (ri * ri, rj * rj);
        let total = two.mul_add(a, T::ONE) * two.mul_add(b, T::ONE);
        let rest = four.mul_add(gap, two.mul_add(a + b, T::ONE));
        (T::from_f64(2.0 / PI) * arcsine(two * k, total, rest), T::from_f64(4.0 / PI) / rest.sqrt())
    }

    /// F_a = −k·S/(1 + 2a),  S_k = 4k·S/(E − 4k²),  S_a = −(1 + 2b)·S/(E − 4k²).
    #[inline(always)]
    fn partial<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> Partial<T> {
        let (two, four) = (T::from_f64(2.0), T::from_f64(4.0));
        let (k, gap) = covariance(ri, rj, u, v);
        let (a, b) = (ri * ri, rj * rj);
        let rest = four.mul_add(gap, two.mul_add(a + b, T::ONE));
        let slope = T::from_f64(4.0 / PI) / rest.sqrt();
        (slope, -k * slope / two.mul_add(a, T::ONE), four * k * slope / rest, -two.mul_add(b, T::ONE) * slope / rest)
    }
}

/// ((e₊ − e₋)/2, (e₊ + e₋)/2).
#[inline(always)]
fn exponentials<T: Scalar>(ri: T, rj: T, u: T, v: T) -> (T, T) {
    // (a + b)/2 ∓ k = (√a − √b)²/2 + √(ab)·u or ·v: of the two exponents the one closer to 0, and their distance 2|k|.
    let (half, rr) = (T::from_f64(0.5), ri * rj);
    let difference = ri - rj;
    let large = exp_nonpositive(-(half * difference).mul_add(difference, rr * u.min(v)));
    let drop = exp_m1_nonpositive(-rr * (v - u).abs());
    let odd = -half * large * drop;
    let even = large * half.mul_add(drop, T::ONE);
    (if v < u { -odd } else { odd }, even)
}

/// sin z.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Sin;

impl Closed for Sin {
    #[inline(always)]
    fn pair<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> (T, T) {
        exponentials(ri, rj, u, v)
    }

    /// F_a = −F/2,  S_k = F,  S_a = −S/2.
    #[inline(always)]
    fn partial<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> Partial<T> {
        let (value, slope) = self.pair(ri, rj, u, v);
        let half = T::from_f64(0.5);
        (slope, -half * value, value, -half * slope)
    }
}

/// cos z.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Cos;

impl Closed for Cos {
    #[inline(always)]
    fn pair<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> (T, T) {
        let (odd, even) = exponentials(ri, rj, u, v);
        (even, odd)
    }

    /// As for the sine.
    #[inline(always)]
    fn partial<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> Partial<T> {
        let (value, slope) = self.pair(ri, rj, u, v);
        let half = T::from_f64(0.5);
        (slope, -half * value, value, -half * slope)
    }
}

/// z·Φ(z).
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Gelu;

impl Closed for Gelu {
    #[inline(always)]
    fn pair<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> (T, T) {
        let (quarter, turn) = (T::from_f64(0.25), T::from_f64(0.5 / PI));
        let (k, gap) = covariance(ri, rj, u, v);
        let (a, b) = (ri * ri, rj * rj);
        let total = (T::ONE + a) * (T::ONE + b);
        let rest = T::ONE + a + b + gap;
        let root = rest.sqrt();
        let angle = arcsine(k, total, rest);
        let bump = k.mul_add(k, a * b * rest) / (total * root);
        let value = quarter.mul_add(k, turn * k.mul_add(angle, bump));
        let tilt = k / root * (T::ONE / rest + (T::ONE - a * b) / total + T::ONE);
        (value, turn.mul_add(angle + tilt, quarter))
    }

    /// With Q = 1/D + (1 − ab)/P + 1 and N = k² + ab·D, whose derivatives in a are −(1+b)/D² − b/P − (1−ab)(1+b)/P² and
    /// bD + ab(1+b):
    ///
    /// ```text
    /// 2π·F_a = −k²(1+b)/(2P√D) + (N_a − N(1+b)(1/P + 1/(2D)))/(P√D)
    /// 2π·S_k = (1 + P·Q/D + 2k²/D²)/√D
    /// 2π·S_a = k/√D·(Q_a − (1+b)/2·(1/P + Q/D))
    /// ```
    #[inline(always)]
    fn partial<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> Partial<T> {
        let (turn, half, two) = (T::from_f64(0.5 / PI), T::from_f64(0.5), T::from_f64(2.0));
        let (_, slope) = self.pair(ri, rj, u, v);
        let (k, gap) = covariance(ri, rj, u, v);
        let (a, b) = (ri * ri, rj * rj);
        let (total, rest) = ((T::ONE + a) * (T::ONE + b), T::ONE + a + b + gap);
        let (per_total, per_rest) = (T::ONE / total, T::ONE / rest);
        let per_root = per_rest.sqrt();
        let (square, product) = (k * k, a * b);
        let grown = T::ONE + b;
        let tilt = per_rest + (T::ONE - product) * per_total + T::ONE;
        let tilt_a = -grown * per_rest * per_rest - per_total * (b + (T::ONE - product) * grown * per_total);
        let bump = product.mul_add(rest, square);
        let bump_a = b.mul_add(rest, product * grown);
        let moved = bump_a - bump * grown * half.mul_add(per_rest, per_total);
        let f_a = turn * per_total * per_root * (moved - half * square * grown);
        let s_k = turn * per_root * (T::ONE + per_rest * (total * tilt + two * square * per_rest));
        let s_a = turn * k * per_root * (tilt_a - half * grown * (per_total + tilt * per_rest));
        (slope, f_a, s_k, s_a)
    }
}
