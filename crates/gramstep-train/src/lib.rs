//! Training with [`gramstep`] on real tables: everything that touches the world.
//!
//! The way of the data: [`data::Source`] → [`data::Table`] → [`data::Problem`] (split, preprocessing, datasets) →
//! [`trainer::Trainer`] → [`report::Report`] and the files of a [`run_folder::RunFolder`] → [`TrainedModel`].
//!
//! ```no_run
//! use std::sync::atomic::AtomicBool;
//! use gramstep_train::{observer::Silent, run::{self, Keep}, settings::Config};
//! let config = Config { data: Some("builtin:diabetes".to_owned()), ..Config::default() };
//! let report = run::train(&config, Keep::Nothing, &AtomicBool::new(false), &mut Silent)?;
//! println!("{:?}", report.test);
//! # Ok::<(), gramstep_train::Error>(())
//! ```

pub mod adversarial;
pub mod arrays;
pub mod attack;
mod averaging;
mod batches;
mod checkpoint;
mod choice;
pub mod compare;
pub mod data;
mod ensemble;
mod error;
pub mod info;
pub mod kernel;
pub mod kernel_regression;
pub mod metrics;
pub mod model_file;
mod npy;
pub mod observer;
pub mod optimizer;
mod predictions;
pub mod processes;
mod random;
pub mod record;
pub mod report;
mod ridge_path;
pub mod run;
pub mod run_folder;
pub mod settings;
mod stop_reason;
pub mod text;
mod text_or_number;
mod trained;
pub mod trainer;
pub mod tune;
pub mod uncertainty;
pub mod verify;
mod whole_file;

pub use error::{Error, Result};
pub use predictions::Predictions;
pub use stop_reason::StopReason;
pub use trained::TrainedModel;
