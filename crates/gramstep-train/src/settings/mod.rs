//! What a run is: the configuration that a user gives, and the settings that follow from it and the data.

mod adversary;
mod candidates;
mod config;
mod data;
mod defaults;
mod field;
mod file;
mod given;
mod paths;
mod resolved;
mod schedule;
mod setting;
mod table;
mod values;

pub(crate) use crate::format::memory::check_memory;
pub use adversary::Adversary;
pub use candidates::Candidates;
pub use config::{Config, FORMAT_VERSION, SETTINGS, Setting, Settings};
pub use defaults::Facts;
pub(crate) use resolved::MOST_WATCHED_OUTPUTS;
pub use resolved::all_processors;
pub use schedule::ScheduleChoice;
pub use setting::{Entry, Group, Hyphen, Taken};
pub use values::{
    BatchSize, DampingChoice, InputBounds, OptimizerName, Precision, Preset, RidgeChoice, RowsPerSample, TimeLimit,
};
