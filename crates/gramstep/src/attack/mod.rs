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
mod classes;
mod criterion;
mod curve;
mod fgsm;
mod goal;
mod method;
mod named;
mod non_negative;
mod outcome;
mod own_units;
mod pgd;
mod plateau;
mod problem;
mod region;
mod robust_fit;
mod robust_optimum;
mod search;
mod smallest;
mod strongest;
mod surrogates;
mod threat_model;
mod training;
mod transfer;
mod way_out;
mod ways;

pub use apgd::Apgd;
pub use ball::{LayerDistance, ParameterBall};
pub use candidates::Candidates;
pub use classes::{Margin, Targeted};
pub use criterion::Criterion;
pub use curve::{RadiusPoint, error_against_radius};
pub use fgsm::Fgsm;
pub use goal::{Goal, LargestLoss, Reach, Shift};
pub use method::Attack;
pub use named::NamedAttack;
pub use outcome::{Attacked, SampleOutcome};
pub use own_units::OwnUnits;
pub use pgd::Pgd;
pub use problem::Problem;
pub use robust_fit::{RobustFit, RobustFitConfig, robust_fit};
pub use robust_optimum::{RobustOptimum, robust_optimum};
pub use search::Search;
pub use smallest::SmallestPerturbation;
pub use strongest::Strongest;
pub use surrogates::TangentRegressor;
pub use threat_model::{Norm, ThreatModel};
pub use training::{AdversarialStep, AdversarialTraining};
pub use transfer::transfer;
