//! Kernels of infinitely wide networks (jacot2018): the NNGP kernel K of the outputs at the start, and the tangent
//! kernel Θ, to which the Gram matrix J Jᵀ converges as all hidden widths grow.
//!
//! ```text
//! input    K = x·x′/d,  Θ = 0
//! dense    K ← w·K + b,  Θ ← w·Θ + w′·K + b′         (w, b variances; w′, b′ the same for a trained layer)
//! φ        K ← E[φ(x)φ(y)],  Θ ← Θ·E[φ′(x)φ′(y)]      for normal (x, y) with the covariance K
//! sum      K ← K + K of the branch, Θ alike
//! ```
//!
//! A tile of correlations is one product of matrices; then runs of pairs that fit the first-level cache go through all
//! layers before the next run starts. There is no n×n array but the result.

mod dual;
mod gradient;
mod layers;
mod pairs;
mod points;
pub mod quadrature;
mod slopes;

use std::sync::Arc;

pub use layers::{DenseVariances, InfiniteLayer};
pub use points::InfinitePoints;

use crate::device::Device;
use crate::error::Result;
use crate::model::{Activation, Specification};
use crate::scalar::Scalar;
use crate::view::MatrixView;
use layers::Step;

/// The kernels of an infinitely wide network.
///
/// Networks with k outputs have the kernel of one output times the unit matrix: outputs are independent.
///
/// ```
/// use gramstep::kernel::InfiniteKernel;
/// use gramstep::{Activation, Device, Matrix};
/// // One hidden relu layer, σ_w² = 1, no bias: x = x′ gives Θ = 1 and K = ½, x ⊥ x′ gives 1/(2π) for both.
/// let kernel = InfiniteKernel::mlp(1, Activation::Relu, 1.0, 0.0)?;
/// let x = Matrix::from_vec(2, 2, vec![2.0_f64.sqrt(), 0.0, 0.0, 2.0_f64.sqrt()])?;
/// let kernels = kernel.points(&x, &Device::cpu(1))?.kernels();
/// assert!((kernels.ntk[(0, 0)] - 1.0).abs() < 1e-14 && (kernels.nngp[(0, 0)] - 0.5).abs() < 1e-14);
/// let apart = 0.5 / std::f64::consts::PI;
/// assert!((kernels.ntk[(1, 0)] - apart).abs() < 1e-14 && (kernels.nngp[(1, 0)] - apart).abs() < 1e-14);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct InfiniteKernel {
    layers: Arc<Vec<InfiniteLayer>>,
    steps: Arc<Vec<Step>>,
    /// Number of values of a point, where it is known.
    inputs: Option<usize>,
    output_scale: f64,
    /// Whether outputs start at 0: the difference of two equal copies.
    centred: bool,
}

impl PartialEq for InfiniteKernel {
    fn eq(&self, other: &Self) -> bool {
        (&self.layers, self.inputs, self.centred) == (&other.layers, other.inputs, other.centred)
            && self.output_scale == other.output_scale
    }
}

impl InfiniteKernel {
    /// The kernels of a specification with its hidden widths sent to infinity.
    ///
    /// Span weights, output scale and symmetric start count as they do for the finite network. Dense layers are in the
    /// NTK parameterisation, or carry multiplier and distribution of their own, as in [`Specification::two_layer`].
    ///
    /// # Errors
    /// [`Error::Specification`](crate::Error::Specification) if a layer has no kernel of infinite width,
    /// [`Error::Setting`](crate::Error::Setting) if a variance is negative or not finite.
    pub fn new(specification: &Specification) -> Result<Self> {
        let mut kernel = Self::from_layers(layers::read(specification)?)?;
        kernel.inputs = Some(specification.input.len());
        kernel.output_scale = specification.output_scale;
        kernel.centred = specification.symmetric;
        Ok(kernel)
    }

    /// The kernels of layers, for points of any length.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn from_layers(layers: Vec<InfiniteLayer>) -> Result<Self> {
        let steps = Arc::new(layers::steps(&layers)?);
        Ok(Self { layers: Arc::new(layers), steps, inputs: None, output_scale: 1.0, centred: false })
    }

    /// `depth` hidden layers with one activation, all dense layers with the same variances.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn mlp(depth: usize, activation: Activation, weight_variance: f64, bias_variance: f64) -> Result<Self> {
        let dense = InfiniteLayer::Dense(DenseVariances::new(weight_variance, bias_variance));
        let hidden = (0..depth).flat_map(|_| [dense.clone(), InfiniteLayer::Activation(activation)]);
        Self::from_layers(hidden.chain([dense.clone()]).collect())
    }

    /// The layers.
    #[must_use]
    pub fn layers(&self) -> &[InfiniteLayer] {
        &self.layers
    }

    /// Prepares a set of points, n×d, for kernels among themselves and with other sets.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the specification asks for another d,
    /// [`Error::NonFinite`](crate::Error::NonFinite) if a value or a variance is not finite,
    /// [`Error::Setting`](crate::Error::Setting) if a variance is too large for the series of an activation.
    pub fn points<'x, T: Scalar>(&self, x: impl Into<MatrixView<'x, T>>, device: &Device) -> Result<InfinitePoints<T>> {
        InfinitePoints::new(self, x.into(), device)
    }
}
