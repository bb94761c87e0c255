//! What a run leaves on disk: its folder, and the record of what happened. Uses `outcome` and below.

mod history;
mod record;
mod run_folder;

pub(crate) use history::{EpochLine, History, StepLine};
pub use record::{FORMAT_VERSION, Record};
pub use run_folder::{Keep, RunFolder};
