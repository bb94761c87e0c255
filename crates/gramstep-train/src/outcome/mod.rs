//! What a run comes to, as values: metrics, predictions, the report, and the events on the way. Uses `settings` and
//! below.

pub(crate) mod classes;
pub mod event;
mod fit;
mod folds;
mod logits;
pub mod metrics;
mod predictions;
mod report;
mod stop_reason;
mod trial;

pub use classes::{ClassScores, PerClass};
pub use fit::Fit;
pub use folds::{FoldScore, Folds};
pub use predictions::Predictions;
pub use report::{KernelFit, Report, SCHEMA_VERSION};
pub use stop_reason::StopReason;
pub use trial::Trial;
