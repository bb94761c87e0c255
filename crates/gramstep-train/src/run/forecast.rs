//! What a run would take in memory and time, before it is begun: the data are read, and a few steps are made and timed.

use std::time::{Duration, Instant};

use gramstep::loss::Loss;
use gramstep::optim::{Batch, Optimizer};
use gramstep::{Device, Model, Scalar};
use serde::Serialize;

use super::earlier::Earlier;
use super::{choice, kernel, load};
use crate::data::{Dataset, Problem};
use crate::error::{Result, conflict};
use crate::outcome::event::Observer;
use crate::outcome::metrics;
use crate::settings::{Config, Facts, Precision, Settings};
use crate::training::adversarial::Opponent;
use crate::training::batches::batches;
use crate::training::member::method;
use crate::training::optimizer;

/// So many steps are timed, the first one apart, which takes memory.
const STEPS: usize = 4;
/// No step is begun after so long.
const ENOUGH: Duration = Duration::from_secs(10);
/// Rows by which judging is timed.
const JUDGED: usize = 512;

/// What a run of networks would take.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Forecast {
    /// The architecture.
    pub model: String,
    /// Networks, of which each takes the time below.
    pub ensemble: usize,
    /// Parameters of one.
    pub parameters: usize,
    /// Number type of the parameters.
    pub precision: Precision,
    /// Training rows.
    pub rows: usize,
    /// Rows of a step.
    pub batch_rows: usize,
    /// Steps of an epoch.
    pub steps_per_epoch: usize,
    /// The most epochs.
    pub epochs: usize,
    /// Bytes that are held at once.
    pub memory: Memory,
    /// Seconds of a step.
    pub seconds_per_step: f64,
    /// Seconds of an epoch with its judging.
    pub seconds_per_epoch: f64,
    /// Hours of all epochs of all networks of all fits, one after the other, as far as --time-limit lets them.
    pub hours: f64,
}

/// Bytes by what they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Memory {
    /// The rows of all parts; images as bytes.
    pub data: usize,
    /// Parameters, the best so far, what the optimiser keeps, a direction.
    pub network: usize,
    /// The inputs of a batch, its activations and derivatives.
    pub step: usize,
    /// The system that a step solves.
    pub system: usize,
}

impl Memory {
    /// All together.
    #[must_use]
    pub fn sum(self) -> usize {
        self.data + self.network + self.step + self.system
    }
}

/// Foretells the run of a configuration. Where the model is left open, that of the default; nothing is kept.
///
/// # Errors
/// Those of a run before its first step and of that step; of kernels, which are solved and not iterated.
pub fn foretell(config: &Config, observer: &mut dyn Observer) -> Result<Forecast> {
    config.validate()?;
    if kernel::is_kernel(config) {
        let model = format!("--model {}", config.model.as_deref().unwrap_or_default());
        return Err(conflict("dry-run", model, "it foretells the training of networks"));
    }
    let mut config = config.clone();
    let earlier = Earlier::of(&mut config, false)?;
    let problem = load(&config, earlier.as_ref().map(|earlier| earlier.model.preprocessing()), observer)?;
    let chosen = choice::decide(Facts::of(&problem), &mut config);
    let settings = Settings::resolve(&config, &problem)?;
    if chosen {
        observer.note(
            "the model is left open: others are tried before, and kernels beside; foretold are these networks alone",
        )?;
    }
    let folds = config.folds.unwrap_or(0);
    match settings.precision {
        Precision::F32 => of::<f32>(&problem.into_type(), &settings, folds, observer),
        Precision::F64 => of::<f64>(&problem.into_type(), &settings, folds, observer),
    }
}

/// With so many folds before it.
fn of<T: Scalar>(
    problem: &Problem<T>,
    settings: &Settings,
    folds: usize,
    observer: &mut dyn Observer,
) -> Result<Forecast> {
    let preprocessing = &problem.preprocessing;
    let (shape, outputs) = (preprocessing.inputs.shape(), preprocessing.targets.outputs());
    let device = Device::cpu(settings.threads);
    let specification = settings.model.specification(shape, outputs);
    let mut model = Model::<T>::builder(specification).seed(settings.seed).device(device).build()?;
    let train = &problem.train;
    let steps_per_epoch = settings.batch_size.batches(train.rows());
    let batch_rows = train.rows().div_ceil(steps_per_epoch);
    if let Some(plan) = optimizer::plan(settings, &model, train.rows())? {
        observer.note(&plan)?;
    }
    let parts = || std::iter::once(train).chain(&problem.validation).chain(&problem.test);
    let second_order = optimizer::system(settings, &model, train.rows())?;
    let inputs = if train.inputs.is_matrix() { 0 } else { batch_rows * model.inputs() * size_of::<T>() };
    let memory = Memory {
        data: parts().map(Dataset::bytes).sum(),
        network: 4 * model.parameter_count() * size_of::<T>(),
        step: inputs + model.step_bytes(batch_rows, if second_order.is_some() { outputs } else { 1 }),
        system: second_order.map_or(0, |plan| plan.bytes),
    };
    let (mut optimizer, opponent) = method(settings, &preprocessing.inputs, train.rows(), &model)?;
    let seconds_per_step = step_seconds(&mut model, optimizer.as_mut(), problem, settings)?;
    let judged = problem.validation.as_ref().unwrap_or(train);
    let judging = judging_seconds(&model, judged, opponent.as_ref(), preprocessing.targets.loss().as_ref())?;
    let seconds_per_epoch = seconds_per_step * steps_per_epoch as f64 + judging;
    // K folds go through all rows K − 1 times.
    let of_all = seconds_per_epoch * settings.epochs as f64 * settings.ensemble as f64 * folds.max(1) as f64;
    let most = settings.time_limit.map_or(f64::INFINITY, |limit| limit.0.as_secs_f64() * (folds + 1) as f64);
    Ok(Forecast {
        model: settings.model.to_string(),
        ensemble: settings.ensemble,
        parameters: model.parameter_count(),
        precision: settings.precision,
        rows: train.rows(),
        batch_rows,
        steps_per_epoch,
        epochs: settings.epochs,
        memory,
        seconds_per_step,
        seconds_per_epoch,
        hours: of_all.min(most) / 3600.0,
    })
}

/// The shortest of a few steps.
fn step_seconds<T: Scalar>(
    model: &mut Model<T>,
    optimizer: &mut dyn Optimizer<T>,
    problem: &Problem<T>,
    settings: &Settings,
) -> Result<f64> {
    let train = &problem.train;
    let loss = problem.preprocessing.targets.loss();
    let (began, mut shortest) = (Instant::now(), f64::INFINITY);
    for at in 0..=STEPS {
        let Some(rows) = batches(train.rows(), settings.batch_size, settings.seed, 1 + at).next() else { break };
        let step = Instant::now();
        let selected = rows.map(|rows| train.select(&rows));
        let data = selected.as_ref().unwrap_or(train);
        let mut batch = Batch::new(&data.inputs, &data.targets).with_loss(loss.as_ref());
        if let Some(weights) = &data.weights {
            batch = batch.with_weights(weights);
        }
        optimizer.step(model, &batch)?;
        let seconds = step.elapsed().as_secs_f64();
        shortest = if at <= 1 { seconds } else { shortest.min(seconds) };
        if began.elapsed() > ENOUGH {
            break;
        }
    }
    Ok(shortest)
}

/// Of judging all of these rows, attacked where there is an opponent, by some of them.
fn judging_seconds<T: Scalar>(
    model: &Model<T>,
    rows: &Dataset<T>,
    opponent: Option<&Opponent>,
    loss: &dyn Loss,
) -> Result<f64> {
    let some = rows.select(&(0..rows.rows().min(JUDGED)).collect::<Vec<_>>());
    let began = Instant::now();
    if let Some(opponent) = opponent {
        opponent.attack(model, &some, loss)?;
    }
    metrics::outputs(model, &some.inputs)?;
    Ok(began.elapsed().as_secs_f64() * rows.rows() as f64 / some.rows().max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::event::Silent;

    fn config(given: &[(&str, &str)]) -> Config {
        let mut config = Config { data: Some("builtin:diabetes".to_owned()), ..Config::default() };
        for (name, value) in given {
            config.set(name, value).unwrap();
        }
        config
    }

    #[test]
    fn a_forecast_counts_what_the_run_would_do() {
        let given = [("model", "mlp:16:tanh"), ("batch-size", "32"), ("epochs", "50"), ("ensemble", "2")];
        let forecast = foretell(&config(&given), &mut Silent).unwrap();
        let (rows, parameters) = (forecast.rows, 16 * 11 + 17);
        assert_eq!((forecast.steps_per_epoch, forecast.parameters), (rows.div_ceil(32), parameters));
        assert_eq!(forecast.batch_rows, rows.div_ceil(forecast.steps_per_epoch));
        let bytes = if forecast.precision == Precision::F32 { 4 } else { 8 };
        assert_eq!(forecast.memory.network, 4 * parameters * bytes);
        // All rows, of ten inputs and a target.
        let problem = Problem::load(&config(&given).data_options().unwrap()).unwrap();
        let parts = [Some(&problem.train), problem.validation.as_ref(), problem.test.as_ref()];
        let all: usize = parts.into_iter().flatten().map(Dataset::rows).sum();
        assert_eq!(forecast.memory.data, all * 11 * bytes);
        let expected = forecast.seconds_per_epoch * 100.0 / 3600.0;
        assert!((forecast.hours / expected - 1.0).abs() < 1e-12 && expected > 0.0);
        let limited = foretell(&config(&[("time-limit", "1ms")]), &mut Silent).unwrap();
        assert!(limited.hours <= 1e-3 / 3600.0);
    }

    #[test]
    fn a_forecast_is_of_the_run_that_is_asked_for() {
        let plain = [("model", "mlp:64,64:tanh"), ("epochs", "10"), ("batch-size", "32")];
        let of = |more: &[(&str, &str)]| foretell(&config(&[&plain, more].concat()), &mut Silent).unwrap();
        let attacked = of(&[("adversarial", "linf:0.1:pgd:20"), ("optimizer", "sgd")]);
        let clean = of(&[("optimizer", "sgd")]);
        assert!(attacked.seconds_per_step > 4.0 * clean.seconds_per_step, "{attacked:?} {clean:?}");
        let folds = of(&[("folds", "5")]);
        let expected = folds.seconds_per_epoch * 10.0 * 5.0 / 3600.0;
        assert!((folds.hours / expected - 1.0).abs() < 1e-12);
        let run = tempfile::tempdir().unwrap();
        let first = config(&[("model", "mlp:9:tanh"), ("epochs", "1")]);
        let stop = std::sync::atomic::AtomicBool::new(false);
        let folder = run.path().join("first");
        crate::run::train(&first, crate::folder::Keep::Folder(&folder), &stop, &mut Silent).unwrap();
        let goes_on = foretell(&config(&[("init", folder.to_str().unwrap())]), &mut Silent).unwrap();
        assert_eq!((goes_on.model.as_str(), goes_on.parameters), ("mlp:9:tanh", 9 * 11 + 10));
    }

    #[test]
    fn kernels_are_refused() {
        assert!(foretell(&config(&[("model", "ntk:depth=2:relu")]), &mut Silent).unwrap_err().is_usage());
    }
}
