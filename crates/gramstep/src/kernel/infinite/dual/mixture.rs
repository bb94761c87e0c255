//! tanh at any variance, as a sum of error functions: the logistic law is a mixture of normal laws whose deviation is twice
//! a variable D with the law of Kolmogorov and Smirnov (andrews1974), so that
//!
//! ```text
//! tanh x = E[erf(x/(√2 D))],    density of D: f(D) = 8D Σ_k (−1)^{k+1} k² exp(−2k²D²)
//! ```
//!
//! The midpoint rule in ln D converges geometrically, uniformly in x.

use std::f64::consts::PI;

use super::partials::Partial;
use super::smooth::{Closed, Erf};
use crate::scalar::Scalar;

/// Number of terms of a [`Mixture`]: tanh to 1e-15; 24 leave 5e-14.
const TERMS: usize = 28;

/// tanh x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct Mixture {
    rates: [f64; TERMS],
    weights: [f64; TERMS],
}

impl Mixture {
    /// tanh x.
    pub(in super::super) fn tanh() -> Self {
        // Beyond, f(D)·D is below 1e-17.
        let (low, high) = (0.17_f64.ln(), 4.6_f64.ln());
        let step = (high - low) / TERMS as f64;
        let (mut rates, mut weights) = ([0.0; TERMS], [0.0; TERMS]);
        for (i, (rate, weight)) in rates.iter_mut().zip(&mut weights).enumerate() {
            let d = (low + (i as f64 + 0.5) * step).exp();
            *rate = 1.0 / (std::f64::consts::SQRT_2 * d);
            *weight = step * d * kolmogorov(d);
        }
        let total: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= total;
        }
        Self { rates, weights }
    }
}

/// The density of the law of Kolmogorov and Smirnov.
fn kolmogorov(d: f64) -> f64 {
    if d > 1.0 {
        let term = |k: f64| k * k * (-2.0 * k * k * d * d).exp();
        return 8.0
            * d
            * (1..=8).map(|k| if k % 2 == 1 { term(f64::from(k)) } else { -term(f64::from(k)) }).sum::<f64>();
    }
    // By Poisson's formula: F = √(2π)/D·Σ exp(−(2k−1)²π²/(8D²)).
    let term = |k: f64| {
        let exponent = (2.0 * k - 1.0).powi(2) * PI * PI / (8.0 * d * d);
        (-exponent).exp() * (2.0 * exponent - 1.0)
    };
    (2.0 * PI).sqrt() / (d * d) * (1..=8).map(|k| term(f64::from(k))).sum::<f64>()
}

impl Closed for Mixture {
    #[inline(always)]
    fn pair<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> (T, T) {
        let (mut value, mut slope) = (T::ZERO, T::ZERO);
        for (&ours, &p) in self.rates.iter().zip(&self.weights) {
            for (&theirs, &q) in self.rates.iter().zip(&self.weights) {
                let (f, s) = Erf.pair(T::from_f64(ours) * ri, T::from_f64(theirs) * rj, u, v);
                value = T::from_f64(p * q).mul_add(f, value);
                slope = T::from_f64(p * q * ours * theirs).mul_add(s, slope);
            }
        }
        (value, slope)
    }

    #[inline(always)]
    fn partial<T: Scalar>(&self, ri: T, rj: T, u: T, v: T) -> Partial<T> {
        let mut sums = [T::ZERO; 4];
        for (&ours, &p) in self.rates.iter().zip(&self.weights) {
            for (&theirs, &q) in self.rates.iter().zip(&self.weights) {
                let (f_k, f_a, s_k, s_a) = Erf.partial(T::from_f64(ours) * ri, T::from_f64(theirs) * rj, u, v);
                let (both, own) = (p * q * ours * theirs, p * q * ours * ours);
                sums[0] = T::from_f64(both).mul_add(f_k, sums[0]);
                sums[1] = T::from_f64(own).mul_add(f_a, sums[1]);
                sums[2] = T::from_f64(both * ours * theirs).mul_add(s_k, sums[2]);
                sums[3] = T::from_f64(both * ours * ours).mul_add(s_a, sums[3]);
            }
        }
        let [f_k, f_a, s_k, s_a] = sums;
        (f_k, f_a, s_k, s_a)
    }
}
