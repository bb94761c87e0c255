//! `train --model ntk:depth=3:relu`: from a configuration to a run folder.

use std::time::Instant;

use gramstep::kernel::{InfiniteArchitecture, Ridge};
use gramstep::{Device, Matrix};

use crate::data::{BrokenImages, Dataset, ImageSettings, Portion, Preprocessing, Problem, Targets};
use crate::error::{Result, conflict};
use crate::folder::Keep;
use crate::folder::Record;
use crate::format::text::count;
use crate::format::whole_file::write_atomically;
use crate::outcome::StopReason;
use crate::outcome::metrics::{Metrics, measure};
use crate::outcome::observer::Observer;
use crate::outcome::{KernelFit, Report, SCHEMA_VERSION};
use crate::predictor::KernelModel;
use crate::predictor::model_file;
use crate::report::write_run;
use crate::settings::{Config, Facts, Precision, RidgeChoice, all_processors};

/// From so many rows on a solve takes long enough to say so.
const MANY: usize = 2000;

/// The kernel that a configuration asks for; none where its model is a network.
pub(crate) fn architecture(config: &Config) -> Result<Option<InfiniteArchitecture>> {
    let name = config.model.as_deref().unwrap_or_default();
    match name.split(':').next() {
        Some("ntk" | "nngp") => Ok(Some(name.parse()?)),
        _ => Ok(None),
    }
}

/// Reads the data, solves, judges and keeps the result. Without validation rows of their own the training rows are
/// judged, each by the regression on all others.
pub(crate) fn train(
    config: &Config,
    architecture: InfiniteArchitecture,
    keep: Keep<'_>,
    observer: &mut dyn Observer,
) -> Result<Report> {
    refuse(config)?;
    keep.check()?;
    let config = Config { validation: config.validation.clone().or(Some(Portion::Fraction(0.0))), ..config.clone() };
    let problem = Problem::load_with(&config, None, &mut |done, all| observer.reading(done, all))?;
    problem.notes.iter().for_each(|note| observer.note(note));
    if problem.validation.is_none() {
        observer.note("validation: every training row by the regression on all others");
    }
    let config = complete(config, architecture, &problem);
    let n = problem.train.rows();
    if n >= MANY {
        observer.note(&format!("solving a system of {} rows, which takes O(n³) time", count(n)));
    }
    let clock = Instant::now();
    let model = fit(&config, architecture, &problem)?;
    let seconds = clock.elapsed().as_secs_f64();
    let folder = keep.folder(&problem.name)?;
    let mut record = None;
    if let Some(folder) = &folder {
        folder.write_config(&config)?;
        record = Some(Record::create(&folder.record())?);
        let path = folder.model();
        write_atomically(&path, &model_file::serialize_kernel(&path, &model, &problem.preprocessing)?)?;
    }
    let report = Report {
        run: folder.as_ref().map(|folder| folder.path().display().to_string()),
        seconds,
        ..judged(&config, &model, &problem)?
    };
    if let Some(record) = &mut record {
        record.kernel_run(&report)?;
        record.finish(&report)?;
    }
    observer.finish(&report)?;
    if let Some(folder) = &folder {
        write_run(folder, &problem, model.device())?;
    }
    Ok(report)
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
fn complete(config: Config, architecture: InfiniteArchitecture, problem: &Problem) -> Config {
    let facts = Facts::of(problem);
    let images = ImageSettings::of(facts.image, config.broken_images.unwrap_or(BrokenImages::Refuse), 1);
    Config {
        target: problem.preprocessing.targets.columns().to_vec(),
        task: Some(facts.task),
        test: Some(problem.test_portion.clone()),
        image_size: images.size,
        colour: images.size.map(|_| images.colour),
        broken_images: images.size.map(|_| images.broken),
        model: Some(architecture.to_string()),
        ridge: config.ridge.or(Some(RidgeChoice::Auto)),
        seed: config.seed.or(Some(0)),
        precision: Some(Precision::F64),
        threads: config.threads.or_else(|| Some(all_processors())),
        ..config
    }
}

fn fit(config: &Config, architecture: InfiniteArchitecture, problem: &Problem) -> Result<KernelModel> {
    let ridge = match config.ridge {
        None | Some(RidgeChoice::Auto) => Ridge::LeaveOneOut,
        Some(RidgeChoice::Evidence) => Ridge::Evidence,
        Some(RidgeChoice::Fixed(ridge)) => Ridge::Fixed(ridge),
    };
    let task = problem.preprocessing.targets.task();
    let device = Device::cpu(config.threads.unwrap_or_else(all_processors));
    KernelModel::fit(problem.train.clone(), task, architecture, ridge, &device)
}

/// The report of a run that is not kept and took no time.
fn judged(config: &Config, model: &KernelModel, problem: &Problem) -> Result<Report> {
    let Preprocessing { targets, .. } = &problem.preprocessing;
    let metrics = |data: &Dataset<f64>, outputs: &Matrix<f64>| measure(outputs, &data.targets, targets);
    let judge = |data: &Dataset<f64>| -> Result<Metrics> { Ok(metrics(data, &model.outputs(&data.inputs)?)) };
    let regression = model.regression()?;
    let noise = match targets {
        Targets::Regression { standardisation, .. } => {
            let variances = regression.noise_variance();
            variances.iter().zip(&standardisation.scale).map(|(variance, scale)| variance.sqrt() * scale).collect()
        }
        Targets::Classification { .. } => Vec::new(),
    };
    let train = judge(&problem.train)?;
    Ok(Report {
        schema_version: SCHEMA_VERSION,
        run: None,
        task: model.task(),
        optimizer: None,
        model: model.architecture().to_string(),
        ensemble: 1,
        parameters: model.coefficients().as_slice().len(),
        lowest_train_loss: train.loss,
        train,
        validation: Some(match &problem.validation {
            Some(validation) => judge(validation)?,
            None => metrics(&problem.train, &model.held_out()?),
        }),
        test: problem.test.as_ref().map(judge).transpose()?,
        epochs: 0,
        best_epoch: None,
        steps: 0,
        seconds: 0.0,
        stop_reason: StopReason::Solved,
        seed: config.seed.unwrap_or_default(),
        precision: Precision::F64,
        kernel: Some(KernelFit {
            ridge: model.ridge(),
            effective_parameters: regression.effective_parameters(),
            log_marginal_likelihood: regression.log_marginal_likelihood(),
            noise,
        }),
    })
}
