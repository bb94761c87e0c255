//! What a run leaves on disk: its folder, and the record of what happened. Uses `outcome` and below.

mod history;
mod output;
mod record;
mod run_folder;

pub(crate) use history::{EpochLine, History, StepLine, without_end};
pub use output::check_output;
pub(crate) use output::check_page;
pub use record::{FORMAT_VERSION, Record};
pub use run_folder::{Keep, RunFolder};
