//! What is told of work while it goes on, and whoever wants to know it: a progress bar, the record, a user's own.

use std::path::Path;

use gramstep::attack::LayerDistance;
use gramstep::optim::StepInfo;
use gramstep::theory::Certificate;

use super::metrics::Metrics;
use super::{KernelWatch, Report};
use crate::error::Result;
use crate::settings::Settings;

/// What a run is about to do.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Start<'a> {
    /// Every setting.
    pub settings: &'a Settings,
    /// The network of an ensemble, counted from 0; one that is trained again counts on after the last.
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
    /// The network of an ensemble, counted from 0; one that is trained again counts on after the last.
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
    /// The network of an ensemble, counted from 0; one that is trained again counts on after the last.
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

/// Anything that a run, an attack, a kernel job or a verification tells while it works.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Something that the user should know: a guess, a repair, a choice.
    Note(&'a str),
    /// The files of the run go into this folder from now on.
    Folder(&'a Path),
    /// So much of countable work is done.
    Counted {
        /// What is counted, such as `images`.
        what: &'a str,
        /// How many are done.
        done: usize,
        /// Of how many.
        all: usize,
    },
    /// Training begins; in an ensemble, that of every network.
    Start(&'a Start<'a>),
    /// A step was made.
    Step(&'a StepEvent<'a>),
    /// An epoch was made.
    Epoch(&'a EpochEvent),
    /// The kernel of some training rows was looked at.
    Kernel(&'a KernelWatch),
    /// A claim of the theory is through.
    Certified(&'a Certificate),
    /// Training and the final judgement are over.
    Finish(&'a Report),
}

/// Told of every event, in order. An error ends the work.
///
/// ```
/// use gramstep_train::outcome::event::{Event, Observer};
/// let mut epochs = 0;
/// let mut count = |event: &Event<'_>| {
///     epochs += usize::from(matches!(event, Event::Epoch(_)));
///     Ok(())
/// };
/// let observer: &mut dyn Observer = &mut count;
/// observer.note("nothing to count")?;
/// assert_eq!(epochs, 0);
/// # Ok::<(), gramstep_train::Error>(())
/// ```
pub trait Observer {
    /// Something happened.
    ///
    /// # Errors
    /// The observer's own.
    fn observe(&mut self, event: &Event<'_>) -> Result<()>;
}

impl<F: FnMut(&Event<'_>) -> Result<()>> Observer for F {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        self(event)
    }
}

impl dyn Observer + '_ {
    /// Tells a sentence.
    ///
    /// # Errors
    /// The observer's own.
    pub fn note(&mut self, text: &str) -> Result<()> {
        self.observe(&Event::Note(text))
    }

    /// Tells how much of some work is done. What an observer has to say against it comes out with the next event.
    pub(crate) fn count(&mut self, what: &str, done: usize, all: usize) {
        let _ = self.observe(&Event::Counted { what, done, all });
    }
}

/// An observer that says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&mut self, _: &Event<'_>) -> Result<()> {
        Ok(())
    }
}

/// Two observers as one.
pub(crate) struct Both<'a>(pub(crate) &'a mut dyn Observer, pub(crate) &'a mut dyn Observer);

impl Observer for Both<'_> {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        self.0.observe(event)?;
        self.1.observe(event)
    }
}
