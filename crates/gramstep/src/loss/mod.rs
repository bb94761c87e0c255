//! Losses as the optimisers see them: a value, a gradient, and the factor of their curvature.
//!
//! With Q = ∂²ℓ/∂f² (or a positive semi-definite stand-in) and Q = B Bᵀ, B z = g = ∂ℓ/∂f, a generalised Gauss–Newton
//! step is a least-squares step on z with the Jacobian Bᵀ J (MATH: the squared loss has B = 1, z = r).

mod absolute;
mod cross_entropy;
mod from_hessian;
mod hinge;
mod huber;
mod linearised;
mod logistic;
mod poisson;
mod quantile;
mod reweighted;
mod squared;

pub use absolute::AbsoluteLoss;
pub use cross_entropy::CrossEntropyLoss;
pub use hinge::{HingeLoss, SquaredHingeLoss};
pub use huber::HuberLoss;
pub use linearised::LinearisedLoss;
pub use logistic::LogisticLoss;
pub use poisson::PoissonLoss;
pub use quantile::QuantileLoss;
pub use squared::SquaredLoss;

use std::fmt::Debug;

/// A loss ℓ(f, y) of one sample's outputs f ∈ ℝᵏ and targets y ∈ ℝᵏ. One's own needs a name, a value and a gradient.
///
/// ```
/// use gramstep::loss::{Loss, SquaredLoss};
/// assert_eq!(SquaredLoss.value(&[3.0], &[1.0]), 2.0); // ½·2²
/// assert_eq!(SquaredLoss.reported(&[3.0], &[1.0]), 4.0); // what people see: r²
///
/// /// Σ ln cosh r
/// #[derive(Debug)]
/// struct LogCosh;
///
/// impl Loss for LogCosh {
///     fn name(&self) -> &'static str {
///         "log-cosh"
///     }
///     fn value(&self, f: &[f64], y: &[f64]) -> f64 {
///         f.iter().zip(y).map(|(f, y)| (f - y).cosh().ln()).sum()
///     }
///     fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
///         g.iter_mut().zip(f.iter().zip(y)).for_each(|(g, (f, y))| *g = (f - y).tanh());
///     }
/// }
///
/// // B² = 1 − tanh² r, and B z = tanh r.
/// let (mut b, mut z) = ([0.0], [0.0]);
/// LogCosh.factor(&[1.5], &[1.0], &mut b, &mut z);
/// assert!((b[0] * b[0] - (1.0 - 0.5_f64.tanh().powi(2))).abs() < 1e-9);
/// assert!((b[0] * z[0] - 0.5_f64.tanh()).abs() < 1e-15);
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

    /// ∂²ℓ/∂f², k×k row by row, for the default of [`factor`](Self::factor): central differences of the gradient, unless
    /// the loss knows better.
    fn hessian(&self, f: &[f64], y: &[f64], hessian: &mut [f64]) {
        from_hessian::differences(f, |f, g| self.gradient(f, y, g), hessian);
    }

    /// The form that B takes; one that is not full needs a [`factor`](Self::factor) of its own.
    fn curvature(&self) -> Curvature {
        Curvature::Full
    }

    /// B (k entries if diagonal, k·k row-major if full, none if the identity) and z with B z = g.
    ///
    /// Unless a loss has its own, of the [`hessian`](Self::hessian) VΛVᵀ: B = V|Λ|^½, full. Where the loss is not convex
    /// the size of the curvature counts; a curvature below 10⁻⁸ of the largest counts as that, and one that is 0
    /// altogether as 1.
    fn factor(&self, f: &[f64], y: &[f64], factor: &mut [f64], z: &mut [f64]) {
        let (mut hessian, mut gradient) = (vec![0.0; f.len() * f.len()], vec![0.0; f.len()]);
        self.hessian(f, y, &mut hessian);
        self.gradient(f, y, &mut gradient);
        from_hessian::factor(hessian, &gradient, factor, z);
    }

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
