//! z_t = s·W x_t + s_b·b at every window x_t of an image.

use super::{Call, Layer, LinearUse, ParameterUse};
use crate::device::{Product, Tile, TileMut, Window};
use crate::model::parameters::{Distribution, ParameterRequest};
use crate::scalar::Scalar;

/// A 2-D convolution (cross-correlation, as everywhere in the field). Images are (height, width, channels), W has
/// shape (out channels, kernel rows, kernel columns, in channels).
#[derive(Clone, Debug)]
pub struct Convolution {
    window: Window,
    outputs: usize,
    scale: f64,
    bias_scale: Option<f64>,
    distribution: Distribution,
    bias_distribution: Distribution,
}

impl Convolution {
    /// A layer without bias and with the factor `scale` on its weights; `outputs` is its number of channels.
    #[must_use]
    pub fn new(window: Window, outputs: usize, scale: f64, distribution: Distribution) -> Self {
        Self { window, outputs, scale, bias_scale: None, distribution, bias_distribution: Distribution::Zeros }
    }

    /// The same layer with a bias for each channel and the factor `scale` on it.
    #[must_use]
    pub fn with_bias(mut self, scale: f64, distribution: Distribution) -> Self {
        self.bias_scale = Some(scale);
        self.bias_distribution = distribution;
        self
    }
}

impl<T: Scalar> Layer<T> for Convolution {
    fn output_len(&self) -> usize {
        self.window.places() * self.outputs
    }

    fn parameters(&self) -> Vec<ParameterRequest> {
        let (rows, columns) = self.window.kernel();
        let shape = vec![self.outputs, rows, columns, self.window.channels()];
        let weight = ParameterRequest { name: "weight", shape, distribution: self.distribution };
        let bias = ParameterRequest { name: "bias", shape: vec![self.outputs], distribution: self.bias_distribution };
        if self.bias_scale.is_some() { vec![weight, bias] } else { vec![weight] }
    }

    fn parameter_use(&self) -> Option<ParameterUse> {
        Some(ParameterUse::Linear(LinearUse {
            inputs: self.window.len(),
            outputs: self.outputs,
            scale: self.scale,
            bias_scale: self.bias_scale,
            window: Some(self.window),
        }))
    }

    fn forward(
        &self,
        call: &Call<'_, T>,
        inputs: &[Tile<'_, T>],
        mut out: TileMut<'_, T>,
        affine: bool,
        mut mode: Product,
    ) {
        if let (Some(scale), true) = (self.bias_scale, affine) {
            call.bias(self.outputs * self.window.len(), scale, out.reborrow().reshape(self.outputs), mode);
            mode = Product::Accumulate;
        }
        let weight = call.matrix(0, self.outputs, self.window.len());
        call.operations.convolve(out, mode, T::from_f64(self.scale), &self.window, inputs[0], weight);
    }

    fn backward(&self, call: &Call<'_, T>, _which: usize, delta: Tile<'_, T>, into: TileMut<'_, T>, mode: Product) {
        let weight = call.matrix(0, self.outputs, self.window.len());
        call.operations.convolve_backward(into, mode, T::from_f64(self.scale), &self.window, delta, weight);
    }
}
