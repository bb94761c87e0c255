//! Training by settings: the best parameters, reasons to end, checkpoints.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::data::{DataOptions, Portion, Problem, table_of};
use crate::outcome::event::Silent;
use crate::settings::Config;
use crate::training::checkpoint::Keeper;
use crate::training::optimizer::build;

fn problem() -> Problem {
    let row = |i: i32| format!("{},{}\n", i, (f64::from(i) / 7.0).sin() + f64::from(i * 37 % 11) / 40.0);
    let text = format!("a,y\n{}", (0..40).map(row).collect::<String>());
    let none = Some(Portion::Fraction(0.0));
    let options = DataOptions { test: none, ..DataOptions::of("csv:t".parse().unwrap()) };
    Problem::of_table(&table_of(&text), &options).unwrap()
}

/// Trains `mlp:8:tanh` by these settings, from a checkpoint if there is one.
fn fit(given: &[(&str, &str)], from: Option<Checkpoint>, stop: bool) -> (Fit, Vec<f64>, Vec<(usize, f64)>) {
    let problem = problem();
    let mut config = Config { data: Some("csv:t".to_owned()), threads: Some(1), ..Config::default() };
    for (name, value) in [("model", "mlp:8:tanh"), ("precision", "f64")].iter().chain(given) {
        config.set(name, value).unwrap();
    }
    let settings = Settings::resolve(&config, &problem).unwrap();
    let specification = settings.model.specification(problem.preprocessing.inputs.shape(), 1);
    let mut model = Model::builder(specification).seed(1).build().unwrap();
    let mut optimizer = build(&settings, problem.train.rows(), 1).unwrap();
    let stop = AtomicBool::new(stop);
    let trainer = Trainer::new(&settings, &problem.preprocessing.targets, &stop);
    let mut losses = Vec::new();
    let mut watch = |event: &Event<'_>| {
        if let Event::Epoch(epoch) = event {
            losses.push((epoch.epoch, epoch.validation_loss.unwrap()));
        }
        Ok(())
    };
    let parts = Parts { train: &problem.train, validation: problem.validation.as_ref(), test: None };
    let fit = trainer.go_on(&mut model, optimizer.as_mut(), parts, &mut watch, from, None).unwrap();
    (fit, model.theta(), losses)
}

#[test]
fn the_best_parameters_are_kept_and_patience_counts_from_them() {
    let (fit, _, losses) = fit(&[("epochs", "200"), ("patience", "4"), ("ridge", "0")], None, false);
    let best = losses.iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0;
    assert_eq!((fit.stop_reason, fit.best_epoch), (StopReason::Patience, Some(best)));
    assert_eq!(fit.epochs, best + 4);
}

#[test]
fn a_flag_ends_training_after_the_step_and_a_limit_after_its_time() {
    let (interrupted, ..) = fit(&[("epochs", "50")], None, true);
    assert_eq!((interrupted.stop_reason, interrupted.steps), (StopReason::Interrupted, 1));
    let (over, ..) = fit(
        &[("epochs", "1000000"), ("patience", "1000000"), ("time-limit", "0.01s"), ("optimizer", "adam")],
        None,
        false,
    );
    assert_eq!(over.stop_reason, StopReason::TimeLimit);
    assert!(over.seconds < 5.0);
}

#[test]
fn a_training_that_leaves_the_finite_numbers_says_where_and_keeps_the_best() {
    let (fit, theta, _) = fit(&[("epochs", "500"), ("optimizer", "sgd"), ("learning-rate", "1e200")], None, false);
    assert_eq!(fit.stop_reason, StopReason::NonFinite);
    assert!(matches!(fit.failure, Some(Error::NonFinite { step, .. }) if step > 0), "{:?}", fit.failure);
    assert!(fit.best_epoch.is_none() || theta.iter().all(|value| value.is_finite()));
}

#[test]
fn training_goes_on_from_a_checkpoint_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let problem = problem();
    let options = [("epochs", "9"), ("optimizer", "adam"), ("batch-size", "8")];
    let (_, whole, _) = fit(&options, None, false);
    // The same training, cut off after three epochs.
    let mut config = Config { data: Some("csv:t".to_owned()), threads: Some(1), ..Config::default() };
    for (name, value) in [("model", "mlp:8:tanh"), ("precision", "f64")].iter().chain(&options) {
        config.set(name, value).unwrap();
    }
    let settings = Settings { epochs: 3, ..Settings::resolve(&config, &problem).unwrap() };
    let specification = settings.model.specification(problem.preprocessing.inputs.shape(), 1);
    let mut model = Model::builder(specification).seed(1).build().unwrap();
    let mut optimizer = build(&settings, problem.train.rows(), 1).unwrap();
    let go_on = AtomicBool::new(false);
    let trainer = Trainer::new(&settings, &problem.preprocessing.targets, &go_on);
    let run = crate::folder::RunFolder::create(folder.path()).unwrap();
    std::fs::write(run.record(), b"").unwrap();
    let mut keeper = Keeper::new(&run, &problem.hash, false);
    let parts = Parts { train: &problem.train, validation: problem.validation.as_ref(), test: None };
    trainer.go_on(&mut model, optimizer.as_mut(), parts, &mut Silent, None, Some(&mut keeper)).unwrap();
    let checkpoint = Checkpoint::read(&run.checkpoint(), &problem.hash).unwrap().expect("a checkpoint");
    let (_, resumed, _) = fit(&options, Some(checkpoint), false);
    assert_eq!(resumed, whole);
}

#[test]
fn the_learning_rate_rises_in_a_twentieth_of_the_run_at_most_of_its_steps_or_its_time() {
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
    // A long run: over its steps. A short one of steps, and one of time that is at its hundredth.
    for (made, share) in [(0, 1.0 / 300.0), (149, 0.5), (299, 1.0)] {
        close(risen(made, 300, (1_000_000, made as f64 / 1e6)), share);
    }
    for (made, share) in [(0, 0.1), (4, 0.5), (9, 1.0), (50, 1.0)] {
        close(risen(made, 300, (200, made as f64 / 200.0)), share);
    }
    close(risen(2, 300, (usize::MAX, 0.01)), 0.2);
    close(risen(9, 300, (usize::MAX, 0.06)), 1.0);
}
