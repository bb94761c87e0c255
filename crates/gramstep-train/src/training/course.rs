//! How the networks of an ensemble are trained: side by side, or one after the other.
//!
//! Side by side, a training tells what it does to the thread that began all of them ([`super::told`]), which passes on what
//! the first network tells that is not trained yet. So record, checkpoint and observers see the networks one after the
//! other. A checkpoint is of the trained ones and that network: what others had done by then is done again.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gramstep::model::Average;
use gramstep::{Model, Scalar};

use super::checkpoint::{Checkpoint, Checkpoints, Keeper};
use super::ensemble::Ensemble;
use super::finished::Finished;
use super::folds::{Fold, Folds};
use super::told::{Posted, Relay, Told, Wanted};
use super::workers::{Tell, side_by_side};
use crate::error::{Error, Result};
use crate::outcome::event::{Event, Observer};
use crate::outcome::{Fit, StopReason};
use crate::settings::{Settings, TimeLimit};

/// The training of the networks of an ensemble.
pub(super) struct Course<'a, T> {
    pub(super) of: &'a Ensemble<'a, T>,
    start: Option<&'a Average<T>>,
    folds: Option<&'a Folds<T>>,
    /// The first network that is trained in this session.
    first: usize,
    /// Networks side by side.
    at_once: usize,
    began: Instant,
    /// What earlier sessions took for the networks that are trained.
    earlier: Duration,
    /// And for the first one of this session.
    of_first: Duration,
}

/// The networks that are trained, and how each came about.
pub(super) struct Gathered<T> {
    pub(super) models: Vec<Model<T>>,
    pub(super) fits: Vec<Finished>,
    /// Why the first one of those was lost that were, in this session.
    pub(super) failure: Option<Error>,
}

impl<T: Scalar> Gathered<T> {
    /// Takes the next one in. One that was lost does not end the others.
    fn take(&mut self, mut fit: Fit, model: Model<T>) {
        self.failure = self.failure.take().or(fit.failure.take());
        self.fits.push(Finished::of(&fit, &model));
        self.models.push(model);
    }

    /// Whether there is no average of them: each left the finite numbers, or one did with nothing to keep.
    pub(super) fn is_lost(&self) -> bool {
        let fits = &self.fits[..self.models.len()];
        fits.iter().all(Finished::is_lost) || fits.iter().any(Finished::is_hopeless)
    }

    /// Whether the user ended one of them.
    pub(super) fn is_interrupted(&self) -> bool {
        self.fits.iter().any(|fit| fit.stop_reason == StopReason::Interrupted)
    }
}

impl<'a, T: Scalar> Course<'a, T> {
    /// Of all networks but those that are `trained`, from a checkpoint of the next one if there is one.
    pub(super) fn new(
        of: &'a Ensemble<'a, T>,
        start: Option<&'a Average<T>>,
        folds: Option<&'a Folds<T>>,
        (trained, checkpoint): (&[Finished], Option<&Checkpoint>),
    ) -> Result<Self> {
        let first = trained.len();
        let at_once = of.at_once(of.settings.ensemble.saturating_sub(first))?;
        let seconds: f64 = trained.iter().map(|fit| fit.seconds).sum();
        let duration = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        // As many ran at once then, as far as is known.
        let earlier = duration(seconds / at_once as f64);
        let of_first = duration(checkpoint.map_or(0.0, |checkpoint| checkpoint.seconds));
        Ok(Self { of, start, folds, first, at_once, began: Instant::now(), earlier, of_first })
    }

    /// What all networks together took.
    pub(super) fn elapsed(&self) -> Duration {
        self.earlier + self.of_first + self.began.elapsed()
    }

    /// Trains them; the first one from the checkpoint on.
    pub(super) fn train(
        &self,
        gathered: &mut Gathered<T>,
        checkpoint: Option<Checkpoint>,
        mut keeper: Option<&mut Keeper>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        if let Some(keeper) = &mut keeper {
            keeper.finished.clone_from(&gathered.fits);
        }
        let kept = keeper.is_some();
        let (wanted, over) = (Wanted::of(self.first, keeper.as_deref()), AtomicBool::new(false));
        let checkpoint = Mutex::new(checkpoint);
        let task = |number: usize, tell: Tell<'_, Told<T>>| {
            let train = || {
                if !self.may_begin(number)? {
                    return Ok(None);
                }
                let from = checkpoint.lock().ok().filter(|_| number == self.first).and_then(|mut point| point.take());
                let mut posted = Posted { number, wanted: &wanted, tell };
                let keeper = kept.then_some(&mut posted as &mut dyn Checkpoints);
                let of = &Ensemble { processes: self.of.processes.or(&over), ..*self.of };
                self.network(of, number, (from, keeper), &mut Relay(tell)).map(Some)
            };
            if let Some(end) = train().transpose() {
                tell(Told::End(Box::new(end)));
            }
        };
        let mut outcome = Ok(());
        let mut hear = |number: usize, told: Told<T>| -> Result<()> {
            match told {
                Told::Note(text) => observer.note(&text)?,
                Told::Start(start) => start.pass_on(observer)?,
                Told::Step(step) => step.pass_on(observer)?,
                Told::Epoch(epoch) => observer.observe(&Event::Epoch(&epoch))?,
                Told::Kernel(watch) => observer.observe(&Event::Kernel(&watch))?,
                Told::Checkpoint(checkpoint) => {
                    // A network that the user ended goes on first.
                    if let Some(keeper) = keeper.as_mut().filter(|_| !gathered.is_interrupted()) {
                        // Each holds all trained networks: one for each of many that end at once would take most of the
                        // time. A run that is cut off trains those since the last one again.
                        let last = number + 1 >= self.of.settings.ensemble;
                        if last || keeper.is_due() || self.of.processes.flag().load(Ordering::Relaxed) {
                            keeper.keep(*checkpoint)?;
                        }
                        wanted.now_of(number, Some(keeper));
                    }
                }
                Told::End(end) => {
                    let (fit, model) = (*end)?;
                    gathered.take(fit, model);
                    if let Some(keeper) = keeper.as_mut().filter(|_| !gathered.is_interrupted()) {
                        let known = keeper.finished.len();
                        keeper.finished.extend(gathered.fits[known..].iter().cloned());
                        wanted.now_of(number + 1, Some(keeper));
                    }
                }
            }
            Ok(())
        };
        let numbers = self.first..self.of.settings.ensemble;
        side_by_side(numbers, self.at_once, Some(self.of.workers), task, |number, told| {
            outcome = hear(number, told);
            if outcome.is_ok() {
                return ControlFlow::Continue(());
            }
            // The others are of no use to anybody.
            over.store(true, Ordering::Relaxed);
            ControlFlow::Break(())
        });
        outcome
    }

    /// Whether a number is that of the first network of this session, of which there is none where all are trained: numbers from
    /// there on are those of other seeds.
    fn is_first(&self, number: usize) -> bool {
        number == self.first && number < self.of.settings.ensemble
    }

    /// Whether a network is begun: the first one always, the others unless user or time say no.
    pub(super) fn may_begin(&self, number: usize) -> Result<bool> {
        let processes = self.of.processes;
        let is_over = || self.of.settings.time_limit.is_some_and(|limit| self.elapsed() >= limit.0);
        Ok(self.is_first(number) || !processes.first(|| Ok(processes.are_called_off() || is_over()))?)
    }

    /// Trains one network.
    fn network(
        &self,
        of: &Ensemble<'_, T>,
        number: usize,
        from: (Option<Checkpoint>, Option<&mut dyn Checkpoints>),
        observer: &mut dyn Observer,
    ) -> Result<(Fit, Model<T>)> {
        let mut model = self.untrained(number)?;
        let (settings, fold) = (self.settings_of(number), self.fold(number));
        let fit = of.member(&settings, number, &mut model, of.parts_of(fold.as_ref()), from, observer)?;
        // A checkpoint holds finite numbers alone.
        let model = if fit.failure.is_some() && fit.best_epoch.is_none() { self.untrained(number)? } else { model };
        Ok((fit, model))
    }

    /// The rows of a network, where they are its own.
    pub(super) fn fold(&self, number: usize) -> Option<Fold<T>> {
        self.folds.filter(|_| number > 0).map(|folds| folds.fold(number))
    }

    /// The network of an earlier run that one goes on from.
    pub(super) fn start_of(&self, number: usize) -> Option<Model<T>> {
        self.start.and_then(|start| start.members().get(number)).cloned()
    }

    /// A network before training.
    pub(super) fn untrained(&self, number: usize) -> Result<Model<T>> {
        self.start_of(number).map_or_else(|| self.of.network(number), Ok)
    }

    /// The settings of a network: a seed of its own, and its share of the time that is left. Networks that run at once have
    /// the same share.
    pub(super) fn settings_of(&self, number: usize) -> Settings {
        let settings = self.of.settings;
        let spent = if self.is_first(number) { self.earlier } else { self.elapsed() };
        let of_session = |number: usize| number.saturating_sub(self.first) / self.at_once;
        let rounds = settings.ensemble.saturating_sub(self.first).div_ceil(self.at_once);
        let left = u32::try_from(rounds.saturating_sub(of_session(number)).max(1)).unwrap_or(u32::MAX);
        let share = |limit: TimeLimit| TimeLimit(limit.0.saturating_sub(spent) / left);
        let seed = settings.seed.wrapping_add(number as u64);
        Settings { seed, time_limit: settings.time_limit.map(share), ..settings.clone() }
    }
}

#[cfg(test)]
mod tests {
    use gramstep::Device;

    use super::*;
    use crate::training::on_a_sine::OnASine;
    use crate::training::trained::Trained;
    use crate::training::workers::Workers;

    /// Trains four networks, so many at once; `watch` may object to an event, or set the flag. Also returns what was told.
    fn train(
        given: &[(&str, &str)],
        at_once: usize,
        watch: &mut dyn FnMut(&Event<'_>, &AtomicBool) -> Result<()>,
    ) -> (Result<Trained<f64>>, Vec<String>) {
        let own = [("model", "mlp:8:tanh"), ("ensemble", "4"), ("epochs", "6")];
        let (sine, workers) = (OnASine::new(2, own.iter().chain(given)), Workers::with_places(at_once, Device::cpu(2)));
        let ensemble = sine.ensemble(&workers);
        let mut told = Vec::new();
        let mut observer = |event: &Event<'_>| {
            told.push(match event {
                Event::Start(start) => format!("{} begins with seed {}", start.member, start.settings.seed),
                Event::Step(step) => format!("{} {} {} {:?}", step.member, step.epoch, step.step, step.info),
                Event::Epoch(epoch) => format!("{:?}", EpochEventWithoutTime(epoch)),
                other => format!("{other:?}"),
            });
            watch(event, &sine.stop)
        };
        (ensemble.train(None, None, None, &mut observer), told)
    }

    struct EpochEventWithoutTime<'a>(&'a crate::outcome::event::EpochEvent);

    impl std::fmt::Debug for EpochEventWithoutTime<'_> {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(formatter, "{:?}", crate::outcome::event::EpochEvent { seconds: 0.0, ..self.0.clone() })
        }
    }

    fn bits(trained: &Trained<f64>) -> Vec<Vec<u64>> {
        let bits = |model: &Model<f64>| model.theta().iter().map(|value| value.to_bits()).collect();
        trained.networks.members().iter().map(bits).collect()
    }

    #[test]
    fn networks_side_by_side_are_to_the_bit_and_in_all_they_tell_those_of_one_after_the_other() {
        for given in [
            &[][..],
            &[("optimizer", "adam"), ("batch-size", "8")],
            &[("validation", "0")],
            &[("optimizer", "sgd"), ("learning-rate", "1e200")],
        ] {
            let (alone, expected) = train(given, 1, &mut |_, _| Ok(()));
            let alone = alone.unwrap();
            for at_once in [2, 3, 7] {
                let (trained, told) = train(given, at_once, &mut |_, _| Ok(()));
                let trained = trained.unwrap();
                assert_eq!(bits(&trained), bits(&alone), "{given:?}");
                assert_eq!(told, expected, "{given:?}");
                let (one, other) = (&trained.fit, &alone.fit);
                assert_eq!((one.epochs, one.steps, one.stop_reason), (other.epochs, other.steps, other.stop_reason));
                assert_eq!(one.failure.is_some(), other.failure.is_some());
            }
        }
    }

    #[test]
    fn an_observer_that_objects_ends_all_networks_with_its_error() {
        let endless = [("epochs", "100000000"), ("patience", "100000000"), ("optimizer", "adam")];
        for at_once in [1, 3] {
            let mut object = |event: &Event<'_>, _: &AtomicBool| match event {
                Event::Epoch(epoch) if epoch.epoch == 3 => Err(Error::NoData),
                _ => Ok(()),
            };
            let (trained, told) = train(&endless, at_once, &mut object);
            assert!(matches!(trained, Err(Error::NoData)));
            assert!(told.last().unwrap().contains("epoch: 3"), "{told:?}");
        }
    }

    #[test]
    fn the_user_ends_all_networks_and_what_they_had_done_counts() {
        let endless = [("epochs", "100000000"), ("patience", "100000000"), ("optimizer", "adam")];
        for (at_once, networks) in [(1, 1..2), (3, 1..4)] {
            let mut stop = |event: &Event<'_>, stop: &AtomicBool| {
                stop.fetch_or(matches!(event, Event::Epoch(epoch) if epoch.epoch == 30), Ordering::Relaxed);
                Ok(())
            };
            let (trained, _) = train(&endless, at_once, &mut stop);
            let trained = trained.unwrap();
            assert_eq!(trained.fit.stop_reason, StopReason::Interrupted);
            assert!(networks.contains(&trained.networks.members().len()));
            assert!(trained.fit.epochs >= 30);
        }
    }

    #[test]
    fn a_training_that_the_user_ended_as_a_network_came_to_its_end_is_not_over() {
        let mut stop = |event: &Event<'_>, stop: &AtomicBool| {
            stop.fetch_or(matches!(event, Event::Epoch(epoch) if epoch.epoch == 6), Ordering::Relaxed);
            Ok(())
        };
        let (trained, told) = train(&[("optimizer", "adam")], 1, &mut stop);
        let trained = trained.unwrap();
        assert_eq!((trained.networks.members().len(), trained.fit.stop_reason), (1, StopReason::Interrupted));
        assert!(told.last().unwrap().contains("1 of 4 networks had begun"), "{told:?}");
    }

    #[test]
    fn networks_at_once_share_the_time_and_all_of_them_have_some() {
        let limited = [("epochs", "100000000"), ("patience", "100000000"), ("time-limit", "0.4s")];
        for at_once in [1, 2, 4] {
            let began = Instant::now();
            let (trained, _) = train(&limited, at_once, &mut |_, _| Ok(()));
            let trained = trained.unwrap();
            assert_eq!((trained.networks.members().len(), trained.fit.stop_reason), (4, StopReason::TimeLimit));
            assert!(began.elapsed() < Duration::from_secs(3));
            assert!(trained.fit.seconds >= 0.39 && trained.fit.seconds < 3.0, "{}", trained.fit.seconds);
        }
    }
}
