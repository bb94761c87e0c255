//! Adam (Kingma and Ba 2015) with decoupled weight decay (AdamW).

use serde::{Deserialize, Serialize};

use super::sgd::gradient_features;
use super::state::{START, fits, widen};
use super::{Batch, Factors, Optimizer, OptimizerState, Schedule, StepInfo};
use crate::device::{AdamUpdate, Buffer, Operations};
use crate::error::{Result, check_momentum, check_not_negative, check_positive};
use crate::model::Model;
use crate::scalar::Scalar;

/// Settings of [`Adam`].
///
/// ```
/// use gramstep::optim::{Adam, AdamConfig};
/// let mut config = AdamConfig::default();
/// config.beta2 = 1.5;
/// assert!(Adam::<f64>::new(config).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AdamConfig {
    /// η > 0.
    pub learning_rate: f64,
    /// Factor on η over steps.
    pub schedule: Schedule,
    /// β₁ in 0..1.
    pub beta1: f64,
    /// β₂ in 0..1.
    pub beta2: f64,
    /// ε > 0.
    pub epsilon: f64,
    /// κ ≥ 0: θ ← θ − ηκθ of trainable spans beside the step.
    pub weight_decay: f64,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
        }
    }
}

/// Adam: m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², θ ← θ − η·m̂/(√v̂ + ε), m̂ and v̂ corrected for their start at 0: m̂ is m over
/// 1 less the product of the β₁ of all steps (β₁ᵗ where it stays), v̂ = v/(1 − β₂ᵗ).
///
/// g is the gradient of the weighted mean loss, as in [`super::Sgd`]. Frozen spans (weight 0) do not move, whatever
/// decay and moments; their moments stay as they are. The step does not know the size of g, so a span weight s ≠ 0
/// changes it through ε alone.
///
/// ```
/// use gramstep::optim::{Adam, AdamConfig, Batch, Optimizer};
/// use gramstep::{Activation, Matrix, Model};
/// let mut model = Model::<f64>::mlp(&[1, 8, 1], Activation::Tanh).build()?;
/// let x = Matrix::from_vec(2, 1, vec![-1.0, 1.0])?;
/// let (batch, mut optimizer) = (Batch::new(&x, &x), Adam::new(AdamConfig::default())?);
/// let first = optimizer.step(&mut model, &batch)?.loss;
/// assert!(optimizer.step(&mut model, &batch)?.loss < first);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Adam<T> {
    config: AdamConfig,
    /// On η, from outside.
    factors: Factors,
    step: u64,
    /// The product of the β₁ of all steps, which a schedule moves.
    start: f64,
    moments: Option<(Buffer<T>, Buffer<T>)>,
}

impl<T: Scalar> Adam<T> {
    /// An optimiser at rest.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] if a setting is out of range.
    pub fn new(config: AdamConfig) -> Result<Self> {
        check_positive("learning rate", config.learning_rate)?;
        check_momentum("beta1", config.beta1)?;
        check_momentum("beta2", config.beta2)?;
        check_positive("epsilon", config.epsilon)?;
        check_not_negative("weight decay", config.weight_decay)?;
        config.schedule.check()?;
        Ok(Self { config, factors: Factors::default(), step: 0, start: 1.0, moments: None })
    }
}

impl<T: Scalar> Optimizer<T> for Adam<T> {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn set_factors(&mut self, factors: Factors) {
        self.factors = factors;
    }

    fn step(&mut self, model: &mut Model<T>, batch: &Batch<'_, T>) -> Result<StepInfo> {
        fits(self.moments.as_ref().map(|(first, _)| first), "first moment", model)?;
        fits(self.moments.as_ref().map(|(_, second)| second), "second moment", model)?;
        let (features, loss) = gradient_features(model, batch)?;
        let trainable = model.trainable();
        let config = self.config;
        let learning_rate = config.learning_rate * config.schedule.factor(self.step) * self.factors.learning_rate;
        let beta1 = self.factors.momentum(config.beta1);
        let start = self.start * beta1;
        let p = model.parameter_count();
        let device = model.device().clone();
        let (first, second) = self.moments.get_or_insert_with(|| (Buffer::zeros(p), Buffer::zeros(p)));
        let theta = model.theta_buffer_mut();
        let time = i32::try_from(self.step + 1).unwrap_or(i32::MAX);
        let mut gradient = Buffer::zeros(p);
        features.add_vjp(T::ONE, None, &mut gradient)?;
        device.enter(p as f64 * 1e3, |_| {
            let operations = device.operations::<T>();
            for run in &trainable {
                let (at, length) = (run.start, run.len());
                let g = gradient.tile(at, 1, length);
                if config.weight_decay > 0.0 {
                    let keep = T::from_f64(1.0 - learning_rate * config.weight_decay);
                    operations.axpby(theta.tile_mut(at, 1, length), keep, T::ZERO, g);
                }
                let update = AdamUpdate {
                    theta: theta.tile_mut(at, 1, length),
                    first: first.tile_mut(at, 1, length),
                    second: second.tile_mut(at, 1, length),
                    decay: (T::from_f64(beta1), T::from_f64(config.beta2)),
                    correction: (T::from_f64(1.0 - start), T::from_f64(1.0 - config.beta2.powi(time))),
                    learning_rate: T::from_f64(learning_rate),
                    epsilon: T::from_f64(config.epsilon),
                };
                operations.adam_update(update, g);
            }
        });
        (self.step, self.start) = (self.step + 1, start);
        Ok(StepInfo::first_order(loss, learning_rate))
    }

    fn state(&self) -> OptimizerState {
        let mut vectors = Vec::new();
        if let Some((first, second)) = &self.moments {
            vectors.push(("first".to_owned(), widen(first)));
            vectors.push(("second".to_owned(), widen(second)));
        }
        let optimizer = Optimizer::<T>::name(self).to_owned();
        let numbers = vec![(START.to_owned(), self.start)];
        OptimizerState { optimizer, step: self.step, counts: Vec::new(), numbers, vectors }
    }

    fn restore(&mut self, state: OptimizerState) -> Result<()> {
        state.expect(Optimizer::<T>::name(self))?;
        (self.step, self.start) = (state.step, state.start(self.config.beta1));
        self.moments = state.vector("first").zip(state.vector("second"));
        Ok(())
    }
}
