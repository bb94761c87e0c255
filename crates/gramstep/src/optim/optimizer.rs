//! What an optimiser is, and what it tells of a step.

use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::state::OptimizerState;
use crate::error::Result;
use crate::model::Model;
use crate::scalar::Scalar;
use crate::solve::SolveInfo;

/// An optimiser. Its state is a plain value that can be saved and restored.
///
/// ```
/// use gramstep::optim::{Batch, Optimizer, OptimizerState, Sgd, SgdConfig, StepInfo};
/// use gramstep::{Activation, Matrix, Model, Result};
///
/// /// Steps of another optimiser, each on the batch twice.
/// struct Twice<O>(O);
///
/// impl<O: Optimizer<f64>> Optimizer<f64> for Twice<O> {
///     fn name(&self) -> &'static str {
///         "twice"
///     }
///     fn step(&mut self, model: &mut Model<f64>, batch: &Batch<'_, f64>) -> Result<StepInfo> {
///         self.0.step(model, batch)?;
///         self.0.step(model, batch)
///     }
///     fn state(&self) -> OptimizerState {
///         self.0.state()
///     }
///     fn restore(&mut self, state: OptimizerState) -> Result<()> {
///         self.0.restore(state)
///     }
/// }
///
/// let mut model = Model::<f64>::mlp(&[1, 8, 1], Activation::Tanh).build()?;
/// let x = Matrix::from_vec(2, 1, vec![-1.0, 1.0])?;
/// let mut optimizer = Twice(Sgd::new(SgdConfig::default())?);
/// optimizer.step(&mut model, &Batch::new(&x, &x))?;
/// assert_eq!(optimizer.state().step, 2);
/// # Ok::<(), gramstep::Error>(())
/// ```
pub trait Optimizer<T: Scalar>: Send {
    /// Its name, as a user writes it.
    fn name(&self) -> &'static str;

    /// One step on one batch.
    ///
    /// # Errors
    /// [`Error::TooFew`], [`Error::Shape`] or [`Error::Target`] if the batch is empty, or does not fit the model or the
    /// loss, [`Error::Setting`] if its sample weights are out of range or sum to 0, [`Error::State`] if a restored state is
    /// that of another model, [`Error::NonFinite`] naming the layer if the network's outputs are not finite,
    /// [`Error::Solve`] or [`Error::Memory`] from the solve. The model is left as it was.
    ///
    /// [`Error::TooFew`]: crate::Error::TooFew
    /// [`Error::Shape`]: crate::Error::Shape
    /// [`Error::Target`]: crate::Error::Target
    /// [`Error::Setting`]: crate::Error::Setting
    /// [`Error::State`]: crate::Error::State
    /// [`Error::NonFinite`]: crate::Error::NonFinite
    /// [`Error::Solve`]: crate::Error::Solve
    /// [`Error::Memory`]: crate::Error::Memory
    fn step(&mut self, model: &mut Model<T>, batch: &Batch<'_, T>) -> Result<StepInfo>;

    /// Factors on the settings from the next step on, beside that of the optimiser's own schedule: of a schedule over something
    /// that only the caller knows, such as the time that is left. They are no part of the state. An optimiser passes over
    /// those of settings that it does not have.
    fn set_factors(&mut self, _factors: Factors) {}

    /// Everything that the next step depends on, apart from the model and the [factors](Self::set_factors).
    fn state(&self) -> OptimizerState;

    /// Continues from a saved state. Whether it is that of a model of this size shows at the next step.
    ///
    /// # Errors
    /// [`Error::State`](crate::Error::State) if the state is another optimiser's.
    fn restore(&mut self, state: OptimizerState) -> Result<()>;
}

/// Factors on the settings of an optimiser, 1 unless said otherwise.
///
/// ```
/// use gramstep::optim::Factors;
/// let late = Factors { learning_rate: 0.1, damping: 0.5, ..Factors::default() };
/// // A momentum of 0.9 forgets a tenth at every step.
/// assert_eq!((late.momentum(0.9), Factors { forgetting: 0.5, ..late }.momentum(0.9)), (0.9, 0.95));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs)]
pub struct Factors {
    /// On η.
    pub learning_rate: f64,
    /// On λ where it stays as it is; one that adapts knows better.
    pub damping: f64,
    /// On 1 − μ, at most 1/(1 − μ).
    pub forgetting: f64,
}

impl Default for Factors {
    fn default() -> Self {
        Self { learning_rate: 1.0, damping: 1.0, forgetting: 1.0 }
    }
}

impl Factors {
    /// The momentum in place of μ; none stays none.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> f64 {
        if self.forgetting == 1.0 || momentum == 0.0 {
            momentum
        } else {
            (1.0 - (1.0 - momentum) * self.forgetting).max(0.0)
        }
    }
}

/// What a step did.
///
/// ```
/// use gramstep::optim::{Batch, GramGaussNewton, GramGaussNewtonConfig, Optimizer};
/// use gramstep::{Activation, Matrix, Model};
/// let mut model = Model::<f64>::mlp(&[1, 8, 1], Activation::Tanh).build()?;
/// let x = Matrix::from_vec(2, 1, vec![-1.0, 1.0])?;
/// let info = GramGaussNewton::new(GramGaussNewtonConfig::default())?.step(&mut model, &Batch::new(&x, &x))?;
/// assert!(info.accepted && info.solve.is_some_and(|solve| solve.size == 2));
/// assert_eq!((info.learning_rate, info.loss_after), (1.0, None));
/// # Ok::<(), gramstep::Error>(())
/// ```
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
    pub(super) fn first_order(loss: f64, learning_rate: f64) -> Self {
        Self { loss, loss_after: None, learning_rate, damping: None, gain_ratio: None, accepted: true, solve: None }
    }
}
