//! Claims of the theory, tried and reported: which ones, on what, and what became of them. Uses `run` and below.
//!
//! ```
//! use std::sync::atomic::AtomicBool;
//! use gramstep_train::{outcome::event::Silent, verify::{Job, verify}};
//! let job = Job { claims: vec!["cai2019-minibatch".to_owned()], seeds: 1, ..Job::default() };
//! let found = verify(&job, &AtomicBool::new(false), &mut Silent)?;
//! assert_eq!(found.claims[0].certificate.claim, "cai2019-minibatch");
//! # Ok::<(), gramstep_train::Error>(())
//! ```

mod abandon;
mod job;
mod meter;
mod page;
mod sphere;
mod verification;
mod write;

pub use job::{Job, SEEDS, verify};
pub use verification::{SCHEMA_VERSION, Tried, Verification};
