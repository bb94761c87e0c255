//! Where a training stands after an epoch, and what is kept of it.

use gramstep::attack::ParameterBall;
use gramstep::optim::{Optimizer, StepInfo};
use gramstep::{Model, Scalar};

use super::checkpoint::{BestSoFar, Checkpoint, FORMAT_VERSION};
use crate::error::{Error, Result};
use crate::outcome::KernelWatch;

/// Where a training stands.
pub(super) struct State<T> {
    /// Measures how far layers are from where they began, in adversarial training.
    pub(super) start: Option<ParameterBall<T>>,
    pub(super) epoch: usize,
    pub(super) step: usize,
    pub(super) futile: usize,
    pub(super) lowest_train_loss: f64,
    pub(super) best: Option<Best<T>>,
    /// The epoch that patience counts from, and its loss.
    pub(super) reference: (usize, f64),
    /// Of the last step of this session.
    pub(super) learning_rate: Option<f64>,
    pub(super) kernel_watch: Vec<KernelWatch>,
}

pub(super) struct Best<T> {
    pub(super) epoch: usize,
    pub(super) loss: f64,
    pub(super) theta: Vec<T>,
}

impl<T: Scalar> State<T> {
    /// Before the first epoch; `start` where distances from it are measured.
    pub(super) fn before(start: Option<ParameterBall<T>>) -> Self {
        Self {
            start,
            epoch: 0,
            step: 0,
            futile: 0,
            lowest_train_loss: f64::INFINITY,
            best: None,
            reference: (0, f64::INFINITY),
            learning_rate: None,
            kernel_watch: Vec::new(),
        }
    }

    /// All that the next epoch depends on.
    pub(super) fn checkpoint(&self, model: &Model<T>, optimizer: &dyn Optimizer<T>, seconds: f64) -> Checkpoint {
        let widen = |theta: &[T]| theta.iter().map(|value| value.to_f64()).collect::<Vec<f64>>();
        let best = |best: &Best<T>| BestSoFar { epoch: best.epoch, loss: best.loss, theta: widen(&best.theta) };
        Checkpoint {
            format_version: FORMAT_VERSION,
            data: None,
            epoch: self.epoch,
            step: self.step,
            futile: self.futile,
            seconds,
            lowest_train_loss: self.lowest_train_loss,
            record_bytes: 0,
            theta: widen(&model.theta()),
            optimizer: optimizer.state(),
            best: self.best.as_ref().map(best),
            // JSON has no infinity.
            reference: Some((self.reference.0, Some(self.reference.1).filter(|loss| loss.is_finite()))),
            kernel_watch: self.kernel_watch.clone(),
            finished: Vec::new(),
            exact_train_loss: false,
        }
    }

    /// The state, model and optimiser of a checkpoint.
    pub(super) fn resume(
        checkpoint: Checkpoint,
        start: Option<ParameterBall<T>>,
        model: &mut Model<T>,
        optimizer: &mut dyn Optimizer<T>,
    ) -> Result<Self> {
        let narrow = |theta: Vec<f64>| theta.into_iter().map(T::from_f64).collect::<Vec<T>>();
        model.set_theta(&narrow(checkpoint.theta))?;
        optimizer.restore(checkpoint.optimizer)?;
        let best = |best: BestSoFar| Best { epoch: best.epoch, loss: best.loss, theta: narrow(best.theta) };
        let of_best = || checkpoint.best.as_ref().map(|best| (best.epoch, Some(best.loss)));
        let (epoch, loss) = checkpoint.reference.or_else(of_best).unwrap_or_default();
        let reference = (epoch, loss.unwrap_or(f64::INFINITY));
        Ok(Self {
            start,
            epoch: checkpoint.epoch,
            step: checkpoint.step,
            futile: checkpoint.futile,
            lowest_train_loss: checkpoint.lowest_train_loss,
            best: checkpoint.best.map(best),
            reference,
            learning_rate: None,
            kernel_watch: checkpoint.kernel_watch,
        })
    }

    /// Keeps the parameters if they are the best so far.
    pub(super) fn judge(&mut self, loss: f64, tolerance: f64, model: &Model<T>) -> bool {
        if loss < self.reference.1 - tolerance {
            self.reference = (self.epoch, loss);
        }
        let improved = loss.is_finite() && self.best.as_ref().is_none_or(|best| loss < best.loss);
        if improved {
            self.best = Some(Best { epoch: self.epoch, loss, theta: model.theta() });
        }
        improved
    }

    /// Looks at what a step says. Parameters that it made non-finite show in the next loss.
    pub(super) fn check(&mut self, info: &StepInfo, model: &Model<T>) -> Result<()> {
        // Rejected at the highest damping, or (adaptive damping, no gain ratio) with a gain below rounding.
        let futile = !info.accepted || (info.loss_after.is_some() && info.gain_ratio.is_none());
        self.learning_rate = Some(info.learning_rate);
        self.futile = if futile { self.futile + 1 } else { 0 };
        if info.loss.is_finite() { Ok(()) } else { Err(self.non_finite(culprit(model))) }
    }

    pub(super) fn non_finite(&self, what: String) -> Error {
        Error::NonFinite { step: self.step, epoch: self.epoch, what, kept: None }
    }

    /// Adds step and epoch to an error of the mathematics about non-finite numbers, of a step or of the judgement after it.
    pub(super) fn located(&self, error: Error) -> Error {
        match error {
            Error::Core(gramstep::Error::NonFinite { what, layer }) => {
                let layer = layer.map_or_else(String::new, |layer| format!(" of layer `{layer}`"));
                self.non_finite(format!("{what}{layer}"))
            }
            error => error,
        }
    }
}

/// The first parameter that is not finite, or the loss.
pub(super) fn culprit<T: Scalar>(model: &Model<T>) -> String {
    let theta = model.theta();
    let Some(at) = theta.iter().position(|value| !value.is_finite()) else { return "the loss".to_owned() };
    let span = model.spans().iter().find(|span| span.range().contains(&at));
    span.map_or_else(|| "a parameter".to_owned(), |span| format!("parameter `{}`", span.name))
}

/// A number that tells parameters apart by their bits.
pub(super) fn fingerprint<T: Scalar>(theta: &[T]) -> [u8; 8] {
    theta.iter().fold(0_u64, |print, value| print.rotate_left(1) ^ value.to_f64().to_bits()).to_le_bytes()
}
