//! What rows are predicted by fits that have not seen them.

use gramstep::{Matrix, Scalar};

use super::metrics::{Metrics, measure};
use crate::data::{Dataset, Targets};

/// Rows that were left out of a fit each, and what it says of them.
#[derive(Clone, Debug)]
pub(crate) struct HeldOut<T> {
    /// Standardised values, or logits.
    pub(crate) outputs: Matrix<f64>,
    pub(crate) rows: Dataset<T>,
    /// Their places among all rows of the fits.
    pub(crate) places: Vec<usize>,
}

impl<T: Scalar> HeldOut<T> {
    pub(crate) fn measure(&self, targets: &Targets) -> Metrics {
        measure(&self.outputs, &self.rows.targets.cast(), self.rows.weights.as_deref(), targets)
    }
}
