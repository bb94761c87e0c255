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

pub use architecture::InfiniteArchitecture;
pub use dynamics::{Dynamics, Time};
pub use empirical::{EmpiricalKernel, Outputs};
pub use laplace::{Coverage, LinearisedLaplace};
pub use linearised::{LinearisationError, LinearisedModel};
pub use regression::{KernelRegression, Ridge, one_hot, solve_matrix_free};
pub use regressor::InfiniteRegressor;
pub use spectrum::{Spectrum, alignment};
pub use tiles::{InfiniteTiles, KernelTiles};

pub use infinite::{DenseVariances, InfiniteKernel, InfiniteLayer, InfinitePoints};

use crate::view::Matrix;
use tiles::check_tile;

/// Which kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The neural tangent kernel Θ = J Jᵀ.
    Ntk,
    /// The covariance K of the outputs over the initial parameters.
    Nngp,
}

/// Both kernels of one network.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernels<T> {
    /// The neural tangent kernel.
    pub ntk: Matrix<T>,
    /// The covariance of the outputs over the initial parameters.
    pub nngp: Matrix<T>,
}
