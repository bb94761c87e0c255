//! Training on arrays in memory: the settings, the preprocessing and the loop of a run, without files.
//!
//! [`Samples`] (what the caller has) → [`Prepared`] (split and standardised: the one copy of the inputs) → [`train`]
//! → [`Predictor`], or → [`KernelPredictor`] for an infinitely wide network.
//!
//! ```
//! use std::sync::atomic::AtomicBool;
//! use gramstep::Matrix;
//! use gramstep_train::arrays::{ArrayTargets, Samples, train};
//! use gramstep_train::{observer::Silent, settings::Config};
//! let x = Matrix::from_fn(40, 1, |i, _| i as f64 / 20.0 - 1.0);
//! let y = Matrix::from_fn(40, 1, |i, _| 5.0 + (3.0 * x[(i, 0)]).sin());
//! let samples = Samples::new(x.view(), ArrayTargets::numbers(y.clone()));
//! let config = Config { model: Some("mlp:20:tanh".to_owned()), epochs: Some(60), ..Config::default() };
//! let prepared = samples.prepare(0.1, 0)?;
//! let (predictor, training) = train(&prepared, &config, 0.0, None, &AtomicBool::new(false), &mut Silent)?;
//! let f = predictor.predict(x.view())?;
//! assert!((0..40).all(|i| (f[(i, 0)] - y[(i, 0)]).abs() < 0.1));
//! assert_eq!(training.train_losses.len(), training.fit.epochs);
//! # Ok::<(), gramstep_train::Error>(())
//! ```

mod kernel;
mod predictor;
mod samples;
mod training;

pub use kernel::KernelPredictor;
pub use predictor::{Predictor, read};
pub use samples::{ArrayTargets, Prepared, Samples};
pub use training::{Training, train};
