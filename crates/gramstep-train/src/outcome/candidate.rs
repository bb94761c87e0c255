//! What a run's model is judged beside.

use serde::{Deserialize, Serialize};

/// A model, and its loss on the rows that judge: validation rows, or rows left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Candidate {
    /// What it is: an architecture, `ridge regression` or `constant`.
    pub model: String,
    /// As in [`Metrics::loss`](crate::outcome::metrics::Metrics::loss).
    pub loss: f64,
    /// Whether it is the model of the run.
    pub kept: bool,
}
