//! The two kernels of a network.

use crate::view::Matrix;

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
