//! How a network is trained: the loop over epochs, ensembles, optimisers, checkpoints, processes. Uses `predictor` and
//! below.

pub mod adversarial;
mod averaging;
mod batches;
pub(crate) mod checkpoint;
pub(crate) mod ensemble;
mod far;
mod finished;
pub(crate) mod folds;
mod judge;
pub mod optimizer;
pub mod processes;
mod ridge_path;
mod state;
pub mod trainer;
