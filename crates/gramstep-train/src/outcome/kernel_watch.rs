//! What the Gram matrix of a few training rows said in the course of a training.

use serde::{Deserialize, Serialize};

use crate::format::json_number::{number, numbers};

/// What G = J Jᵀ of a fixed set of training rows says of a network at one moment of its training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KernelWatch {
    /// Epochs by then; 0 before the first step.
    pub epoch: usize,
    /// Steps by then.
    pub step: usize,
    /// Since the training began.
    pub seconds: f64,
    /// The rows.
    pub rows: usize,
    /// ‖G − G₀‖/‖G₀‖, G₀ before the first step: how far the training is from that of the linearised network, whose G
    /// stays. None where G₀ = 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<f64>,
    /// yᵀG y/(‖G‖·‖y‖²), 0 to 1, y the direction in which the loss falls at f = 0 (the targets of a squared loss, of classes
    /// the right one less 1/k): how much of G serves the task.
    #[serde(deserialize_with = "number")]
    pub alignment: f64,
    /// exp of the entropy of the eigenvalues' shares: how many directions carry G.
    #[serde(deserialize_with = "number")]
    pub effective_rank: f64,
    /// The largest eigenvalues of G/rows, descending.
    #[serde(deserialize_with = "numbers")]
    pub eigenvalues: Vec<f64>,
    /// λ_max of the generalised Gauss–Newton matrix of the mean loss on these rows.
    #[serde(deserialize_with = "number")]
    pub sharpness: f64,
    /// 2(1 + μ)/η of sgd at that moment: where the sharpness is above it, its steps grow. None of methods that scale the
    /// gradient by a matrix, whose bound is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable_below: Option<f64>,
}
