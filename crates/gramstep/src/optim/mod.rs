//! Optimisers: one file each, one trait for all. A step looks at one batch and changes the model's parameters.

mod adam;
mod batch;
mod damping;
mod direction;
mod gram_gauss_newton;
mod optimizer;
mod primal;
mod schedule;
mod seed;
mod sgd;
mod state;
mod system;

pub use adam::{Adam, AdamConfig};
pub use batch::Batch;
pub use damping::{AdaptiveDamping, Damping};
pub use direction::GramSystem;
pub use gram_gauss_newton::{GramGaussNewton, GramGaussNewtonConfig, Plan, Rows};
pub use optimizer::{Factors, Optimizer, StepInfo};
pub use schedule::Schedule;
pub use sgd::{Sgd, SgdConfig};
pub use state::OptimizerState;
