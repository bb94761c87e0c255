//! Regression and classification with the kernel of an infinitely wide network: nothing is trained, a system is solved.
//!
//! [`KernelModel`] is what a fit comes to, in preprocessed units. `run.rs` is `train --model ntk:depth=3:relu`: from a
//! configuration to a run folder, as for networks.

mod model;
pub(crate) mod run;

pub use model::KernelModel;
