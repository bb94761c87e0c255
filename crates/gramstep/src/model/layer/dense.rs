//! z = s·W a + s_b·b.

use super::{Call, Layer, LinearUse, ParameterUse};
use crate::device::{Product, Tile, TileMut};
use crate::model::parameters::{Distribution, ParameterRequest};
use crate::scalar::Scalar;

/// A dense layer. W has shape (out, in).
#[derive(Clone, Debug)]
pub struct Dense {
    inputs: usize,
    outputs: usize,
    scale: f64,
    bias_scale: Option<f64>,
    distribution: Distribution,
    bias_distribution: Distribution,
}

impl Dense {
    /// A layer without bias and with the factor `scale` on its weights.
    #[must_use]
    pub fn new(inputs: usize, outputs: usize, scale: f64, distribution: Distribution) -> Self {
        Self { inputs, outputs, scale, bias_scale: None, distribution, bias_distribution: Distribution::Zeros }
    }

    /// The same layer with a bias and the factor `scale` on it.
    #[must_use]
    pub fn with_bias(mut self, scale: f64, distribution: Distribution) -> Self {
        self.bias_scale = Some(scale);
        self.bias_distribution = distribution;
        self
    }
}

impl<T: Scalar> Layer<T> for Dense {
    fn output_len(&self) -> usize {
        self.outputs
    }

    fn parameters(&self) -> Vec<ParameterRequest> {
        let weight = ParameterRequest {
            name: "weight",
            shape: vec![self.outputs, self.inputs],
            distribution: self.distribution,
        };
        let bias = ParameterRequest { name: "bias", shape: vec![self.outputs], distribution: self.bias_distribution };
        if self.bias_scale.is_some() { vec![weight, bias] } else { vec![weight] }
    }

    fn parameter_use(&self) -> Option<ParameterUse> {
        Some(ParameterUse::Linear(LinearUse {
            inputs: self.inputs,
            outputs: self.outputs,
            scale: self.scale,
            bias_scale: self.bias_scale,
            window: None,
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
            call.bias(self.outputs * self.inputs, scale, out.reborrow(), mode);
            mode = Product::Accumulate;
        }
        let weight = call.matrix(0, self.outputs, self.inputs);
        call.operations.product(out, mode, T::from_f64(self.scale), inputs[0], weight.t());
    }

    fn backward(&self, call: &Call<'_, T>, _which: usize, delta: Tile<'_, T>, into: TileMut<'_, T>, mode: Product) {
        let weight = call.matrix(0, self.outputs, self.inputs);
        call.operations.product(into, mode, T::from_f64(self.scale), delta, weight);
    }
}
