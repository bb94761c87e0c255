//! Stochastic gradient descent on the mean loss, with momentum, Nesterov's form and weight decay.

use serde::{Deserialize, Serialize};

use super::seed::by_sample;
use super::state::{fits, widen};
use super::{Batch, Factors, Optimizer, OptimizerState, Schedule, StepInfo};
use crate::communicator::agree;
use crate::device::{Buffer, Operations};
use crate::error::{Result, check_momentum, check_not_negative, check_positive};
use crate::model::Model;
use crate::scalar::Scalar;
use crate::tangent::JointFeatures;

/// Settings of [`Sgd`].
///
/// ```
/// use gramstep::optim::{Sgd, SgdConfig};
/// let mut config = SgdConfig::default();
/// (config.learning_rate, config.nesterov) = (0.1, true);
/// assert!(Sgd::<f32>::new(config).is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SgdConfig {
    /// η > 0, on the gradient of the mean loss.
    pub learning_rate: f64,
    /// Factor on η over steps.
    pub schedule: Schedule,
    /// μ in 0..1.
    pub momentum: f64,
    /// Whether the gradient is taken as if after the momentum's step.
    pub nesterov: bool,
    /// κ ≥ 0: κθ of trainable spans is added to the gradient (as of ½κθᵀS⁻¹θ, whose S-weighted gradient it is).
    pub weight_decay: f64,
}

impl Default for SgdConfig {
    fn default() -> Self {
        Self { learning_rate: 0.01, schedule: Schedule::Constant, momentum: 0.9, nesterov: false, weight_decay: 0.0 }
    }
}

/// Stochastic gradient descent: v ← μv + g, θ ← θ − ηv; with Nesterov θ ← θ − η(g + μv).
///
/// Frozen spans (weight 0) do not move, whatever decay and momentum; their velocity stays as it is.
///
/// g = S∇[(1/Σw) Σ w_i ℓ_i] with ℓ = ½r² for the squared loss (PyTorch's `MSELoss` is twice that).
///
/// ```
/// use gramstep::optim::{Batch, Optimizer, Sgd, SgdConfig};
/// use gramstep::{Activation, Matrix, Model};
/// let mut model = Model::<f64>::mlp(&[1, 8, 1], Activation::Tanh).build()?;
/// let x = Matrix::from_vec(2, 1, vec![-1.0, 1.0])?;
/// let (batch, mut optimizer) = (Batch::new(&x, &x), Sgd::new(SgdConfig::default())?);
/// let first = optimizer.step(&mut model, &batch)?.loss;
/// assert!(optimizer.step(&mut model, &batch)?.loss < first);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sgd<T> {
    config: SgdConfig,
    /// On η, from outside.
    factors: Factors,
    step: u64,
    /// μ·v of the step before: scaled when it was used last, so that a step passes over it once.
    velocity: Option<Buffer<T>>,
}

impl<T: Scalar> Sgd<T> {
    /// An optimiser at rest.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] if a setting is out of range.
    pub fn new(config: SgdConfig) -> Result<Self> {
        check_positive("learning rate", config.learning_rate)?;
        check_momentum("momentum", config.momentum)?;
        check_not_negative("weight decay", config.weight_decay)?;
        config.schedule.check()?;
        Ok(Self { config, factors: Factors::default(), step: 0, velocity: None })
    }
}

/// The features whose rows add up to the gradient of the mean loss over all processes, and that loss.
pub(super) fn gradient_features<'c, T: Scalar>(
    model: &Model<T>,
    batch: &Batch<'c, T>,
) -> Result<(JointFeatures<'c, T>, f64)> {
    let targets = agree(batch.communicator(), batch.check(model))?;
    let scale = 1.0 / batch.total_weight()?;
    let gradient = |i: usize, f: &[f64], g: &mut [f64]| batch.output_gradient(i, scale, f, targets.row(i), g);
    let own = model.summed_functional(batch.inputs(), &by_sample(gradient));
    // Nothing is written out: J is needed once.
    let features = JointFeatures::new(batch.communicator(), own, 0)?;
    let loss = batch.evaluate(&features.own().predictions().cast(), &targets)?.reported;
    if loss.is_finite() {
        Ok((features, loss))
    } else {
        let (x, samples) = model.upload(batch.inputs())?;
        Err(model.non_finite(&x, samples))
    }
}

impl<T: Scalar> Optimizer<T> for Sgd<T> {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn set_factors(&mut self, factors: Factors) {
        self.factors = factors;
    }

    fn step(&mut self, model: &mut Model<T>, batch: &Batch<'_, T>) -> Result<StepInfo> {
        fits(self.velocity.as_ref(), "velocity", model)?;
        let (features, loss) = gradient_features(model, batch)?;
        let trainable = model.trainable();
        let config = self.config;
        let learning_rate = config.learning_rate * config.schedule.factor(self.step) * self.factors.learning_rate;
        let mu = T::from_f64(self.factors.momentum(config.momentum));
        let eta = T::from_f64(learning_rate);
        let p = model.parameter_count();
        let device = model.device().clone();
        let plain = !config.nesterov && config.weight_decay == 0.0;
        if plain && config.momentum == 0.0 {
            features.add_vjp(-eta, None, model.theta_buffer_mut())?;
        } else {
            let velocity = self.velocity.get_or_insert_with(|| Buffer::zeros(p));
            let theta = model.theta_buffer_mut();
            let mut gradient = Buffer::zeros(if plain { 0 } else { p });
            features.add_vjp(T::ONE, None, if plain { &mut *velocity } else { &mut gradient })?;
            device.enter(p as f64 * 1e3, |_| {
                let operations = device.operations::<T>();
                if !plain {
                    let decay = T::from_f64(config.weight_decay);
                    for run in &trainable {
                        let (at, length) = (run.start, run.len());
                        let g = gradient.tile_mut(at, 1, length);
                        operations.axpby(g, T::ONE, decay, theta.tile(at, 1, length));
                        let g = gradient.tile(at, 1, length);
                        operations.axpby(velocity.tile_mut(at, 1, length), T::ONE, T::ONE, g);
                        if config.nesterov {
                            // θ − η(g + μv): the velocity's share below is scaled to μ, g comes extra.
                            operations.axpby(theta.tile_mut(at, 1, length), T::ONE, -eta, g);
                        }
                    }
                }
                let share = if config.nesterov { eta * mu } else { eta };
                for run in &trainable {
                    let (at, length) = (run.start, run.len());
                    let v = velocity.tile_mut(at, 1, length);
                    operations.momentum_update(theta.tile_mut(at, 1, length), v, share, mu);
                }
            });
        }
        self.step += 1;
        Ok(StepInfo::first_order(loss, learning_rate))
    }

    fn state(&self) -> OptimizerState {
        OptimizerState {
            optimizer: Optimizer::<T>::name(self).to_owned(),
            step: self.step,
            counts: Vec::new(),
            numbers: Vec::new(),
            vectors: self.velocity.iter().map(|v| ("velocity".to_owned(), widen(v))).collect(),
        }
    }

    fn restore(&mut self, state: OptimizerState) -> Result<()> {
        state.expect(Optimizer::<T>::name(self))?;
        self.step = state.step;
        self.velocity = state.vector("velocity");
        Ok(())
    }
}
