//! What a run's model is judged beside.

use serde::{Deserialize, Serialize};

use crate::format::json_number::number;

/// A model, and its loss on the rows that judge: validation rows, or rows left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Candidate {
    /// What it is: an architecture, `ridge regression` or `constant`.
    pub model: String,
    /// As in [`Metrics::loss`](crate::outcome::metrics::Metrics::loss).
    #[serde(deserialize_with = "number")]
    pub loss: f64,
    /// Whether it is the model of the run, or a part of it.
    pub kept: bool,
    /// Its weight, where the model is a combination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
}
