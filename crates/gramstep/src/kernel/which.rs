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
///
/// ```
/// use gramstep::kernel::InfiniteKernel;
/// use gramstep::{Activation, Device, Matrix};
/// let kernel = InfiniteKernel::mlp(1, Activation::Relu, 2.0, 0.0)?;
/// let both = kernel.points(&Matrix::from_vec(1, 2, vec![3.0, 4.0])?, &Device::cpu(1))?.kernels();
/// assert!(both.ntk[(0, 0)] > both.nngp[(0, 0)]);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Kernels<T> {
    /// The neural tangent kernel.
    pub ntk: Matrix<T>,
    /// The covariance of the outputs over the initial parameters.
    pub nngp: Matrix<T>,
}
