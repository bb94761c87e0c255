//! Optimisers: one file each, one trait for all. A step looks at one batch and changes the model's parameters.

mod adam;
mod batch;
mod damping;
mod gram_gauss_newton;
mod schedule;
mod sgd;

pub use adam::{Adam, AdamConfig};
pub use batch::Batch;
pub use damping::{AdaptiveDamping, Damping};
pub use gram_gauss_newton::{GramGaussNewton, GramGaussNewtonConfig, Plan};
pub use schedule::Schedule;
pub use sgd::{Sgd, SgdConfig};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::Model;
use crate::scalar::Scalar;
use crate::solve::SolveInfo;

/// An optimiser. Its state is a plain value that can be saved and restored.
pub trait Optimizer<T: Scalar>: Send {
    /// Its name, as a user writes it.
    fn name(&self) -> &'static str;

    /// One step on one batch.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Target`] if the batch does not fit the model or the loss, [`Error::Setting`] if its
    /// sample weights are out of range or sum to 0, [`Error::State`] if a restored state is that of another model,
    /// [`Error::NonFinite`] naming the layer if the network's outputs are not finite, [`Error::Solve`] or
    /// [`Error::Memory`] from the solve. The model is left as it was.
    fn step(&mut self, model: &mut Model<T>, batch: &Batch<'_, T>) -> Result<StepInfo>;

    /// Everything that the next step depends on, apart from the model.
    fn state(&self) -> OptimizerState;

    /// Continues from a saved state. Whether it is that of a model of this size shows at the next step.
    ///
    /// # Errors
    /// [`Error::State`] if the state is another optimiser's.
    fn restore(&mut self, state: OptimizerState) -> Result<()>;
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepInfo {
    /// Loss of the batch before the step, in the units that people see (squared loss: mean of r²).
    pub loss: f64,
    /// Loss of the batch after the step, where the method needed to know it.
    pub loss_after: Option<f64>,
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// λ relative to the mean diagonal of J̃J̃ᵀ = BᵀGB, without κ (squared loss without sample weights: of G).
    pub damping: Option<f64>,
    /// Actual over predicted decrease of the loss.
    pub gain_ratio: Option<f64>,
    /// Whether the step was taken; a rejected one leaves the parameters exactly as they were.
    pub accepted: bool,
    /// What the solve did.
    pub solve: Option<SolveInfo>,
}

impl StepInfo {
    /// A step that used the gradient alone.
    fn first_order(loss: f64, learning_rate: f64) -> Self {
        Self { loss, loss_after: None, learning_rate, damping: None, gain_ratio: None, accepted: true, solve: None }
    }
}

/// The state of an optimiser.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OptimizerState {
    /// Name of the optimiser.
    pub optimizer: String,
    /// Steps taken.
    pub step: u64,
    /// Named numbers.
    pub numbers: Vec<(String, f64)>,
    /// Named vectors of length p, exact also for `f32`.
    pub vectors: Vec<(String, Vec<f64>)>,
}

impl OptimizerState {
    fn expect(&self, optimizer: &str) -> Result<()> {
        if self.optimizer == optimizer {
            Ok(())
        } else {
            Err(Error::State { expected: optimizer.to_owned(), found: self.optimizer.clone() })
        }
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.numbers.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    fn vector<T: Scalar>(&self, name: &str) -> Option<crate::device::Buffer<T>> {
        let (_, values) = self.vectors.iter().find(|(key, _)| key == name)?;
        Some(crate::device::Buffer::upload(values.iter().map(|&v| T::from_f64(v)).collect()))
    }
}

/// A device vector as exact `f64` numbers.
fn widen<T: Scalar>(buffer: &crate::device::Buffer<T>) -> Vec<f64> {
    buffer.tile(0, 1, buffer.len()).host().iter().map(|v| v.to_f64()).collect()
}

/// Checks that a restored vector is as long as θ.
fn fits<T: Scalar>(vector: Option<&crate::device::Buffer<T>>, name: &str, model: &Model<T>) -> Result<()> {
    let p = model.parameter_count();
    match vector.filter(|vector| vector.len() != p) {
        None => Ok(()),
        Some(vector) => Err(Error::State {
            expected: format!("a model of {p} parameters"),
            found: format!("a {name} of length {}", vector.len()),
        }),
    }
}
