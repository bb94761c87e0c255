//! The parameters of a layer that is a linear map: a weight, and a bias where there is one.

use super::{LinearUse, ParameterUse};
use crate::device::Window;
use crate::model::parameters::{Distribution, ParameterRequest};

/// W (`outputs`×`inputs`) with the factor s, and b with the factor s_b: at every place z = s·W a + s_b·b.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) scale: f64,
    pub(super) bias_scale: Option<f64>,
    distribution: Distribution,
    bias_distribution: Distribution,
}

impl Weights {
    pub(super) fn new(inputs: usize, outputs: usize, scale: f64, distribution: Distribution) -> Self {
        Self { inputs, outputs, scale, bias_scale: None, distribution, bias_distribution: Distribution::Zeros }
    }

    pub(super) fn with_bias(self, scale: f64, distribution: Distribution) -> Self {
        Self { bias_scale: Some(scale), bias_distribution: distribution, ..self }
    }

    /// The request for a weight of this shape, and for the bias.
    pub(super) fn requests(&self, shape: Vec<usize>) -> Vec<ParameterRequest> {
        let mut requests = vec![ParameterRequest { name: "weight", shape, distribution: self.distribution }];
        if self.bias_scale.is_some() {
            let (shape, distribution) = (vec![self.outputs], self.bias_distribution);
            requests.push(ParameterRequest { name: "bias", shape, distribution });
        }
        requests
    }

    #[allow(clippy::unnecessary_wraps, reason = "what a layer has to answer")]
    pub(super) fn parameter_use(&self, window: Option<Window>) -> Option<ParameterUse> {
        Some(ParameterUse::Linear(LinearUse {
            inputs: self.inputs,
            outputs: self.outputs,
            scale: self.scale,
            bias_scale: self.bias_scale,
            window,
        }))
    }
}
