//! Runs: from a configuration to a report, and what is done with several of them. Uses `report` and below.

pub(crate) mod assignment;
pub(crate) mod choice;
mod combination;
pub mod compare;
mod contest;
mod cross_validation;
mod earlier;
mod fitted;
pub mod forecast;
pub mod info;
mod judged;
mod kept;
pub(crate) mod kernel;
mod learnt;
mod left_out;
mod networks;
mod plan;
#[cfg(test)]
mod power_cuts;
mod reference;
mod resume;
mod road;
pub mod system;
pub(crate) mod tune;
mod unsettled;

use std::path::Path;

use self::assignment::{Assignment, CrossValidation};
use self::cross_validation::cross_validate;
use self::earlier::Earlier;
pub use self::resume::{finish, resume};
use crate::data::{Portion, Preprocessing, Problem, SplitBy, Table};
use crate::error::{Result, conflict};
pub use crate::folder::Keep;
use crate::folder::{Record, RunFolder};
use crate::outcome::Report;
use crate::outcome::event::{Observer, Silent};
use crate::predictor::Predictor;
use crate::settings::{Config, Facts, InputBounds, Precision, Settings};
use crate::training::checkpoint::Checkpoint;
use crate::training::processes::Processes;

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
    // A run that goes on takes the scores of its folds from its record, where they are.
    let known = match keep {
        Keep::Resume(folder) if processes.is_first() => kept_folds(&RunFolder::open(folder)),
        _ => None,
    };
    let (resumes, has_folds) = processes.first(|| Ok((matches!(keep, Keep::Resume(_)), known.is_some())))?;
    let mut silent = Silent;
    let (keep, observer): (Keep<'_>, &mut dyn Observer) =
        if processes.is_first() { (keep, observer) } else { (Keep::Nothing, &mut silent) };
    let mut config = config.clone();
    let kernel = kernel::choice(&config)?.is_some();
    if kernel {
        if processes.count() > 1 {
            let model = format!("--model {}", config.model.as_deref().unwrap_or_default());
            let reason = "it trains networks; `gramstep kernel --tile` computes kernel matrices on several machines";
            return Err(conflict("distributed", model, reason));
        }
        if config.split.as_ref().is_none_or(|split| *split == SplitBy::Random) {
            // Leaving rows out is free. One by one it would know the others of a group, or of a time.
            config.validation.get_or_insert(Portion::Fraction(0.0));
        }
        keep.check()?;
    } else {
        let (threads, notes) = processes.threads(config.threads)?;
        for note in &notes {
            observer.note(note)?;
        }
        config.threads = Some(threads);
        config.processes = Some(processes.count()).filter(|&count| count > 1);
    }
    let earlier = if kernel { None } else { Earlier::of(&mut config, resumes)? };
    let preprocessing = earlier.as_ref().map(|earlier| earlier.model.preprocessing());
    let open = config.folds.filter(|_| !has_folds);
    let (problem, table) = match open {
        Some(_) => {
            let table = read(&config, observer)?;
            (told(Problem::of_table(&table, &config.data_options()?)?, &config, false, observer)?, Some(table))
        }
        None => (load(&config, preprocessing, observer)?, None),
    };
    if let Some(note) = earlier.as_ref().and_then(|earlier| earlier.note(&config, &problem)) {
        observer.note(&note)?;
    }
    let precision = precision(&config, kernel, &problem)?;
    let folds = match open.zip(table) {
        Some((count, table)) => cross_validate(&config, &table, count, precision, processes, observer)?,
        None => known,
    };
    let start = earlier.as_ref().map(|earlier| &earlier.model);
    let of = |problem| (problem, &config, start, processes, folds.as_ref());
    match precision {
        Precision::F32 => learn::<f32>(of(problem), keep, observer),
        Precision::F64 => learn::<f64>(of(problem), keep, observer),
    }
}

/// The cross-validation of an earlier session, where all of it was kept.
fn kept_folds(folder: &RunFolder) -> Option<CrossValidation> {
    let folds = Record::folds(&folder.record()).filter(|_| folder.out_of_fold().exists())?;
    Some(CrossValidation { folds, predictions: None })
}

/// The table of a configuration.
fn read(config: &Config, observer: &mut dyn Observer) -> Result<Table> {
    Problem::table(&config.data_options()?, &mut |done, all| observer.count("images", done, all))
}

/// Reads the data of a configuration and tells what was guessed or repaired.
pub(crate) fn load(config: &Config, earlier: Option<&Preprocessing>, observer: &mut dyn Observer) -> Result<Problem> {
    let mut progress = |done, all| observer.count("images", done, all);
    let problem = Problem::load_with(&config.data_options()?, earlier, &mut progress)?;
    told(problem, config, earlier.is_some(), observer)
}

/// Prepares a problem and tells what was guessed or repaired.
fn told(mut problem: Problem, config: &Config, earlier: bool, observer: &mut dyn Observer) -> Result<Problem> {
    prepare(&mut problem, config, earlier)?;
    problem.notes.iter().try_for_each(|note| observer.note(note))?;
    Ok(problem)
}

/// What a configuration asks of data beyond their reading: classes are weighed, and the inputs of networks kept within
/// bounds; those of an earlier run are as they were.
pub(crate) fn prepare<T: gramstep::Scalar>(problem: &mut Problem<T>, config: &Config, earlier: bool) -> Result<()> {
    if let Some(weights) = &config.class_weight {
        problem.weigh_classes(weights)?;
    }
    if !earlier && !kernel::is_kernel(config) && Settings::input_bounds(config) == InputBounds::Auto {
        problem.bound_inputs();
    }
    Ok(())
}

/// The number type of the parameters.
fn precision(config: &Config, kernel: bool, problem: &Problem) -> Result<Precision> {
    if kernel {
        return Ok(Precision::F64);
    }
    Ok(Settings::complete(config, Facts::of(problem), problem.preprocessing.targets.columns())?.precision)
}

/// What is learned, and how; the scores of the cross-validation before it.
type Learning<'a> = (Problem, &'a Config, Option<&'a Predictor>, Processes<'a>, Option<&'a CrossValidation>);

fn learn<T: gramstep::Scalar>(
    (problem, config, start, processes, folds): Learning<'_>,
    keep: Keep<'_>,
    observer: &mut dyn Observer,
) -> Result<Report> {
    let problem = problem.into_type::<T>();
    let assignment = Assignment { start, folds, ..Assignment::new(&problem, config, processes) };
    Ok(assignment.learn(keep, observer)?.report)
}

/// Whether [`resume`] can read the bytes of a checkpoint; `path` is for messages.
///
/// # Errors
/// [`Error::Checkpoint`](crate::Error::Checkpoint) or [`Error::FormatVersion`](crate::Error::FormatVersion).
pub fn check_checkpoint(path: &Path, bytes: &[u8]) -> Result<()> {
    Checkpoint::parse(path, bytes).map(|_| ())
}
