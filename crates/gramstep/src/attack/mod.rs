//! Adversarial attacks: the point near a sample at which a model does worst, for classifiers and regressors alike.
//!
//! A [`ThreatModel`] says what may be changed, a [`Goal`] what the attacker drives up, a [`Criterion`] when that counts
//! as found. An [`Attack`] looks for the point, on anything [`Differentiable`](crate::model::Differentiable): networks,
//! their linearisations, kernel regressors. Samples are attacked in tiles side by side; each step of a tile costs one
//! forward and one backward pass with one cotangent a sample.
//!
//! ```
//! use gramstep::attack::{Attack, Pgd, Problem, ThreatModel};
//! use gramstep::{Activation, Matrix, Model};
//! let model = Model::<f64>::mlp(&[2, 16, 3], Activation::Relu).seed(7).build()?;
//! let x = Matrix::from_vec(2, 2, vec![0.1, 0.9, 0.8, 0.3])?;
//! let y = Matrix::from_vec(2, 3, vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0])?;
//! let threat = ThreatModel::linf(0.1)?.with_box(0.0, 1.0)?;
//! let attacked = Pgd::default().run(&Problem::new(&model, &x, &y), &threat)?;
//! assert_eq!(attacked.inputs.rows(), 2);
//! assert!(attacked.error() >= 0.0 && attacked.samples[0].size <= 0.1 + 1e-12);
//! # Ok::<(), gramstep::Error>(())
//! ```

mod apgd;
mod ball;
mod candidates;
mod fgsm;
mod goal;
mod named;
mod own_units;
mod pgd;
mod problem;
mod region;
mod robust_fit;
mod search;
mod smallest;
mod strongest;
mod surrogates;
mod threat_model;
mod training;
mod transfer;

pub use apgd::Apgd;
pub use ball::{LayerDistance, ParameterBall};
pub use candidates::Candidates;
pub use fgsm::Fgsm;
pub use goal::{Criterion, Goal, LargestLoss, Margin, Reach, Shift};
pub use named::NamedAttack;
pub use own_units::OwnUnits;
pub use pgd::Pgd;
pub use problem::Problem;
pub use robust_fit::{RobustFit, RobustFitConfig, robust_fit};
pub use search::Search;
pub use smallest::{RadiusPoint, SmallestPerturbation, error_against_radius};
pub use strongest::Strongest;
pub use surrogates::TangentRegressor;
pub use threat_model::{Norm, ThreatModel};
pub use training::{AdversarialStep, AdversarialTraining};
pub use transfer::transfer;

use crate::error::Result;
use crate::scalar::Scalar;
use crate::view::Matrix;

/// An attack: it proposes points, the [`Search`] keeps the best.
///
/// Its settings are plain fields. A result does not depend on what else is in the batch, apart from rounding of
/// products whose shape does.
pub trait Attack<T: Scalar>: Sync {
    /// Its name, as a user writes it.
    fn name(&self) -> &'static str;

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if one is out of range.
    fn check(&self) -> Result<()>;

    /// Number of evaluations of each sample, about.
    fn evaluations(&self) -> usize;

    /// Whether the first gradient is wanted at the sample itself; then it is there when the search begins.
    fn starts_at_the_sample(&self) -> bool;

    /// Looks for good points for a tile of samples. The samples themselves have been evaluated.
    ///
    /// # Errors
    /// Those of the model.
    fn search(&self, search: &mut Search<'_, T>) -> Result<()>;

    /// Attacks every sample.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape), [`Error::Target`](crate::Error::Target) or
    /// [`Error::OutsideBox`](crate::Error::OutsideBox) if samples, targets, goal and threat do not fit together,
    /// [`Error::Setting`](crate::Error::Setting) if a setting is out of range,
    /// [`Error::NonFinite`](crate::Error::NonFinite) if the model's outputs are not finite.
    fn run(&self, problem: &Problem<'_, T>, threat: &ThreatModel) -> Result<Attacked<T>> {
        search::run_with_radii(self, problem, threat, &vec![threat.radius(); problem.samples()])
    }
}

/// What an attack did to one sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SampleOutcome {
    /// Whether its best point meets the criterion.
    pub found: bool,
    /// ‖(x − x₀) ⊘ s‖ of that point, in the norm of the threat model.
    pub size: f64,
    /// The goal's value at the sample itself.
    pub before: f64,
    /// The goal's value at the best point.
    pub after: f64,
    /// Evaluations of the model, after that of the sample itself, up to the best point.
    pub steps: usize,
}

impl SampleOutcome {
    /// What the best point is chosen by: meeting the criterion first, then the goal's value.
    fn rank(&self) -> (bool, f64) {
        (self.found, self.after)
    }
}

/// What an attack did to a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Attacked<T> {
    /// The best points, n×d; the sample itself where nothing better was found.
    pub inputs: Matrix<T>,
    /// One outcome for each sample.
    pub samples: Vec<SampleOutcome>,
}

impl<T: Scalar> Attacked<T> {
    /// Share of the samples for which the criterion was met: the robust error.
    #[must_use]
    pub fn error(&self) -> f64 {
        self.mean(|sample| f64::from(u8::from(sample.found)))
    }

    /// Mean of the goal's value before the attack.
    #[must_use]
    pub fn before(&self) -> f64 {
        self.mean(|sample| sample.before)
    }

    /// Mean of the goal's value after the attack.
    #[must_use]
    pub fn after(&self) -> f64 {
        self.mean(|sample| sample.after)
    }

    fn mean(&self, value: impl Fn(&SampleOutcome) -> f64) -> f64 {
        self.samples.iter().map(value).sum::<f64>() / self.samples.len().max(1) as f64
    }
}
