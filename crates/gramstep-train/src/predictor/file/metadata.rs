//! What a model file says beside its numbers.

use gramstep::Specification;
use serde::{Deserialize, Serialize};

use super::parts::{CombinationMetadata, SpreadMetadata, specification};
use super::scales::KernelMetadata;
use super::seal;
use crate::data::{DataHash, Preprocessing, Task};
use crate::predictor::known::Judging;
use crate::predictor::{Known, Learned};
use crate::settings::Precision;

/// Version of the metadata.
pub const FORMAT_VERSION: u32 = 2;

/// What a model file says beside its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Metadata {
    /// Version of this object.
    pub format_version: u32,
    /// The sum of the file, see `seal.rs`; none in files of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) blake3: Option<String>,
    /// The program that wrote it.
    pub program: String,
    /// Regression or classification.
    pub task: Task,
    /// The architecture in short.
    pub model: String,
    /// Number type of the tensors.
    pub precision: Precision,
    /// Networks, of which the mean predicts.
    #[serde(default = "one")]
    pub members: usize,
    /// The networks; none of a kernel regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specification: Option<Specification>,
    /// κ of the training of networks where it was one number, for weights of mean 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ridge: Option<f64>,
    /// What a kernel regression needs beside its tensors; none of networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<KernelMetadata>,
    /// The parts of a combination; none of anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub combination: Option<CombinationMetadata>,
    /// What is known of the errors on rows that were not seen; none of classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<SpreadMetadata>,
    /// Rows of a classification that were not seen, by which sets of classes are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen_rows: Option<usize>,
    /// What the data are known by; none in files of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataHash>,
    /// How the remembered rows were shared out among the networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) known: Option<Judging>,
    /// From columns of a table to the network's input and targets.
    pub preprocessing: Preprocessing,
}

/// Of a file that does not say how many networks there are.
fn one() -> usize {
    1
}

impl Metadata {
    pub(in crate::predictor) fn of(
        learned: &Learned,
        (model, ridge): (String, Option<f64>),
        preprocessing: &Preprocessing,
        data: &DataHash,
        known: Option<&Known>,
    ) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            blake3: Some(seal::BLANK.to_owned()),
            program: concat!("gramstep ", env!("CARGO_PKG_VERSION")).to_owned(),
            task: preprocessing.targets.task(),
            model,
            precision: learned.precision(),
            members: learned.members(),
            specification: match learned {
                Learned::F32(networks) => specification(networks.members()),
                Learned::F64(networks) => specification(networks.members()),
                Learned::Kernel(_) | Learned::Combination(_) => None,
            },
            ridge,
            kernel: match learned {
                Learned::Kernel(kernel) => Some(KernelMetadata::of(kernel)),
                Learned::F32(_) | Learned::F64(_) | Learned::Combination(_) => None,
            },
            combination: match learned {
                Learned::Combination(combination) => Some(CombinationMetadata::of(combination)),
                Learned::F32(_) | Learned::F64(_) | Learned::Kernel(_) => None,
            },
            spread: None,
            unseen_rows: None,
            data: Some(data.clone()),
            known: known.map(|known| known.folds),
            preprocessing: preprocessing.clone(),
        }
    }
}
