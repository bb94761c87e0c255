//! Whoever wants to know how a run goes: a progress bar, the record, a user's own.

use gramstep::attack::LayerDistance;
use gramstep::optim::StepInfo;

use crate::error::Result;
use crate::outcome::Report;
use crate::outcome::metrics::Metrics;
use crate::settings::Settings;

/// What a run is about to do.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Start<'a> {
    /// Every setting.
    pub settings: &'a Settings,
    /// The network of an ensemble, counted from 0.
    pub member: usize,
    /// Training rows.
    pub samples: usize,
    /// Length of θ.
    pub parameters: usize,
    /// Steps of one epoch.
    pub steps_per_epoch: usize,
}

/// One step was made.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StepEvent<'a> {
    /// The network of an ensemble, counted from 0.
    pub member: usize,
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The step, counted from 1 over all epochs.
    pub step: usize,
    /// Since the training of this network began.
    pub seconds: f64,
    /// What the optimiser says.
    pub info: &'a StepInfo,
}

/// What an epoch of adversarial training did apart from the attack.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CleanEpoch {
    /// Loss without attack on the rows that judge: those of validation, else those of training.
    pub loss: f64,
    /// How far every layer is from its start.
    pub distances: Vec<LayerDistance>,
}

/// One epoch was made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EpochEvent {
    /// The network of an ensemble, counted from 0.
    pub member: usize,
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Steps so far.
    pub step: usize,
    /// Since the training of this network began.
    pub seconds: f64,
    /// Loss on the training rows: after the epoch where that was evaluated, else the mean over the epoch's batches.
    pub train_loss: f64,
    /// Loss on the validation rows after the epoch.
    pub validation_loss: Option<f64>,
    /// In adversarial training, whose other losses are those under attack.
    pub clean: Option<CleanEpoch>,
    /// On the test rows after the epoch, in a comparison.
    pub test: Option<Metrics>,
    /// Whether these are the best parameters so far.
    pub improved: bool,
}

/// Told of every event of a run, in order. An error ends the run.
#[allow(unused_variables)]
pub trait Observer {
    /// Something that the user should know: a guess, a repair, a choice.
    fn note(&mut self, text: &str) {}

    /// So many of so many images are read.
    fn reading(&mut self, done: usize, all: usize) {}

    /// Training begins; in an ensemble, that of every network.
    ///
    /// # Errors
    /// The observer's own.
    fn start(&mut self, start: &Start<'_>) -> Result<()> {
        Ok(())
    }

    /// A step was made.
    ///
    /// # Errors
    /// The observer's own.
    fn step(&mut self, event: &StepEvent<'_>) -> Result<()> {
        Ok(())
    }

    /// An epoch was made.
    ///
    /// # Errors
    /// The observer's own.
    fn epoch(&mut self, event: &EpochEvent) -> Result<()> {
        Ok(())
    }

    /// Training and the final judgement are over.
    ///
    /// # Errors
    /// The observer's own.
    fn finish(&mut self, report: &Report) -> Result<()> {
        Ok(())
    }
}

/// An observer that says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}

/// Two observers as one.
pub(crate) struct Both<'a>(pub(crate) &'a mut dyn Observer, pub(crate) &'a mut dyn Observer);

impl Observer for Both<'_> {
    fn note(&mut self, text: &str) {
        self.0.note(text);
        self.1.note(text);
    }

    fn start(&mut self, start: &Start<'_>) -> Result<()> {
        self.0.start(start)?;
        self.1.start(start)
    }

    fn step(&mut self, event: &StepEvent<'_>) -> Result<()> {
        self.0.step(event)?;
        self.1.step(event)
    }

    fn epoch(&mut self, event: &EpochEvent) -> Result<()> {
        self.0.epoch(event)?;
        self.1.epoch(event)
    }

    fn finish(&mut self, report: &Report) -> Result<()> {
        self.0.finish(report)?;
        self.1.finish(report)
    }
}
