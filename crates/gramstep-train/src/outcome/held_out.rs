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
    /// Which of them were left out together: the number of the fold of each.
    pub(crate) fold_of: Vec<usize>,
}

impl<T: Scalar> HeldOut<T> {
    /// The places of every fold, in their order; folds without rows are left out.
    pub(crate) fn folds(&self) -> Vec<Vec<usize>> {
        let mut folds = vec![Vec::new(); self.fold_of.iter().max().map_or(0, |last| last + 1)];
        self.places.iter().zip(&self.fold_of).for_each(|(&place, &fold)| folds[fold].push(place));
        folds.retain(|fold| !fold.is_empty());
        folds
    }

    pub(crate) fn cast<U: Scalar>(&self) -> HeldOut<U> {
        HeldOut {
            outputs: self.outputs.clone(),
            rows: self.rows.cast(),
            places: self.places.clone(),
            fold_of: self.fold_of.clone(),
        }
    }

    pub(crate) fn measure(&self, targets: &Targets) -> Metrics {
        measure(&self.outputs, &self.rows.targets.cast(), self.rows.weights.as_deref(), targets)
    }
}
