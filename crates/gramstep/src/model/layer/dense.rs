//! z = s·W a + s_b·b.

use super::weights::Weights;
use super::{Call, Layer, ParameterUse};
use crate::device::{Tile, TileMut, WriteMode};
use crate::model::parameters::{Distribution, ParameterRequest};
use crate::scalar::Scalar;

/// A dense layer. W has shape (out, in).
#[derive(Clone, Debug)]
pub struct Dense {
    weights: Weights,
}

impl Dense {
    /// A layer without bias and with the factor `scale` on its weights.
    #[must_use]
    pub fn new(inputs: usize, outputs: usize, scale: f64, distribution: Distribution) -> Self {
        Self { weights: Weights::new(inputs, outputs, scale, distribution) }
    }

    /// The same layer with a bias and the factor `scale` on it.
    #[must_use]
    pub fn with_bias(self, scale: f64, distribution: Distribution) -> Self {
        Self { weights: self.weights.with_bias(scale, distribution) }
    }
}

impl<T: Scalar> Layer<T> for Dense {
    fn output_len(&self) -> usize {
        self.weights.outputs
    }

    fn parameters(&self) -> Vec<ParameterRequest> {
        self.weights.requests(vec![self.weights.outputs, self.weights.inputs])
    }

    fn parameter_use(&self) -> Option<ParameterUse> {
        self.weights.parameter_use(None)
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
            call.bias(self.weights.outputs * self.weights.inputs, scale, out.reborrow(), mode);
            mode = WriteMode::Accumulate;
        }
        let weight = call.matrix(0, self.weights.outputs, self.weights.inputs);
        call.operations.product(out, mode, T::from_f64(self.weights.scale), inputs[0], weight.t());
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
        call.operations.product(into, mode, T::from_f64(self.weights.scale), delta, weight);
    }
}
