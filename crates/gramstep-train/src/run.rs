//! One run from configuration to report: settings → network → training → judgement → files.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use gramstep::{Device, Model, Scalar};

use crate::adversarial::{AdversarialOptimizer, Opponent};
use crate::batches::batch_count;
use crate::checkpoint::{Checkpoint, Keeper};
use crate::choice;
use crate::data::{Dataset, Problem};
use crate::error::{Error, Result};
use crate::metrics::evaluate;
use crate::model_file;
use crate::observer::{Both, Observer, Silent, Start};
use crate::optimizer::{self, build};
use crate::record::Record;
use crate::report::{Report, SCHEMA_VERSION, write_run};
use crate::run_folder::RunFolder;
use crate::settings::{Config, Precision, Settings};
use crate::stop_reason::StopReason;
use crate::trainer::{Parts, Trainer};

/// Where the files of a run go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep<'a> {
    /// Nowhere.
    Nothing,
    /// Into this folder.
    Folder(&'a Path),
    /// Into a new folder `runs/NAME-N` of the working directory.
    Fresh,
    /// On with the run in this folder, from its last checkpoint, in its files.
    Resume(&'a Path),
}

/// Reads the data, trains, judges and keeps the result. Training ends after the step during which `stop` becomes true;
/// the model is kept then too.
///
/// # Errors
/// When the configuration or the data are wrong, when a step fails, or when a file cannot be written.
pub fn train(config: &Config, keep: Keep<'_>, stop: &AtomicBool, observer: &mut dyn Observer) -> Result<Report> {
    config.validate()?;
    let problem = Problem::load_with(config, &mut |done, all| observer.reading(done, all))?;
    problem.notes.iter().for_each(|note| observer.note(note));
    let mut config = config.clone();
    if let Some(model) = choice::model(&problem, &config, stop)? {
        observer.note(&format!("the model is {model}, best of {} by the validation loss", choice::CANDIDATES.len()));
        config.model = Some(model.to_owned());
    }
    train_on(&problem, &config, keep, false, stop, observer)
}

/// Goes on with the run in a folder from its last checkpoint, to the same bits as if it had never been cut off. `over`
/// may change the limits of the run.
///
/// # Errors
/// Like [`train`], and when the run has come to its end already or its files cannot be used.
pub fn resume(folder: &Path, over: Config, stop: &AtomicBool, observer: &mut dyn Observer) -> Result<Report> {
    let files = RunFolder::open(folder);
    let ended = Record::report(&files.record()).ok().flatten().is_some();
    if ended && !files.checkpoint().exists() {
        let reason = "the run has come to its end".to_owned();
        return Err(Error::Checkpoint { path: folder.to_owned(), reason });
    }
    let config = Config::read(&files.config())?.overridden_by(over);
    train(&config, Keep::Resume(folder), stop, observer)
}

/// Like [`train`], on a problem that is loaded already. `exact_train_loss` as in
/// [`Trainer::with_exact_train_loss`].
///
/// # Errors
/// Like [`train`].
pub fn train_on(
    problem: &Problem,
    config: &Config,
    keep: Keep<'_>,
    exact_train_loss: bool,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Report> {
    let settings = Settings::resolve(config, problem)?;
    let run = Run { problem, settings: &settings, exact_train_loss, stop };
    match settings.precision {
        Precision::F32 => run.train::<f32>(keep, observer),
        Precision::F64 => run.train::<f64>(keep, observer),
    }
}

struct Run<'a> {
    problem: &'a Problem,
    settings: &'a Settings,
    exact_train_loss: bool,
    stop: &'a AtomicBool,
}

impl Run<'_> {
    fn train<T: Scalar>(&self, keep: Keep<'_>, observer: &mut dyn Observer) -> Result<Report> {
        let Self { problem, settings, .. } = self;
        let preprocessing = &problem.preprocessing;
        let train: Dataset<T> = problem.train.cast();
        let validation: Option<Dataset<T>> = problem.validation.as_ref().map(Dataset::cast);
        let specification = settings.model.specification(preprocessing.inputs.shape(), preprocessing.targets.outputs());
        let device = Device::cpu(settings.threads);
        let mut model = Model::<T>::builder(specification).seed(settings.seed).device(device).build()?;
        let mut optimizer = build::<T>(settings, train.rows(), preprocessing.targets.outputs())?;
        let opponent = (settings.adversarial)
            .map(|adversary| Opponent::new(&adversary, &preprocessing.inputs, settings.seed))
            .transpose()?;
        if let Some(opponent) = &opponent {
            optimizer = Box::new(AdversarialOptimizer::new(optimizer, opponent, settings.ball, &model)?);
        }

        let folder = match keep {
            Keep::Nothing => None,
            Keep::Folder(path) => Some(RunFolder::create(path)?),
            Keep::Resume(path) => Some(RunFolder::open(path)),
            Keep::Fresh => Some(RunFolder::fresh(Path::new("runs"), &problem.name)?),
        };
        let (mut record, mut silent) = (None, Silent);
        let (mut checkpoint, mut keeper) = (None, None);
        if let Some(folder) = &folder {
            if matches!(keep, Keep::Resume(_)) {
                checkpoint = Checkpoint::read(&folder.checkpoint())?;
            }
            folder.write_config(settings)?;
            record = Some(match &checkpoint {
                Some(checkpoint) => Record::resume(&folder.record(), checkpoint.record_bytes)?,
                None => Record::create(&folder.record())?,
            });
            keeper = Some(Keeper::new(folder));
        }
        let record = record.as_mut().map_or(&mut silent as &mut dyn Observer, |record| record);
        let mut observer = Both(record, observer);
        if let Some(plan) = optimizer::plan(settings, &model, train.rows())? {
            observer.note(&plan);
        }

        observer.start(&Start {
            settings,
            samples: train.rows(),
            parameters: model.parameter_count(),
            steps_per_epoch: batch_count(train.rows(), settings.batch_size),
        })?;
        let mut trainer = Trainer::new(settings, &preprocessing.targets, self.stop);
        if self.exact_train_loss {
            trainer = trainer.with_exact_train_loss();
        }
        if let (Some(augmentation), Some(geometry)) = (settings.augment, preprocessing.inputs.geometry()) {
            trainer = trainer.with_augmentation(augmentation, geometry);
        }
        if let Some(opponent) = opponent {
            trainer = trainer.with_opponent(opponent);
        }
        let test: Option<Dataset<T>> = problem.test.as_ref().map(Dataset::cast);
        let watched = test.as_ref().filter(|_| self.exact_train_loss);
        let parts = Parts { train: &train, validation: validation.as_ref(), test: watched };
        let fit = trainer.go_on(&mut model, optimizer.as_mut(), parts, &mut observer, checkpoint, keeper.as_mut())?;

        if let Some(folder) = folder.as_ref().filter(|_| fit.failure.is_none() || fit.best_epoch.is_some()) {
            model_file::save(&folder.model(), &model, &settings.model.to_string(), preprocessing)?;
        }
        if let Some(failure) = fit.failure {
            let path = folder.as_ref().filter(|_| fit.best_epoch.is_some()).map(RunFolder::model);
            return Err(kept_in(failure, path));
        }
        let judge = |data: &Dataset<T>| evaluate(&model, data, &preprocessing.targets);
        let report = Report {
            schema_version: SCHEMA_VERSION,
            run: folder.as_ref().map(|folder| folder.path().display().to_string()),
            task: settings.task,
            optimizer: settings.optimizer,
            model: settings.model.to_string(),
            parameters: model.parameter_count(),
            train: judge(&train)?,
            validation: validation.as_ref().map(judge).transpose()?,
            test: test.as_ref().map(judge).transpose()?,
            epochs: fit.epochs,
            best_epoch: fit.best_epoch,
            steps: fit.steps,
            seconds: fit.seconds,
            stop_reason: fit.stop_reason,
            seed: settings.seed,
            precision: settings.precision,
            lowest_train_loss: fit.lowest_train_loss,
        };
        observer.finish(&report)?;
        if let Some(folder) = &folder {
            write_run(folder, problem, model.device())?;
            if !matches!(fit.stop_reason, StopReason::Interrupted | StopReason::TimeLimit) {
                folder.remove_checkpoint()?;
            }
        }
        Ok(report)
    }
}

/// Names the file with the best parameters in an error about non-finite numbers.
fn kept_in(error: Error, path: Option<std::path::PathBuf>) -> Error {
    match error {
        Error::NonFinite { step, epoch, what, .. } => Error::NonFinite { step, epoch, what, kept: path },
        other => other,
    }
}

impl Report {
    /// Whether the user ended the run.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.stop_reason == StopReason::Interrupted
    }
}
