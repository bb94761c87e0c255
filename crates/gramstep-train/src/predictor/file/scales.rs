//! Numbers of a kernel with a scale for every input.

use gramstep::kernel::{ScaledKernel, ScaledKind};
use serde::{Deserialize, Serialize};

use crate::error::Result;

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
