//! The loop over epochs and batches, and every reason to end it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gramstep::attack::ParameterBall;
use gramstep::communicator::{agree, all_reduce_sum};
use gramstep::optim::{Batch, Optimizer, StepInfo};
use gramstep::{Model, Scalar};

use crate::data::{Augmentation, Dataset, Geometry, Targets};
use crate::error::{Error, Result};
use crate::outcome::event::{CleanEpoch, EpochEvent, Event, Observer, StepEvent};
use crate::outcome::metrics::{self, Metrics};
use crate::outcome::{Fit, StopReason};
use crate::settings::Settings;
use crate::training::adversarial::Opponent;
use crate::training::averaging::Averaging;
use crate::training::batches::{batch_count, batches};
use crate::training::checkpoint::{BestSoFar, Checkpoint, FORMAT_VERSION, Keeper};
use crate::training::optimizer::loss_of;
use crate::training::processes::Processes;

/// After so many steps in a row that gain nothing, training has converged.
const MOST_FUTILE: usize = 3;

/// Trains a model by the settings of a run.
#[derive(Clone, Debug)]
pub struct Trainer<'a> {
    settings: &'a Settings,
    targets: &'a Targets,
    processes: Processes<'a>,
    member: usize,
    tolerance: f64,
    exact_train_loss: bool,
    opponent: Option<Opponent>,
    augmentation: Option<(Augmentation, Geometry)>,
}

/// The time since a training began, over all its sessions.
#[derive(Clone, Copy, Debug)]
struct Clock {
    start: Instant,
    earlier: Duration,
    /// Spent on judging and not on training, where that is not counted.
    judging: Duration,
}

/// The rows of a training.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a, T> {
    pub(crate) train: &'a Dataset<T>,
    pub(crate) validation: Option<&'a Dataset<T>>,
    /// Rows that are watched and decide nothing.
    pub(crate) test: Option<&'a Dataset<T>>,
}

impl Clock {
    fn elapsed(self) -> Duration {
        self.earlier + self.start.elapsed().saturating_sub(self.judging)
    }
}

/// The end of a training.
#[derive(Clone, Copy)]
struct Ending {
    reason: StopReason,
    /// Whether the last epoch had all its steps.
    whole_epoch: bool,
}

/// Where a training stands.
struct State<T> {
    /// Measures how far layers are from where they began, in adversarial training.
    start: Option<ParameterBall<T>>,
    epoch: usize,
    step: usize,
    futile: usize,
    lowest_train_loss: f64,
    best: Option<Best<T>>,
    /// The epoch that patience counts from, and its loss.
    reference: (usize, f64),
}

struct Best<T> {
    epoch: usize,
    loss: f64,
    theta: Vec<T>,
}

/// The losses of the steps of one epoch.
#[derive(Default)]
struct Running {
    sum: f64,
    weight: f64,
    after: Option<f64>,
}

impl<'a> Trainer<'a> {
    /// A trainer. Training ends after the step during which the flag that `processes` is made from becomes true.
    #[must_use]
    pub fn new(settings: &'a Settings, targets: &'a Targets, processes: impl Into<Processes<'a>>) -> Self {
        Self {
            settings,
            targets,
            processes: processes.into(),
            member: 0,
            tolerance: 0.0,
            exact_train_loss: false,
            opponent: None,
            augmentation: None,
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
        augmentation.apply(&mut selected.inputs, geometry, samples, (self.settings.seed, epoch));
        Some(selected)
    }

    /// The loss that decides, under attack if there is an opponent.
    fn loss<T: Scalar>(&self, model: &Model<T>, data: &Dataset<T>) -> Result<f64> {
        self.loss_against(self.opponent.as_ref(), model, data)
    }

    fn loss_against<T: Scalar>(&self, opponent: Option<&Opponent>, model: &Model<T>, data: &Dataset<T>) -> Result<f64> {
        if self.processes.count() == 1 {
            return self.loss_of_rows(opponent, model, data, 0);
        }
        // Every process judges its share.
        let share = self.processes.share(data.rows());
        let own = data.select(&share.clone().collect::<Vec<_>>());
        let weight = own.total_weight();
        let loss = if weight == 0.0 { Ok(0.0) } else { self.loss_of_rows(opponent, model, &own, share.start) };
        let loss = match loss {
            Ok(loss) => Ok(loss * weight),
            Err(Error::Core(error)) => Err(error),
            Err(error) => Err(gramstep::Error::Communication(error.to_string())),
        };
        let communicator = self.processes.communicator();
        let mut sums = [agree(communicator, loss)?, weight];
        all_reduce_sum(communicator, &mut sums)?;
        Ok(sums[0] / sums[1])
    }

    /// The loss of rows of which the first has this number.
    fn loss_of_rows<T: Scalar>(
        &self,
        opponent: Option<&Opponent>,
        model: &Model<T>,
        data: &Dataset<T>,
        first: usize,
    ) -> Result<f64> {
        match opponent {
            None => metrics::loss(model, data, self.targets),
            Some(opponent) => {
                let attacked = opponent.attack_from(first, model, data, loss_of(self.targets.task()).as_ref())?;
                metrics::loss(model, &attacked, self.targets)
            }
        }
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
        mut keeper: Option<&mut Keeper>,
    ) -> Result<Fit> {
        let seconds = from.as_ref().map_or(0.0, |checkpoint| checkpoint.seconds);
        let earlier = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let mut clock = Clock { start: Instant::now(), earlier, judging: Duration::ZERO };
        let start = self.opponent.as_ref().map(|_| ParameterBall::around(model, f64::INFINITY)).transpose()?;
        let mut state = State {
            start,
            epoch: 0,
            step: 0,
            futile: 0,
            lowest_train_loss: f64::INFINITY,
            best: None,
            reference: (0, f64::INFINITY),
        };
        if let Some(checkpoint) = from {
            state = State::resume(checkpoint, state.start, model, optimizer)?;
        }
        let mut failure = None;
        let stop_reason = loop {
            match self.epoch(model, optimizer, parts, &mut state, observer, &mut clock) {
                Ok(None) => {
                    if let Some(keeper) = keeper.as_mut().filter(|keeper| keeper.is_due()) {
                        keeper.keep(state.checkpoint(model, optimizer, clock.elapsed().as_secs_f64()))?;
                    }
                }
                Ok(Some(Ending { reason, whole_epoch })) => {
                    let early = matches!(reason, StopReason::Interrupted | StopReason::TimeLimit);
                    if let Some(keeper) = keeper.as_mut().filter(|_| early && whole_epoch) {
                        keeper.keep(state.checkpoint(model, optimizer, clock.elapsed().as_secs_f64()))?;
                    }
                    break reason;
                }
                Err(error @ Error::NonFinite { .. }) => {
                    failure = Some(error);
                    break StopReason::NonFinite;
                }
                Err(error) => return Err(error),
            }
        };
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
            failure,
        })
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
        let loss = loss_of(self.targets.task());
        let mut running = Running::default();
        let mut reason = None;
        let mut left = batch_count(train.rows(), self.settings.batch_size);
        let mut averaging = self.settings.averages_steps(train.rows()).then(|| Averaging::of(model));
        for rows in batches(train.rows(), self.settings.batch_size, self.settings.seed, state.epoch) {
            let weight = train.weight_of(rows.as_deref());
            let selected = self.select(train, self.own_rows(rows, train.rows()), state.epoch);
            let data = selected.as_ref().unwrap_or(train);
            let mut batch = Batch::new(&data.inputs, &data.targets)
                .with_loss(loss.as_ref())
                .with_communicator(self.processes.communicator());
            if let Some(weights) = &data.weights {
                batch = batch.with_weights(weights);
            }
            state.step += 1;
            left -= 1;
            let info = optimizer.step(model, &batch).map_err(|error| state.located(error))?;
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
        let full = self.settings.is_full_batch(train.rows());
        // What a step against an attack says of itself is of the points that it attacked, and of their radius.
        let train_loss = match running.after.filter(|_| full && self.opponent.is_none()) {
            Some(after) => after,
            None if self.exact_train_loss || validation.is_none() => self.loss(model, train)?,
            None => running.sum / running.weight,
        };
        let validation_loss = validation.map(|data| self.loss(model, data)).transpose()?;
        if !train_loss.is_finite() {
            return Err(state.non_finite(culprit(model)));
        }
        state.lowest_train_loss = state.lowest_train_loss.min(train_loss);
        let clean = match &state.start {
            None => None,
            Some(start) => Some(CleanEpoch {
                loss: self.loss_against(None, model, validation.unwrap_or(train))?,
                distances: start.distances(model)?,
            }),
        };
        let test = test.map(|data| judged(model, data, self.targets)).transpose()?;
        let improved = state.judge(validation_loss.unwrap_or(train_loss), self.tolerance, model);
        if let Some(averaging) = averaging {
            averaging.leave(model)?;
        }
        if self.exact_train_loss {
            clock.judging += judging.elapsed();
        }
        let seconds = clock.elapsed().as_secs_f64();
        let (member, epoch, step) = (self.member, state.epoch, state.step);
        let event = EpochEvent { member, epoch, step, seconds, train_loss, validation_loss, clean, test, improved };
        observer.observe(&Event::Epoch(&event))?;

        if self.settings.warm_up.is_some_and(|epochs| epoch <= epochs) {
            state.reference.0 = epoch;
        }
        let waited = epoch - state.reference.0;
        let reason = match reason {
            Some(reason) => Some(reason),
            None if train_loss <= (4.0 * T::EPSILON.to_f64()).powi(2) => Some(StopReason::Converged),
            None if state.futile >= MOST_FUTILE => Some(StopReason::Converged),
            None if self.settings.patience.is_some_and(|patience| waited >= patience) => Some(StopReason::Patience),
            None if epoch >= self.settings.epochs => Some(StopReason::Epochs),
            None => self.stop_now(*clock)?,
        };
        Ok(reason.map(|reason| Ending { reason, whole_epoch: left == 0 }))
    }

    fn stop_now(&self, clock: Clock) -> Result<Option<StopReason>> {
        self.processes.first(|| {
            if self.processes.flag().load(Ordering::Relaxed) {
                return Ok(Some(StopReason::Interrupted));
            }
            let over = self.settings.time_limit.is_some_and(|limit| clock.elapsed() >= limit.0);
            Ok(over.then_some(StopReason::TimeLimit))
        })
    }
}

impl Running {
    fn add(&mut self, info: &StepInfo, weight: f64) {
        self.sum += info.loss * weight;
        self.weight += weight;
        self.after = info.loss_after;
    }
}

impl<T: Scalar> State<T> {
    /// All that the next epoch depends on.
    fn checkpoint(&self, model: &Model<T>, optimizer: &dyn Optimizer<T>, seconds: f64) -> Checkpoint {
        let widen = |theta: &[T]| theta.iter().map(|value| value.to_f64()).collect::<Vec<f64>>();
        let best = |best: &Best<T>| BestSoFar { epoch: best.epoch, loss: best.loss, theta: widen(&best.theta) };
        Checkpoint {
            format_version: FORMAT_VERSION,
            data: None,
            epoch: self.epoch,
            step: self.step,
            futile: self.futile,
            seconds,
            lowest_train_loss: self.lowest_train_loss,
            record_bytes: 0,
            theta: widen(&model.theta()),
            optimizer: optimizer.state(),
            best: self.best.as_ref().map(best),
            // JSON has no infinity.
            reference: Some((self.reference.0, Some(self.reference.1).filter(|loss| loss.is_finite()))),
            finished: Vec::new(),
        }
    }

    /// The state, model and optimiser of a checkpoint.
    fn resume(
        checkpoint: Checkpoint,
        start: Option<ParameterBall<T>>,
        model: &mut Model<T>,
        optimizer: &mut dyn Optimizer<T>,
    ) -> Result<Self> {
        let narrow = |theta: Vec<f64>| theta.into_iter().map(T::from_f64).collect::<Vec<T>>();
        model.set_theta(&narrow(checkpoint.theta))?;
        optimizer.restore(checkpoint.optimizer)?;
        let best = |best: BestSoFar| Best { epoch: best.epoch, loss: best.loss, theta: narrow(best.theta) };
        let of_best = || checkpoint.best.as_ref().map(|best| (best.epoch, Some(best.loss)));
        let (epoch, loss) = checkpoint.reference.or_else(of_best).unwrap_or_default();
        let reference = (epoch, loss.unwrap_or(f64::INFINITY));
        Ok(Self {
            start,
            epoch: checkpoint.epoch,
            step: checkpoint.step,
            futile: checkpoint.futile,
            lowest_train_loss: checkpoint.lowest_train_loss,
            best: checkpoint.best.map(best),
            reference,
        })
    }

    /// Keeps the parameters if they are the best so far.
    fn judge(&mut self, loss: f64, tolerance: f64, model: &Model<T>) -> bool {
        if loss < self.reference.1 - tolerance {
            self.reference = (self.epoch, loss);
        }
        let improved = loss.is_finite() && self.best.as_ref().is_none_or(|best| loss < best.loss);
        if improved {
            self.best = Some(Best { epoch: self.epoch, loss, theta: model.theta() });
        }
        improved
    }

    /// Looks at what a step says. Parameters that it made non-finite show in the next loss.
    fn check(&mut self, info: &StepInfo, model: &Model<T>) -> Result<()> {
        // Rejected at the highest damping, or (adaptive damping, no gain ratio) with a gain below rounding.
        let futile = !info.accepted || (info.loss_after.is_some() && info.gain_ratio.is_none());
        self.futile = if futile { self.futile + 1 } else { 0 };
        if info.loss.is_finite() { Ok(()) } else { Err(self.non_finite(culprit(model))) }
    }

    fn non_finite(&self, what: String) -> Error {
        Error::NonFinite { step: self.step, epoch: self.epoch, what, kept: None }
    }

    /// Adds step and epoch to an error of the mathematics about non-finite numbers.
    fn located(&self, error: gramstep::Error) -> Error {
        match error {
            gramstep::Error::NonFinite { what, layer } => {
                let layer = layer.map_or_else(String::new, |layer| format!(" of layer `{layer}`"));
                self.non_finite(format!("{what}{layer}"))
            }
            error => error.into(),
        }
    }
}

/// The quality of a network on rows that are watched.
fn judged<T: Scalar>(model: &Model<T>, data: &Dataset<T>, targets: &Targets) -> Result<Metrics> {
    let outputs = metrics::outputs(model, &data.inputs)?;
    Ok(metrics::measure(&outputs, &data.targets.cast(), data.weights.as_deref(), targets))
}

/// A number that tells parameters apart by their bits.
fn fingerprint<T: Scalar>(theta: &[T]) -> [u8; 8] {
    theta.iter().fold(0_u64, |print, value| print.rotate_left(1) ^ value.to_f64().to_bits()).to_le_bytes()
}

/// The first parameter that is not finite, or the loss.
fn culprit<T: Scalar>(model: &Model<T>) -> String {
    let theta = model.theta();
    let Some(at) = theta.iter().position(|value| !value.is_finite()) else { return "the loss".to_owned() };
    let span = model.spans().iter().find(|span| span.range().contains(&at));
    span.map_or_else(|| "a parameter".to_owned(), |span| format!("parameter `{}`", span.name))
}
