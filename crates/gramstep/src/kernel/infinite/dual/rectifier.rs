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
use crate::device::vectorized;
use crate::scalar::{Scalar, elementary::angles};

/// φ(z) = linear·z + absolute·|z|, for the first `length` pairs.
pub(super) fn rectifier<T: Scalar>(pairs: &mut Pairs<T>, length: usize, linear: f64, absolute: f64) {
    let (p, q) = (linear * linear, absolute * absolute);
    let share = T::from_f64(q / (p + q));
    let rest = T::from_f64(p / (p + q));
    let (p, q) = (T::from_f64(p), T::from_f64(q * 2.0 / PI));
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
    let (half, two, three) = (T::from_f64(0.5), T::from_f64(2.0), T::from_f64(3.0));
    let (right, third) = (T::from_f64(PI / 2.0), T::from_f64(1.0 / (3.0 * PI)));
    let slope = T::from_f64(2.0 / PI) * before.row;
    let (u, v, theta) = pairs.slices(before.columns.len());
    vectorized(
        #[inline(always)]
        || {
            for (((u, v), theta), &rj) in u.iter_mut().zip(v).zip(theta).zip(before.columns) {
                let c = half * (*v - *u);
                let square = *u * *v;
                let sine = square.sqrt();
                let (arcsine, angle) = angles(c, u.min(*v));
                let (t, rest) = if c < T::ZERO { (right - arcsine, angle) } else { (angle, right + arcsine) };
                // 1 − ρ′ = (2πs² + t(1 + 2c²) − 3sc)/(3π).
                let bend = (two * c).mul_add(c, T::ONE);
                let turned = T::from_f64(2.0 * PI).mul_add(square, t * bend - three * sine * c);
                *u = (third * turned).max(T::ZERO);
                *v = two - *u;
                *theta *= slope * rj * (sine + rest * c);
            }
        },
    );
}
