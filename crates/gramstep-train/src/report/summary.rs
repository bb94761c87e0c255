//! The result of a run as it is printed and recorded.

use serde::{Deserialize, Serialize};

use crate::data::Task;
use crate::metrics::Metrics;
use crate::settings::{OptimizerName, Precision};
use crate::stop_reason::StopReason;

/// Version of the JSON object that [`Report`] becomes.
pub const SCHEMA_VERSION: u32 = 1;

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// Version of this object.
    pub schema_version: u32,
    /// The run folder; none if nothing was kept.
    pub run: Option<String>,
    /// Regression or classification.
    pub task: Task,
    /// The method of training.
    pub optimizer: OptimizerName,
    /// The architecture.
    pub model: String,
    /// Networks, of which the average is the model.
    #[serde(default = "one")]
    pub ensemble: usize,
    /// Parameters of all networks.
    pub parameters: usize,
    /// On the training rows.
    pub train: Metrics,
    /// On the validation rows.
    pub validation: Option<Metrics>,
    /// On the test rows.
    pub test: Option<Metrics>,
    /// Epochs made.
    pub epochs: usize,
    /// The epoch whose parameters were kept.
    pub best_epoch: Option<usize>,
    /// Steps made.
    pub steps: usize,
    /// Time of training.
    pub seconds: f64,
    /// Why training ended.
    pub stop_reason: StopReason,
    /// Of initialisation, shuffles and split.
    pub seed: u64,
    /// Number type of the parameters.
    pub precision: Precision,
    /// The lowest training loss of any epoch.
    pub lowest_train_loss: f64,
}

/// Of a report that does not say how many networks there are.
fn one() -> usize {
    1
}
