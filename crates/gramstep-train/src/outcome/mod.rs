//! What a run comes to, as values: metrics, predictions, the report, and the events on the way. Uses `settings` and
//! below.

mod candidate;
pub(crate) mod classes;
mod curve;
pub(crate) mod deciding;
pub mod event;
mod fit;
mod folds;
mod held_out;
mod kernel_watch;
pub(crate) mod labels;
mod logits;
pub mod metrics;
mod predictions;
mod report;
mod stop_reason;
mod targets;
mod trial;
mod weighted_mean;

pub use candidate::Candidate;
pub use classes::{ClassScores, PerClass};
pub use curve::Curve;
pub use fit::Fit;
pub use folds::{FoldScore, Folds};
pub(crate) use held_out::{HeldOut, by_number};
pub use kernel_watch::KernelWatch;
pub use labels::{AllLabels, LabelScores};
pub use predictions::Predictions;
pub(crate) use report::COMBINATION;
pub use report::{ColumnScale, InputScale, KernelFit, Report, SCHEMA_VERSION};
pub use stop_reason::StopReason;
pub use trial::Trial;
pub(crate) use weighted_mean::weighted_mean;
