//! What the road is given.

use crate::data::Problem;
use crate::outcome::Folds;
use crate::predictor::Predictor;
use crate::settings::Config;
use crate::training::checkpoint::Checkpoint;
use crate::training::processes::Processes;
use crate::training::workers::Workers;

/// What folds come to.
#[derive(Clone, Debug)]
pub(crate) struct CrossValidation {
    pub(crate) folds: Folds,
    /// A CSV: line of the row in the file, fold, true values and predictions; none where it is kept already.
    pub(crate) predictions: Option<Vec<u8>>,
}

/// What is to be learned, and how.
#[derive(Clone, Copy)]
pub(crate) struct Assignment<'a, T> {
    pub(crate) problem: &'a Problem<T>,
    pub(crate) config: &'a Config,
    /// What to go on from, where it is something learned earlier.
    pub(crate) start: Option<&'a Predictor>,
    /// As in [`Trainer::with_exact_train_loss`](crate::training::trainer::Trainer::with_exact_train_loss).
    pub(crate) exact_train_loss: bool,
    /// As in [`Trainer::with_tolerance`](crate::training::trainer::Trainer::with_tolerance).
    pub(crate) tolerance: f64,
    /// Whether the test rows are judged: they are no business of a choice.
    pub(crate) judges_test: bool,
    pub(crate) processes: Processes<'a>,
    /// Shared with what is learned at the same time; of its own where there are none.
    pub(crate) workers: Option<&'a Workers>,
    /// Of the cross-validation before this fit.
    pub(crate) folds: Option<&'a CrossValidation>,
}

impl<'a, T> Assignment<'a, T> {
    /// To learn a problem by a configuration, from nothing.
    pub(crate) fn new(problem: &'a Problem<T>, config: &'a Config, processes: Processes<'a>) -> Self {
        Self {
            problem,
            config,
            start: None,
            exact_train_loss: false,
            tolerance: 0.0,
            judges_test: true,
            processes,
            workers: None,
            folds: None,
        }
    }

    /// Whether it judges the training rows at every epoch: one method of a comparison, or what goes on with one.
    pub(crate) fn tells_exact_train_loss(&self, checkpoint: Option<&Checkpoint>) -> bool {
        self.exact_train_loss || checkpoint.is_some_and(|of| of.exact_train_loss)
    }
}
