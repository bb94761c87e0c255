//! What became of a training.

use super::{KernelWatch, StopReason};
use crate::error::Error;

/// What became of a training. The model has the best parameters that were seen.
#[derive(Debug)]
#[non_exhaustive]
pub struct Fit {
    /// Epochs made; the last one may be cut short by time or user.
    pub epochs: usize,
    /// Steps made.
    pub steps: usize,
    /// Time it took.
    pub seconds: f64,
    /// Why it ended.
    pub stop_reason: StopReason,
    /// The epoch after which the model was best; none if no epoch was completed.
    pub best_epoch: Option<usize>,
    /// The lowest training loss after or during any epoch.
    pub lowest_train_loss: f64,
    /// What the kernel of some training rows said, where it was watched.
    pub kernel_watch: Vec<KernelWatch>,
    /// What went wrong, if [`StopReason::NonFinite`].
    pub failure: Option<Error>,
}
