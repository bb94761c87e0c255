//! One run from configuration to report: settings → network → training → judgement → files.

pub(crate) mod choice;
pub mod compare;
pub mod info;
pub(crate) mod kernel;
pub(crate) mod tune;

use std::path::Path;

use gramstep::{Device, Model, Scalar};

use crate::data::{Dataset, Problem};
use crate::error::{Error, Result, conflict};
pub use crate::folder::Keep;
use crate::folder::Record;
use crate::folder::RunFolder;
use crate::outcome::StopReason;
use crate::outcome::metrics::evaluate;
use crate::outcome::observer::{Both, Observer, Silent};
use crate::outcome::{Report, SCHEMA_VERSION};
use crate::predictor::TrainedModel;
use crate::predictor::average::average_name;
use crate::predictor::model_file;
use crate::report::write_run;
use crate::settings::{Config, Facts, Precision, Settings, all_processors};
use crate::training::checkpoint::{Checkpoint, Keeper};
use crate::training::ensemble::{Ensemble, Trained};
use crate::training::processes::Processes;
use crate::training::trainer::Parts;

/// Reads the data, trains, judges and keeps the result. `processes` is one, made from the flag that ends training after
/// the step during which it becomes true (the model is kept then too), or those of a distributed run: each of them
/// makes this call, and the first one alone writes and talks.
///
/// # Errors
/// When the configuration or the data are wrong, when a step fails, or when a file cannot be written.
pub fn train<'a>(
    config: &Config,
    keep: Keep<'_>,
    processes: impl Into<Processes<'a>>,
    observer: &mut dyn Observer,
) -> Result<Report> {
    let processes = processes.into();
    config.validate()?;
    let mut silent = Silent;
    let (keep, observer): (Keep<'_>, &mut dyn Observer) =
        if processes.is_first() { (keep, observer) } else { (Keep::Nothing, &mut silent) };
    if let Some(architecture) = kernel::architecture(config)? {
        if processes.count() > 1 {
            let model = format!("--model {}", config.model.as_deref().unwrap_or_default());
            let reason = "it trains networks; `gramstep kernel --tile` computes kernel matrices on several machines";
            return Err(conflict("distributed", model, reason));
        }
        return kernel::train(config, architecture, keep, observer);
    }
    let mut config = config.clone();
    let (threads, notes) = processes.threads(config.threads)?;
    for note in &notes {
        observer.note(note);
    }
    config.threads = Some(threads);
    config.processes = Some(processes.count()).filter(|&count| count > 1);
    let earlier = earlier(&mut config)?;
    let preprocessing = earlier.as_ref().map(|model| &model.metadata().preprocessing);
    let problem = Problem::load_with(&config, preprocessing, &mut |done, all| observer.reading(done, all))?;
    problem.notes.iter().for_each(|note| observer.note(note));
    // The test rows are no business of the choice.
    let judged = || Problem { test: None, ..problem.clone() };
    let decided = processes.first(|| {
        let mut config = config.clone();
        choice::settle(Facts::of(&problem), judged, &mut config, processes.flag(), observer)?;
        Ok((config.model, config.ensemble))
    })?;
    (config.model, config.ensemble) = decided;
    let settings = Settings::resolve(&config, &problem)?;
    let start = earlier.as_ref();
    Run { problem: &problem, settings: &settings, start, exact_train_loss: false, processes }.start(keep, observer)
}

/// The model that a configuration takes as its start, which decides on architecture and number type.
fn earlier(config: &mut Config) -> Result<Option<TrainedModel>> {
    let Some(run) = &config.init else { return Ok(None) };
    let model = TrainedModel::load(run, Device::cpu(config.threads.unwrap_or_else(all_processors)))?;
    model.check_start()?;
    let metadata = model.metadata();
    let own = metadata.preprocessing.targets.columns();
    let init = || format!("--init {}", run.display());
    let given = |name, value: &dyn std::fmt::Display, own: &dyn std::fmt::Display| {
        let reason = format!("it is that of {}, {own}, and not {value}", run.display());
        conflict(name, init(), reason)
    };
    if let Some(other) = config.model.as_ref().filter(|&other| *other != metadata.model) {
        return Err(given("model", other, &metadata.model));
    }
    if let Some(task) = config.task.filter(|&task| task != metadata.task) {
        return Err(given("task", &task, &metadata.task));
    }
    if !config.target.is_empty() && config.target != own {
        return Err(given("target", &config.target.join(","), &own.join(",")));
    }
    if let Some(count) = config.ensemble.filter(|&count| count > 1) {
        let reason = format!("all {count} networks would begin as the same one");
        return Err(conflict("ensemble", init(), reason));
    }
    config.model = Some(metadata.model.clone());
    config.precision.get_or_insert(metadata.precision);
    Ok(Some(model))
}

/// Goes on with the run in a folder from its last checkpoint, to the same bits as if it had never been cut off. `over`
/// may change the limits of the run.
///
/// # Errors
/// Like [`train`], and when the run has come to its end already or its files cannot be used.
pub fn resume<'a>(
    folder: &Path,
    over: Config,
    processes: impl Into<Processes<'a>>,
    observer: &mut dyn Observer,
) -> Result<Report> {
    let processes = processes.into();
    let files = RunFolder::open(folder);
    let ended = Record::report(&files.record()).ok().flatten().is_some();
    if ended && !files.checkpoint().exists() {
        let reason = "the run has come to its end".to_owned();
        return Err(Error::Checkpoint { path: folder.to_owned(), reason });
    }
    let mut earlier = Config::read(&files.config())?;
    if earlier.processes.unwrap_or(1) != processes.count() {
        // Other machines, or another share of one.
        earlier.threads = None;
    }
    train(&earlier.overridden_by(over), Keep::Resume(folder), processes, observer)
}

/// Whether [`resume`] can read the bytes of a checkpoint; `path` is for messages.
///
/// # Errors
/// [`Error::Checkpoint`] or [`Error::FormatVersion`].
pub fn check_checkpoint(path: &Path, bytes: &[u8]) -> Result<()> {
    Checkpoint::parse(path, bytes).map(|_| ())
}

/// Like [`train`], on a problem that is loaded already. `exact_train_loss` as in
/// [`Trainer::with_exact_train_loss`](crate::training::trainer::Trainer::with_exact_train_loss).
///
/// # Errors
/// Like [`train`].
pub fn train_on<'a>(
    problem: &Problem,
    config: &Config,
    keep: Keep<'_>,
    exact_train_loss: bool,
    processes: impl Into<Processes<'a>>,
    observer: &mut dyn Observer,
) -> Result<Report> {
    let settings = Settings::resolve(config, problem)?;
    let processes = processes.into();
    Run { problem, settings: &settings, start: None, exact_train_loss, processes }.start(keep, observer)
}

struct Run<'a> {
    problem: &'a Problem,
    settings: &'a Settings,
    /// The network to begin with, where it is an earlier run's.
    start: Option<&'a TrainedModel>,
    exact_train_loss: bool,
    processes: Processes<'a>,
}

impl Run<'_> {
    fn start(&self, keep: Keep<'_>, observer: &mut dyn Observer) -> Result<Report> {
        match self.settings.precision {
            Precision::F32 => self.train::<f32>(keep, observer),
            Precision::F64 => self.train::<f64>(keep, observer),
        }
    }

    fn train<T: Scalar>(&self, keep: Keep<'_>, observer: &mut dyn Observer) -> Result<Report> {
        let Self { problem, settings, .. } = self;
        let preprocessing = &problem.preprocessing;
        let start = self.start.map(TrainedModel::network_as).transpose()?;
        let rows: Dataset<T> = problem.train.cast();
        let validation: Option<Dataset<T>> = problem.validation.as_ref().map(Dataset::cast);
        let test: Option<Dataset<T>> = problem.test.as_ref().map(Dataset::cast);

        let what = "data, settings or initial parameters";
        let advice = "do all machines see the same files, and run the same program?";
        self.processes.check_alike(what, || *self.hash(start.as_ref()).as_bytes(), advice)?;
        let folder = keep.folder(&problem.name)?;
        let (mut record, mut silent, mut keeper) = (None, Silent, None);
        let checkpoint = self.processes.first(|| match (&folder, keep) {
            (Some(folder), Keep::Resume(_)) => Checkpoint::read(&folder.checkpoint()),
            _ => Ok(None),
        })?;
        if let Some(folder) = &folder {
            folder.write_config(settings)?;
            record = Some(match &checkpoint {
                Some(checkpoint) => Record::resume(&folder.record(), checkpoint.record_bytes)?,
                None => Record::create(&folder.record())?,
            });
            keeper = Some(Keeper::new(folder));
        }
        let record = record.as_mut().map_or(&mut silent as &mut dyn Observer, |record| record);
        let mut observer = Both(record, observer);

        let watched = test.as_ref().filter(|_| self.exact_train_loss);
        let ensemble = Ensemble {
            settings,
            preprocessing,
            parts: Parts { train: &rows, validation: validation.as_ref(), test: watched },
            exact_train_loss: self.exact_train_loss,
            tolerance: 0.0,
            processes: self.processes,
        };
        let Trained { model, fit, members, train, validation } =
            ensemble.train(start, checkpoint, keeper.as_mut(), &mut observer)?;

        if let Some(folder) = folder.as_ref().filter(|_| fit.failure.is_none() || fit.best_epoch.is_some()) {
            let name = average_name(&settings.model.to_string(), members.len());
            model_file::save(&folder.model(), &model, &name, preprocessing)?;
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
            optimizer: Some(settings.optimizer),
            model: settings.model.to_string(),
            ensemble: members.len(),
            parameters: members.iter().map(Model::parameter_count).sum(),
            train,
            validation,
            test: test.as_ref().map(judge).transpose()?,
            epochs: fit.epochs,
            best_epoch: fit.best_epoch.filter(|_| members.len() == 1),
            steps: fit.steps,
            seconds: fit.seconds,
            stop_reason: fit.stop_reason,
            seed: settings.seed,
            precision: settings.precision,
            lowest_train_loss: fit.lowest_train_loss,
            kernel: None,
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

    /// A hash of what all processes must have alike: settings, data, and parameters to begin with.
    fn hash<T: Scalar>(&self, start: Option<&Model<T>>) -> blake3::Hash {
        let mut hash = blake3::Hasher::new();
        hash.update(format!("{:?}", self.settings).as_bytes());
        let Problem { train, validation, test, .. } = self.problem;
        let mut numbers: Vec<&[f64]> = Vec::new();
        for rows in std::iter::once(train).chain(validation).chain(test) {
            numbers.extend([rows.inputs.as_slice(), rows.targets.as_slice()]);
            numbers.extend(rows.weights.as_deref());
        }
        let theta = start.map_or_else(Vec::new, |start| start.theta().iter().map(|value| value.to_f64()).collect());
        numbers.push(&theta);
        for piece in numbers.iter().flat_map(|numbers| numbers.chunks(1 << 12)) {
            hash.update(&piece.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
        }
        hash.finalize()
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
