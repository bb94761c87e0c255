//! Patience with a tolerance: an epoch counts as better only if its loss is lower by more than so much.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Result;
use crate::observer::{EpochEvent, Observer, Start, StepEvent};

/// An observer that ends a training by its flag, and passes everything on.
pub(super) struct Patience<'a> {
    pub(super) inner: &'a mut dyn Observer,
    /// The caller's flag.
    pub(super) stop: &'a AtomicBool,
    /// The trainer's flag.
    pub(super) end: &'a AtomicBool,
    pub(super) tolerance: f64,
    /// Epochs without a better loss; none to wait for ever.
    pub(super) epochs: Option<usize>,
    pub(super) best: f64,
    pub(super) waited: usize,
    pub(super) train_losses: Vec<f64>,
    pub(super) validation_losses: Vec<f64>,
}

impl Patience<'_> {
    /// Whether it was this that ended the training.
    pub(super) fn is_over(&self) -> bool {
        self.epochs.is_some_and(|epochs| self.waited >= epochs)
    }
}

impl Observer for Patience<'_> {
    fn note(&mut self, text: &str) {
        self.inner.note(text);
    }

    fn start(&mut self, start: &Start<'_>) -> Result<()> {
        self.inner.start(start)
    }

    fn step(&mut self, event: &StepEvent<'_>) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            self.end.store(true, Ordering::Relaxed);
        }
        self.inner.step(event)
    }

    fn epoch(&mut self, event: &EpochEvent) -> Result<()> {
        self.train_losses.push(event.train_loss);
        self.validation_losses.extend(event.validation_loss);
        let loss = event.validation_loss.unwrap_or(event.train_loss);
        if loss < self.best - self.tolerance {
            self.best = loss;
            self.waited = 0;
        } else {
            self.waited += 1;
        }
        if self.is_over() {
            self.end.store(true, Ordering::Relaxed);
        }
        self.inner.epoch(event)
    }
}
