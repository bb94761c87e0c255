//! What a run is: the configuration that a user gives, and the settings that follow from it and the data.

mod adversary;
mod config;
mod data;
mod paths;
mod resolved;
mod values;

pub use adversary::Adversary;
pub use config::{Config, FORMAT_VERSION};
pub use resolved::{Facts, Settings, all_processors};
pub use values::{BatchSize, DampingChoice, OptimizerName, Precision, Preset, RidgeChoice, TimeLimit};
