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
    /// Which of them are more alike than by chance: the number of the set of each, where there are such.
    pub(crate) sets: Option<Vec<usize>>,
}

impl<T: Scalar> HeldOut<T> {
    /// The places of every fold, in their order; folds without rows are left out.
    pub(crate) fn folds(&self) -> Vec<Vec<usize>> {
        by_number(&self.places, &self.fold_of)
    }

    pub(crate) fn cast<U: Scalar>(&self) -> HeldOut<U> {
        HeldOut {
            outputs: self.outputs.clone(),
            rows: self.rows.cast(),
            places: self.places.clone(),
            fold_of: self.fold_of.clone(),
            sets: self.sets.clone(),
        }
    }

    pub(crate) fn measure(&self, targets: &Targets) -> Metrics {
        measure(&self.outputs, &self.rows.targets.cast(), self.rows.weights.as_deref(), targets)
    }
}

/// Places by the number that each of them has; numbers that none has are left out.
pub(crate) fn by_number(places: &[usize], number_of: &[usize]) -> Vec<Vec<usize>> {
    let mut sets = vec![Vec::new(); number_of.iter().max().map_or(0, |last| last + 1)];
    places.iter().zip(number_of).for_each(|(&place, &number)| sets[number].push(place));
    sets.retain(|set| !set.is_empty());
    sets
}
