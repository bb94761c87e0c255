//! Functions with one kink, at 0 (cho2009): with the angle t = arccos ρ, s = sin t, c = cos t,
//!
//! ```text
//! |z|:        E[φφ] = √(ab)·(2/π)·(s + c·arcsin c),          E[φ′φ′] = (2/π)·arcsin c
//! max(z,0)²:  E[φφ] = ab/(2π)·(3sc + (π−t)(1 + 2c²)),         E[φ′φ′] = √(ab)·(2/π)·(s + (π−t)c)
//! ```
//!
//! and p·z + q·|z| gives p² times the kernel itself plus q² times that of |z|: the mixed terms vanish by symmetry.

use std::f64::consts::PI;

use super::super::pairs::{Pairs, Scales};
use super::partials::{Partials, inverse};
use crate::device::vectorized;
use crate::scalar::{Scalar, elementary::angles};

/// p²/(p² + q²) and q²/(p² + q²), what of a variance comes from p·z and from q·|z|; where both are 0 any two do.
pub(in super::super) fn shares(linear: f64, absolute: f64) -> [f64; 2] {
    let (p, q) = (linear * linear, absolute * absolute);
    let gain = p + q;
    if gain > 0.0 { [p / gain, q / gain] } else { [1.0, 0.0] }
}

/// φ(z) = linear·z + absolute·|z|, for the first `length` pairs.
pub(super) fn rectifier<T: Scalar>(pairs: &mut Pairs<T>, length: usize, linear: f64, absolute: f64) {
    let [rest, share] = shares(linear, absolute).map(T::from_f64);
    let (p, q) = (T::from_f64(linear * linear), T::from_f64(absolute * absolute * 2.0 / PI));
    let (half, two, per_angle) = (T::from_f64(0.5), T::ONE + T::ONE, T::from_f64(2.0 / PI));
    let (u, v, theta) = pairs.slices(length);
    vectorized(
        #[inline(always)]
        || {
            for ((u, v), theta) in u.iter_mut().zip(v).zip(theta) {
                let least = u.min(*v);
                let sine = (*u * *v).sqrt();
                let (arcsine, angle) = angles(half * (*v - *u), least);
                // 1 − ρ of |z|: even, so it depends on the nearer pole alone.
                let even = per_angle.mul_add(angle * (T::ONE - least) - sine, least).max(T::ZERO);
                *theta *= q.mul_add(arcsine, p);
                *u = rest.mul_add(*u, share * even);
                *v = rest.mul_add(*v, share * (two - even));
            }
        },
    );
}

/// φ(z) = max(z, 0)².
pub(super) fn squared_relu<T: Scalar>(pairs: &mut Pairs<T>, before: Scales<'_, T>) {
    let (u, v, theta) = pairs.slices(before.columns.len());
    vectorized(
        #[inline(always)]
        || {
            for (((u, v), theta), &rj) in u.iter_mut().zip(v).zip(theta).zip(before.columns) {
                let (deficit, slope) = squared_relu_pair(*u, *v);
                *u = deficit;
                *v = T::from_f64(2.0) - deficit;
                *theta *= slope * before.row * rj;
            }
        },
    );
}

/// 1 − ρ′ = (2πs² + t(1 + 2c²) − 3sc)/(3π), and E[φ′φ′]/√(ab), of one pair.
#[inline(always)]
pub(in super::super) fn squared_relu_pair<T: Scalar>(u: T, v: T) -> (T, T) {
    let [half, two, three] = [0.5, 2.0, 3.0].map(T::from_f64);
    let [right, third, turn, twice] = [PI / 2.0, 1.0 / (3.0 * PI), 2.0 * PI, 2.0 / PI].map(T::from_f64);
    let c = half * (v - u);
    let square = u * v;
    let sine = square.sqrt();
    let (arcsine, angle) = angles(c, u.min(v));
    let (t, rest) = if c < T::ZERO { (right - arcsine, angle) } else { (angle, right + arcsine) };
    let bend = (two * c).mul_add(c, T::ONE);
    let deficit = (third * turn.mul_add(square, t * bend - three * sine * c)).max(T::ZERO);
    (deficit, twice * rest.mul_add(c, sine))
}

/// Derivatives for φ(z) = linear·z + absolute·|z|: with F = √(ab)·f(ρ), S = f′(ρ),
///
/// ```text
/// F_a = √(b/a)/2·(f − ρf′),  S_k = f″/√(ab),  S_a = −ρf″/(2a),  f − ρf′ = q²(2/π)s,  f″ = q²(2/π)/s
/// ```
///
/// At s = 0, the kink, f″ counts as 0.
pub(super) fn partials<T: Scalar>(
    into: &mut Partials<T>,
    pairs: &Pairs<T>,
    before: Scales<'_, T>,
    linear: f64,
    absolute: f64,
) {
    let (p, q) = (T::from_f64(linear * linear), T::from_f64(absolute * absolute * 2.0 / PI));
    let half = T::from_f64(0.5);
    let per_row = inverse(before.row);
    into.fill(
        pairs,
        before,
        #[inline(always)]
        |_, rj, u, v| {
            let c = half * (v - u);
            let sine = (u * v).sqrt();
            let bend = q * inverse(sine) * per_row;
            let slope = q.mul_add(angles(c, u.min(v)).0, p);
            (slope, half * rj * per_row * q * sine, bend * inverse(rj), -half * c * bend * per_row)
        },
    );
}

/// Derivatives for φ(z) = max(z, 0)²:
///
/// ```text
/// S = √(ab)·(2/π)(s + (π−t)c),  F_a = b/(2π)·(sc + π−t),  S_k = (2/π)(π−t),  S_a = √(b/a)·s/π
/// ```
pub(super) fn squared_relu_partials<T: Scalar>(into: &mut Partials<T>, pairs: &Pairs<T>, before: Scales<'_, T>) {
    let [half, right, turn, twice] = [0.5, PI / 2.0, 0.5 / PI, 2.0 / PI].map(T::from_f64);
    let per_row = inverse(before.row);
    into.fill(
        pairs,
        before,
        #[inline(always)]
        |ri, rj, u, v| {
            let c = half * (v - u);
            let sine = (u * v).sqrt();
            let (arcsine, angle) = angles(c, u.min(v));
            let rest = if c < T::ZERO { angle } else { right + arcsine };
            let slope = twice * ri * rj * rest.mul_add(c, sine);
            (slope, turn * rj * rj * sine.mul_add(c, rest), twice * rest, half * twice * rj * per_row * sine)
        },
    );
}
