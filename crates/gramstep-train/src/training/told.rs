//! What the training of a network tells while others are trained beside it, kept until its turn comes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use gramstep::Model;
use gramstep::optim::StepInfo;

use super::checkpoint::{Checkpoint, Checkpoints, Keeper};
use super::workers::Tell;
use crate::error::Result;
use crate::outcome::event::{EpochEvent, Event, Observer, Start, StepEvent};
use crate::outcome::{Fit, KernelWatch};
use crate::settings::Settings;

/// Something that a training tells.
pub(super) enum Told<T> {
    Note(String),
    Start(Box<Begin>),
    Step(Box<OneStep>),
    Epoch(Box<EpochEvent>),
    Kernel(Box<KernelWatch>),
    Checkpoint(Box<Checkpoint>),
    End(Box<Result<(Fit, Model<T>)>>),
}

/// A [`Start`] of its own.
pub(super) struct Begin {
    settings: Settings,
    member: usize,
    samples: usize,
    parameters: usize,
    steps_per_epoch: usize,
}

/// A [`StepEvent`] of its own.
pub(super) struct OneStep {
    member: usize,
    epoch: usize,
    step: usize,
    seconds: f64,
    info: StepInfo,
}

impl Begin {
    pub(super) fn pass_on(&self, observer: &mut dyn Observer) -> Result<()> {
        let Self { ref settings, member, samples, parameters, steps_per_epoch } = *self;
        observer.observe(&Event::Start(&Start { settings, member, samples, parameters, steps_per_epoch }))
    }
}

impl OneStep {
    pub(super) fn pass_on(&self, observer: &mut dyn Observer) -> Result<()> {
        let Self { member, epoch, step, seconds, ref info } = *self;
        observer.observe(&Event::Step(&StepEvent { member, epoch, step, seconds, info }))
    }
}

/// The observer of a training that is not heard yet.
pub(super) struct Relay<'a, T>(pub(super) Tell<'a, Told<T>>);

impl<T> Observer for Relay<'_, T> {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        let told = match *event {
            Event::Note(text) => Told::Note(text.to_owned()),
            Event::Start(&Start { settings, member, samples, parameters, steps_per_epoch }) => {
                let settings = settings.clone();
                Told::Start(Box::new(Begin { settings, member, samples, parameters, steps_per_epoch }))
            }
            Event::Step(&StepEvent { member, epoch, step, seconds, info }) => {
                Told::Step(Box::new(OneStep { member, epoch, step, seconds, info: *info }))
            }
            Event::Epoch(epoch) => Told::Epoch(Box::new(epoch.clone())),
            Event::Kernel(watch) => Told::Kernel(Box::new(watch.clone())),
            // No training tells of these.
            Event::Folder(_) | Event::Counted { .. } | Event::Certified(_) | Event::Finish(_) => return Ok(()),
        };
        (self.0)(told);
        Ok(())
    }
}

/// Whose checkpoint is wanted next, and when: that of the first network that is not trained yet.
pub(super) struct Wanted(Mutex<(usize, Option<Instant>)>);

impl Wanted {
    pub(super) fn of(number: usize, keeper: Option<&Keeper>) -> Self {
        Self(Mutex::new((number, keeper.map(Keeper::next))))
    }

    pub(super) fn now_of(&self, number: usize, keeper: Option<&Keeper>) {
        *self.held() = (number, keeper.map(Keeper::next));
    }

    fn held(&self) -> MutexGuard<'_, (usize, Option<Instant>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells checkpoints of one network when they are wanted.
pub(super) struct Posted<'a, T> {
    pub(super) number: usize,
    pub(super) wanted: &'a Wanted,
    pub(super) tell: Tell<'a, Told<T>>,
}

impl<T> Checkpoints for Posted<'_, T> {
    fn is_due(&self) -> bool {
        let (number, next) = *self.wanted.held();
        number == self.number && next.is_some_and(|next| Instant::now() >= next)
    }

    fn keep(&mut self, checkpoint: Checkpoint) -> Result<()> {
        let mut wanted = self.wanted.held();
        if wanted.0 == self.number {
            // One at a time: the next is wanted when this one is written.
            wanted.1 = None;
        }
        drop(wanted);
        (self.tell)(Told::Checkpoint(Box::new(checkpoint)));
        Ok(())
    }
}
