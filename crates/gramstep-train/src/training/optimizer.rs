//! From settings to an optimiser and a loss.
//!
//! `ridge` κ is the κ of ½Σr² + ½κ‖θ‖² over all n training rows, whatever the method: a batch gets the share of κ that
//! its rows have of n, and methods on the mean loss get κ/n.

use gramstep::optim::{
    Adam, AdamConfig, AdaptiveDamping, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer, Plan, Rows, Sgd,
    SgdConfig,
};
use gramstep::solve::Solver;
use gramstep::{Model, Scalar};

use crate::data::Task;
use crate::error::Result;
use crate::settings::{DampingChoice, OptimizerName, RidgeChoice, RowsPerSample, Settings, check_memory};
use crate::training::ridge_path::RidgePath;

/// Relative damping of mini-batches, unless the user says otherwise.
const MINI_BATCH_DAMPING: f64 = 1e-2;

/// The same for images: a deep network interpolates a batch easily, and that is no help to other batches.
const IMAGE_DAMPING: f64 = 1e-1;

/// The same for classes of tables. Between 0.01 and 1, the most that was tried, more was better on inner validation
/// rows of three sets of 1030 to 8192 rows.
const CLASS_DAMPING: f64 = 1.0;

/// λ over the rows of a batch, for classes of images with one row a sample: without momentum φ is then no longer than
/// half of √(mean loss), whatever G is. With less damping at a lower rate images are learned as soon, and other images
/// told less well (docs/speed.md).
const ONE_ROW_DAMPING: f64 = 2.0;

/// The steps over which the rate of the same rises: at its full height first steps left some networks at the loss of
/// chance.
const RISE: usize = 300;

/// λ over the values of a batch, for images with many targets: with 136 the loss was a third of what damping relative to
/// G left in equal time, with 34 they are level (docs/speed.md). The best of 1/136 to 4.
const ONE_ROW_DAMPING_OF_A_TARGET: f64 = 1.0 / 64.0;

/// The most that a step on a mini-batch may change the logits: where the curvature of the cross-entropy has vanished its
/// quadratic model knows no bound.
const MOST_LOGIT_CHANGE: f64 = 1.0;

/// Relative damping of adversarial training: the attack moves between steps, and a bold step on the squared loss
/// oscillates.
const ADVERSARIAL_DAMPING: f64 = 1e-1;

/// The damping of Gram-Gauss-Newton.
fn damping(settings: &Settings, samples: usize, outputs: usize) -> Damping {
    match settings.damping {
        Some(DampingChoice::Fixed(value)) => Damping::Relative(value),
        _ if settings.damping_adapts(samples) => Damping::Adaptive(AdaptiveDamping::default()),
        _ if settings.adversarial.is_some() => Damping::Relative(ADVERSARIAL_DAMPING),
        _ if images_have_one_row(settings) => {
            let of_a_row = match settings.task {
                Task::Classification => ONE_ROW_DAMPING,
                Task::Regression => ONE_ROW_DAMPING_OF_A_TARGET * outputs as f64,
            };
            Damping::Absolute(of_a_row * largest_batch(settings, samples) as f64)
        }
        _ if settings.image_size.is_some() => Damping::Relative(IMAGE_DAMPING),
        _ => Damping::Relative(match settings.task {
            Task::Regression => MINI_BATCH_DAMPING,
            Task::Classification => CLASS_DAMPING,
        }),
    }
}

/// The steps over which the rate rises by itself, beside any `--schedule`; 0 where it does not.
pub(super) fn rise(settings: &Settings) -> usize {
    let rises = settings.optimizer == OptimizerName::GramGaussNewton && images_have_one_row(settings);
    if rises && settings.task == Task::Classification { RISE } else { 0 }
}

/// λ relative to the mean diagonal of G where it stays as it is; none where it is adaptive.
pub(crate) fn relative_damping(settings: &Settings, samples: usize) -> Option<f64> {
    // Outputs matter to absolute damping alone.
    match damping(settings, samples, 1) {
        Damping::Relative(value) => Some(value),
        _ => None,
    }
}

/// How a step of Gram-Gauss-Newton will be solved; none of other methods.
pub(crate) fn system<T: Scalar>(settings: &Settings, model: &Model<T>, samples: usize) -> Result<Option<Plan>> {
    if settings.optimizer != OptimizerName::GramGaussNewton {
        return Ok(None);
    }
    let config = GramGaussNewtonConfig::default().with_rows(rows(settings));
    Ok(Some(GramGaussNewton::<T>::new(config)?.plan(model, largest_batch(settings, samples))))
}

/// Rows of the largest batch.
fn largest_batch(settings: &Settings, samples: usize) -> usize {
    samples.div_ceil(settings.batch_size.batches(samples))
}

/// How a step of Gram-Gauss-Newton will be solved, for a person to read before the run; none for other methods, whose
/// memory is looked at alone.
///
/// # Errors
/// When a setting is outside its range, or a step would not fit in memory.
pub(crate) fn plan<T: Scalar>(settings: &Settings, model: &Model<T>, samples: usize) -> Result<Option<String>> {
    let largest_batch = largest_batch(settings, samples);
    let all_rows = settings.optimizer == OptimizerName::GramGaussNewton && rows(settings) == Rows::Exact;
    let kept = model.step_bytes(largest_batch, if all_rows { model.outputs() } else { 1 });
    check_memory("a step with its activations and derivatives", kept, "give a smaller --batch-size")?;
    let Some(plan) = system(settings, model, samples)? else { return Ok(None) };
    check_memory("the system of a step", plan.bytes, "give a smaller --batch-size, or --optimizer adam")?;
    let method = match plan.solver {
        Solver::Dual => format!("a system of {0}×{0}, one row a residual", plan.size),
        Solver::Primal => format!("a system of {0}×{0}, one row a parameter", plan.size),
        _ => "its system by conjugate gradients, without a matrix".to_owned(),
    };
    let memory = if plan.bytes > 0 { format!(", {} MB", plan.bytes.div_ceil(1 << 20)) } else { String::new() };
    Ok(Some(format!("each step solves {method}{memory}")))
}

/// Rows of a sample as the library has them.
fn rows(settings: &Settings) -> Rows {
    match settings.rows_per_sample {
        Some(RowsPerSample::One) => Rows::One,
        Some(RowsPerSample::Exact) | None => Rows::Exact,
    }
}

/// Whether samples are images with one row each, whose damping is absolute.
fn images_have_one_row(settings: &Settings) -> bool {
    settings.image_size.is_some() && rows(settings) == Rows::One
}

/// The optimiser of a run on `samples` training rows with `outputs` outputs each.
///
/// # Errors
/// When a setting is outside its range.
pub fn build<T: Scalar>(settings: &Settings, samples: usize, outputs: usize) -> Result<Box<dyn Optimizer<T>>> {
    let ridge = match settings.ridge {
        RidgeChoice::Fixed(ridge) => ridge,
        RidgeChoice::Auto | RidgeChoice::Evidence => 0.0,
    };
    let decay = settings.weight_decay.unwrap_or(ridge / samples as f64);
    Ok(match settings.optimizer {
        OptimizerName::GramGaussNewton => {
            let batches = settings.batch_size.batches(samples);
            let config = GramGaussNewtonConfig::default()
                .with_learning_rate(settings.learning_rate)
                .with_damping(damping(settings, samples, outputs))
                .with_ridge(ridge / batches as f64)
                .with_rows(rows(settings))
                .with_momentum(settings.momentum);
            let config = match settings.task {
                Task::Classification if !settings.is_full_batch(samples) && config.rows == Rows::Exact => {
                    config.with_max_output_change(MOST_LOGIT_CHANGE)
                }
                _ => config,
            };
            if settings.has_ridge_path(samples) {
                let residuals = if config.rows == Rows::Exact { samples * outputs } else { samples };
                Box::new(RidgePath::new(config, residuals, batches)?)
            } else {
                Box::new(GramGaussNewton::new(config)?)
            }
        }
        OptimizerName::Sgd => {
            let mut config = SgdConfig::default();
            config.learning_rate = settings.learning_rate;
            config.momentum = settings.momentum;
            config.weight_decay = decay;
            Box::new(Sgd::new(config)?)
        }
        OptimizerName::Adam | OptimizerName::AdamW => {
            let mut config = AdamConfig::default();
            config.learning_rate = settings.learning_rate;
            config.beta1 = settings.momentum;
            config.weight_decay = decay;
            Box::new(Adam::new(config)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use gramstep::Activation;

    use super::*;
    use crate::data::{DataOptions, Geometry, Problem};
    use crate::error::Error;
    use crate::settings::{Config, Facts};

    #[cfg(target_os = "linux")]
    #[test]
    fn a_batch_whose_activations_would_not_fit_is_refused_by_every_method() {
        let problem = Problem::load(&DataOptions::of("builtin:diabetes".parse().unwrap())).unwrap();
        let model = Model::<f64>::mlp(&[10, 64, 1], Activation::Tanh).build().unwrap();
        for optimizer in ["adam", "sgd", "gram-gauss-newton"] {
            let mut config = Config { data: Some("builtin:diabetes".to_owned()), ..Config::default() };
            config.set("optimizer", optimizer).unwrap();
            config.set("batch-size", "full").unwrap();
            let mut settings = Settings::resolve(&config, &problem).unwrap();
            plan(&settings, &model, 1000).unwrap();
            let error = plan(&settings, &model, 1 << 40).unwrap_err();
            assert!(matches!(error, Error::Memory { what, .. } if what.contains("activations")), "{error}");
            assert!(error.hint().unwrap().contains("--batch-size"));
            config.set("batch-size", "128").unwrap();
            settings = Settings::resolve(&config, &problem).unwrap();
            plan(&settings, &model, 1 << 40).unwrap();
        }
    }

    /// Rows of the images of the tests below.
    const IMAGES: usize = 3500;

    fn of_images(task: Task, outputs: usize, more: &[(&str, &str)]) -> Settings {
        let mut config = Config { data: Some("csv:t".to_owned()), ..Config::default() };
        for (name, value) in more {
            config.set(name, value).unwrap();
        }
        let (samples, rows, image, targets) = (IMAGES, 3900, Some(Geometry::new(32, 32, 3)), 1);
        let (validation, validation_share) = (true, 0.1);
        let facts = Facts { samples, rows, targets, outputs, task, validation, validation_share, image };
        Settings::complete(&config, facts, &[]).unwrap()
    }

    #[test]
    fn images_with_one_row_a_sample_are_damped_by_the_rows_of_a_batch() {
        let of = |task, outputs, more: &[_]| damping(&of_images(task, outputs, more), IMAGES, outputs);
        let classes = |k, more: &[_]| of(Task::Classification, k, more);
        assert_eq!(classes(10, &[]), Damping::Absolute(128.0));
        assert_eq!(classes(10, &[("batch-size", "128")]), Damping::Absolute(250.0));
        assert_eq!(classes(10, &[("damping", "0.1")]), Damping::Relative(0.1));
        assert_eq!(classes(10, &[("rows-per-sample", "exact")]), Damping::Relative(IMAGE_DAMPING));
        assert_eq!(classes(2, &[]), Damping::Relative(IMAGE_DAMPING));
        let targets = |k: usize| of(Task::Regression, k, &[]);
        assert_eq!([targets(32), targets(128)], [16.0, 64.0].map(Damping::Absolute));
        assert_eq!(targets(16), Damping::Relative(IMAGE_DAMPING));
    }

    #[test]
    fn the_rate_of_classes_with_one_row_a_sample_rises() {
        let of = |task, outputs, more: &[_]| rise(&of_images(task, outputs, more));
        assert_eq!(of(Task::Classification, 10, &[]), RISE);
        assert_eq!(of(Task::Classification, 10, &[("optimizer", "sgd")]), 0);
        assert_eq!(of(Task::Classification, 10, &[("rows-per-sample", "exact")]), 0);
        assert_eq!(of(Task::Regression, 136, &[]), 0);
    }

    #[test]
    fn one_row_a_sample_makes_a_system_as_large_as_the_batch_and_reaches_the_optimiser() {
        let problem = Problem::load(&DataOptions::of("builtin:winequality".parse().unwrap())).unwrap();
        let model = Model::<f64>::mlp(&[11, 64, 64, 6], Activation::Tanh).build().unwrap();
        let sizes = ["exact", "one"].map(|rows| {
            let mut config = Config { data: Some("builtin:winequality".to_owned()), ..Config::default() };
            config.set("batch-size", "50").unwrap();
            config.set("rows-per-sample", rows).unwrap();
            let settings = Settings::resolve(&config, &problem).unwrap();
            build::<f64>(&settings, 1000, 6).unwrap();
            system(&settings, &model, 1000).unwrap().unwrap().size
        });
        assert_eq!(sizes, [300, 50]);
    }
}
