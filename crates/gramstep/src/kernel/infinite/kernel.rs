//! The kernels of an infinitely wide network: its layers as steps, ready for points.

use std::sync::Arc;

use super::images::{Grid, Program};
use super::layers::{DenseVariances, InfiniteLayer, read};
use super::steps::{Flow, Step, steps};
use crate::error::Result;
use crate::model::{Activation, Shape, Specification};

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
    pub(super) layers: Arc<Vec<InfiniteLayer>>,
    /// What makes vectors of images.
    pub(super) images: Option<Arc<Program>>,
    /// What follows, on vectors.
    pub(super) steps: Arc<Vec<Step>>,
    /// Shape of a point, where it is known.
    shape: Option<Shape>,
    pub(super) output_scale: f64,
    /// Whether outputs start at 0: the difference of two equal copies.
    pub(super) centred: bool,
}

impl PartialEq for InfiniteKernel {
    fn eq(&self, other: &Self) -> bool {
        (&self.layers, self.shape, self.centred) == (&other.layers, other.shape, other.centred)
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
    /// [`Error::Layer`](crate::Error::Layer) if a layer has no kernel of infinite width,
    /// [`Error::Setting`](crate::Error::Setting) if a variance is negative or not finite.
    pub fn new(specification: &Specification) -> Result<Self> {
        let mut kernel = Self::for_inputs(read(specification)?, specification.input)?;
        kernel.output_scale = specification.output_scale;
        kernel.centred = specification.symmetric;
        Ok(kernel)
    }

    /// The kernels of layers, for points of any length.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn from_layers(layers: Vec<InfiniteLayer>) -> Result<Self> {
        let steps = steps(&layers, Flow::INPUT)?;
        Ok(Self::of(layers, None, steps, None))
    }

    /// The kernels of layers, for points of this shape: images where there are convolutions or pools.
    ///
    /// ```
    /// use gramstep::kernel::{ConvolutionVariances, DenseVariances, InfiniteKernel, InfiniteLayer};
    /// use gramstep::model::Shape;
    /// use gramstep::{Activation, Device, Matrix};
    /// let variances = DenseVariances::new(2.0, 0.0);
    /// let layers = vec![
    ///     InfiniteLayer::Convolution(ConvolutionVariances::new(3, variances)),
    ///     InfiniteLayer::Activation(Activation::Relu),
    ///     InfiniteLayer::GlobalAveragePool,
    ///     InfiniteLayer::Dense(variances),
    /// ];
    /// let shape = Shape::Image { height: 4, width: 4, channels: 1, side: 0 };
    /// let kernel = InfiniteKernel::for_inputs(layers, shape)?;
    /// let x = Matrix::from_fn(2, 16, |i, j| ((i + 1) * j) as f64 / 16.0);
    /// let kernels = kernel.points(&x, &Device::cpu(1))?.kernels();
    /// assert!(kernels.ntk[(0, 1)] > kernels.nngp[(0, 1)]);
    /// # Ok::<(), gramstep::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn for_inputs(layers: Vec<InfiniteLayer>, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        if let Shape::Image { height, width, channels, side: 0 } = shape
            && let Some((program, used, flow)) = Program::compile(&layers, Grid { height, width }, channels)?
        {
            let steps = steps(&layers[used..], flow)?;
            return Ok(Self::of(layers, Some(program), steps, Some(shape)));
        }
        let steps = steps(&layers, Flow::INPUT)?;
        Ok(Self::of(layers, None, steps, Some(shape)))
    }

    fn of(layers: Vec<InfiniteLayer>, program: Option<Program>, steps: Vec<Step>, shape: Option<Shape>) -> Self {
        let (layers, images, steps) = (Arc::new(layers), program.map(Arc::new), Arc::new(steps));
        Self { layers, images, steps, shape, output_scale: 1.0, centred: false }
    }

    /// Number of values of a point, where it is known.
    pub(super) fn inputs(&self) -> Option<usize> {
        self.shape.map(Shape::len)
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
}
