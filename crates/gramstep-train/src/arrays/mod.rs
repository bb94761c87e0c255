//! Data in memory: the settings, the preprocessing and the road of a run, with arrays in place of files.
//!
//! [`Samples`] (what the caller has) → [`Problem`](crate::data::Problem) (split and standardised: the one copy of the
//! inputs) → [`learn`] → [`Learnt`]. Uses `run` and below.
//!
//! ```
//! use std::sync::atomic::AtomicBool;
//! use gramstep::Matrix;
//! use gramstep_train::arrays::{ArrayTargets, How, Samples, learn};
//! use gramstep_train::{outcome::event::Silent, settings::Config};
//! let x = Matrix::from_fn(40, 1, |i, _| i as f64 / 20.0 - 1.0);
//! let y = Matrix::from_fn(40, 1, |i, _| 5.0 + (3.0 * x[(i, 0)]).sin());
//! let samples = Samples::new(x.view(), ArrayTargets::numbers(y.clone()));
//! let config = Config { model: Some("mlp:20:tanh".to_owned()), epochs: Some(60), ..Config::default() };
//! let problem = samples.problem(0.1, 0)?;
//! let learnt = learn(&problem, &config, How::default(), &AtomicBool::new(false), &mut Silent)?;
//! let f = learnt.predictor.predict_array(x.view())?;
//! assert!((0..40).all(|i| (f[(i, 0)] - y[(i, 0)]).abs() < 0.1));
//! assert_eq!(learnt.train_losses.len(), learnt.report.epochs);
//! # Ok::<(), gramstep_train::Error>(())
//! ```

mod inputs;
mod learn;
mod samples;

pub use learn::{How, Learnt, keep, learn, prepare, save};
pub use samples::{ArrayTargets, Samples};
