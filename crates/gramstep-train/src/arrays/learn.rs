//! From a problem in memory to a predictor, by the road of every run.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use gramstep::Scalar;

use crate::data::{Portion, Problem};
use crate::error::{Error, Result};
use crate::folder::{Keep, Record, RunFolder};
use crate::format::whole_file::write_atomically;
use crate::outcome::Report;
use crate::outcome::event::{Event, Observer};
use crate::predictor::{Metadata, Predictor};
use crate::report::write_page;
use crate::run::assignment::Assignment;
use crate::settings::{Config, Precision, RidgeChoice};

/// What belongs to a training in memory beside its configuration.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs)]
pub struct How<'a> {
    /// By how much a loss has to fall to count as better for `patience`; at least 0.
    pub tolerance: f64,
    /// What to go on from.
    pub start: Option<&'a Predictor>,
}

/// What was learned from arrays, and how it went.
#[derive(Debug)]
#[non_exhaustive]
pub struct Learnt {
    /// What predicts.
    pub predictor: Predictor,
    /// How good it is.
    pub report: Report,
    /// Every setting, those that were decided too: the text of a `config.toml`.
    pub config: String,
    /// Loss of the first network on the training rows, epoch by epoch.
    pub train_losses: Vec<f64>,
    /// Loss of the first network on the validation rows, epoch by epoch, where there are any.
    pub validation_losses: Vec<f64>,
    /// The epoch whose parameters the first network has.
    pub best_epoch: Option<usize>,
    /// The lines of a `record.jsonl`, without those of single steps.
    pub record: Vec<u8>,
}

impl Learnt {
    /// Every setting as a JSON object.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn settings(&self) -> Result<String> {
        let wrong = |reason: String| Error::Configuration { path: "config.toml".into(), reason };
        let settings: toml::Table = self.config.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
        serde_json::to_string(&settings).map_err(|error| wrong(error.to_string()))
    }
}

/// What a configuration asks of a problem beyond its rows: classes are weighed, and the inputs of networks that are
/// trained from the start kept within bounds. To be called before [`learn`].
///
/// # Errors
/// For weights of classes that there are not.
pub fn prepare<T: Scalar>(problem: &mut Problem<T>, config: &Config, start: Option<&Predictor>) -> Result<()> {
    crate::run::prepare(problem, config, start.is_some())
}

/// Trains by a configuration, in which data, precision and split have no meaning. Nothing is decided otherwise than in a
/// [run](crate::run::train): architecture and number of networks too, where none are named and the data are small.
/// Training ends after the step during which `stop` becomes true.
///
/// # Errors
/// When a setting is outside its range, `loss` or `target-transform` are not those of the problem, a step fails or numbers become non-finite.
pub fn learn<T: Scalar>(
    problem: &Problem<T>,
    config: &Config,
    how: How<'_>,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Learnt> {
    let mut config = Config {
        data: Some(format!("memory:{}", problem.hash)),
        test: Some(Portion::Fraction(0.0)),
        validation: Some(Portion::Fraction(problem.validation_share)),
        ..config.clone()
    };
    if !crate::run::kernel::is_kernel(&config) {
        config.precision = Some(if T::NAME == "f32" { Precision::F32 } else { Precision::F64 });
    }
    if let Some(start) = how.start {
        config.model = Some(start.metadata().model.clone());
        config.ensemble = Some(start.metadata().members);
        if matches!(config.ridge, None | Some(RidgeChoice::Auto)) {
            // A ridge that falls from a strong one would undo the networks that training goes on with.
            config.ridge = Some(RidgeChoice::Fixed(0.0));
        }
    }
    problem.preprocessing.targets.check_prepared_as(&config.learning())?;
    problem.notes.iter().try_for_each(|note| observer.note(note))?;
    let mut watch = Watch {
        inner: observer,
        record: Record::in_memory(),
        train: Vec::new(),
        validation: Vec::new(),
        best_epoch: None,
    };
    let assignment =
        Assignment { start: how.start, tolerance: how.tolerance, ..Assignment::new(problem, &config, stop.into()) };
    let learnt = assignment.learn(Keep::Nothing, &mut watch)?;
    let Watch { record, train, validation, best_epoch, .. } = watch;
    Ok(Learnt {
        predictor: learnt.predictor,
        report: learnt.report,
        config: learnt.config,
        train_losses: train,
        validation_losses: validation,
        best_epoch,
        record: record.into_bytes()?,
    })
}

/// Writes a run folder as `gramstep train` would: every command that reads a run reads it. The data were in memory; what
/// wants to read them again says so.
///
/// # Errors
/// If the folder holds a run already or cannot be written.
pub fn save(folder: &Path, predictor: &Predictor, config: &str, record: &[u8]) -> Result<()> {
    let folder = RunFolder::create(folder)?;
    let _lock = folder.lock()?;
    write_atomically(&folder.config(), config.as_bytes())?;
    write_atomically(&folder.record(), record)?;
    predictor.save(&folder.model())?;
    write_page(&folder)
}

/// Keeps a predictor that no run made, such as [a network trained by hand](Predictor::of_network), as a run folder that
/// `gramstep predict`, `attack`, `info` and `report` read; what its training told is in `record`, where there is one.
///
/// # Errors
/// If the folder holds a run already or cannot be written, or a network has layers of the caller's own.
pub fn keep(folder: &Path, predictor: &Predictor, record: Option<Record>) -> Result<()> {
    let Metadata { model, data, .. } = predictor.metadata();
    let data = data.as_ref().map_or_else(String::new, |data| format!("memory:{data}"));
    let config = Config { data: Some(data), model: Some(model.clone()), ..Config::default() };
    let record = record.map_or_else(|| Ok(Vec::new()), Record::into_bytes)?;
    let wrong = |error: toml::ser::Error| Error::Configuration { path: folder.into(), reason: error.to_string() };
    save(folder, predictor, &toml::to_string(&config).map_err(wrong)?, &record)
}

/// An observer that keeps losses and a record, and passes everything on.
struct Watch<'a> {
    inner: &'a mut dyn Observer,
    record: Record,
    /// Of the first network.
    train: Vec<f64>,
    validation: Vec<f64>,
    best_epoch: Option<usize>,
}

impl Observer for Watch<'_> {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        if let Event::Epoch(epoch) = event
            && epoch.member == 0
        {
            if epoch.improved {
                self.best_epoch = Some(epoch.epoch);
            }
            self.train.push(epoch.train_loss);
            self.validation.extend(epoch.validation_loss);
        }
        // Lines of steps would take more memory than a long training.
        if !matches!(event, Event::Step(_)) {
            self.record.observe(event)?;
        }
        self.inner.observe(event)
    }
}
