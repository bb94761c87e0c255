//! `--folds K`: every row is predicted by a fit that has not seen it, then the final fit is made of all rows but those of the
//! test, as without folds.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use gramstep::{Matrix, Scalar};

use super::assignment::{Assignment, CrossValidation};
use super::{kernel, prepare};
use crate::data::{Cells, DataOptions, Dataset, Fold, Portion, Problem, Table, Task};
use crate::error::Result;
use crate::folder::Keep;
use crate::format::cell::text_cell;
use crate::outcome::Folds;
use crate::outcome::event::{Observer, Silent};
use crate::outcome::labels::chosen;
use crate::outcome::metrics::{Metrics, in_own_units};
use crate::settings::{Config, Precision, all_processors};
use crate::training::processes::Processes;
use crate::training::workers::{Tell, Workers, side_by_side};

/// What a fold is judged to be.
struct Judged {
    metrics: Metrics,
    header: Vec<String>,
    /// Line and cells of each row.
    rows: Vec<(u64, Vec<String>)>,
    /// Rows of all parts.
    all: usize,
}

/// Fits and judges every fold; none if the user ended it. A fold whose fit diverges has no scores.
///
/// # Errors
/// Those of a fit, that of divergence where every fold diverges.
pub(super) fn cross_validate(
    config: &Config,
    table: &Table,
    count: usize,
    precision: Precision,
    processes: Processes<'_>,
    observer: &mut dyn Observer,
) -> Result<Option<CrossValidation>> {
    let options = config.data_options()?;
    let over = AtomicBool::new(false);
    let of_fold = processes.or(&over);
    let workers = Workers::new(config.threads.unwrap_or_else(all_processors));
    // Each has its whole limit, and nobody beside it; large ones, and kernels, take all threads and much memory.
    let images = table.columns().iter().any(|column| matches!(column.cells, Cells::Images(_)));
    let alone = processes.count() > 1 || config.time_limit.is_some() || images || kernel::is_kernel(config);
    let at_once = if alone { 1 } else { workers.places() };
    let judged = |number| {
        let fold = Some(Fold { number, of: count });
        let mut problem = Problem::of_table(table, &DataOptions { fold, ..options.clone() })?;
        prepare(&mut problem, config, false)?;
        match precision {
            Precision::F32 => judge(&problem.into_type::<f32>(), number, config, of_fold, &workers),
            Precision::F64 => judge(&problem.into_type::<f64>(), number, config, of_fold, &workers),
        }
    };
    let (mut metrics, mut header, mut rows, mut all) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let (mut diverged, mut divergence, mut failure) = (Vec::new(), None, Ok(()));
    let task = |number: usize, tell: Tell<'_, _>| tell(judged(number));
    side_by_side(0..count, at_once, None, task, |number, judged| {
        match judged {
            Ok(Some(judged)) => {
                metrics.push(judged.metrics);
                (header, all) = (judged.header, judged.all);
                rows.extend(judged.rows);
                observer.count("folds", number + 1, count);
                return ControlFlow::Continue(());
            }
            Ok(None) => {}
            Err(error) if error.is_divergence() => {
                let (fold, place) = (number + 1, error.to_string());
                failure = observer.note(&format!("fold {fold} diverged and has no scores: {place}"));
                diverged.push(fold);
                divergence = Some(error);
                if failure.is_ok() {
                    return ControlFlow::Continue(());
                }
            }
            Err(error) => failure = Err(error),
        }
        over.store(true, Ordering::Relaxed);
        ControlFlow::Break(())
    });
    failure?;
    if let Some(error) = divergence.filter(|_| diverged.len() == count) {
        return Err(error);
    }
    if metrics.len() + diverged.len() < count {
        return Ok(None);
    }
    if diverged.is_empty() && !matches!(config.validation, Some(Portion::File(_))) && rows.len() < all {
        let alone = all - rows.len();
        let (rows, judge) = if alone == 1 { ("row", "is") } else { ("rows", "are") };
        observer.note(&format!(
            "{alone} {rows}, each the only one of its class, {judge} learned from in every fold and judged in none"
        ))?;
    }
    rows.sort_by_key(|(line, _)| *line);
    let cells = rows.into_iter().map(|(_, cells)| cells);
    let predictions = csv(std::iter::once(header).chain(cells));
    Ok(Some(CrossValidation { folds: Folds::of(&metrics, diverged), predictions }))
}

/// Fits all other rows and judges those of a fold.
fn judge<T: Scalar>(
    problem: &Problem<T>,
    number: usize,
    config: &Config,
    processes: Processes<'_>,
    workers: &Workers,
) -> Result<Option<Judged>> {
    // Nobody would see what is watched of a fold.
    let config = &Config { watch_kernel: None, ..config.clone() };
    let of = Assignment { workers: Some(workers), ..Assignment::new(problem, config, processes) };
    let learnt = of.learn(Keep::Nothing, &mut Silent)?;
    let (Some(metrics), Some(test)) = (learnt.report.test.clone(), &problem.test) else { return Ok(None) };
    if learnt.report.is_interrupted() {
        return Ok(None);
    }
    let mut test: Dataset<f64> = test.cast();
    if learnt.predictor.preprocessing().inputs.bounds.is_empty() {
        // Ridge regression took the place of networks.
        problem.preprocessing.inputs.unbound(&mut test.inputs);
    }
    let mut outputs = learnt.predictor.learned().outputs(&test.inputs)?;
    let targets = &problem.preprocessing.targets;
    in_own_units(&mut outputs, targets);
    let cells = |matrix: &Matrix<f64>, i: usize| matrix.row(i).iter().map(f64::to_string).collect::<Vec<_>>();
    let columns = targets.columns();
    let mut header = vec!["line".to_owned(), "fold".to_owned()];
    header.extend(columns.iter().map(|column| format!("true_{column}")));
    header.extend(targets.predicted_names());
    let truth = targets.truth(&test.targets);
    let row = |(i, &line): (usize, &u64)| {
        let mut row = vec![line.to_string(), (number + 1).to_string()];
        match targets.task() {
            Task::Classification => {
                let both = [&truth, &outputs].into_iter().flat_map(|matrix| chosen(targets, matrix.row(i)));
                row.extend(both.map(str::to_owned));
            }
            Task::Regression => row.extend(cells(&truth, i)),
        }
        row.extend(cells(&outputs, i));
        (line, row)
    };
    let rows = problem.test_lines.iter().enumerate().map(row).collect();
    let all = problem.train.rows() + problem.validation.as_ref().map_or(0, Dataset::rows) + test.rows();
    Ok(Some(Judged { metrics, header, rows, all }))
}

/// The bytes of a CSV, in which no spreadsheet takes text for a formula.
fn csv(rows: impl Iterator<Item = Vec<String>>) -> Option<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.iter().map(|cell| text_cell(cell).into_owned())).ok()?;
    }
    writer.into_inner().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::table_of;
    use crate::outcome::event::Event;

    /// Five folds of a table of which one row has a huge input.
    fn folds(given: &[(&str, &str)]) -> (Result<Option<CrossValidation>>, String) {
        let row = |i: i32| {
            format!("{},{}\n", if i == 17 { "1e38".to_owned() } else { i.to_string() }, (f64::from(i) / 9.0).sin())
        };
        let table = table_of(&format!("a,y\n{}", (0..50).map(row).collect::<String>()));
        let mut config = Config { data: Some("csv:t".to_owned()), threads: Some(2), ..Config::default() };
        let own = [("model", "mlp:16:quadratic-relu"), ("input-bounds", "none"), ("validation", "0"), ("epochs", "3")];
        for (name, value) in own.iter().chain(given) {
            config.set(name, value).unwrap();
        }
        let (never, mut told) = (AtomicBool::new(false), String::new());
        let mut hear = |event: &Event<'_>| {
            if let Event::Note(note) = event {
                told += note;
            }
            Ok(())
        };
        let folds = cross_validate(&config, &table, 5, Precision::F32, (&never).into(), &mut hear);
        (folds, told)
    }

    #[test]
    fn the_only_row_of_a_class_is_judged_by_no_fold_and_said() {
        let row = |i: usize| format!("{i},{}\n", if i == 17 { "rare" } else { ["no", "yes"][i / 25] });
        let table = table_of(&format!("a,y\n{}", (0..50).map(row).collect::<String>()));
        let config = Config { data: Some("csv:t".to_owned()), threads: Some(2), ..Config::default() };
        let given = [("model", "mlp:8:tanh"), ("epochs", "3"), ("precision", "f32")];
        let config = given.iter().fold(config, |mut config, (name, value)| {
            config.set(name, value).unwrap();
            config
        });
        let (never, mut told) = (AtomicBool::new(false), String::new());
        let mut hear = |event: &Event<'_>| {
            if let Event::Note(note) = event {
                told += note;
            }
            Ok(())
        };
        let found = cross_validate(&config, &table, 5, Precision::F32, (&never).into(), &mut hear);
        let lines = String::from_utf8(found.unwrap().unwrap().predictions.unwrap()).unwrap().lines().count();
        assert_eq!(lines, 1 + 49);
        assert!(told.contains("1 row, each the only one of its class"), "{told}");
    }

    #[test]
    fn a_fold_that_diverges_has_no_scores_and_the_others_have() {
        let (found, told) = folds(&[]);
        let of = found.unwrap().unwrap();
        assert_eq!((of.folds.folds, of.folds.diverged.len()), (4, 1), "{told}");
        assert!(of.folds.scores.iter().all(|score| score.values.len() == 4 && score.mean.is_finite()));
        assert!(told.contains("diverged and has no scores"), "{told}");
        let lines = String::from_utf8(of.predictions.unwrap()).unwrap().lines().count();
        assert_eq!(lines, 1 + 40);
    }

    #[test]
    fn folds_that_all_diverge_are_an_error() {
        let (found, _) = folds(&[("optimizer", "sgd"), ("learning-rate", "1e30")]);
        assert!(found.unwrap_err().is_divergence());
    }
}
