//! One run from configuration to report: settings → network → training → judgement → files.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use gramstep::{Device, Model, Scalar};

use crate::adversarial::{AdversarialOptimizer, Opponent};
use crate::batches::batch_count;
use crate::data::{Dataset, Problem};
use crate::error::{Error, Result};
use crate::metrics::evaluate;
use crate::model_file;
use crate::observer::{Both, Observer, Silent, Start};
use crate::optimizer::build;
use crate::record::Record;
use crate::report::{Report, SCHEMA_VERSION};
use crate::run_folder::RunFolder;
use crate::settings::{Config, Precision, Settings};
use crate::stop_reason::StopReason;
use crate::trainer::Trainer;

/// Where the files of a run go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep<'a> {
    /// Nowhere.
    Nothing,
    /// Into this folder.
    Folder(&'a Path),
    /// Into a new folder `runs/NAME-N` of the working directory.
    Fresh,
}

/// Reads the data, trains, judges and keeps the result. Training ends after the step during which `stop` becomes true;
/// the model is kept then too.
///
/// # Errors
/// When the configuration or the data are wrong, when a step fails, or when a file cannot be written.
pub fn train(config: &Config, keep: Keep<'_>, stop: &AtomicBool, observer: &mut dyn Observer) -> Result<Report> {
    config.validate()?;
    let problem = Problem::load(config)?;
    problem.notes.iter().for_each(|note| observer.note(note));
    train_on(&problem, config, keep, false, stop, observer)
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
        let specification = settings.model.specification(preprocessing.inputs.width(), preprocessing.targets.outputs());
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
            Keep::Fresh => Some(RunFolder::fresh(Path::new("runs"), &problem.name)?),
        };
        let (mut record, mut silent) = (None, Silent);
        if let Some(folder) = &folder {
            folder.write_config(settings)?;
            record = Some(Record::create(&folder.record())?);
        }
        let record = record.as_mut().map_or(&mut silent as &mut dyn Observer, |record| record);
        let mut observer = Both(record, observer);

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
        if let Some(opponent) = opponent {
            trainer = trainer.with_opponent(opponent);
        }
        let fit = trainer.fit(&mut model, optimizer.as_mut(), &train, validation.as_ref(), &mut observer)?;

        if let Some(folder) = folder.as_ref().filter(|_| fit.failure.is_none() || fit.best_epoch.is_some()) {
            model_file::save(&folder.model(), &model, &settings.model.to_string(), preprocessing)?;
        }
        if let Some(failure) = fit.failure {
            let path = folder.filter(|_| fit.best_epoch.is_some()).map(|folder| folder.model());
            return Err(kept_in(failure, path));
        }
        let judge = |data: &Dataset<T>| evaluate(&model, data, &preprocessing.targets);
        let test: Option<Dataset<T>> = problem.test.as_ref().map(Dataset::cast);
        let report = Report {
            schema_version: SCHEMA_VERSION,
            run: folder.map(|folder| folder.path().display().to_string()),
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
