//! gramstep

pub mod communicator;
pub mod device;
mod error;
pub mod loss;
pub mod model;
pub mod optim;
pub mod random;
mod scalar;
pub mod solve;
pub mod tangent;
mod view;

pub use device::Device;
pub use error::{Error, Result};
pub use model::{Activation, Architecture, Model, Specification};
pub use scalar::Scalar;
pub use tangent::TangentFeatures;
pub use view::{Matrix, MatrixView};
