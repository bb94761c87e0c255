//! An attack on the model of a run at several radii.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use gramstep::attack::{Attack, Criterion, LargestLoss, Problem, SampleOutcome, ThreatModel};
use gramstep::model::Differentiable;
use gramstep::random::Purpose;
use gramstep::{Device, Matrix, Scalar};

use super::bounded::{Bounded, outputs, unbounded};
use super::measurable::check_one_classification;
use super::options::AttackOptions;
use super::report::{AttackReport, ColumnMove, RobustMetrics, SCHEMA_VERSION};
use super::transfer::{Other, Perturbed};
use super::{examples, page, threat};
use crate::data::permutation::choice;
use crate::data::{Dataset, Preprocessing, Source, Targets, WeightedRows};
use crate::error::{Error, Result};
use crate::folder::check_output;
use crate::outcome::event::Observer;
use crate::outcome::metrics::{Metrics, measure};
use crate::predictor::{Learned, Predictor};

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
    // Rows are attacked as they are before they are brought within bounds.
    let inputs = &trained.preprocessing().inputs;
    let preprocessing = &unbounded(trained.preprocessing());
    check_one_classification(&preprocessing.targets)?;
    let (table, rows) = match source {
        None => trained.test_rows(run)?,
        Some(source) => {
            let table = trained.read(source, options.threads)?;
            let rows = preprocessing.judged(&table)?;
            (table, rows)
        }
    };
    let mut notes = table.notes().to_vec();
    let all = rows.0.len();
    let (rows, weights) = chosen(rows, options);
    if rows.is_empty() {
        let purpose = "an attack: the target is empty".to_owned();
        return Err(Error::TooFewRows { origin: table.origin().to_owned(), rows: 0, purpose });
    }
    let data = preprocessing.dataset(&table, &rows, &mut notes)?.with_weights(weights)?;
    let threat = threat::model(preprocessing, &table, options, &mut notes)?;
    let other = |run: &PathBuf| Other::load(run, (&table, &rows), (preprocessing, &data), &device, &mut notes);
    let others = options.transfer.iter().map(other).collect::<Result<Vec<_>>>()?;
    let clock = Instant::now();
    let mut watch = Watch { stop, observer };
    let ground = Under { trained: &trained, preprocessing, rows: &rows, threat: &threat, options };
    let attacked = match trained.learned() {
        Learned::F32(networks) => attack_model(networks, &data.cast(), &ground, &mut watch),
        Learned::F64(networks) => attack_model(networks, &data, &ground, &mut watch),
        Learned::Kernel(kernel) => attack_model(kernel.regressor(), &data, &ground, &mut watch),
        Learned::Combination(combination) => attack_model(&**combination, &data, &ground, &mut watch),
    };
    let (robust, attacked) = attacked.map_err(|error| threat::in_the_data(error, preprocessing, &table, &rows))?;
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
        rows: rows.iter().map(|row| row + 1).collect(),
        drawn_from: (rows.len() < all).then_some(all),
        clean: ground.judge(&data, &data.inputs)?,
        moves: moves(preprocessing, &data.inputs, &attacked),
        transfer: others.iter().map(|other| other.judge(&perturbed)).collect::<Result<_>>()?,
        seconds,
        interrupted: robust.len() < SHARES.len(),
        robust,
        notes,
    };
    if let Some(path) = &options.page {
        let outputs = |z: &Matrix<f64>| outputs(trained.learned(), inputs, z);
        let said = (outputs(&data.inputs)?, outputs(&attacked)?);
        let examples = examples::find(&preprocessing.targets, &rows, &data, &attacked, said);
        page::write(path, &report, preprocessing, &examples)?;
    }
    Ok(report)
}

/// Who watches an attack, and who may end it.
struct Watch<'a> {
    stop: &'a AtomicBool,
    observer: &'a mut dyn Observer,
}

/// What is attacked with what: the rows of the table by their numbers.
struct Under<'a> {
    trained: &'a Predictor,
    /// Without bounds.
    preprocessing: &'a Preprocessing,
    rows: &'a [usize],
    threat: &'a ThreatModel,
    options: &'a AttackOptions,
}

impl Under<'_> {
    /// The quality on rows with these inputs in place of their own.
    fn judge<T: Scalar>(&self, data: &Dataset<T>, inputs: &Matrix<f64>) -> Result<Metrics> {
        let outputs = outputs(self.trained.learned(), &self.trained.preprocessing().inputs, inputs)?;
        Ok(measure(&outputs, &data.targets.cast(), data.weights.as_deref(), &self.preprocessing.targets))
    }
}

/// As many rows as are wanted, drawn at random over all and in their order.
fn chosen((rows, weights): WeightedRows, options: &AttackOptions) -> WeightedRows {
    let Some(wanted) = options.rows.filter(|wanted| *wanted < rows.len()) else { return (rows, weights) };
    let places = choice(rows.len(), wanted, options.seed, Purpose::Perturbation, 0);
    let weights = weights.map(|weights| places.iter().map(|&at| weights[at]).collect());
    (places.into_iter().map(|at| rows[at]).collect(), weights)
}

/// An error of a chunk as one of the whole batch.
fn of_batch(error: gramstep::Error, start: usize) -> gramstep::Error {
    match error {
        gramstep::Error::OutsideBox { sample, column, value, lower, upper } => {
            gramstep::Error::OutsideBox { sample: start + sample, column, value, lower, upper }
        }
        other => other,
    }
}

/// Whether a perturbation is worse for the model than another one: the aim is reached where it was not, or is nearer.
fn is_worse(one: &SampleOutcome, other: &SampleOutcome) -> bool {
    (one.found, one.after) > (other.found, other.after)
}

/// Attacks a model on preprocessed data at every radius; returns what was found, and the inputs at the largest radius
/// that was done.
fn attack_model<T: Scalar>(
    model: &dyn Differentiable<T>,
    data: &Dataset<T>,
    under: &Under<'_>,
    watch: &mut Watch<'_>,
) -> Result<(Vec<RobustMetrics>, Matrix<f64>)> {
    let (options, targets) = (under.options, &under.preprocessing.targets);
    let model = &Bounded::new(model, &under.trained.preprocessing().inputs);
    let attack = options.attack.with_seed(options.seed);
    let loss = targets.loss();
    let goal = LargestLoss(&*loss);
    let rows = data.rows();
    let numbers: Vec<u64> = under.rows.iter().map(|&row| row as u64).collect();
    let (mut robust, mut inputs) = (Vec::new(), data.inputs.cast().into_matrix());
    // A ball holds the smaller ones, and what was found there.
    let mut worst: Vec<Option<SampleOutcome>> = vec![None; rows];
    for (at, share) in SHARES.into_iter().enumerate() {
        let threat = under.threat.clone().with_radius(share * options.radius)?;
        let mut found = Matrix::zeros(rows, data.inputs.columns());
        for start in (0..rows).step_by(CHUNK) {
            watch.observer.count("rows", at * rows + start, SHARES.len() * rows);
            if watch.stop.load(Ordering::Relaxed) {
                return Ok((robust, inputs));
            }
            let chunk = start..(start + CHUNK).min(rows);
            let (x, y) = (data.inputs.view().row_range(chunk.clone()), data.targets.view().row_range(chunk.clone()));
            let mut problem = Problem::new(model, x, y).with_numbers(&numbers[chunk.clone()]).with_stop(watch.stop);
            if matches!(targets, Targets::Regression { .. }) {
                problem = problem.with_goal(&goal).with_criterion(Criterion::None);
            }
            let attacked = match attack.run(&problem, &threat) {
                Err(gramstep::Error::Interrupted) => return Ok((robust, inputs)),
                attacked => attacked.map_err(|error| of_batch(error, start))?,
            };
            let points: Matrix<f64> = attacked.inputs.cast();
            for (row, (i, outcome)) in chunk.zip(attacked.samples.iter().enumerate()) {
                let is_worse = worst[row].as_ref().is_none_or(|before| is_worse(outcome, before));
                let point = if is_worse { points.row(i) } else { inputs.row(row) };
                found.row_mut(row).copy_from_slice(point);
                if is_worse {
                    worst[row] = Some(*outcome);
                }
            }
        }
        inputs = found;
        robust.push(RobustMetrics { radius: share * options.radius, metrics: under.judge(data, &inputs)? });
    }
    Ok((robust, inputs))
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
