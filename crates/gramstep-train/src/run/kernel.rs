//! The fit of a kernel regression, `--model ntk:depth=3:relu` or `kernel:matern32`: a system is solved.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use gramstep::kernel::Ridge;
use gramstep::{Device, Scalar};

use super::fitted::Fitted;
use crate::data::{BrokenImages, ImageSettings, Inputs, Portion, Problem, Targets, Transform};
use crate::error::{Result, conflict};
use crate::format::text::count;
use crate::outcome::event::Observer;
use crate::outcome::{ColumnScale, Fit, HeldOut, InputScale, KernelFit, StopReason, metrics};
use crate::predictor::{Kernel, KernelChoice, KernelFitting, KernelModel, Learned};
use crate::settings::{Config, Facts, Precision, RidgeChoice, all_processors};

/// Rows from which on a solve takes long enough to say so.
const MANY: usize = 2000;

/// The kernel that a configuration asks for; none where its model is a network.
pub(crate) fn choice(config: &Config) -> Result<Option<KernelChoice>> {
    config.model.as_deref().filter(|_| is_kernel(config)).map(str::parse).transpose()
}

/// Whether the model of a configuration is a kernel.
pub(crate) fn is_kernel(config: &Config) -> bool {
    config.model.as_deref().is_some_and(KernelChoice::names)
}

/// The configuration of a kernel regression with all that matters to one said; none where the model is a network.
///
/// # Errors
/// When the kernel does not exist, or a setting of networks is given.
pub(super) fn settings<T: Scalar>(config: &Config, problem: &Problem<T>) -> Result<Option<Config>> {
    let Some(choice) = choice(config)? else { return Ok(None) };
    refuse(config)?;
    let choice = choice.for_inputs(problem.preprocessing.inputs.shape())?;
    if let Targets::MultiLabel { columns, .. } = &problem.preprocessing.targets {
        let targets = format!("the {} targets of a classification", columns.len());
        let reason = "a kernel regression classifies one target: take a network, --model mlp:256,256:gelu";
        return Err(conflict("model", targets, reason));
    }
    Ok(Some(complete(config.clone(), &choice, problem)))
}

/// Solves. Without validation rows of their own the training rows are judged, each by the regression on all others.
pub(super) fn fit<T: Scalar>(
    problem: &Problem<T>,
    config: &Config,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Fitted<T>> {
    let n = problem.train.rows();
    let name = config.model.clone().unwrap_or_default();
    let choice: KernelChoice = name.parse()?;
    if problem.validation.is_none() {
        observer.note("validation: every training row by the regression on all others")?;
    }
    if n >= MANY {
        observer.note(&format!("solving a system of {} rows, which takes O(n³) time", count(n)))?;
    }
    if matches!(choice, KernelChoice::Scaled(_)) && n > KernelModel::SCALE_ROWS {
        let (some, all) = (count(KernelModel::SCALE_ROWS), count(n));
        let how = "whether they are finer by leave-one-out on all";
        observer.note(&format!("the scales of the columns are found on {some} of the {all} rows, {how}"))?;
    }
    let clock = Instant::now();
    let ridge = match (config.ridge, &choice) {
        // κ is said in the units of the weights, which are relative here.
        (Some(RidgeChoice::Fixed(ridge)), _) => Ridge::Fixed(ridge / problem.weight_unit),
        (Some(RidgeChoice::Evidence), _) | (_, KernelChoice::Scaled(_)) => Ridge::Evidence,
        (None | Some(RidgeChoice::Auto), _) => Ridge::LeaveOneOut,
    };
    let targets = &problem.preprocessing.targets;
    let device = Device::cpu(config.threads.unwrap_or_else(all_processors));
    let train = problem.train.clone().into_type();
    let stop = || stop.load(Ordering::Relaxed);
    let fitting = KernelFitting { ridge, seed: config.seed.unwrap_or_default(), stop: &stop, device: &device };
    let model = KernelModel::fit_until(train, targets.task(), choice, &fitting)?;
    let seconds = clock.elapsed().as_secs_f64();
    let process = model.process();
    let noise = match targets {
        Targets::Regression { standardisation, transform: Transform::None, .. } => {
            let variances = process.noise_variance()?;
            variances.iter().zip(&standardisation.scale).map(|(variance, scale)| variance.sqrt() * scale).collect()
        }
        // Of logarithms it has no unit.
        _ => Vec::new(),
    };
    let kernel = KernelFit {
        ridge: model.ridge() * problem.weight_unit,
        effective_parameters: process.effective_parameters()?,
        log_marginal_likelihood: process.log_marginal_likelihood()?,
        noise,
        columns: columns(&model, &problem.preprocessing.inputs)?,
    };
    let held_out = if problem.validation.is_none() {
        let (rows, each) = (problem.train.clone(), (0..n).collect::<Vec<_>>());
        Some(HeldOut { outputs: model.held_out()?, rows, places: each.clone(), fold_of: each, sets: None })
    } else {
        None
    };
    let own = metrics::loss_of_outputs(&model.outputs(&model.train().inputs)?, model.train(), targets);
    let fit = Fit {
        epochs: 0,
        steps: 0,
        seconds,
        stop_reason: StopReason::Solved,
        best_epoch: None,
        lowest_train_loss: own,
        kernel_watch: Vec::new(),
        failure: None,
    };
    let learned = Learned::Kernel(Arc::new(model));
    Ok(Fitted { learned, fit, name, ridge: None, circular: false, train: None, held_out, kernel: Some(kernel) })
}

/// What a kernel says of the columns, those that matter most first; nothing where it has no scales.
fn columns(model: &KernelModel, inputs: &Inputs) -> Result<Vec<ColumnScale>> {
    let Kernel::Scaled(kernel) = model.kernel() else { return Ok(Vec::new()) };
    let (names, places): (Vec<String>, Vec<Range<usize>>) =
        inputs.places().map(|(column, places)| (column.name.clone(), places)).unzip();
    let input_names = inputs.names();
    let input = |j: usize| InputScale {
        input: input_names[j].clone(),
        weight: kernel.weights()[j],
        share: kernel.shares().get(j).copied(),
    };
    let effects = model.total_effects(&places)?;
    let column = |((column, places), effect): ((String, Range<usize>), f64)| ColumnScale {
        column,
        effect,
        inputs: places.map(input).collect(),
    };
    let mut columns: Vec<ColumnScale> = names.into_iter().zip(places).zip(effects).map(column).collect();
    columns.sort_by(|a, b| b.effect.total_cmp(&a.effect));
    Ok(columns)
}

/// Settings of networks have no meaning here.
fn refuse(config: &Config) -> Result<()> {
    let kernel = || format!("--model {}", config.model.as_deref().unwrap_or_default());
    if let Some(setting) = config.given().find(|setting| !setting.kernel) {
        return Err(conflict(setting.name, kernel(), "it is a setting of networks alone"));
    }
    match config.precision {
        Some(Precision::F32) => Err(conflict("precision f32", kernel(), "a kernel regression is solved in f64")),
        _ => Ok(()),
    }
}

/// Every setting: written to `config.toml`, it repeats the run.
fn complete<T: Scalar>(config: Config, choice: &KernelChoice, problem: &Problem<T>) -> Config {
    let facts = Facts::of(problem);
    let images = ImageSettings::of(facts.image, config.broken_images.unwrap_or(BrokenImages::Refuse), 1);
    Config {
        target: problem.preprocessing.targets.columns().to_vec(),
        task: Some(facts.task),
        test: Some(problem.test_portion.clone()),
        validation: config.validation.or(Some(Portion::Fraction(problem.validation_share))),
        image_size: images.size,
        colour: images.size.map(|_| images.colour),
        broken_images: images.size.map(|_| images.broken),
        model: Some(choice.to_string()),
        ridge: config.ridge.or(Some(RidgeChoice::Auto)),
        seed: config.seed.or(Some(0)),
        precision: Some(Precision::F64),
        threads: config.threads.or_else(|| Some(all_processors())),
        ..config
    }
}
