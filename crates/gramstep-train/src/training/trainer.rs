//! The loop over epochs and batches, and every reason to end it.

use std::sync::Arc;
use std::time::Instant;

use gramstep::attack::ParameterBall;
use gramstep::loss::Loss;
use gramstep::optim::{Batch, Factors, Optimizer};
use gramstep::{Model, Scalar};

use crate::data::{Augmentation, Dataset, Geometry, Targets};
use crate::error::{Error, Result};
use crate::outcome::event::{CleanEpoch, EpochEvent, Event, Observer, StepEvent};
use crate::outcome::{Fit, StopReason};
use crate::settings::Settings;
use crate::training::adversarial::Opponent;
use crate::training::averaging::Averaging;
use crate::training::batches::batches;
use crate::training::checkpoint::{Checkpoint, Checkpoints};
use crate::training::clock::Clock;
use crate::training::config::TrainerConfig;
use crate::training::judge::Judge;
use crate::training::processes::Processes;
use crate::training::running::Running;
use crate::training::state::{State, culprit, fingerprint};
use crate::training::watching::{Watch, Watching};

/// Steps in a row that gain nothing after which training has converged.
const MOST_FUTILE: usize = 3;
/// The part of a run in which the learning rate rises at most.
const RISE_SHARE: f64 = 0.05;

/// Trains a model by the settings of a run, or by a [`TrainerConfig`] and a loss of the caller's.
///
/// ```
/// use std::sync::atomic::AtomicBool;
/// use gramstep::{Activation, Matrix, Model, loss::SquaredLoss, optim};
/// use gramstep_train::data::Dataset;
/// use gramstep_train::outcome::event::Silent;
/// use gramstep_train::training::{config::TrainerConfig, trainer::Trainer};
/// let x = Matrix::from_fn(20, 1, |i, _| i as f64 / 10.0 - 1.0);
/// let y = Matrix::from_fn(20, 1, |i, _| (2.0 * x[(i, 0)]).sin());
/// let mut model = Model::mlp(&[1, 16, 1], Activation::Tanh).build()?;
/// let mut optimizer = optim::GramGaussNewton::new(optim::GramGaussNewtonConfig::default())?;
/// let stop = AtomicBool::new(false);
/// let trainer = Trainer::of(TrainerConfig::of_epochs(30), SquaredLoss, &stop);
/// let fit = trainer.fit(&mut model, &mut optimizer, &Dataset::new(x, y)?, None, &mut Silent)?;
/// assert!(fit.lowest_train_loss < 1e-3);
/// # Ok::<(), gramstep_train::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trainer<'a> {
    config: TrainerConfig,
    loss: Arc<dyn Loss>,
    /// By which metrics are made; the loss alone where there are none.
    targets: Option<&'a Targets>,
    processes: Processes<'a>,
    member: usize,
    tolerance: f64,
    exact_train_loss: bool,
    opponent: Option<Opponent>,
    augmentation: Option<(Augmentation, Geometry)>,
    watch: Option<Watch>,
}

/// The rows of a training.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a, T> {
    pub(crate) train: &'a Dataset<T>,
    pub(crate) validation: Option<&'a Dataset<T>>,
    /// Rows that are watched and decide nothing.
    pub(crate) test: Option<&'a Dataset<T>>,
}

/// The end of a training.
#[derive(Clone, Copy)]
struct Ending {
    reason: StopReason,
    /// Whether the last epoch had all its steps.
    whole_epoch: bool,
}

impl<'a> Trainer<'a> {
    /// A trainer. Training ends after the step during which the flag that `processes` is made from becomes true.
    #[must_use]
    pub fn new(settings: &Settings, targets: &'a Targets, processes: impl Into<Processes<'a>>) -> Self {
        Self {
            targets: Some(targets),
            ..Self::with(TrainerConfig::from(settings), targets.loss().into(), processes.into())
        }
    }

    /// A trainer by values: any loss, whatever the targets mean. It ends by the flag, too.
    #[must_use]
    pub fn of(config: TrainerConfig, loss: impl Loss + 'static, processes: impl Into<Processes<'a>>) -> Self {
        Self::with(config, Arc::new(loss), processes.into())
    }

    fn with(config: TrainerConfig, loss: Arc<dyn Loss>, processes: Processes<'a>) -> Self {
        Self {
            config,
            loss,
            targets: None,
            processes,
            member: 0,
            tolerance: 0.0,
            exact_train_loss: false,
            opponent: None,
            augmentation: None,
            watch: None,
        }
    }

    /// Says in every event which network of an ensemble is trained.
    #[must_use]
    pub(crate) fn of_member(mut self, member: usize) -> Self {
        self.member = member;
        self
    }

    /// By how much a loss has to fall to count as better for patience.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Evaluates the training loss after every epoch instead of averaging over its batches: comparable between
    /// optimisers. The time that judging takes is not counted.
    #[must_use]
    pub fn with_exact_train_loss(mut self) -> Self {
        self.exact_train_loss = true;
        self
    }

    /// Judges every epoch by its loss under attack.
    #[must_use]
    pub fn with_opponent(mut self, opponent: Opponent) -> Self {
        self.opponent = Some(opponent);
        self
    }

    /// Changes the training images at random in every epoch.
    #[must_use]
    pub fn with_augmentation(mut self, augmentation: Augmentation, geometry: Geometry) -> Self {
        self.augmentation = Some((augmentation, geometry)).filter(|_| !augmentation.is_none());
        self
    }

    /// Looks at the kernel of some training rows now and then.
    #[must_use]
    pub(crate) fn watching(mut self, watch: Watch) -> Self {
        self.watch = Some(watch);
        self
    }

    /// The rows of a step that are this process's; none are named where they are all rows.
    fn own_rows(&self, rows: Option<Vec<usize>>, all: usize) -> Option<Vec<usize>> {
        if self.processes.count() == 1 {
            return rows;
        }
        let share = self.processes.share(rows.as_ref().map_or(all, Vec::len));
        Some(rows.map_or_else(|| share.clone().collect(), |rows| rows[share.clone()].to_vec()))
    }

    /// The training rows of a step, if they are not the training rows as they stand.
    fn select<T: Scalar>(&self, train: &Dataset<T>, rows: Option<Vec<usize>>, epoch: usize) -> Option<Dataset<T>> {
        let Some((augmentation, geometry)) = self.augmentation else { return rows.map(|rows| train.select(&rows)) };
        let mut selected = rows.as_ref().map_or_else(|| train.clone(), |rows| train.select(rows));
        let samples = (0..selected.rows()).map(|at| rows.as_ref().map_or(at, |rows| rows[at]));
        augmentation.apply(&mut selected.inputs, geometry, samples, (self.config.seed, epoch));
        Some(selected)
    }

    /// The loss that decides, under attack if there is an opponent.
    fn loss<T: Scalar>(&self, model: &Model<T>, data: &Dataset<T>) -> Result<f64> {
        self.judge(self.opponent.as_ref()).loss(model, data)
    }

    fn judge<'j>(&'j self, opponent: Option<&'j Opponent>) -> Judge<'j> {
        Judge { loss: &*self.loss, targets: self.targets, processes: self.processes, opponent }
    }

    /// Trains until a reason to stop.
    ///
    /// # Errors
    /// When a step or an observer fails; non-finite numbers are no error here but a [`StopReason`].
    pub fn fit<T: Scalar>(
        &self,
        model: &mut Model<T>,
        optimizer: &mut dyn Optimizer<T>,
        train: &Dataset<T>,
        validation: Option<&Dataset<T>>,
        observer: &mut dyn Observer,
    ) -> Result<Fit> {
        self.go_on(model, optimizer, Parts { train, validation, test: None }, observer, None, None)
    }

    /// Trains from a checkpoint, if there is one, and lets `keeper` write others.
    pub(crate) fn go_on<T: Scalar>(
        &self,
        model: &mut Model<T>,
        optimizer: &mut dyn Optimizer<T>,
        parts: Parts<'_, T>,
        observer: &mut dyn Observer,
        from: Option<Checkpoint>,
        mut keeper: Option<&mut dyn Checkpoints>,
    ) -> Result<Fit> {
        let resumed = from.is_some();
        let seconds = from.as_ref().map_or(0.0, |checkpoint| checkpoint.seconds);
        let mut clock = Clock::after(seconds);
        let start = self.opponent.as_ref().map(|_| ParameterBall::around(model, f64::INFINITY)).transpose()?;
        let mut state = State::before(start);
        // The network is as it began, also where it goes on.
        let watching = self.watch.map(|watch| Watching::begin(watch, model, parts.train, &*self.loss));
        // A network without numbers ends with the first step.
        let mut watching = unless_diverged(watching.transpose())?.flatten();
        if let Some(checkpoint) = from {
            state = State::resume(checkpoint, state.start, model, optimizer)?;
        }
        let mut failure = None;
        if !resumed {
            self.look(&mut watching, model, &mut state, observer, &mut clock)?;
        }
        let stop_reason = loop {
            if resumed && self.processes.is_stopped()? {
                // Ended before it went on: with what the checkpoint has.
                break StopReason::Interrupted;
            }
            let end = self.epoch(model, optimizer, parts, &mut state, observer, &mut clock);
            let due = watching.as_ref().is_some_and(|watching| watching.is_due(state.epoch));
            if due && end.is_ok() {
                self.look(&mut watching, model, &mut state, observer, &mut clock)?;
            }
            match end {
                Ok(None) => {
                    if let Some(keeper) = keeper.as_mut().filter(|keeper| keeper.is_due()) {
                        keeper.keep(state.checkpoint(model, optimizer, clock.elapsed().as_secs_f64()))?;
                    }
                }
                Ok(Some(Ending { reason, whole_epoch })) => {
                    if let Some(keeper) = keeper.as_mut().filter(|_| reason.is_early() && whole_epoch) {
                        keeper.keep(state.checkpoint(model, optimizer, clock.elapsed().as_secs_f64()))?;
                    }
                    // Beyond the checkpoint: a run that goes on has not ended here.
                    if !due {
                        self.look(&mut watching, model, &mut state, observer, &mut clock)?;
                    }
                    break reason;
                }
                Err(error) => match state.located(error) {
                    error @ Error::NonFinite { .. } => {
                        failure = Some(error);
                        break StopReason::NonFinite;
                    }
                    error => return Err(error),
                },
            }
        };
        if let Some(watching) = &watching {
            observer.note(&watching.cost())?;
        }
        if let Some(best) = &state.best {
            model.set_theta(&best.theta)?;
        }
        Ok(Fit {
            epochs: state.epoch,
            steps: state.step,
            seconds: clock.elapsed().as_secs_f64(),
            stop_reason,
            best_epoch: state.best.map(|best| best.epoch),
            lowest_train_loss: state.lowest_train_loss,
            kernel_watch: state.kernel_watch,
            failure,
        })
    }

    /// Looks at the kernel, where it is watched. What it takes counts like judging.
    fn look<T: Scalar>(
        &self,
        watching: &mut Option<Watching<T>>,
        model: &Model<T>,
        state: &mut State<T>,
        observer: &mut dyn Observer,
        clock: &mut Clock,
    ) -> Result<()> {
        let Some(watching) = watching else { return Ok(()) };
        let looking = Instant::now();
        let when = (state.epoch, state.step, clock.elapsed().as_secs_f64());
        let watched = unless_diverged(watching.look(model, &*self.loss, when, state.learning_rate))?;
        if self.exact_train_loss {
            clock.leave_out_since(looking);
        }
        if let Some(watched) = watched {
            observer.observe(&Event::Kernel(&watched))?;
            state.kernel_watch.push(watched);
        }
        Ok(())
    }

    /// One epoch; returns the reason to end, if there is one.
    fn epoch<T: Scalar>(
        &self,
        model: &mut Model<T>,
        optimizer: &mut dyn Optimizer<T>,
        Parts { train, validation, test }: Parts<'_, T>,
        state: &mut State<T>,
        observer: &mut dyn Observer,
        clock: &mut Clock,
    ) -> Result<Option<Ending>> {
        state.epoch += 1;
        let mut running = Running::default();
        let mut reason = None;
        let full = self.config.is_full_batch(train.rows());
        let mut left = self.config.batch_size.batches(train.rows());
        let mut averaging = (self.config.averages_steps && !full).then(|| Averaging::of(model));
        for rows in batches(train.rows(), self.config.batch_size, self.config.seed, state.epoch) {
            let weight = train.weight_of(rows.as_deref());
            let selected = self.select(train, self.own_rows(rows, train.rows()), state.epoch);
            let data = selected.as_ref().unwrap_or(train);
            let mut batch = Batch::new(&data.inputs, &data.targets)
                .with_loss(&*self.loss)
                .with_communicator(self.processes.communicator());
            if let Some(weights) = &data.weights {
                batch = batch.with_weights(weights);
            }
            if let Some(factors) = self.factors(state.step, train.rows(), *clock)? {
                optimizer.set_factors(factors);
            }
            state.step += 1;
            left -= 1;
            let info = optimizer.step(model, &batch)?;
            running.add(&info, weight);
            state.check(&info, model)?;
            if let Some(averaging) = &mut averaging {
                averaging.add(model);
            }
            let seconds = clock.elapsed().as_secs_f64();
            let (member, epoch, step) = (self.member, state.epoch, state.step);
            observer.observe(&Event::Step(&StepEvent { member, epoch, step, seconds, info: &info }))?;
            reason = self.stop_now(*clock)?;
            if reason.is_some() {
                break;
            }
        }

        let advice = "their processors differ, and so does their rounding; run on machines that are alike";
        self.processes.check_alike("parameters", || fingerprint(&model.theta()), advice)?;
        if let Some(averaging) = &mut averaging {
            averaging.enter(model)?;
        }
        let judging = Instant::now();
        // What a step against an attack says of itself is of the points that it attacked, and of their radius.
        let train_loss = match running.after.filter(|_| full && self.opponent.is_none()) {
            Some(after) => after,
            None if self.exact_train_loss || validation.is_none() => self.loss(model, train)?,
            None => running.sum / running.weight,
        };
        let judge = self.judge(self.opponent.as_ref());
        let validation = validation.map(|data| Ok::<_, Error>((data, judge.losses(model, data, true)?))).transpose()?;
        let validation_loss = validation.map(|(_, (loss, _))| loss);
        if !train_loss.is_finite() {
            return Err(state.non_finite(culprit(model)));
        }
        state.lowest_train_loss = state.lowest_train_loss.min(train_loss);
        let clean = match &state.start {
            None => None,
            Some(start) => Some(CleanEpoch {
                loss: self.judge(None).loss(model, validation.map_or(train, |(data, _)| data))?,
                distances: start.distances(model)?,
            }),
        };
        let test = test.map(|data| self.judge(None).metrics(model, data)).transpose()?.flatten();
        let improved = state.judge(validation.map_or(train_loss, |(_, (_, decides))| decides), self.tolerance, model);
        if let Some(averaging) = averaging {
            averaging.leave(model)?;
        }
        if self.exact_train_loss {
            clock.leave_out_since(judging);
        }
        let seconds = clock.elapsed().as_secs_f64();
        let (member, epoch, step) = (self.member, state.epoch, state.step);
        let event = EpochEvent { member, epoch, step, seconds, train_loss, validation_loss, clean, test, improved };
        observer.observe(&Event::Epoch(&event))?;

        if self.config.warm_up.is_some_and(|epochs| epoch <= epochs) {
            state.reference.0 = epoch;
        }
        let waited = epoch - state.reference.0;
        let reason = match reason {
            Some(reason) => Some(reason),
            None if train_loss <= (4.0 * T::EPSILON.to_f64()).powi(2) => Some(StopReason::Converged),
            None if state.futile >= MOST_FUTILE => Some(StopReason::Converged),
            None if self.config.patience.is_some_and(|patience| waited >= patience) => Some(StopReason::Patience),
            None if epoch >= self.config.epochs => Some(StopReason::Epochs),
            None => self.stop_now(*clock)?,
        };
        Ok(reason.map(|reason| Ending { reason, whole_epoch: left == 0 }))
    }

    /// The factors of the next step, as so many are made; none where all stay as they are.
    fn factors(&self, steps: usize, rows: usize, clock: Clock) -> Result<Option<Factors>> {
        let TrainerConfig { schedule, rise, momentum, .. } = &self.config;
        if schedule.is_none() && *rise == 0 {
            return Ok(None);
        }
        let all = self.config.epochs.saturating_mul(self.config.batch_size.batches(rows));
        let made = steps as f64 / all as f64;
        let is_rising = steps < *rise;
        let progress = match self.config.time_limit.filter(|_| schedule.is_some() || is_rising) {
            // One clock for all.
            Some(limit) => self.processes.first(|| Ok(made.max(clock.share(limit))))?,
            None => made,
        };
        let mut factors =
            schedule.as_ref().map_or_else(Factors::default, |schedule| schedule.factors(progress, *momentum));
        if is_rising {
            factors.learning_rate *= risen(steps, *rise, (all, progress));
        }
        Ok(Some(factors))
    }

    fn stop_now(&self, clock: Clock) -> Result<Option<StopReason>> {
        self.processes.first(|| {
            if self.processes.are_called_off() {
                return Ok(Some(StopReason::Interrupted));
            }
            let over = self.config.time_limit.is_some_and(|limit| clock.elapsed() >= limit);
            Ok(over.then_some(StopReason::TimeLimit))
        })
    }
}

/// The share of the learning rate that a step has, as so many are made, while it rises over `rise` steps or the beginning of
/// a run: of that many steps, as far as it has come.
fn risen(made: usize, rise: usize, (all, progress): (usize, f64)) -> f64 {
    let step = (made + 1) as f64;
    let of_run = progress.max(step / all as f64) / RISE_SHARE;
    of_run.max(step / rise as f64).min(1.0)
}

/// None where numbers are not finite: that shows in the next loss.
fn unless_diverged<V>(result: Result<V>) -> Result<Option<V>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_divergence() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
