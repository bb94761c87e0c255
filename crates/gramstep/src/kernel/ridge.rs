//! How the ridge of a kernel regression is found.

use crate::solve::{Eigen, golden_section};

/// How the ridge κ is found.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Ridge {
    /// This κ ≥ 0; 0 gives the interpolant of least norm.
    Fixed(f64),
    /// The κ of least mean squared leave-one-out residual.
    LeaveOneOut,
    /// The κ of largest evidence (marginal likelihood).
    Evidence,
}

/// Where κ is looked for: from 1e-10 to 1e3 times the mean eigenvalue, but not below what is rounding beside the largest
/// one. There K + κI is singular as far as anyone can tell, and what is left out of it would look like a perfect fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    scale: f64,
    /// Powers of ten of κ/scale.
    low: f64,
    high: f64,
}

impl Range {
    pub(super) fn new(eigen: &Eigen) -> Self {
        let mean = eigen.values.iter().sum::<f64>() / eigen.values.len().max(1) as f64;
        if mean <= 0.0 {
            return Self { scale: 1.0, low: -10.0, high: 3.0 };
        }
        Self { scale: mean, low: (2.0 * eigen.rounding() / mean).log10().max(-10.0), high: 3.0 }
    }

    /// The κ where a function is least: a grid, then a golden section.
    pub(super) fn least(self, f: impl Fn(f64) -> f64) -> f64 {
        let (low, high) = self.bracket(&f);
        self.at(golden_section(|exponent| f(self.at(exponent)), low, high, 40))
    }

    /// The κ where a function is largest: a grid, then bisection for the change of sign of its `slope`.
    pub(super) fn largest(self, f: impl Fn(f64) -> f64, slope: impl Fn(f64) -> f64) -> f64 {
        let (mut low, mut high) = self.bracket(|ridge| -f(ridge));
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            *(if slope(self.at(middle)) > 0.0 { &mut low } else { &mut high }) = middle;
        }
        self.at(f64::midpoint(low, high))
    }

    fn at(self, exponent: f64) -> f64 {
        self.scale * 10_f64.powf(exponent)
    }

    /// The neighbours of the point of a grid where a function is least.
    fn bracket(self, f: impl Fn(f64) -> f64) -> (f64, f64) {
        const GRID: i32 = 53;
        let step = (self.high - self.low) / f64::from(GRID - 1);
        let exponent = |k: i32| f64::from(k).mul_add(step, self.low);
        let values = (0..GRID).map(|k| (k, f(self.at(exponent(k)))));
        let best = values.fold((0, f64::INFINITY), |best, (k, v)| if v < best.1 { (k, v) } else { best }).0;
        (exponent((best - 1).max(0)), exponent((best + 1).min(GRID - 1)))
    }
}
