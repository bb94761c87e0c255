//! The model of a run under attack: clean and robust error, error against radius, which columns are moved.

mod examples;
mod page;
mod transfer;

pub use transfer::Transfer;

use std::path::{Path, PathBuf};
use std::time::Instant;

use gramstep::attack::{Attack, Criterion, LargestLoss, NamedAttack, Norm, Problem};
use gramstep::loss::SquaredLoss;
use gramstep::model::Differentiable;
use gramstep::{Device, Matrix, Scalar};
use serde::{Deserialize, Serialize};

use crate::adversarial::{Unit, threat_model};
use crate::data::{Dataset, Preprocessing, Source, Targets};
use crate::error::{Error, Result};
use crate::metrics::{Metrics, measure};
use crate::model_file::Network;
use crate::trained::TrainedModel;
use transfer::Perturbed;

/// Version of the JSON object that [`AttackReport`] becomes.
pub const SCHEMA_VERSION: u32 = 1;

/// Shares of the radius at which the error is found.
const SHARES: [f64; 4] = [0.25, 0.5, 0.75, 1.0];

/// How a model is attacked.
#[derive(Clone, Debug, PartialEq)]
pub struct AttackOptions {
    /// How perturbations are measured.
    pub norm: Norm,
    /// Their largest size.
    pub radius: f64,
    /// What the radius is measured in.
    pub unit: Unit,
    /// How they are looked for.
    pub attack: NamedAttack,
    /// Limits of every number column, in the units of the data; none if everything is allowed.
    pub limits: Option<(f64, f64)>,
    /// Columns of the table that are left as they are.
    pub frozen: Vec<String>,
    /// The most rows to attack: the first ones.
    pub rows: Option<usize>,
    /// Of random starts.
    pub seed: u64,
    /// A page to write, with examples.
    pub page: Option<PathBuf>,
    /// Other runs, judged on what was found for this one.
    pub transfer: Vec<PathBuf>,
}

impl AttackOptions {
    /// PGD with 40 steps in a ball, in the units of the data.
    #[must_use]
    pub fn new(norm: Norm, radius: f64) -> Self {
        let attack = NamedAttack::Pgd(gramstep::attack::Pgd::new(40));
        Self {
            norm,
            radius,
            unit: Unit::Data,
            attack,
            limits: None,
            frozen: Vec::new(),
            rows: None,
            seed: 0,
            page: None,
            transfer: Vec::new(),
        }
    }
}

/// What an attack did to a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttackReport {
    /// Version of this object.
    pub schema_version: u32,
    /// The run folder.
    pub run: String,
    /// The norm.
    pub norm: Norm,
    /// The largest size of a perturbation.
    pub radius: f64,
    /// What it is measured in.
    pub unit: Unit,
    /// The attack.
    pub attack: String,
    /// Without attack.
    pub clean: Metrics,
    /// At every radius, ascending; the last is that of the attack.
    pub robust: Vec<RobustMetrics>,
    /// Mean size of the move of each number column at the full radius, largest first.
    pub moves: Vec<ColumnMove>,
    /// Other runs on the same perturbed rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transfer: Vec<Transfer>,
    /// Time of the attacks.
    pub seconds: f64,
}

/// The quality of a model under attack at one radius.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RobustMetrics {
    /// ε
    pub radius: f64,
    /// At the worst points that were found.
    #[serde(flatten)]
    pub metrics: Metrics,
}

/// How far one column was moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ColumnMove {
    /// Name in the table.
    pub column: String,
    /// Mean over rows (and pixels) of the size of the move, in the units of the data.
    pub mean: f64,
    /// The same in standard deviations of the training rows.
    pub deviations: f64,
}

/// Attacks the model of a run on the rows of a source that have a value in every target, or on the rows that the run was
/// judged on at its end.
///
/// # Errors
/// When run, data or options do not fit together.
pub fn attack(
    run: &Path,
    source: Option<&Source>,
    options: &AttackOptions,
    threads: usize,
    notes: &mut Vec<String>,
) -> Result<AttackReport> {
    let device = Device::cpu(threads);
    let trained = TrainedModel::load(run, device.clone())?;
    let preprocessing = &trained.metadata().preprocessing;
    let (table, mut rows) = match source {
        None => trained.test_rows(run)?,
        Some(source) => {
            let table = trained.read(source, threads)?;
            let rows = Targets::rows(&table, preprocessing.targets.columns())?;
            (table, rows)
        }
    };
    notes.extend(table.notes().iter().cloned());
    rows.truncate(options.rows.unwrap_or(usize::MAX));
    if rows.is_empty() {
        let purpose = "an attack: the target is empty".to_owned();
        return Err(Error::TooFewRows { origin: table.origin().to_owned(), rows: 0, purpose });
    }
    let data = preprocessing.dataset(&table, &rows, notes)?;
    let clock = Instant::now();
    let (mut report, attacked) = match trained.network() {
        Network::F32(model) => attack_model(model, &trained, &data.cast(), options)?,
        Network::F64(model) => attack_model(model, &trained, &data, options)?,
        Network::Infinite(model) => attack_model(model.regressor(), &trained, &data, options)?,
    };
    report.run = run.display().to_string();
    let perturbed = Perturbed { table: &table, rows: &rows, preprocessing, data: &data, attacked: &attacked };
    report.transfer = transfer::judge(&options.transfer, &perturbed, &device)?;
    report.seconds = clock.elapsed().as_secs_f64();
    if let Some(path) = &options.page {
        let examples = examples::find(&trained, &rows, &data, &attacked)?;
        page::write(path, &report, preprocessing, &examples)?;
    }
    Ok(report)
}

/// Attacks a model on preprocessed data; returns the inputs at the full radius too.
///
/// # Errors
/// When data or options do not fit the model.
fn attack_model<T: Scalar>(
    model: &dyn Differentiable<T>,
    trained: &TrainedModel,
    data: &Dataset<T>,
    options: &AttackOptions,
) -> Result<(AttackReport, Matrix<f64>)> {
    let preprocessing = &trained.metadata().preprocessing;
    let threat = limited(preprocessing, options)?;
    let goal = LargestLoss(&SquaredLoss);
    let mut problem = Problem::new(model, &data.inputs, &data.targets);
    if matches!(preprocessing.targets, Targets::Regression { .. }) {
        problem = problem.with_goal(&goal).with_criterion(Criterion::None);
    }
    let attack = options.attack.with_seed(options.seed);
    let expected = data.targets.cast();
    let judge = |inputs: &Matrix<T>| -> Result<Metrics> {
        Ok(measure(&trained.outputs(&inputs.cast())?, &expected, &preprocessing.targets))
    };
    let mut robust = Vec::new();
    let mut inputs = data.inputs.clone();
    for radius in SHARES.map(|share| share * options.radius) {
        inputs = attack.run(&problem, &threat.clone().with_radius(radius)?)?.inputs;
        robust.push(RobustMetrics { radius, metrics: judge(&inputs)? });
    }
    let report = AttackReport {
        schema_version: SCHEMA_VERSION,
        run: String::new(),
        norm: options.norm,
        radius: options.radius,
        unit: options.unit,
        attack: options.attack.to_string(),
        clean: judge(&data.inputs)?,
        robust,
        moves: moves(preprocessing, &data.inputs, &inputs),
        transfer: Vec::new(),
        seconds: 0.0,
    };
    Ok((report, inputs.cast()))
}

/// The threat model with limits and frozen columns.
fn limited(preprocessing: &Preprocessing, options: &AttackOptions) -> Result<gramstep::attack::ThreatModel> {
    let inputs = &preprocessing.inputs;
    let mut threat = threat_model(inputs, options.norm, options.radius, options.unit)?;
    if let Some((lower, upper)) = options.limits {
        let standardised = inputs.standardisation.mean.iter().zip(&inputs.standardisation.scale);
        // The same operations as for the data, so that a value at the limit is inside.
        let limits = standardised.map(|(mean, scale)| ((lower - mean) / scale, (upper - mean) / scale));
        threat = threat.with_column_box(limits.collect())?;
    }
    let mut frozen = Vec::new();
    let mut unknown = options.frozen.clone();
    for (column, places) in inputs.places() {
        if options.frozen.contains(&column.name) {
            frozen.extend(places);
            unknown.retain(|name| *name != column.name);
        }
    }
    if let Some(column) = unknown.pop() {
        let available = inputs.columns.iter().map(|column| column.name.clone()).collect();
        return Err(Error::UnknownColumn { origin: "the run".to_owned(), column, available });
    }
    Ok(threat.with_frozen(&frozen))
}

fn moves<T: Scalar>(preprocessing: &Preprocessing, clean: &Matrix<T>, moved: &Matrix<T>) -> Vec<ColumnMove> {
    let inputs = &preprocessing.inputs;
    let mut moves = Vec::new();
    for (column, places) in inputs.places() {
        let measured = places.start..places.start + column.encoding.measured();
        if measured.is_empty() {
            continue;
        }
        let number = (measured.len() * clean.rows()) as f64;
        let (mut sum, mut deviations) = (0.0, 0.0);
        for at in measured {
            let moved: f64 = (0..clean.rows()).map(|i| (moved[(i, at)] - clean[(i, at)]).abs().to_f64()).sum();
            sum += moved * inputs.standardisation.scale[at];
            deviations += moved;
        }
        let column = column.name.clone();
        moves.push(ColumnMove { column, mean: sum / number, deviations: deviations / number });
    }
    moves.sort_by(|a, b| b.mean.total_cmp(&a.mean));
    moves
}
