//! How a network is trained: the loop over epochs, ensembles, optimisers, checkpoints, processes. Uses `predictor` and
//! below.

pub mod adversarial;
mod again;
mod averaging;
pub mod batches;
pub(crate) mod checkpoint;
mod clock;
pub mod config;
mod course;
pub(crate) mod ensemble;
mod far;
mod finished;
pub(crate) mod folds;
mod judge;
pub(crate) mod member;
#[cfg(test)]
mod on_a_sine;
pub mod optimizer;
pub mod processes;
mod ridge_path;
mod running;
mod state;
mod told;
pub(crate) mod trained;
pub mod trainer;
mod watching;
pub(crate) mod workers;
