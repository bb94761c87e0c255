//! Kernels of networks: of infinite width in closed form, of finite width from tangent features, and what can be done
//! with them; and kernels with a scale for every column, which are found from data.

mod architecture;
mod checked;
mod dynamics;
mod empirical;
mod ensemble;
mod image_architecture;
pub mod infinite;
mod laplace;
mod left_out;
mod linearised;
mod matrix_free;
mod monte_carlo;
mod one_hot;
mod regression;
mod regressor;
mod ridge;
mod ridge_regression;
mod row_weights;
mod scaled;
mod sharpness;
mod spectrum;
mod taylor;
mod tiles;
mod which;

pub use architecture::InfiniteArchitecture;
pub use dynamics::{Dynamics, Time};
pub use empirical::{EmpiricalKernel, Outputs};
pub use ensemble::EnsembleStart;
pub use image_architecture::{ImageArchitecture, ImageHead, ImageNetwork};
pub use infinite::{
    ConvolutionVariances, DenseVariances, Function, InfiniteKernel, InfiniteLayer, InfinitePoints, InfiniteTiles,
    Padding,
};
pub use laplace::{Coverage, LinearisedLaplace};
pub use left_out::leave_one_out;
pub use linearised::{LinearisationError, LinearisedModel};
pub use matrix_free::solve_matrix_free;
pub use monte_carlo::{MonteCarlo, MonteCarloKernel};
pub use one_hot::one_hot;
pub use regression::KernelRegression;
pub use regressor::InfiniteRegressor;
pub use ridge::Ridge;
pub use ridge_regression::RidgeRegression;
pub use scaled::{
    ScaleObjective, ScaleOptions, ScaledFit, ScaledKernel, ScaledKind, ScaledRegression, ScaledRegressor, fit_rescaled,
    fit_scales,
};
pub use sharpness::sharpness;
pub use spectrum::{Spectrum, alignment};
pub use taylor::{TaylorFit, TaylorModel};
pub use tiles::KernelTiles;
pub use which::{Kernels, Which};
