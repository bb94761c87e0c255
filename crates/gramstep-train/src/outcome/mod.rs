//! What a run comes to, as values: metrics, predictions, the report, and the events on the way. Uses `settings` and
//! below.

mod candidate;
pub mod event;
mod fit;
mod held_out;
pub mod metrics;
mod predictions;
mod report;
mod stop_reason;
mod trial;

pub use candidate::Candidate;
pub use fit::Fit;
pub(crate) use held_out::HeldOut;
pub use predictions::Predictions;
pub use report::{KernelFit, Report, SCHEMA_VERSION};
pub use stop_reason::StopReason;
pub use trial::Trial;
