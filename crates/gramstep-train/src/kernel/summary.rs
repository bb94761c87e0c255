//! What a kernel job found.

use std::path::PathBuf;

use serde::Serialize;

/// What was computed. Numbers about the spectrum are there for whole matrices of at most 3000 points.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Version of the object's format.
    pub schema_version: u32,
    /// The kernel in text form.
    pub kernel: String,
    /// Rows and columns of the whole matrix.
    pub size: usize,
    /// The first row that was computed, and the row after the last one.
    pub rows: (usize, usize),
    /// `f32` or `f64`.
    pub precision: String,
    /// The file, if any.
    pub out: Option<PathBuf>,
    /// The page, if any.
    pub page: Option<PathBuf>,
    /// Whether the user ended it before it was whole; the same command goes on.
    pub interrupted: bool,
    /// Σ λ.
    pub trace: Option<f64>,
    /// λ_max.
    pub largest: Option<f64>,
    /// λ_min.
    pub smallest: Option<f64>,
    /// λ_max/λ_min; none if λ_min is rounding.
    pub condition: Option<f64>,
    /// Eigenvalues above rounding.
    pub rank: Option<usize>,
    /// exp of the entropy of λ/Σλ.
    pub effective_rank: Option<f64>,
    /// ⟨K, yyᵀ⟩/(‖K‖·‖yyᵀ‖) with the targets.
    pub alignment: Option<f64>,
    /// Time.
    pub seconds: f64,
    /// What the user should know, in sentences.
    #[serde(skip)]
    pub notes: Vec<String>,
}
