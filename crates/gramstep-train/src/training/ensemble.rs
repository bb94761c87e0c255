//! The networks of a run: one, or several of which the average is the model.
//!
//! Where the validation rows are a share of the data, each network of an ensemble has others of them, so that every row
//! trains some network, and the validation rows are judged by networks that have not seen them. Rows from a file of
//! their own judge all networks and their average.

use gramstep::Scalar;

use super::folds::{Fold, Folds};
use crate::data::Preprocessing;
use crate::error::Result;
use crate::settings::Settings;
use crate::training::processes::Processes;
use crate::training::trainer::Parts;
use crate::training::workers::Workers;

/// What all networks of a run have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ensemble<'a, T> {
    pub(crate) settings: &'a Settings,
    pub(crate) preprocessing: &'a Preprocessing,
    pub(crate) parts: Parts<'a, T>,
    /// As in [`Trainer::with_exact_train_loss`](super::trainer::Trainer::with_exact_train_loss).
    pub(crate) exact_train_loss: bool,
    /// As in [`Trainer::with_tolerance`](super::trainer::Trainer::with_tolerance).
    pub(crate) tolerance: f64,
    pub(crate) processes: Processes<'a>,
    pub(crate) workers: &'a Workers,
}

impl<T: Scalar> Ensemble<'_, T> {
    /// The rows of a network.
    pub(super) fn parts_of<'f>(&'f self, fold: Option<&'f Fold<T>>) -> Parts<'f, T> {
        match fold {
            Some(fold) => Parts { train: &fold.train, validation: Some(&fold.validation), test: self.parts.test },
            None => self.parts,
        }
    }

    /// The rows that change between networks; none where they do not.
    pub(super) fn folds(&self) -> Result<Option<Folds<T>>> {
        let own = self.settings.judges_by_chance() && self.settings.ensemble > 1;
        let Parts { train, validation, .. } = self.parts;
        validation.filter(|_| own).map(|validation| Folds::new(train, validation)).transpose()
    }
}
