//! What a search tried.

use serde::Serialize;

use crate::settings::{DampingChoice, OptimizerName, ScheduleChoice};

/// One short run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Trial {
    /// The method.
    pub optimizer: OptimizerName,
    /// η.
    pub learning_rate: f64,
    /// Of SPRING or of SGD; β₁ of Adam.
    pub momentum: f64,
    /// Of Gram-Gauss-Newton.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damping: Option<DampingChoice>,
    /// How η went on.
    pub schedule: ScheduleChoice,
    /// The share of the run's epochs and time that it got.
    pub share: f64,
    /// The lowest validation loss; none if the run diverged.
    pub validation_loss: Option<f64>,
}
