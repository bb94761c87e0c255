//! An attack on the model of a run at several radii.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use gramstep::attack::{Attack, Criterion, LargestLoss, Problem};
use gramstep::loss::SquaredLoss;
use gramstep::model::Differentiable;
use gramstep::{Device, Matrix, Scalar};

use super::options::AttackOptions;
use super::report::{AttackReport, ColumnMove, RobustMetrics, SCHEMA_VERSION};
use super::transfer::{Other, Perturbed};
use super::{examples, page};
use crate::data::{Dataset, Inputs, Preprocessing, Source, Targets};
use crate::error::{Error, Result, outside};
use crate::folder::check_output;
use crate::outcome::event::Observer;
use crate::outcome::metrics::measure;
use crate::predictor::{Learned, Predictor};
use crate::training::adversarial::{threat_model, unit_sizes};

/// Shares of the radius at which the error is found.
const SHARES: [f64; 4] = [0.25, 0.5, 0.75, 1.0];
/// Rows at a time: an attack can be stopped between them.
const CHUNK: usize = 512;

/// Attacks the model of a run on the rows of a source that have a value in every target, or on the rows that the run was
/// judged on at its end. `observer` is told how many of all rows at all radii are done; with `stop` set the radii that are
/// done are reported.
///
/// # Errors
/// When run, data or options do not fit together.
pub fn attack(
    run: &Path,
    source: Option<&Source>,
    options: &AttackOptions,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<AttackReport> {
    if let Some(page) = &options.page {
        let read = source.and_then(Source::path).map(Path::to_owned);
        check_output(page, read.as_slice())?;
    }
    let device = Device::cpu(options.threads);
    let trained = Predictor::load(run, &device)?;
    let preprocessing = trained.preprocessing();
    let (table, mut rows) = match source {
        None => trained.test_rows(run)?,
        Some(source) => {
            let table = trained.read(source, options.threads)?;
            let rows = preprocessing.judged(&table)?.0;
            (table, rows)
        }
    };
    let mut notes = table.notes().to_vec();
    rows.truncate(options.rows.unwrap_or(usize::MAX));
    if rows.is_empty() {
        let purpose = "an attack: the target is empty".to_owned();
        return Err(Error::TooFewRows { origin: table.origin().to_owned(), rows: 0, purpose });
    }
    let weights = preprocessing.weights_of(&table, &rows)?;
    let data = preprocessing.dataset(&table, &rows, &mut notes)?.with_weights(weights)?;
    let other = |run: &PathBuf| Other::load(run, (&table, &rows), preprocessing, &device, &mut notes);
    let others = options.transfer.iter().map(other).collect::<Result<Vec<_>>>()?;
    let clock = Instant::now();
    let mut watch = Watch { stop, observer };
    let (robust, attacked) = match trained.learned() {
        Learned::F32(networks) => attack_model(networks, &trained, &data.cast(), options, &mut watch)?,
        Learned::F64(networks) => attack_model(networks, &trained, &data, options, &mut watch)?,
        Learned::Kernel(kernel) => attack_model(kernel.regressor(), &trained, &data, options, &mut watch)?,
    };
    let seconds = clock.elapsed().as_secs_f64();
    let perturbed = Perturbed { preprocessing, clean: &data.inputs, attacked: &attacked };
    let report = AttackReport {
        schema_version: SCHEMA_VERSION,
        run: run.display().to_string(),
        source: source.map_or_else(|| "test rows of the run".to_owned(), ToString::to_string),
        norm: options.norm,
        radius: options.radius,
        unit: options.unit,
        attack: options.attack.to_string(),
        clean: trained.judge(&data)?,
        moves: moves(preprocessing, &data.inputs, &attacked),
        transfer: others.iter().map(|other| other.judge(&perturbed)).collect::<Result<_>>()?,
        seconds,
        interrupted: robust.len() < SHARES.len(),
        robust,
        notes,
    };
    if let Some(path) = &options.page {
        let examples = examples::find(&trained, &rows, &data, &attacked)?;
        page::write(path, &report, preprocessing, &examples)?;
    }
    Ok(report)
}

/// Who watches an attack, and who may end it.
struct Watch<'a> {
    stop: &'a AtomicBool,
    observer: &'a mut dyn Observer,
}

/// Attacks a model on preprocessed data at every radius; returns what was found, and the inputs at the largest radius
/// that was done.
fn attack_model<T: Scalar>(
    model: &dyn Differentiable<T>,
    trained: &Predictor,
    data: &Dataset<T>,
    options: &AttackOptions,
    watch: &mut Watch<'_>,
) -> Result<(Vec<RobustMetrics>, Matrix<f64>)> {
    let preprocessing = trained.preprocessing();
    let threat = limited(preprocessing, options)?;
    let attack = options.attack.with_seed(options.seed);
    let goal = LargestLoss(&SquaredLoss);
    let (rows, expected) = (data.rows(), data.targets.cast());
    let numbers: Vec<u64> = (0..rows as u64).collect();
    let (mut robust, mut inputs) = (Vec::new(), data.inputs.cast());
    for (at, share) in SHARES.into_iter().enumerate() {
        let threat = threat.clone().with_radius(share * options.radius)?;
        let mut found = Matrix::zeros(rows, data.inputs.columns());
        for start in (0..rows).step_by(CHUNK) {
            watch.observer.count("rows", at * rows + start, SHARES.len() * rows);
            if watch.stop.load(Ordering::Relaxed) {
                return Ok((robust, inputs));
            }
            let chunk = start..(start + CHUNK).min(rows);
            let (x, y) = (data.inputs.view().row_range(chunk.clone()), data.targets.view().row_range(chunk.clone()));
            let mut problem = Problem::new(model, x, y).with_numbers(&numbers[chunk.clone()]).with_stop(watch.stop);
            if matches!(preprocessing.targets, Targets::Regression { .. }) {
                problem = problem.with_goal(&goal).with_criterion(Criterion::None);
            }
            let attacked = match attack.run(&problem, &threat) {
                Err(gramstep::Error::Interrupted) => return Ok((robust, inputs)),
                attacked => attacked?.inputs.cast(),
            };
            chunk.zip(0..).for_each(|(row, i)| found.row_mut(row).copy_from_slice(attacked.row(i)));
        }
        inputs = found;
        let outputs = trained.learned().outputs(&inputs)?;
        let metrics = measure(&outputs, &expected, data.weights.as_deref(), &preprocessing.targets);
        robust.push(RobustMetrics { radius: share * options.radius, metrics });
    }
    Ok((robust, inputs))
}

/// The threat model with limits, sizes and frozen columns.
fn limited(preprocessing: &Preprocessing, options: &AttackOptions) -> Result<gramstep::attack::ThreatModel> {
    let inputs = &preprocessing.inputs;
    let mut sizes = unit_sizes(inputs, options.unit);
    for (name, size) in &options.sizes {
        if !(size.is_finite() && *size >= 0.0) {
            return Err(outside("size", &format!("{name}={size}"), "finite and at least 0"));
        }
        places_of(inputs, name)?.for_each(|place| sizes[place] *= size);
    }
    let mut threat = threat_model(inputs, options.norm, options.radius, sizes)?;
    if let Some((lower, upper)) = options.limits {
        let standardised = inputs.standardisation.mean.iter().zip(&inputs.standardisation.scale);
        // The same operations as for the data, so that a value at the limit is inside.
        let limits = standardised.map(|(mean, scale)| ((lower - mean) / scale, (upper - mean) / scale));
        threat = threat.with_column_box(limits.collect())?;
    }
    let mut frozen = Vec::new();
    for name in &options.frozen {
        frozen.extend(places_of(inputs, name)?);
    }
    Ok(threat.with_frozen(&frozen))
}

/// Where a column of the table is among the inputs.
fn places_of(inputs: &Inputs, name: &str) -> Result<Range<usize>> {
    let found = inputs.places().find(|(column, _)| column.name == name);
    found.map(|(_, places)| places).ok_or_else(|| Error::UnknownColumn {
        origin: "the run".to_owned(),
        column: name.to_owned(),
        available: inputs.columns.iter().map(|column| column.name.clone()).collect(),
    })
}

fn moves(preprocessing: &Preprocessing, clean: &Matrix<f64>, moved: &Matrix<f64>) -> Vec<ColumnMove> {
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
            let moved: f64 = (0..clean.rows()).map(|i| (moved[(i, at)] - clean[(i, at)]).abs()).sum();
            sum += moved * inputs.standardisation.scale[at];
            deviations += moved;
        }
        let column = column.name.clone();
        moves.push(ColumnMove { column, mean: sum / number, deviations: deviations / number });
    }
    moves.sort_by(|a, b| b.mean.total_cmp(&a.mean));
    moves
}
