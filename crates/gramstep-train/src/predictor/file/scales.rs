//! Numbers of kernel regressions.

use gramstep::kernel::{ScaledKernel, ScaledKind};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::predictor::{Kernel, KernelChoice, KernelModel};

/// What was found of a kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Scales {
    /// w_j = 1/ℓ_j² of every input.
    pub weights: Vec<f64>,
    /// c_j of a product.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<f64>,
    /// b of `nngp`.
    #[serde(default)]
    pub bias: f64,
}

impl Scales {
    pub(super) fn of(kernel: &ScaledKernel) -> Self {
        Self { weights: kernel.weights().to_vec(), shares: kernel.shares().to_vec(), bias: kernel.bias() }
    }

    /// The kernel.
    ///
    /// # Errors
    /// If a number is outside its range.
    pub(super) fn kernel(&self, kind: ScaledKind) -> Result<ScaledKernel> {
        Ok(ScaledKernel::new(kind, self.weights.clone(), self.shares.clone(), self.bias)?)
    }
}

/// Numbers of a kernel regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KernelMetadata {
    /// κ, for weights of mean 1.
    pub ridge: f64,
    /// β of the softmax of a classification.
    pub inverse_temperature: f64,
    /// What was found of the kernel; none of an infinitely wide network's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scales: Option<Scales>,
}

impl KernelMetadata {
    pub(super) fn of(model: &KernelModel) -> Self {
        let scales = match model.kernel() {
            Kernel::Scaled(kernel) => Some(Scales::of(&kernel)),
            Kernel::Infinite(_) => None,
        };
        Self { ridge: model.ridge(), inverse_temperature: model.inverse_temperature(), scales }
    }

    /// The kernel of a name with these numbers; none where they are of another kind.
    ///
    /// # Errors
    /// If there is no such kernel, or a number is outside its range.
    pub(super) fn kernel(&self, name: &str) -> Result<Option<Kernel>> {
        Ok(match (name.parse()?, &self.scales) {
            (KernelChoice::Infinite(architecture), None) => Some(Kernel::Infinite(architecture)),
            (KernelChoice::Scaled(kind), Some(scales)) => Some(Kernel::Scaled(scales.kernel(kind)?)),
            _ => None,
        })
    }
}
