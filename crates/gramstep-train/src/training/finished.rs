//! A network of an ensemble that is trained, as a checkpoint keeps it.

use gramstep::{Model, Scalar};
use serde::{Deserialize, Serialize};

use crate::format::json_number::number;
use crate::outcome::{Fit, KernelWatch, StopReason};

/// A network that is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Finished {
    pub(crate) theta: Vec<f64>,
    pub(crate) epochs: usize,
    pub(crate) steps: usize,
    pub(crate) seconds: f64,
    pub(crate) stop_reason: StopReason,
    pub(crate) best_epoch: Option<usize>,
    #[serde(deserialize_with = "number")]
    pub(crate) lowest_train_loss: f64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) kernel_watch: Vec<KernelWatch>,
}

impl Finished {
    pub(super) fn of<T: Scalar>(fit: &Fit, model: &Model<T>) -> Self {
        Self {
            theta: model.theta().iter().map(|value| value.to_f64()).collect(),
            epochs: fit.epochs,
            steps: fit.steps,
            seconds: fit.seconds,
            stop_reason: fit.stop_reason,
            best_epoch: fit.best_epoch,
            lowest_train_loss: fit.lowest_train_loss,
            kernel_watch: fit.kernel_watch.clone(),
        }
    }

    /// Whether it left the finite numbers.
    pub(super) fn is_lost(&self) -> bool {
        self.stop_reason == StopReason::NonFinite
    }

    /// Whether it left them before there was anything to keep.
    pub(super) fn is_hopeless(&self) -> bool {
        self.is_lost() && self.best_epoch.is_none()
    }

    /// What both trainings took, and the result of the better one.
    pub(super) fn trained_again(&mut self, again: &Self, better: bool) {
        let (epochs, steps) = (self.epochs + again.epochs, self.steps + again.steps);
        let seconds = self.seconds + again.seconds;
        if better {
            self.clone_from(again);
        } else if again.stop_reason == StopReason::Interrupted {
            self.stop_reason = again.stop_reason;
        }
        (self.epochs, self.steps, self.seconds) = (epochs, steps, seconds);
    }
}
