//! One road for everything that is learned: choice → fit → judge → keep. Tables, folders of images and arrays in memory
//! take it, networks, ensembles and kernel regressions, the command line and Python.

use std::borrow::Cow;
use std::cmp::Ordering;

use gramstep::Scalar;

use super::assignment::Assignment;
use super::contest::{Winner, decide};
use super::fitted::Fitted;
use super::judged::{Judged, no_better};
use super::kept::Kept;
use super::learnt::Learnt;
use super::plan::Plan;
use super::{choice, kernel, networks};
use crate::data::Problem;
use crate::error::{Error, Result};
use crate::folder::Keep;
use crate::outcome::event::{Event, Observer, Silent};
use crate::outcome::metrics::loss_of_constant;
use crate::outcome::{Report, SCHEMA_VERSION};
use crate::predictor::{Known, Learned, Predictor};
use crate::report::write_run;
use crate::settings::{Candidates, Config, Facts, Settings, all_processors};
use crate::training::workers::Workers;

/// What is to be done, or what was done when the user ended the choice of it.
enum Decision {
    Plan(Plan),
    Ended(Box<Learnt>),
}

impl<T: Scalar> Assignment<'_, T> {
    /// Learns, judges and keeps the result.
    ///
    /// # Errors
    /// When a setting is wrong, a step fails, or a file cannot be written.
    pub(crate) fn learn(&self, keep: Keep<'_>, observer: &mut dyn Observer) -> Result<Learnt> {
        keep.check()?;
        let plan = match self.plan(observer)? {
            Decision::Plan(plan) => plan,
            Decision::Ended(best) => return self.keep_unsettled(*best, keep, observer),
        };
        let config = plan.to_toml()?;
        let (kept, fitted) = match &plan {
            Plan::Networks(settings) => {
                let mut kept = Kept::begin(keep, self, &plan, observer)?;
                match networks::fit(self, settings, &mut kept, observer) {
                    Ok(fitted) => (kept, fitted),
                    Err(error) => {
                        kept.discard_unbegun();
                        return Err(error);
                    }
                }
            }
            Plan::Kernel(settings) | Plan::Open(settings) => {
                // Nothing is kept before there is something to keep.
                let fitted = kernel::fit(self.problem, settings, self.processes.flag(), observer)?;
                (Kept::begin(keep, self, &plan, observer)?, fitted)
            }
        };
        self.finish(&plan, (kept, fitted), config, observer)
    }

    /// The validation loss of networks that are tried, infinite where no rows judge. Nothing else is judged: of large
    /// networks that takes longer than a short training.
    ///
    /// # Errors
    /// When a setting is wrong, a step fails, or the networks diverge.
    pub(super) fn validation_loss(&self) -> Result<f64> {
        let settings = Settings::resolve(self.config, self.problem)?;
        let mut fitted = networks::fit(self, &settings, &mut Kept::nothing(), &mut Silent)?;
        if let Some(failure) = fitted.fit.failure.take() {
            return Err(failure);
        }
        Ok(Judged::of(self.problem, &fitted, None)?.map_or(f64::INFINITY, |judged| judged.own.loss))
    }

    /// Every setting; architecture and number of networks are chosen where they are left open.
    fn plan(&self, observer: &mut dyn Observer) -> Result<Decision> {
        let mut config = self.config.clone();
        if let Some(settings) = kernel::settings(&config, self.problem)? {
            return Ok(Decision::Plan(Plan::Kernel(Box::new(settings))));
        }
        // Before a choice names a model.
        let facts = Facts::of(self.problem);
        let mut candidates = config.candidates.unwrap_or_else(|| Settings::candidates(&config, facts));
        if let Some(reason) = Settings::no_kernels(&config, facts).filter(|_| candidates.kernels) {
            observer.note(&format!("--candidates {candidates}: without kernels, as {reason}"))?;
            candidates.kernels = false;
        }
        config.candidates = Some(candidates);
        let mut ended = None;
        (config.model, config.ensemble, config.time_limit) = self.processes.first(|| {
            // What is tried is not watched.
            let mut config = Config { candidates: Some(Candidates::NETWORKS), watch_kernel: None, ..config.clone() };
            let own = Workers::new(config.threads.unwrap_or_else(all_processors));
            let fit = |config: &Config| {
                // The first process chooses alone: the others wait for what it decides.
                let (processes, workers) = (self.processes.flag().into(), Some(self.workers.unwrap_or(&own)));
                let of =
                    Assignment { config, judges_test: false, exact_train_loss: false, processes, workers, ..*self };
                of.learn(Keep::Nothing, &mut Silent)
            };
            let share = candidates.share_of_networks();
            ended = choice::settle(facts, &mut config, (&fit, share), self.processes.flag(), observer)?;
            Ok((config.model, config.ensemble, config.time_limit))
        })?;
        match ended {
            // Several processes have to end alike: with a step of the network that is taken where nothing was tried.
            Some(best) if self.processes.count() == 1 => Ok(Decision::Ended(Box::new(best))),
            _ => Ok(Decision::Plan(Plan::networks(&config, self.problem)?)),
        }
    }

    /// The error of networks that diverged, whose best parameters are kept.
    fn lost(&self, failure: Error, fitted: Fitted<T>, known: Option<Known>, kept: &Kept) -> Error {
        let (problem, of) = (self.problem, (fitted.name, fitted.ridge));
        let has_best = fitted.fit.best_epoch.is_some();
        let predictor = Predictor::new(fitted.learned, of, &problem.preprocessing, &problem.hash, known);
        let path = if has_best { kept.model(&predictor) } else { Ok(None) };
        match (path, failure) {
            (Ok(path), Error::NonFinite { step, epoch, what, .. }) => {
                Error::NonFinite { step, epoch, what, kept: path }
            }
            (Err(error), _) => error,
            (Ok(_), failure) => failure,
        }
    }

    /// Judges what was fitted and keeps it.
    fn finish(
        &self,
        plan: &Plan,
        (mut kept, mut fitted): (Kept, Fitted<T>),
        config: String,
        observer: &mut dyn Observer,
    ) -> Result<Learnt> {
        let known = |problem: &Problem<T>, fitted: &Fitted<T>| {
            let networks = matches!(fitted.learned, Learned::F32(_) | Learned::F64(_));
            let remembers = networks && problem.preprocessing.targets.has_residuals();
            remembers.then(|| Known::of(problem, fitted.circular, plan.seed())).transpose()
        };
        let mut failure = fitted.fit.failure.take();
        if let Some(failure) = failure.take_if(|_| plan.candidates() == Candidates::NETWORKS) {
            let known = known(self.problem, &fitted)?;
            return Err(self.lost(failure, fitted, known, &kept));
        }
        let winner = decide(self, plan, fitted, observer)?;
        let Winner { fitted, unseen, candidates, unbounded, errors, is_trained } = winner;
        if let Some(failure) = failure {
            if is_trained && !matches!(fitted.learned, Learned::Combination(_)) {
                let known = known(self.problem, &fitted)?;
                return Err(self.lost(failure, fitted, known, &kept));
            }
            observer
                .note(&format!("the networks diverged ({failure}); what was tried beside them takes their place"))?;
        }
        let problem =
            if unbounded { Cow::Owned(self.problem.clone().without_bounds()) } else { Cow::Borrowed(self.problem) };
        let preprocessing = &problem.preprocessing;
        let task = preprocessing.targets.task();
        let known = known(&problem, &fitted)?;
        let Fitted { learned, fit, name, ridge, train, kernel, .. } = fitted;
        let members = learned.members();
        let predictor = Predictor::new(learned, (name, ridge), preprocessing, &problem.hash, known)
            .with_spread(errors.spread)
            .with_sets(errors.sets);
        kept.model(&predictor)?;
        let rows = train.as_ref().unwrap_or(&problem.train);
        let train = predictor.judge(rows)?;
        if candidates.is_empty() {
            let constant = loss_of_constant(rows, rows, &preprocessing.targets);
            if !matches!(train.loss.partial_cmp(&constant), Some(Ordering::Less)) {
                observer.note(&format!("on its training rows {}", no_better(task, train.loss, constant)))?;
            }
        }
        let test = problem.test.as_ref().filter(|_| self.judges_test);
        let report = Report {
            schema_version: SCHEMA_VERSION,
            run: kept.path(),
            task,
            optimizer: plan.optimizer().filter(|_| is_trained),
            model: predictor.metadata().model.clone(),
            ensemble: members,
            parameters: predictor.learned().parameter_count(),
            train,
            validation: unseen,
            test: test.map(|test| predictor.judge(test)).transpose()?,
            epochs: fit.epochs,
            best_epoch: fit
                .best_epoch
                .filter(|_| predictor.metadata().specification.is_some() && members == 1 && is_trained),
            steps: fit.steps,
            seconds: fit.seconds,
            stop_reason: fit.stop_reason,
            seed: plan.seed(),
            precision: predictor.metadata().precision,
            lowest_train_loss: fit.lowest_train_loss,
            kernel,
            kernel_watch: fit.kernel_watch,
            candidates,
            cross_validation: self.folds.map(|of| of.folds.clone()),
        };
        kept.observe(&Event::Finish(&report))?;
        observer.observe(&Event::Finish(&report))?;
        if let Some(folder) = kept.folder() {
            write_run(folder, &predictor, &problem)?;
            if !fit.stop_reason.is_early() {
                folder.remove_checkpoint()?;
            }
        }
        Ok(Learnt { predictor, report, config })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::data::{Cells, Column, DataOptions, Geometry, Images, Problem, Table, table_of};

    fn learn(keep: Keep<'_>, model: &str, epochs: Option<usize>) -> Result<Learnt> {
        let row = |i: i32| format!("{},{},{}\n", i, i * 7 % 5, (f64::from(i) / 5.0).sin());
        let text = format!("a,b,y\n{}", (0..40).map(row).collect::<String>());
        let problem = Problem::of_table(&table_of(&text), &DataOptions::of("csv:t".parse()?))?;
        let (data, model) = (Some("csv:t".to_owned()), Some(model.to_owned()));
        let config = Config { data, model, epochs, threads: Some(1), ..Config::default() };
        Assignment::new(&problem, &config, (&AtomicBool::new(false)).into()).learn(keep, &mut Silent)
    }

    #[test]
    fn networks_and_kernels_leave_the_same_files_and_equal_runs_equal_models() {
        let parent = tempfile::tempdir().unwrap();
        for (model, epochs) in [("mlp:4:tanh", Some(3)), ("ntk:depth=1:relu", None), ("kernel:matern32", None)] {
            let (one, other) = (parent.path().join(format!("{model}-1")), parent.path().join(format!("{model}-2")));
            let learnt = learn(Keep::Folder(&one), model, epochs).unwrap();
            learn(Keep::Folder(&other), model, epochs).unwrap();
            let mut names: Vec<_> = fs::read_dir(&one).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            assert_eq!(names, ["config.toml", "model.safetensors", "record.jsonl", "report.html"], "{model}");
            let bytes = |run: &std::path::Path, file: &str| fs::read(run.join(file)).unwrap();
            assert_eq!(bytes(&one, "model.safetensors"), bytes(&other, "model.safetensors"));
            assert!(learnt.report.test.is_some() && learnt.report.validation.is_some());
            assert!(matches!(learn(Keep::Folder(&one), model, epochs), Err(Error::FolderInUse { .. })));
        }
    }

    #[test]
    fn networks_that_are_tried_have_the_validation_loss_that_they_would_have_if_they_were_kept() {
        let row = |i: i32| format!("{},{}\n", i, (f64::from(i) / 5.0).cos());
        let text = format!("a,y\n{}", (0..60).map(row).collect::<String>());
        let problem = Problem::of_table(&table_of(&text), &DataOptions::of("csv:t".parse().unwrap())).unwrap();
        for (optimizer, rate, batch) in
            [("gram-gauss-newton", "1", "full"), ("adam", "0.01", "8"), ("sgd", "1e200", "8")]
        {
            let mut config = Config { data: Some("csv:t".to_owned()), ..Config::default() };
            let given = [("model", "mlp:9:tanh"), ("epochs", "7"), ("candidates", "networks"), ("batch-size", batch)];
            for (name, value) in given.into_iter().chain([("optimizer", optimizer), ("learning-rate", rate)]) {
                config.set(name, value).unwrap();
            }
            let never = AtomicBool::new(false);
            let assignment =
                Assignment { exact_train_loss: true, ..Assignment::new(&problem, &config, (&never).into()) };
            match assignment.learn(Keep::Nothing, &mut Silent) {
                Ok(kept) => assert_eq!(assignment.validation_loss().unwrap(), kept.report.validation.unwrap().loss),
                Err(error) => assert_eq!(assignment.validation_loss().unwrap_err().to_string(), error.to_string()),
            }
        }
    }

    #[test]
    fn a_model_that_is_no_better_than_a_constant_is_said() {
        let row = |i: i32| format!("{},{}\n", i, (f64::from(i) / 5.0).cos());
        let text = format!("a,y\n{}", (0..60).map(row).collect::<String>());
        let problem = Problem::of_table(&table_of(&text), &DataOptions::of("csv:t".parse().unwrap())).unwrap();
        // A network as it is drawn, and one that is trained.
        for (rate, hopeless) in [("1e-12", true), ("1", false)] {
            let mut config = Config { data: Some("csv:t".to_owned()), ..Config::default() };
            for (name, value) in [("model", "mlp:30:tanh"), ("epochs", "5"), ("ridge", "0"), ("learning-rate", rate)] {
                config.set(name, value).unwrap();
            }
            let mut notes = String::new();
            let mut hear = |event: &Event<'_>| {
                if let Event::Note(note) = event {
                    notes += note;
                }
                Ok(())
            };
            let of =
                Assignment::new(&problem, &config, (&AtomicBool::new(false)).into()).learn(Keep::Nothing, &mut hear);
            let r2 = of.unwrap().report.validation.unwrap().regression.unwrap().r2.unwrap();
            assert_eq!(notes.contains("no better than the mean of the target"), hopeless, "{notes}");
            assert_eq!(r2 <= 0.0, hopeless, "{r2}");
        }
    }

    #[test]
    fn what_is_refused_leaves_no_folder() {
        let parent = tempfile::tempdir().unwrap();
        let run = parent.path().join("run");
        assert!(learn(Keep::Folder(&run), "ntk:depth=1:relu", Some(3)).unwrap_err().is_usage());
        assert!(learn(Keep::Folder(&run), "mlp:no", None).is_err());
        assert!(!run.exists());
    }

    #[test]
    fn a_training_leaves_its_images_bytes() {
        let (geometry, rows) = (Geometry::new(8, 8, 3), 40);
        let pixels = (0..rows * geometry.len()).map(|i| (i * 7919 % 251) as u8).collect();
        let images = Cells::Images(Arc::new(Images { geometry, pixels, gaps: Vec::new() }));
        let target = Cells::Numbers((0..rows).map(|i| (i as f64 / 5.0).sin()).collect());
        let columns = [("image", images), ("y", target)].map(|(name, cells)| Column { name: name.to_owned(), cells });
        let table = Table::from_columns("images", columns.into()).unwrap();
        let problem = Problem::of_table(&table, &DataOptions::of("csv:t".parse().unwrap())).unwrap().into_type::<f32>();
        let mut config = Config { data: Some("csv:t".to_owned()), threads: Some(1), ..Config::default() };
        for (name, value) in [("model", "cnn:2:relu"), ("epochs", "2"), ("batch-size", "16"), ("augment", "flip")] {
            config.set(name, value).unwrap();
        }
        let never = AtomicBool::new(false);
        let learnt = Assignment::new(&problem, &config, (&never).into()).learn(Keep::Nothing, &mut Silent).unwrap();
        assert!(learnt.report.test.is_some() && learnt.report.train.loss.is_finite());
        for part in [Some(&problem.train), problem.validation.as_ref(), problem.test.as_ref()].into_iter().flatten() {
            // One byte a number of the image, and the target in single precision.
            assert!(!part.inputs.is_matrix());
            assert_eq!(part.bytes(), part.rows() * (geometry.len() + 4));
        }
        // So 20 000 images of 64×64×3 take a quarter of a gigabyte.
        assert!(20_000 * (Geometry::new(64, 64, 3).len() + 4) < 300_000_000);
    }

    #[test]
    fn what_was_tried_beside_networks_that_diverge_takes_their_place() {
        let row = |i: i32| format!("{},{}\n", i, 2 * i + i % 3);
        let text = format!("a,y\n{}", (0..60).map(row).collect::<String>());
        let problem = Problem::of_table(&table_of(&text), &DataOptions::of("csv:t".parse().unwrap())).unwrap();
        let learn = |given: &[(&str, &str)]| {
            let mut config = Config { data: Some("csv:t".to_owned()), ..Config::default() };
            for (name, value) in given.iter().chain(&[("optimizer", "sgd"), ("learning-rate", "1e200")]) {
                config.set(name, value).unwrap();
            }
            let never = AtomicBool::new(false);
            Assignment::new(&problem, &config, (&never).into()).learn(Keep::Nothing, &mut Silent)
        };
        let report = learn(&[]).unwrap().report;
        assert_eq!((report.method().as_str(), report.optimizer), ("ridge regression", None));
        assert!(report.test.unwrap().regression.unwrap().r2.unwrap() > 0.9);
        assert!(learn(&[("model", "mlp:8:tanh")]).unwrap_err().is_divergence());
    }
}
