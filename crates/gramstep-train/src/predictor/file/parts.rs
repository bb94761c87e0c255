//! What a model file says of the parts of a combination, and of the errors on rows that were not seen.

use gramstep::kernel::{ScaledKernel, ScaledRegression};
use gramstep::{Scalar, Specification};
use serde::{Deserialize, Serialize};

use super::scales::{KernelMetadata, Scales};
use crate::error::Result;
use crate::predictor::{Combination, Part, PartModel, Spread, View};
use crate::settings::Precision;

/// Of a combination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CombinationMetadata {
    /// β of the logits of a classification.
    pub inverse_temperature: f64,
    /// Its models.
    pub parts: Vec<PartMetadata>,
}

/// Of one part: either networks or a kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PartMetadata {
    /// What it is, in short.
    pub name: String,
    /// Its weight.
    pub weight: f64,
    /// What it sees of the inputs.
    #[serde(default, skip_serializing_if = "is_plain")]
    pub view: View,
    /// Networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networks: Option<NetworksMetadata>,
    /// A kernel with a scale for every column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<ScaledMetadata>,
    /// A kernel of infinitely wide networks, of the part's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infinite: Option<KernelMetadata>,
}

/// Of networks whose mean is a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NetworksMetadata {
    /// How many.
    pub members: usize,
    /// Number type of their tensors.
    pub precision: Precision,
    /// The architecture.
    pub specification: Option<Specification>,
}

/// Of a regression with a kernel that has a scale for every column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScaledMetadata {
    /// The kind.
    pub kind: String,
    /// Its numbers.
    #[serde(flatten)]
    pub scales: Scales,
    /// κ, relative to the mean diagonal.
    pub ridge: f64,
    /// β of the softmax; 1 of a regression.
    pub inverse_temperature: f64,
}

/// Of the errors on rows that were not seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SpreadMetadata {
    /// The mean of √|e| of every target.
    pub mean: Vec<f64>,
    /// What its deviations are predicted by; none where rows are few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<ScaledMetadata>,
    /// Scores of every target.
    pub scores: usize,
}

fn is_plain(view: &View) -> bool {
    *view == View::default()
}

impl CombinationMetadata {
    pub(super) fn of(combination: &Combination) -> Self {
        let parts = combination.parts().iter().map(PartMetadata::of).collect();
        Self { inverse_temperature: combination.inverse_temperature, parts }
    }
}

impl PartMetadata {
    fn of(part: &Part) -> Self {
        let networks = match &part.model {
            PartModel::F32(networks) => Some((networks.members().len(), specification(networks.members()))),
            PartModel::F64(networks) => Some((networks.members().len(), specification(networks.members()))),
            PartModel::Kernel(_) | PartModel::Infinite(_) => None,
        };
        let precision = if matches!(part.model, PartModel::F32(_)) { Precision::F32 } else { Precision::F64 };
        Self {
            name: part.name.clone(),
            weight: part.weight,
            view: part.view.clone(),
            networks: networks.map(|(members, specification)| NetworksMetadata { members, precision, specification }),
            kernel: match &part.model {
                PartModel::Kernel(kernel) => Some(ScaledMetadata::of(&kernel.regression, kernel.inverse_temperature)),
                PartModel::F32(_) | PartModel::F64(_) | PartModel::Infinite(_) => None,
            },
            infinite: match &part.model {
                PartModel::Infinite(kernel) => Some(KernelMetadata::of(kernel)),
                PartModel::F32(_) | PartModel::F64(_) | PartModel::Kernel(_) => None,
            },
        }
    }
}

impl ScaledMetadata {
    fn of(regression: &ScaledRegression, inverse_temperature: f64) -> Self {
        let kernel = regression.kernel();
        Self {
            kind: kernel.kind().to_string(),
            scales: Scales::of(kernel),
            ridge: regression.ridge(),
            inverse_temperature,
        }
    }

    /// The kernel.
    ///
    /// # Errors
    /// If its numbers are not those of one.
    pub(super) fn kernel(&self) -> Result<ScaledKernel> {
        self.scales.kernel(self.kind.parse()?)
    }
}

impl SpreadMetadata {
    pub(in crate::predictor) fn of(spread: &Spread) -> Self {
        Self {
            mean: spread.mean.clone(),
            kernel: spread.regression.as_ref().map(|regression| ScaledMetadata::of(regression, 1.0)),
            scores: spread.scores.first().map_or(0, Vec::len),
        }
    }
}

/// That of the first network; the others have the same.
pub(super) fn specification<T: Scalar>(members: &[gramstep::Model<T>]) -> Option<Specification> {
    members.first().and_then(|model| model.specification().cloned())
}
