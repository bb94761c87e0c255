//! Kernels of networks: of infinite width in closed form, of finite width from tangent features, and what can be done
//! with them.

mod architecture;
mod dynamics;
mod empirical;
pub mod infinite;
mod laplace;
mod linearised;
mod regression;
mod regressor;
mod spectrum;
mod tiles;
mod which;

pub use architecture::InfiniteArchitecture;
pub use dynamics::{Dynamics, Time};
pub use empirical::{EmpiricalKernel, Outputs};
pub use infinite::{DenseVariances, InfiniteKernel, InfiniteLayer, InfinitePoints, InfiniteTiles};
pub use laplace::{Coverage, LinearisedLaplace};
pub use linearised::{LinearisationError, LinearisedModel};
pub use regression::{KernelRegression, Ridge, one_hot, solve_matrix_free};
pub use regressor::InfiniteRegressor;
pub use spectrum::{Spectrum, alignment};
pub use tiles::KernelTiles;
pub use which::{Kernels, Which};
