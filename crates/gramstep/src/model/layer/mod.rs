//! Layers: one file each. A stage of a network is a layer that is linear in its input and linear in its parameters, or
//! a function without parameters that is not linear, number by number or sample by sample. That is all that tangent
//! features need to know.

mod combine;
mod convolution;
mod dense;
mod embed;
mod group_norm;
mod nonlinear;
mod pool;
mod scalar;
mod weights;

pub use combine::Combine;
pub use convolution::Convolution;
pub use dense::Dense;
pub use embed::{Embed, Placement};
pub use group_norm::{ChannelScale, GroupNorm};
pub use nonlinear::Nonlinear;
pub use pool::{AveragePool, MaxPool};
pub use scalar::{ScalarBias, ScalarScale};

use std::sync::Arc;

use super::parameters::ParameterRequest;
use crate::device::{Buffer, Operations, Pointwise, Tile, TileMut, Window, WriteMode};
use crate::scalar::Scalar;

/// A stage of a network.
#[derive(Clone, Debug)]
pub enum Stage<T> {
    /// A function applied number by number: an [`Activation`](crate::Activation) or one of the user's.
    Pointwise(Arc<dyn Pointwise<T>>),
    /// A function of the values of a sample that is not linear: a [`MaxPool`] or one of the user's.
    Nonlinear(Arc<dyn Nonlinear<T>>),
    /// A layer.
    Layer(Arc<dyn Layer<T>>),
}

impl<T: Scalar> Stage<T> {
    /// The layer, if it is one.
    pub(crate) fn layer(&self) -> Option<&dyn Layer<T>> {
        match self {
            Self::Layer(layer) => Some(&**layer),
            Self::Pointwise(_) | Self::Nonlinear(_) => None,
        }
    }

    /// Whether it is a layer with a weight.
    pub(crate) fn has_weight(&self) -> bool {
        matches!(self.layer().and_then(Layer::parameter_use), Some(ParameterUse::Linear(_)))
    }

    /// Whether it is a convolution.
    pub(crate) fn is_convolution(&self) -> bool {
        let parameters = self.layer().and_then(Layer::parameter_use);
        matches!(parameters, Some(ParameterUse::Linear(LinearUse { window: Some(_), .. })))
    }

    /// Number of values per sample that it puts out, given that number of its input.
    pub(super) fn output_len(&self, input: usize) -> usize {
        match self {
            Self::Pointwise(_) => input,
            Self::Nonlinear(function) => function.output_len(),
            Self::Layer(layer) => layer.output_len(),
        }
    }

    /// Multiplications for one sample, about.
    pub(super) fn cost(&self) -> usize {
        match self {
            Self::Pointwise(_) => 0,
            Self::Nonlinear(function) => function.cost(),
            Self::Layer(layer) => layer.cost(),
        }
    }
}

/// A layer: `output = layer(parameters, inputs)` for a tile of samples, one row per sample.
///
/// Layers are *bilinear*: linear in the inputs for fixed parameters (up to a constant), and linear in the parameters
/// for fixed inputs, or [additive](Layer::is_additive). Deltas have q rows per sample, in the order (sample, cotangent).
///
/// ```
/// use std::sync::Arc;
/// use gramstep::device::{WriteMode, Tile, TileMut};
/// use gramstep::model::layer::{Call, Layer, Stage};
/// use gramstep::{Matrix, Model};
///
/// /// Every value times a number that depends on its place.
/// #[derive(Debug)]
/// struct Window(Vec<f64>);
///
/// impl Window {
///     fn apply(&self, x: Tile<'_, f64>, out: TileMut<'_, f64>, mode: WriteMode) {
///         out.for_each_row(|i, out| {
///             for ((out, x), w) in out.iter_mut().zip(x.row(i)).zip(&self.0) {
///                 *out = if mode == WriteMode::Replace { 0.0 } else { *out } + w * x;
///             }
///         });
///     }
/// }
///
/// impl Layer<f64> for Window {
///     fn output_len(&self) -> usize {
///         self.0.len()
///     }
///     fn forward(&self, _: &Call<'_, f64>, x: &[Tile<'_, f64>], out: TileMut<'_, f64>, _affine: bool, mode: WriteMode) {
///         self.apply(x[0], out, mode);
///     }
///     fn backward(
///         &self,
///         _: &Call<'_, f64>,
///         _inputs: &[Tile<'_, f64>],
///         _which: usize,
///         delta: Tile<'_, f64>,
///         into: TileMut<'_, f64>,
///         mode: WriteMode,
///     ) {
///         self.apply(delta, into, mode);
///     }
/// }
///
/// let model = Model::from_stages(2, vec![Stage::Layer(Arc::new(Window(vec![1.0, 0.5])))]).build()?;
/// assert_eq!(model.predict(&Matrix::from_vec(1, 2, vec![4.0, 4.0])?)?.as_slice(), [4.0, 2.0]);
/// # Ok::<(), gramstep::Error>(())
/// ```
pub trait Layer<T: Scalar>: Send + Sync + std::fmt::Debug {
    /// Number of values per sample that it puts out.
    fn output_len(&self) -> usize;

    /// The parameters it needs, in the order in which they lie in its part of θ.
    fn parameters(&self) -> Vec<ParameterRequest> {
        Vec::new()
    }

    /// How its parameters enter; `None` if it has none.
    fn parameter_use(&self) -> Option<ParameterUse> {
        None
    }

    /// Whether its parameters are added to the input and do not multiply it: y = x + Bθ.
    fn is_additive(&self) -> bool {
        false
    }

    /// Whether the delta of input number `which` is that of the output, as of a term of a sum. Then [`backward`](Self::backward)
    /// may not be asked about that input: both deltas lie in the same memory.
    fn passes_delta(&self, which: usize) -> bool {
        which == 0 && self.is_additive()
    }

    /// Whether the output may be written where the first input lies, by [`forward_in_place`](Self::forward_in_place). The
    /// layer then finds that output in the input's place when it is asked for derivatives: it must not need the input.
    fn works_in_place(&self) -> bool {
        false
    }

    /// The output in place of the first input, which is in `values`; the other inputs come beside. Same bits as
    /// [`forward`](Self::forward). Asked of layers alone that [work in place](Self::works_in_place).
    fn forward_in_place(&self, call: &Call<'_, T>, values: TileMut<'_, T>, others: &[Tile<'_, T>]) {
        let first = Buffer::copy(values.as_tile());
        let inputs: Vec<_> =
            std::iter::once(first.tile(0, values.rows(), values.columns())).chain(others.iter().copied()).collect();
        self.forward(call, &inputs, values, true, WriteMode::Replace);
    }

    /// Multiplications for one sample, about.
    fn cost(&self) -> usize {
        match self.parameter_use() {
            Some(ParameterUse::Linear(linear)) => linear.places() * linear.inputs * linear.outputs,
            _ => self.output_len(),
        }
    }

    /// Writes (or adds) the layer's output; without `affine` the terms that do not depend on the input are left out.
    fn forward(&self, call: &Call<'_, T>, inputs: &[Tile<'_, T>], out: TileMut<'_, T>, affine: bool, mode: WriteMode);

    /// Writes (or adds) ∂⟨δ, output⟩/∂(input number `which`), at the inputs of the forward walk.
    fn backward(
        &self,
        call: &Call<'_, T>,
        inputs: &[Tile<'_, T>],
        which: usize,
        delta: Tile<'_, T>,
        into: TileMut<'_, T>,
        mode: WriteMode,
    );

    /// Writes ∂⟨δ, output⟩/∂θ for every delta, n·q×p_l. Asked of layers of [`ParameterUse::Explicit`] alone.
    fn gradients(&self, call: &Call<'_, T>, inputs: &[Tile<'_, T>], delta: Tile<'_, T>, out: TileMut<'_, T>) {
        let _ = (call, inputs, delta, out);
    }
}

/// Where a layer computes and with which parameters.
pub struct Call<'a, T> {
    /// The device.
    pub operations: &'a dyn Operations<T>,
    /// The layer's own part of a parameter vector, 1×p_l.
    pub theta: Tile<'a, T>,
}

impl<T: Scalar> Call<'_, T> {
    /// A piece of the layer's parameters as a matrix.
    #[must_use]
    pub fn matrix(&self, offset: usize, rows: usize, columns: usize) -> Tile<'_, T> {
        Tile::new(&self.theta.host()[offset..offset + rows * columns], rows, columns)
    }

    /// Writes (or adds) scale·b to every row of `out`; b lies at `offset` and is as long as a row.
    pub(super) fn bias(&self, offset: usize, scale: f64, mut out: TileMut<'_, T>, mode: WriteMode) {
        let length = out.columns();
        let mut scaled = vec![T::ZERO; length];
        let b = self.matrix(offset, 1, length);
        self.operations.axpby(TileMut::new(&mut scaled, 1, length), T::ZERO, T::from_f64(scale), b);
        let row = Tile::new(&scaled, 1, length);
        match mode {
            WriteMode::Replace => self.operations.fill_rows(out.reborrow(), row),
            WriteMode::Accumulate => {
                let ones = vec![T::ONE; out.rows()];
                let ones = Tile::new(&ones, out.rows(), 1);
                self.operations.product(out.reborrow(), WriteMode::Accumulate, T::ONE, ones, row);
            }
        }
    }
}

/// How parameters enter a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ParameterUse {
    /// As a weight used at one or several places.
    Linear(LinearUse),
    /// A few parameters, whose gradients the layer writes out itself ([`Layer::gradients`]).
    Explicit,
}

/// A weight used as a linear map: output = scale·W·input (+ bias scale·b).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearUse {
    /// d_in, the length of A.
    pub inputs: usize,
    /// d_out, the length of D.
    pub outputs: usize,
    /// Factor on W, which is parameter 0 of the layer, shape (d_out, d_in).
    pub scale: f64,
    /// Factor on b, which is parameter 1 of the layer, shape (d_out).
    pub bias_scale: Option<f64>,
    /// The windows at which it is used, of a convolution.
    pub window: Option<Window>,
}

impl LinearUse {
    /// T, the number of places at which W is used.
    #[must_use]
    pub fn places(&self) -> usize {
        self.window.map_or(1, |window| window.places())
    }
}
