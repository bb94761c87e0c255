//! The networks of a run: one, or several of which the average is the model.
//!
//! Where the validation rows are a share of the data, each network of an ensemble has others of them, so that every row
//! trains some network, and the validation rows are judged by networks that have not seen them. Rows from a file of
//! their own judge all networks and their average.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gramstep::model::{Average, Differentiable as _};
use gramstep::{Device, Matrix, Model, Scalar};

use super::far;
use super::finished::Finished;
use super::folds::{Fold, Folds};
use crate::data::{Portion, Preprocessing, SplitBy};
use crate::error::{Error, Result};
use crate::outcome::event::{Event, Observer, Start};
use crate::outcome::metrics;
use crate::outcome::{Fit, HeldOut, StopReason};
use crate::settings::{Settings, TimeLimit};
use crate::training::adversarial::{AdversarialOptimizer, Opponent};
use crate::training::batches::batch_count;
use crate::training::checkpoint::{Checkpoint, Keeper};
use crate::training::optimizer::{self, build};
use crate::training::processes::Processes;
use crate::training::trainer::{Parts, Trainer};

/// What all networks of a run have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ensemble<'a, T> {
    pub(crate) settings: &'a Settings,
    pub(crate) preprocessing: &'a Preprocessing,
    pub(crate) parts: Parts<'a, T>,
    /// As in [`Trainer::with_exact_train_loss`].
    pub(crate) exact_train_loss: bool,
    /// As in [`Trainer::with_tolerance`].
    pub(crate) tolerance: f64,
    pub(crate) processes: Processes<'a>,
}

/// The networks, and how they came about.
#[derive(Debug)]
pub(crate) struct Trained<T> {
    /// Fewer than wanted if training was ended.
    pub(crate) networks: Average<T>,
    /// Of the network; of several the sums, the lowest loss, and why training ended.
    pub(crate) fit: Fit,
    /// All rows of training and validation, where several networks shared them out.
    pub(crate) shared: Option<Folds<T>>,
}

impl<T: Scalar> Ensemble<'_, T> {
    /// Trains every network, from those of `start` if there are any, all from the checkpoint on if there is one. A
    /// network that fails ends the training; its best parameters count.
    ///
    /// # Errors
    /// When a step or an observer fails.
    pub(crate) fn train(
        &self,
        start: Option<&Average<T>>,
        mut checkpoint: Option<Checkpoint>,
        mut keeper: Option<&mut Keeper>,
        observer: &mut dyn Observer,
    ) -> Result<Trained<T>> {
        let first = |number: usize| match start.and_then(|start| start.members().get(number)) {
            Some(model) => Ok(model.clone()),
            None => self.network(number),
        };
        let folds = self.folds()?;
        let fold = |number: usize| folds.as_ref().filter(|_| number > 0).map(|folds| folds.fold(number));
        let mut models: Vec<Model<T>> = Vec::new();
        let mut fits: Vec<Finished> =
            checkpoint.as_mut().map(|point| std::mem::take(&mut point.finished)).unwrap_or_default();
        for finished in &fits {
            let mut model = first(models.len())?;
            model.set_theta(&finished.theta.iter().map(|&value| T::from_f64(value)).collect::<Vec<_>>())?;
            models.push(model);
        }
        // Of all networks together, whatever share of the time each has had.
        let began = (Instant::now(), fits.iter().map(|fit| fit.seconds).sum());
        let mut failure = None;
        while models.len() < self.settings.ensemble && failure.is_none() {
            let number = models.len();
            let mut model = first(number)?;
            if let Some(keeper) = &mut keeper {
                keeper.finished.clone_from(&fits);
            }
            let fold = fold(number);
            let parts = self.parts_of(fold.as_ref());
            let spent = fits.iter().map(|fit| fit.seconds).sum();
            let settings = self.member_settings(number, spent);
            let from = (checkpoint.take(), keeper.as_deref_mut());
            let mut fit = self.member(&settings, number, &mut model, parts, from, observer)?;
            failure = fit.failure.take();
            let usable = failure.is_none() || fit.best_epoch.is_some() || models.is_empty();
            fits.push(Finished::of(&fit, &model));
            models.extend(usable.then_some(model));
            if fit.stop_reason == StopReason::Interrupted || self.processes.is_stopped()? || self.is_over(began)? {
                break;
            }
        }
        if start.is_none() && failure.is_none() && models.len() == self.settings.ensemble {
            self.train_the_worst_again(&fold, &mut models, &mut fits, observer)?;
        }
        let shared = folds.filter(|_| models.len() > 1);
        Ok(Trained { networks: Average::new(models)?, fit: total(&fits, failure), shared })
    }

    /// Trains networks again, from another seed, that are far worse than the others; the better one counts. No
    /// checkpoint is written meanwhile: a run that is cut off here comes back by the last one.
    fn train_the_worst_again(
        &self,
        fold: &dyn Fn(usize) -> Option<Fold<T>>,
        models: &mut [Model<T>],
        fits: &mut [Finished],
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let share = |number: usize, model: &Model<T>| {
            let fold = fold(number);
            let Parts { train, validation, .. } = self.parts_of(fold.as_ref());
            far::share(model, train, validation.unwrap_or(train), &self.preprocessing.targets)
        };
        let shares =
            models.iter().enumerate().map(|(number, model)| share(number, model)).collect::<Result<Vec<_>>>()?;
        for number in far::far_worse(&shares) {
            let spent: f64 = fits.iter().map(|fit| fit.seconds).sum();
            let another = self.settings.ensemble + number;
            let settings = self.member_settings(another, spent);
            let over = settings.time_limit.is_some_and(|limit| limit.0.is_zero());
            if self.processes.first(|| Ok(over || self.processes.flag().load(Ordering::Relaxed)))? {
                break;
            }
            let what = format!("network {} is far worse than the others", number + 1);
            observer.note(&format!("{what}; it is trained again from another seed"))?;
            let (mut model, fold) = (self.network(another)?, fold(number));
            let fit =
                self.member(&settings, another, &mut model, self.parts_of(fold.as_ref()), (None, None), observer)?;
            let now = if fit.failure.is_none() { share(number, &model)? } else { f64::INFINITY };
            let better = now < shares[number] || shares[number].is_nan();
            fits[number].trained_again(&Finished::of(&fit, &model), better);
            if better {
                models[number] = model;
            }
            let now = if better { now } else { shares[number] };
            if far::far_worse(&with(&shares, number, now)).contains(&number) {
                observer.note(&format!("{what} from this seed too: its rows may be harder to predict"))?;
            }
        }
        Ok(())
    }

    /// Whether the time of all networks is over; a training that goes on had `earlier` seconds before.
    fn is_over(&self, (start, earlier): (Instant, f64)) -> Result<bool> {
        let spent = start.elapsed() + Duration::try_from_secs_f64(earlier).unwrap_or_default();
        self.processes.first(|| Ok(self.settings.time_limit.is_some_and(|limit| spent >= limit.0)))
    }

    /// The rows of a network.
    fn parts_of<'f>(&'f self, fold: Option<&'f Fold<T>>) -> Parts<'f, T> {
        match fold {
            Some(fold) => Parts { train: &fold.train, validation: Some(&fold.validation), test: self.parts.test },
            None => self.parts,
        }
    }

    /// A network before training.
    fn network(&self, number: usize) -> Result<Model<T>> {
        let Self { settings, preprocessing, .. } = self;
        let specification = settings.model.specification(preprocessing.inputs.shape(), preprocessing.targets.outputs());
        let device = Device::cpu(settings.threads);
        let seed = settings.seed.wrapping_add(number as u64);
        Ok(Model::builder(specification).seed(seed).device(device).build()?)
    }

    /// The rows that change between networks; none where they do not.
    fn folds(&self) -> Result<Option<Folds<T>>> {
        // Rows that are apart by time or group stay apart.
        let at_random = self.settings.split.as_ref().is_none_or(|split| *split == SplitBy::Random);
        let shared_out = matches!(self.settings.validation, Portion::Fraction(_)) && at_random;
        let own = shared_out && self.settings.ensemble > 1;
        let Parts { train, validation, .. } = self.parts;
        validation.filter(|_| own).map(|validation| Folds::new(train, validation)).transpose()
    }

    /// The settings of one network: a seed of its own, and its share of the time that is left.
    fn member_settings(&self, number: usize, spent: f64) -> Settings {
        let spent = Duration::try_from_secs_f64(spent).unwrap_or_default();
        let waiting = u32::try_from(self.settings.ensemble.saturating_sub(number).max(1)).unwrap_or(u32::MAX);
        let share = |limit: TimeLimit| TimeLimit(limit.0.saturating_sub(spent) / waiting);
        let seed = self.settings.seed.wrapping_add(number as u64);
        Settings { seed, time_limit: self.settings.time_limit.map(share), ..self.settings.clone() }
    }

    /// Trains one network.
    fn member(
        &self,
        settings: &Settings,
        number: usize,
        model: &mut Model<T>,
        parts: Parts<'_, T>,
        (checkpoint, keeper): (Option<Checkpoint>, Option<&mut Keeper>),
        observer: &mut dyn Observer,
    ) -> Result<Fit> {
        let inputs = &self.preprocessing.inputs;
        let samples = parts.train.rows();
        let mut optimizer = build::<T>(settings, samples, model.outputs())?;
        let opponent =
            settings.adversarial.map(|adversary| Opponent::new(&adversary, inputs, settings.seed)).transpose()?;
        if let Some(opponent) = &opponent {
            let warm_up = settings.warm_up.unwrap_or(0).saturating_mul(batch_count(samples, settings.batch_size));
            let optimizer_against =
                AdversarialOptimizer::new(optimizer, opponent, settings.ball, warm_up as u64, model)?;
            optimizer = Box::new(optimizer_against);
        }
        if let Some(plan) = optimizer::plan(settings, model, samples)?.filter(|_| number == 0) {
            observer.note(&plan)?;
        }
        observer.observe(&Event::Start(&Start {
            settings,
            member: number,
            samples,
            parameters: model.parameter_count(),
            steps_per_epoch: batch_count(samples, settings.batch_size),
        }))?;
        let mut trainer = Trainer::new(settings, &self.preprocessing.targets, self.processes)
            .with_tolerance(self.tolerance)
            .of_member(number);
        if self.exact_train_loss {
            trainer = trainer.with_exact_train_loss();
        }
        if let (Some(augmentation), Some(geometry)) = (settings.augment, inputs.geometry()) {
            trainer = trainer.with_augmentation(augmentation, geometry);
        }
        if let Some(opponent) = opponent {
            trainer = trainer.with_opponent(opponent);
        }
        trainer.go_on(model, optimizer.as_mut(), parts, observer, checkpoint, keeper)
    }
}

impl<T: Scalar> Trained<T> {
    /// What the validation rows are predicted by networks that were not trained on them, and these rows; none where
    /// there are none of the networks' own.
    pub(crate) fn held_out(&self) -> Result<Option<HeldOut<T>>> {
        let Some(folds) = &self.shared else { return Ok(None) };
        let n = folds.rows.rows();
        let (mut sum, mut judges) = (Matrix::<f64>::zeros(n, self.networks.outputs()), vec![0_u32; n]);
        let mut first_judge = vec![usize::MAX; n];
        for (number, model) in self.networks.members().iter().enumerate() {
            let fold = folds.fold(number);
            let outputs = metrics::outputs(model, &fold.validation.inputs)?;
            for (i, &row) in fold.judged.iter().enumerate() {
                judges[row] += 1;
                first_judge[row] = first_judge[row].min(number);
                sum.row_mut(row).iter_mut().zip(outputs.row(i)).for_each(|(sum, value)| *sum += value);
            }
        }
        for (i, &judges) in judges.iter().enumerate() {
            sum.row_mut(i).iter_mut().for_each(|value| *value /= f64::from(judges.max(1)));
        }
        let places: Vec<usize> = (0..n).filter(|&i| judges[i] > 0).collect();
        let (outputs, rows) = (sum.select_rows(&places), folds.rows.select(&places));
        let fold_of = places.iter().map(|&place| first_judge[place]).collect();
        Ok(Some(HeldOut { outputs, rows, places, fold_of }))
    }
}

/// Numbers of which one is another.
fn with(numbers: &[f64], at: usize, value: f64) -> Vec<f64> {
    numbers.iter().enumerate().map(|(i, &number)| if i == at { value } else { number }).collect()
}

/// All trainings as one.
fn total(fits: &[Finished], failure: Option<Error>) -> Fit {
    let early = |fit: &&Finished| matches!(fit.stop_reason, StopReason::TimeLimit | StopReason::Interrupted);
    let deciding = fits.iter().rfind(early).or(fits.last());
    Fit {
        epochs: fits.iter().map(|fit| fit.epochs).sum(),
        steps: fits.iter().map(|fit| fit.steps).sum(),
        seconds: fits.iter().map(|fit| fit.seconds).sum(),
        stop_reason: match &failure {
            Some(_) => StopReason::NonFinite,
            None => deciding.map_or(StopReason::Interrupted, |fit| fit.stop_reason),
        },
        best_epoch: fits.iter().find_map(|fit| fit.best_epoch),
        lowest_train_loss: fits.iter().map(|fit| fit.lowest_train_loss).fold(f64::INFINITY, f64::min),
        failure,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::data::{DataOptions, Dataset, Problem, table_of};
    use crate::outcome::event::Silent;
    use crate::settings::Config;

    #[test]
    fn networks_differ_in_start_and_rows_and_judge_rows_that_they_have_not_seen() {
        let row = |i: i32| format!("{},{}\n", i, (f64::from(i) / 7.0).sin());
        let text = format!("a,y\n{}", (0..50).map(row).collect::<String>());
        let problem = Problem::of_table(&table_of(&text), &DataOptions::of("csv:t".parse().unwrap())).unwrap();
        let mut config = Config { data: Some("csv:t".to_owned()), threads: Some(1), ..Config::default() };
        for (name, value) in [("model", "mlp:4:tanh"), ("ensemble", "3"), ("epochs", "2")] {
            config.set(name, value).unwrap();
        }
        let settings = Settings::resolve(&config, &problem).unwrap();
        let stop = AtomicBool::new(false);
        let ensemble = Ensemble {
            settings: &settings,
            preprocessing: &problem.preprocessing,
            parts: Parts { train: &problem.train, validation: problem.validation.as_ref(), test: None },
            exact_train_loss: false,
            tolerance: 0.0,
            processes: (&stop).into(),
        };
        let trained = ensemble.train(None, None, None, &mut Silent).unwrap();
        let members = trained.networks.members();
        assert_eq!((members.len(), trained.fit.epochs), (3, 6));
        assert_ne!(members[0].theta(), members[1].theta());
        let judging = problem.validation.as_ref().map_or(0, Dataset::rows);
        let HeldOut { outputs, rows, .. } = trained.held_out().unwrap().expect("rows of the networks' own");
        assert_eq!((outputs.rows(), rows.rows()), (3 * judging, 3 * judging));
        let own = metrics::outputs(&members[0], &rows.inputs).unwrap();
        assert_eq!(outputs.row(0), own.row(0), "the first rows are judged by the first network");
    }
}
