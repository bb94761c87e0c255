//! Losses as the optimisers see them: a value, a gradient, and the factor of their curvature.
//!
//! With Q = ∂²ℓ/∂f² (or a positive semi-definite stand-in) and Q = B Bᵀ, B z = g = ∂ℓ/∂f, a generalised Gauss–Newton
//! step is a least-squares step on z with the Jacobian Bᵀ J (MATH: the squared loss has B = 1, z = r).

mod absolute;
mod cross_entropy;
mod hinge;
mod huber;
mod linearization;
mod logistic;
mod poisson;
mod quantile;
mod reweighted;
mod squared;

pub use absolute::AbsoluteLoss;
pub use cross_entropy::CrossEntropyLoss;
pub use hinge::{HingeLoss, SquaredHingeLoss};
pub use huber::HuberLoss;
pub use linearization::Linearization;
pub use logistic::LogisticLoss;
pub use poisson::PoissonLoss;
pub use quantile::QuantileLoss;
pub use squared::SquaredLoss;

use std::fmt::Debug;

/// A loss ℓ(f, y) of one sample's outputs f ∈ ℝᵏ and targets y ∈ ℝᵏ.
///
/// ```
/// use gramstep::loss::{Loss, SquaredLoss};
/// assert_eq!(SquaredLoss.value(&[3.0], &[1.0]), 2.0); // ½·2²
/// assert_eq!(SquaredLoss.reported(&[3.0], &[1.0]), 4.0); // what people see: r²
/// ```
pub trait Loss: Send + Sync + Debug {
    /// Its name, for messages.
    fn name(&self) -> &'static str;

    /// ℓ(f, y).
    fn value(&self, f: &[f64], y: &[f64]) -> f64;

    /// The contribution of a sample to the loss that people see, whose mean over samples is reported.
    fn reported(&self, f: &[f64], y: &[f64]) -> f64 {
        self.value(f, y)
    }

    /// g ← ∂ℓ/∂f.
    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]);

    /// g ← a direction of f along which the loss rises in the end, for attacks: the gradient up to a positive factor, but
    /// not 0 where the loss is flat and could still rise, unless it is at its least.
    fn ascent(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        self.gradient(f, y, g);
    }

    /// The form that B takes.
    fn curvature(&self) -> Curvature;

    /// B (k entries if diagonal, k·k row-major if full, none if the identity) and z with B z = g.
    fn factor(&self, f: &[f64], y: &[f64], factor: &mut [f64], z: &mut [f64]);

    /// The most that a step at a fixed damping should change the outputs of a sample, where outputs are logarithms and the
    /// curvature can vanish while the gradient does not: no damping relative to it bounds such a step. None where the
    /// curvature stays, or outputs have units.
    fn reach(&self) -> Option<f64> {
        None
    }

    /// Why these targets do not fit this loss, and which of them, if they do not.
    fn objection(&self, _y: &[f64]) -> Option<(f64, &'static str)> {
        None
    }
}

/// How far steps reach where outputs are logarithms: a factor of 22 000 in odds or rates.
const REACH_OF_LOGARITHMS: f64 = 10.0;

/// The form of the curvature factor B of one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curvature {
    /// B = 1.
    Identity,
    /// B is diagonal.
    Diagonal,
    /// B is any k×k matrix.
    Full,
}
