//! The model of a run under attack: clean and robust error, error against radius, which columns are moved. Uses `run` and
//! below.

mod bounded;
mod examples;
mod measurable;
mod options;
mod page;
mod report;
mod run;
mod threat;
mod transfer;

pub use bounded::Bounded;
pub use measurable::check_measurable;
pub use options::AttackOptions;
pub use report::{AttackReport, ColumnMove, RobustMetrics, SCHEMA_VERSION};
pub use run::attack;
pub use transfer::Transfer;
