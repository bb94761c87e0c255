//! Closed forms of functions with parameters, and of what finite networks do not have. k, a, b as in `smooth.rs`.
//!
//! ```text
//! sin(x + c)   E[φφ] = (e₋ − cos 2c·e₊)/2, e∓ = exp(−(a+b)/2 ± k)     E[φ′φ′] = (e₋ + cos 2c·e₊)/2
//! exp          E[φφ] = E[φ′φ′] = exp((a+b)/2 + k)
//! exp(−x²)     E[φφ] = 1/√D, D = 1 + 2(a+b) + 4(ab − k²)              E[φ′φ′] = 4k/D^{3/2}
//! sign         E[φφ] = (2/π)·arcsin ρ                                 E[φ′φ′] = 0, as almost everywhere
//! Σ c_n xⁿ     E[φφ] = Σ_l q_l(a) q_l(b) kˡ                            E[φ′φ′] = Σ_l l·q_l(a) q_l(b) kˡ⁻¹
//!              q_l(a) = Σ_i c_{l+2i}·(l+2i)!/(2ⁱ i! √l!)·aⁱ
//! ```

use std::f64::consts::PI;

use super::partials::{Partial, inverse};
use super::smooth::{Closed, covariance};
use crate::scalar::Scalar;
use crate::scalar::elementary::{angles, exp_nonpositive};

/// scale·φ(rate·x) + shift, φ odd where there is a shift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct Scaled<D> {
    pub(in super::super) of: D,
    pub(in super::super) scale: f64,
    pub(in super::super) rate: f64,
    pub(in super::super) shift: f64,
}

impl<D: Closed> Closed for Scaled<D> {
    #[inline(always)]
    fn pair<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> (T, T) {
        let rate = T::from_f64(self.rate.abs());
        let (value, slope) = self.of.pair(rate * ri, rate * rj, u, v);
        let square = T::from_f64(self.scale * self.scale);
        (square.mul_add(value, T::from_f64(self.shift * self.shift)), square * rate * rate * slope)
    }

    #[inline(always)]
    fn partial<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> Partial<T> {
        let rate = T::from_f64(self.rate.abs());
        let (f_k, f_a, s_k, s_a) = self.of.partial(rate * ri, rate * rj, u, v);
        let (once, twice) = (self.scale * self.rate, self.scale * self.rate * self.rate);
        let (once, twice) = (T::from_f64(once * once), T::from_f64(twice * twice));
        (once * f_k, once * f_a, twice * s_k, twice * s_a)
    }
}

/// sin(x + phase).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct Wave {
    /// cos 2·phase: 1 of the sine, −1 of the cosine.
    pub(in super::super) turn: f64,
}

impl Wave {
    /// (e₋, cos 2c·e₊).
    #[inline(always)]
    fn parts<T: Scalar>(self, ri: T, rj: T, u: T, v: T) -> (T, T) {
        let difference = ri - rj;
        let (twist, norm) = (T::from_f64(0.5) * difference * difference, ri * rj);
        let wave = |side: T| exp_nonpositive(-norm.mul_add(side, twist));
        (wave(u), T::from_f64(self.turn) * wave(v))
    }
}

impl Closed for Wave {
    #[inline(always)]
    fn pair<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> (T, T) {
        let (near, far) = self.parts(ri, rj, u, v);
        let half = T::from_f64(0.5);
        (half * (near - far), half * (near + far))
    }

    /// F_a = −F/2,  S_k = F,  S_a = −S/2.
    #[inline(always)]
    fn partial<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> Partial<T> {
        let (value, slope) = self.pair(ri, rj, u, v);
        let half = T::from_f64(0.5);
        (slope, -half * value, value, -half * slope)
    }
}

/// exp x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct Exponential;

impl Closed for Exponential {
    /// (a + b)/2 + k = (√a − √b)²/2 + √(ab)·v is no less than 0.
    #[inline(always)]
    fn pair<T: Scalar>(&self, ri: T, rj: T, _u: T, v: T) -> (T, T) {
        let difference = ri - rj;
        let exponent = (T::from_f64(0.5) * difference).mul_add(difference, ri * rj * v);
        let value = T::ONE / exp_nonpositive(-exponent);
        (value, value)
    }

    /// F_a = S_a = F/2,  S_k = F.
    #[inline(always)]
    fn partial<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> Partial<T> {
        let (value, _) = self.pair(ri, rj, u, v);
        let half = T::from_f64(0.5) * value;
        (value, half, value, half)
    }
}

/// exp(−x²).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct Bell;

impl Bell {
    /// k and D.
    #[inline(always)]
    fn parts<T: Scalar>(ri: T, rj: T, u: T, v: T) -> (T, T) {
        let (two, four) = (T::from_f64(2.0), T::from_f64(4.0));
        let (k, gap) = covariance(ri, rj, u, v);
        (k, four.mul_add(gap, two.mul_add(ri * ri + rj * rj, T::ONE)))
    }
}

impl Closed for Bell {
    #[inline(always)]
    fn pair<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> (T, T) {
        let (k, total) = Self::parts(ri, rj, u, v);
        let value = T::ONE / total.sqrt();
        (value, T::from_f64(4.0) * k * value / total)
    }

    /// With D_a = 2 + 4b and D_k = −8k: F_a = −F·D_a/(2D),  S_k = 4F/D + 12k·S/D,  S_a = −(3/2)·S·D_a/D.
    #[inline(always)]
    fn partial<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> Partial<T> {
        let (value, slope) = self.pair(ri, rj, u, v);
        let (k, total) = Self::parts(ri, rj, u, v);
        let [half, two, three, four] = [0.5, 2.0, 3.0, 4.0].map(T::from_f64);
        let grown = four.mul_add(rj * rj, two) / total;
        (slope, -half * value * grown, four * (value + three * k * slope) / total, -half * three * slope * grown)
    }
}

/// sign x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct Sign;

impl Closed for Sign {
    #[inline(always)]
    fn pair<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> (T, T) {
        let half = T::from_f64(0.5);
        let value = T::from_f64(2.0 / PI) * angles(half * (v - u), u.min(v)).0;
        (if ri * rj > T::ZERO { value } else { T::ZERO }, T::ZERO)
    }

    /// F_k = (2/π)/√(ab − k²),  F_a = −k/(2a)·F_k; at the kink, ρ = ±1, they count as 0.
    #[inline(always)]
    fn partial<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> Partial<T> {
        let (k, gap) = covariance(ri, rj, u, v);
        let f_k = T::from_f64(2.0 / PI) * inverse(gap.sqrt());
        (f_k, -T::from_f64(0.5) * k * inverse(ri) * inverse(ri) * f_k, T::ZERO, T::ZERO)
    }
}

/// Σ c_n xⁿ.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Polynomial {
    /// Coefficients of q_l, the highest first, for every l.
    parts: Vec<Vec<f64>>,
}

impl Polynomial {
    /// From c_0, c_1, …
    pub(in super::super) fn new(coefficients: &[f64]) -> Self {
        let factorial = |n: usize| (1..=n).map(|i| i as f64).product::<f64>();
        let part = |l: usize| {
            let terms = coefficients.iter().enumerate().skip(l).step_by(2).enumerate();
            let mut part: Vec<f64> = terms
                .map(|(i, (n, c))| {
                    let pairings = 2.0_f64.powi(i32::try_from(i).unwrap_or(i32::MAX)) * factorial(i);
                    c * factorial(n) / (pairings * factorial(l).sqrt())
                })
                .collect();
            part.reverse();
            part
        };
        Self { parts: (0..coefficients.len()).map(part).collect() }
    }

    /// q_l(x) and q_l′(x).
    #[inline(always)]
    fn part<T: Scalar>(part: &[f64], x: T) -> (T, T) {
        let (mut value, mut slope) = (T::ZERO, T::ZERO);
        for &c in part {
            slope = slope.mul_add(x, value);
            value = value.mul_add(x, T::from_f64(c));
        }
        (value, slope)
    }
}

impl Closed for Polynomial {
    #[inline(always)]
    fn pair<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> (T, T) {
        let (f_k, value) = self.sums(ri, rj, u, v, |ours, theirs| ours.0 * theirs.0);
        (value.0, f_k)
    }

    #[inline(always)]
    fn partial<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> Partial<T> {
        let (f_k, (_, s_k)) = self.sums(ri, rj, u, v, |ours, theirs| ours.0 * theirs.0);
        let (s_a, (f_a, _)) = self.sums(ri, rj, u, v, |ours, theirs| ours.1 * theirs.0);
        (f_k, f_a, s_k, s_a)
    }
}

impl Polynomial {
    /// With t_l made of (q_l, q_l′) of both points: Σ l·t_l·kˡ⁻¹, and Σ t_l·kˡ with Σ l(l−1)·t_l·kˡ⁻².
    #[inline(always)]
    fn sums<T: Scalar>(&self, ri: T, rj: T, u: T, v: T, term: impl Fn((T, T), (T, T)) -> T) -> (T, (T, T)) {
        let (k, _) = covariance(ri, rj, u, v);
        let (a, b) = (ri * ri, rj * rj);
        let (mut value, mut slope, mut bend) = (T::ZERO, T::ZERO, T::ZERO);
        for part in self.parts.iter().rev() {
            // Horner's rule for a polynomial in k, and for its first and half its second derivative.
            bend = bend.mul_add(k, slope);
            slope = slope.mul_add(k, value);
            value = value.mul_add(k, term(Self::part(part, a), Self::part(part, b)));
        }
        (slope, (value, bend + bend))
    }
}
