//! Layers: one file each. A stage of a network is either a pointwise function or a layer that is linear in its input
//! and affine in its parameters; that is all that tangent features need to know.

mod combine;
mod dense;

pub use combine::Combine;
pub use dense::Dense;

use std::sync::Arc;

use super::parameters::ParameterRequest;
use crate::device::{Operations, Pointwise, Product, Tile, TileMut};
use crate::scalar::Scalar;

/// A stage of a network.
#[derive(Clone, Debug)]
pub enum Stage<T> {
    /// A function applied number by number: an [`Activation`](crate::Activation) or one of the user's.
    Pointwise(Arc<dyn Pointwise<T>>),
    /// A layer.
    Layer(Arc<dyn Layer<T>>),
}

/// A layer: `output = layer(parameters, inputs)` for a tile of samples, one row per sample.
///
/// Layers are *bilinear*: linear in the inputs for fixed parameters, and
/// affine in the parameters for fixed inputs. Deltas have q rows per sample, in the order (sample, cotangent).
pub trait Layer<T: Scalar>: Send + Sync + std::fmt::Debug {
    /// Number of values per sample that it puts out.
    fn output_len(&self) -> usize;

    /// The parameters it needs, in the order in which they lie in its part of θ.
    fn parameters(&self) -> Vec<ParameterRequest> {
        Vec::new()
    }

    /// Where its parameters enter as a linear map, if it has any.
    fn linear_use(&self) -> Option<LinearUse> {
        None
    }

    /// Writes (or adds) the layer's output; without `affine` the terms that do not depend on the input are left out.
    fn forward(&self, call: &Call<'_, T>, inputs: &[Tile<'_, T>], out: TileMut<'_, T>, affine: bool, mode: Product);

    /// Writes (or adds) ∂⟨δ, output⟩/∂(input number `which`).
    fn backward(&self, call: &Call<'_, T>, which: usize, delta: Tile<'_, T>, into: TileMut<'_, T>, mode: Product);
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
}
