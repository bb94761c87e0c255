//! What a search tried.

use serde::Serialize;

use crate::settings::OptimizerName;

/// One short run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Trial {
    /// The method.
    pub optimizer: OptimizerName,
    /// η.
    pub learning_rate: f64,
    /// The lowest validation loss; none if the run diverged.
    pub validation_loss: Option<f64>,
}
