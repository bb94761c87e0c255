//! Several methods on the same data, split, initial parameters and time.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use gramstep::Device;
use serde::Serialize;

use super::assignment::Assignment;
use super::load;
use super::tune;
use crate::data::Problem;
use crate::error::{Error, Result, conflict};
use crate::folder::{Keep, RunFolder, check_output};
use crate::outcome::event::{Both, Observer};
use crate::outcome::{Curve, Report, SCHEMA_VERSION, Trial};
use crate::report::{Told, write_comparison};
use crate::settings::{Candidates, Config, OptimizerName, Precision, Settings, Taken, TimeLimit};

/// Every method may train so long unless the user says otherwise.
const TIME_LIMIT: &str = "10s";

/// One method in a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Entry {
    /// It came to an end.
    Done(Box<Report>),
    /// It failed.
    Failed {
        /// The method.
        optimizer: OptimizerName,
        /// Why.
        error: String,
        /// Where it diverged, which says something of the method; none where it failed for another reason.
        #[serde(flatten, skip_serializing_if = "Option::is_none")]
        diverged: Option<Place>,
        /// The folder with its configuration and the record of what it had done by then, where runs are kept.
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<String>,
    },
}

/// A place in a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Place {
    /// The step, counted from 1; 0 where it is not known.
    pub step: usize,
    /// The epoch, counted from 1; 0 where it is not known.
    pub epoch: usize,
}

impl Entry {
    /// The result, if it came to an end.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        if let Self::Done(report) = self { Some(report) } else { None }
    }

    /// The folder with what it did.
    fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::Done(report) => report.run.as_ref(),
            Self::Failed { run, .. } => run.as_ref(),
        }
        .map(PathBuf::from)
    }
}

/// The result of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// Version of this object.
    pub schema_version: u32,
    /// One entry a method, in the order asked for.
    pub runs: Vec<Entry>,
    /// The course of every entry, in the same order; empty lists of one that failed before its first epoch.
    #[serde(skip)]
    pub curves: Vec<Curve>,
    /// The settings that were tried before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<Trial>,
}

impl Comparison {
    /// Of some methods.
    #[must_use]
    pub fn of(runs: Vec<Entry>, trials: Vec<Trial>) -> Self {
        Self { schema_version: SCHEMA_VERSION, runs, curves: Vec::new(), trials }
    }

    /// Whether a method failed for another reason than that it diverged.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.runs.iter().any(|run| matches!(run, Entry::Failed { diverged: None, .. }))
    }
}

/// Trains each method from the same initial parameters with the same split. A method that diverges is an entry of the
/// result, not an error; so is one that fails after another one is done, which is not lost by that. Each method goes on until the time limit, unless epochs or patience are set. With `out`, each
/// run is kept in `OUT/METHOD`, and `OUT/report.html` lays them over each other. With `tune`, learning rate, momentum, damping
/// and schedule of every method are searched before, by the validation loss.
///
/// # Errors
/// When the configuration or the data are wrong, or a file cannot be written.
pub fn compare(
    config: &Config,
    optimizers: &[OptimizerName],
    tune: bool,
    out: Option<&Path>,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Comparison> {
    config.validate()?;
    if let Some(given) = config.given().find(|given| given.taken == Taken::Train) {
        return Err(conflict(given.name, "compare", "it is a setting of train alone"));
    }
    let mut config = config.clone();
    config.ensemble = Some(1);
    // Methods are compared.
    config.candidates = Some(Candidates::NETWORKS);
    let limit: TimeLimit = TIME_LIMIT.parse()?;
    config.time_limit.get_or_insert(limit);
    config.epochs.get_or_insert(usize::MAX / 2);
    config.patience.get_or_insert(usize::MAX / 2);
    let page = out.map(|out| RunFolder::open(out).report());
    if let Some(page) = page.as_ref().filter(|_| out.is_some_and(Path::is_dir)) {
        check_output(page, &config.sources())?;
    }
    let folder_of = |optimizer: OptimizerName| out.map(|out| out.join(optimizer.to_string()));
    // Before the search of settings, which may take long.
    optimizers.iter().filter_map(|&optimizer| folder_of(optimizer)).try_for_each(|path| Keep::Folder(&path).check())?;
    let problem = load(&config, None, observer)?;
    let threads = config.threads;
    let mut trials = Vec::new();
    let (mut runs, mut curves) = (Vec::with_capacity(optimizers.len()), Vec::new());
    let of = |optimizer: OptimizerName| {
        let mut config = Config { optimizer: Some(optimizer), ..config.clone() };
        if optimizer == OptimizerName::GramGaussNewton {
            config.weight_decay = None;
        } else {
            (config.damping, config.rows_per_sample) = (None, None);
            config.schedule = config.schedule.map(|schedule| schedule.without_damping());
        }
        config
    };
    // Wrong use is found before the work of the first method.
    optimizers.iter().try_for_each(|&optimizer| Settings::resolve(&of(optimizer), &problem).map(|_| ()))?;
    for &optimizer in optimizers {
        let mut config = of(optimizer);
        let settings = Settings::resolve(&config, &problem)?;
        let fit = |config: &Config, keep: Keep<'_>, observer: &mut dyn Observer| match settings.precision {
            Precision::F32 => learn::<f32>(problem.clone(), config, keep, stop, observer),
            Precision::F64 => learn::<f64>(problem.clone(), config, keep, stop, observer),
        };
        let folder = folder_of(optimizer);
        let keep = folder.as_deref().map_or(Keep::Nothing, Keep::Folder);
        let mut curve = Curve::default();
        let mut train = || {
            if tune {
                let mut trial = |config: &Config| match settings.precision {
                    Precision::F32 => try_out::<f32>(problem.clone(), config, stop),
                    Precision::F64 => try_out::<f64>(problem.clone(), config, stop),
                };
                let of = (&settings, problem.train.rows());
                tune::tune(&mut config, of, &mut trial, stop, observer, &mut trials)?;
            }
            fit(&config, keep, &mut Both(&mut curve, observer))
        };
        let trained = train();
        curves.push(curve);
        match trained {
            Ok(report) => {
                let interrupted = report.is_interrupted();
                runs.push(Entry::Done(Box::new(report)));
                if interrupted {
                    break;
                }
            }
            Err(error) => {
                let diverged = match error {
                    Error::NonFinite { step, epoch, .. } => Some(Place { step, epoch }),
                    ref error => error.is_divergence().then_some(Place { step: 0, epoch: 0 }),
                };
                if runs.is_empty() && diverged.is_none() {
                    return Err(error);
                }
                let kept = folder.filter(|folder| RunFolder::open(folder).record().exists());
                let run = kept.map(|folder| folder.display().to_string());
                runs.push(Entry::Failed { optimizer, error: error.to_string(), diverged, run });
            }
        }
    }
    if let Some(page) = page {
        let kept: Vec<PathBuf> = runs.iter().filter_map(Entry::folder).collect();
        let failures = runs.iter().filter_map(|run| match run {
            Entry::Failed { optimizer, error, .. } => Some((optimizer.to_string(), error.clone())),
            Entry::Done(_) => None,
        });
        let told = Told { trials: &trials, failures: &failures.collect::<Vec<_>>() };
        write_comparison(&kept, told, &page, &Device::cpu(threads.unwrap_or(1)))?;
    }
    Ok(Comparison { curves, ..Comparison::of(runs, trials) })
}

fn learn<T: gramstep::Scalar>(
    problem: Problem,
    config: &Config,
    keep: Keep<'_>,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Report> {
    let problem = problem.into_type::<T>();
    let assignment = Assignment { exact_train_loss: true, ..Assignment::new(&problem, config, stop.into()) };
    Ok(assignment.learn(keep, observer)?.report)
}

fn try_out<T: gramstep::Scalar>(problem: Problem, config: &Config, stop: &AtomicBool) -> Result<f64> {
    Assignment::new(&problem.into_type::<T>(), config, stop.into()).validation_loss()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::outcome::event::Silent;
    use crate::settings::SETTINGS;

    fn compared(given: &[(&str, &str)], methods: &[OptimizerName], out: Option<&Path>) -> Result<Comparison> {
        let mut config = Config { data: Some("builtin:diabetes".to_owned()), ..Config::default() };
        for (name, value) in [("model", "mlp:64,64:relu"), ("batch-size", "full"), ("epochs", "3")].iter().chain(given)
        {
            config.set(name, value).unwrap();
        }
        compare(&config, methods, false, out, &AtomicBool::new(false), &mut Silent)
    }

    #[test]
    fn a_used_folder_is_found_before_settings_are_searched() {
        let parent = tempfile::tempdir().unwrap();
        let config = Config {
            data: Some("builtin:diabetes".to_owned()),
            model: Some("linear".to_owned()),
            epochs: Some(1),
            ..Config::default()
        };
        let methods = [OptimizerName::Sgd, OptimizerName::Adam];
        let used = parent.path().join("adam");
        std::fs::create_dir(&used).unwrap();
        std::fs::write(used.join("record.jsonl"), "").unwrap();
        let mut curve = Curve::default();
        let stop = AtomicBool::new(false);
        let error = compare(&config, &methods, true, Some(parent.path()), &stop, &mut curve).unwrap_err();
        assert!(matches!(&error, Error::FolderInUse { path } if *path == used), "{error}");
        assert_eq!(curve.optimizer, None, "nothing was trained");
        assert!(!parent.path().join("sgd").exists());
    }

    #[test]
    fn what_only_training_takes_is_refused() {
        for setting in SETTINGS.iter().filter(|setting| setting.taken == Taken::Train) {
            let error = compared(&[(setting.name, setting.example)], &[OptimizerName::Adam], None).unwrap_err();
            assert!(matches!(&error, Error::Conflict { one, .. } if *one == setting.name), "{error}");
        }
    }

    #[test]
    fn a_method_that_goes_on_is_told_as_before() {
        let parent = tempfile::tempdir().unwrap();
        let given = [("epochs", "1000000"), ("time-limit", "300ms")];
        compared(&given, &[OptimizerName::Sgd], Some(parent.path())).unwrap();
        let folder = parent.path().join("sgd");
        let over = Config { time_limit: Some("600ms".parse().unwrap()), ..Config::default() };
        let stop = AtomicBool::new(false);
        let mut curve = Curve::default();
        crate::run::resume(&folder, over, &stop, &mut curve).unwrap();
        assert!(!curve.test_loss.is_empty() && curve.test_loss.iter().all(|loss| loss.is_finite()));
    }

    #[test]
    fn methods_that_diverge_are_entries_with_their_step_and_the_page_is_written() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("kept");
        let wild = [("learning-rate", "1e6"), ("precision", "f32")];
        let methods = [OptimizerName::Sgd, OptimizerName::Adam];
        let of = compared(&wild, &methods, Some(&out)).unwrap();
        for (entry, method) in of.runs.iter().zip(methods) {
            let Entry::Failed { optimizer, diverged: Some(place), run: Some(run), .. } = entry else {
                panic!("{entry:?}")
            };
            assert_eq!(*optimizer, method);
            assert!(place.step > 0 && place.epoch > 0);
            assert!(Path::new(run).join("record.jsonl").is_file());
        }
        assert!(!of.has_failed());
        assert_eq!(of.curves.iter().map(|curve| curve.optimizer).collect::<Vec<_>>(), methods.map(Some));
        let page = std::fs::read_to_string(out.join("report.html")).unwrap();
        assert_eq!(page.matches("is not finite").count(), 2);
        let json = serde_json::to_value(&of).unwrap();
        assert!(json["runs"][1]["step"].as_u64() > Some(0) && json["runs"][1]["error"].is_string(), "{json}");
    }

    #[test]
    fn a_method_that_diverges_leaves_the_others_and_wrong_use_is_an_error() {
        let of = compared(&[("momentum", "0.9"), ("learning-rate", "1e3")], &OptimizerName::ALL[1..], None).unwrap();
        assert_eq!(of.runs.len(), 3);
        for (entry, curve) in of.runs.iter().zip(&of.curves) {
            let lists =
                [&curve.train_loss, &curve.validation_loss, &curve.test_loss, &curve.test_error, &curve.seconds];
            assert!(lists.iter().all(|list| list.len() == curve.epoch.len()));
            if let Some(report) = entry.report() {
                assert_eq!((curve.epoch.len(), curve.step.last()), (report.epochs, Some(&report.steps)));
                let lowest = curve.train_loss.iter().copied().fold(f64::INFINITY, f64::min);
                assert_eq!(lowest, report.lowest_train_loss);
                assert!(curve.test_error.iter().all(|error| error.is_finite()));
            }
        }
        let wrong = compared(&[("weight-decay", "0.1"), ("ridge", "1")], &[OptimizerName::Adam], None);
        assert!(matches!(wrong, Err(Error::Conflict { .. })));
        // What one of the methods does not have, it is compared without.
        let both = [OptimizerName::GramGaussNewton, OptimizerName::AdamW];
        let own: [&[(&str, &str)]; 3] = [
            &[("weight-decay", "0.1")],
            &[("rows-per-sample", "one")],
            &[("damping", "0.1"), ("schedule", "cosine:damping=0.1")],
        ];
        for given in own {
            assert!(compared(given, &both, None).unwrap().runs.iter().all(|run| run.report().is_some()), "{given:?}");
        }
    }
}
