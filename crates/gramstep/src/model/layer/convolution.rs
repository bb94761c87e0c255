//! z_t = s·W x_t + s_b·b at every window x_t of an image.

use super::weights::Weights;
use super::{Call, Layer, ParameterUse};
use crate::device::{Tile, TileMut, Window, WriteMode};
use crate::model::parameters::{Distribution, ParameterRequest};
use crate::scalar::Scalar;

/// A 2-D convolution (cross-correlation, as everywhere in the field). Images are (height, width, channels), W has
/// shape (out channels, kernel rows, kernel columns, in channels).
#[derive(Clone, Debug)]
pub struct Convolution {
    window: Window,
    weights: Weights,
}

impl Convolution {
    /// A layer without bias and with the factor `scale` on its weights; `outputs` is its number of channels.
    #[must_use]
    pub fn new(window: Window, outputs: usize, scale: f64, distribution: Distribution) -> Self {
        Self { window, weights: Weights::new(window.len(), outputs, scale, distribution) }
    }

    /// The same layer with a bias for each channel and the factor `scale` on it.
    #[must_use]
    pub fn with_bias(self, scale: f64, distribution: Distribution) -> Self {
        Self { weights: self.weights.with_bias(scale, distribution), ..self }
    }
}

impl<T: Scalar> Layer<T> for Convolution {
    fn output_len(&self) -> usize {
        self.window.places() * self.weights.outputs
    }

    fn parameters(&self) -> Vec<ParameterRequest> {
        let (rows, columns) = self.window.kernel();
        self.weights.requests(vec![self.weights.outputs, rows, columns, self.window.channels()])
    }

    fn parameter_use(&self) -> Option<ParameterUse> {
        self.weights.parameter_use(Some(self.window))
    }

    fn forward(
        &self,
        call: &Call<'_, T>,
        inputs: &[Tile<'_, T>],
        mut out: TileMut<'_, T>,
        affine: bool,
        mut mode: WriteMode,
    ) {
        if let (Some(scale), true) = (self.weights.bias_scale, affine) {
            call.bias(
                self.weights.outputs * self.weights.inputs,
                scale,
                out.reborrow().reshape(self.weights.outputs),
                mode,
            );
            mode = WriteMode::Accumulate;
        }
        let weight = call.matrix(0, self.weights.outputs, self.weights.inputs);
        call.operations.convolve(out, mode, T::from_f64(self.weights.scale), &self.window, inputs[0], weight);
    }

    fn backward(
        &self,
        call: &Call<'_, T>,
        _: &[Tile<'_, T>],
        _which: usize,
        delta: Tile<'_, T>,
        into: TileMut<'_, T>,
        mode: WriteMode,
    ) {
        let weight = call.matrix(0, self.weights.outputs, self.weights.inputs);
        call.operations.convolve_backward(into, mode, T::from_f64(self.weights.scale), &self.window, delta, weight);
    }
}
