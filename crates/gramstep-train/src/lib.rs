//! Training with [`gramstep`] on real tables: everything that touches the world.
//!
//! The way of the data: [`data::Source`] → [`data::Table`] → [`data::Problem`] (split, preprocessing, datasets) →
//! [`training::trainer::Trainer`] → [`outcome::Report`] and the files of a [`folder::RunFolder`] → [`Predictor`].
//!
//! ```no_run
//! use std::sync::atomic::AtomicBool;
//! use gramstep_train::{outcome::event::Silent, run::{self, Keep}, settings::Config};
//! let config = Config { data: Some("builtin:diabetes".to_owned()), ..Config::default() };
//! let report = run::train(&config, Keep::Nothing, &AtomicBool::new(false), &mut Silent)?;
//! println!("{:?}", report.test);
//! # Ok::<(), gramstep_train::Error>(())
//! ```

pub mod arrays;
pub mod attack;
pub mod data;
mod error;
pub mod folder;
pub mod format;
pub mod kernel;
pub mod outcome;
pub mod predictor;
pub mod report;
pub mod run;
pub mod settings;
pub mod training;
pub mod verify;

pub use error::{Error, Result};
pub use outcome::{Predictions, StopReason};
pub use predictor::Predictor;
