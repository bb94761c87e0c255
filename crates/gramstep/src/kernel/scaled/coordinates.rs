//! The numbers that a fit moves: logarithms of scales, ridge and bias, logits of shares; their start, bounds and prior.

use super::kernel::ScaledKernel;
use super::kind::ScaledKind;
use crate::error::Result;
use crate::solve::Bounds;

/// The lowest κ unless another is given. Targets that are a formula of the inputs take it; below, rounding of K would be
/// most of κ.
pub(super) const LEAST_RIDGE: f64 = 1e-10;
/// And the highest.
pub(super) const MOST_RIDGE: f64 = 30.0;
/// κ at the start.
const FIRST_RIDGE: f64 = 0.1;
/// Standard deviation of the priors of log w_j, log b and the logits of c_j.
const DEVIATION: f64 = 3.0;
/// w_j of a product at the start: a column changes it over about two standard deviations.
const FIRST_OF_PRODUCT: f64 = 0.3;

/// θ = (log w_1, …, log w_d, log κ, then logit c_1, …, logit c_d or log b); one log w for all columns where they are tied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coordinates {
    pub(super) kind: ScaledKind,
    pub(super) columns: usize,
    pub(super) tied: bool,
    /// κ where it stays as it is.
    pub(super) ridge: Option<f64>,
    /// The lowest κ where it is found.
    pub(super) least_ridge: f64,
}

impl Coordinates {
    /// Numbers of θ that are scales.
    fn scales(self) -> usize {
        if self.tied { 1 } else { self.columns }
    }

    /// Numbers of θ behind κ.
    fn others(self) -> usize {
        if self.kind.has_shares() { self.columns } else { usize::from(self.kind.has_bias()) }
    }

    /// log w of the start, and the mean of its prior.
    fn centre(self) -> f64 {
        if self.kind.has_shares() { FIRST_OF_PRODUCT.ln() } else { -(self.columns as f64).ln() }
    }

    /// θ before anything is known of the data.
    pub(super) fn start(self) -> Vec<f64> {
        let mut theta = vec![self.centre(); self.scales()];
        theta.push(FIRST_RIDGE.ln());
        theta.resize(theta.len() + self.others(), 0.0);
        theta
    }

    /// θ of a kernel; that of a tied one from its first scale.
    pub(super) fn of(self, kernel: &ScaledKernel, ridge: f64) -> Vec<f64> {
        let mut theta: Vec<f64> = kernel.weights()[..self.scales()].iter().map(|weight| weight.ln()).collect();
        theta.push(ridge.ln());
        theta.extend(kernel.shares().iter().map(|share| (share / (1.0 - share)).ln()));
        if self.kind.has_bias() {
            theta.push(kernel.bias().ln());
        }
        theta
    }

    pub(super) fn bounds(self) -> Bounds {
        let of = |range: (f64, f64), count: usize| vec![range; count];
        let centre = self.centre();
        let (scales, others) = match (self.kind.has_shares(), self.tied) {
            (true, _) => ((-10.0, 7.0), (-9.0, 6.0)),
            (false, true) => ((centre - 9.0, centre + 9.0), (-7.0, 7.0)),
            (false, false) => ((centre - 12.0, centre + 9.0), (-7.0, 7.0)),
        };
        let ridge = self.ridge.map_or((self.least_ridge, MOST_RIDGE), |ridge| (ridge, ridge));
        let ridge = (ridge.0.ln(), ridge.1.ln());
        let all = [of(scales, self.scales()), of(ridge, 1), of(others, self.others())].concat();
        let (lower, upper) = all.into_iter().unzip();
        Bounds { lower, upper }
    }

    /// The kernel and κ of θ.
    pub(super) fn read(self, theta: &[f64]) -> Result<(ScaledKernel, f64)> {
        let (scales, rest) = theta.split_at(self.scales());
        let mut weights: Vec<f64> = scales.iter().map(|log| log.exp()).collect();
        weights.resize(self.columns, weights[0]);
        let (ridge, others) = (rest[0].exp(), &rest[1..]);
        let (shares, bias) = if self.kind.has_shares() {
            (others.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect(), 0.0)
        } else {
            (Vec::new(), others.first().map_or(0.0, |log| log.exp()))
        };
        Ok((ScaledKernel::new(self.kind, weights, shares, bias)?, ridge))
    }

    /// The gradient in θ from that in the parameters of the kernel (log w, then logits or log b) and in log κ.
    pub(super) fn gradient(self, kernel: &[f64], ridge: f64) -> Vec<f64> {
        let (scales, others) = kernel.split_at(self.columns);
        let mut gradient = if self.tied { vec![scales.iter().sum()] } else { scales.to_vec() };
        gradient.push(ridge);
        gradient.extend(others);
        gradient
    }

    /// −log of the prior, without constants; its gradient is added.
    pub(super) fn prior(self, theta: &[f64], gradient: &mut [f64]) -> f64 {
        let mut sum = 0.0;
        for (j, (theta, gradient)) in theta.iter().zip(gradient).enumerate() {
            let mean = if j < self.scales() { self.centre() } else { 0.0 };
            if j != self.scales() {
                let off = (theta - mean) / DEVIATION;
                sum += 0.5 * off * off;
                *gradient += off / DEVIATION;
            }
        }
        sum
    }
}
