//! A user's table on the unit sphere, where the theorems live, and what had to be repaired for it.

use gramstep::Matrix;
use gramstep::theory::Points;

use crate::data::{Problem, Targets};
use crate::error::{Error, Result};
use crate::format::text::count;
use crate::settings::Config;

/// Rows nearer than this are one.
const SAME: f64 = 1e-6;

/// All rows of a table: inputs standardised, a constant 1 appended, divided by their length; the target standardised,
/// or ±1 for a class. Too many rows are thinned evenly, rows with the inputs of another are left out.
pub(super) fn load(config: &Config, most: usize) -> Result<(Points, Vec<String>)> {
    let problem = Problem::load(&config.data_options()?.whole())?;
    let mut notes = problem.notes.clone();
    let targets = single_target(&problem, &mut notes)?;
    let inputs = on_sphere(&problem.train.inputs);
    notes.push(
        "inputs are standardised, a constant column of 1 is added, and each row is divided by its length: \
         the theorems ask for points of the unit sphere"
            .to_owned(),
    );
    let rows = thinned(inputs.rows(), most);
    if rows.len() < inputs.rows() {
        notes.push(format!("{} of {} rows are used, evenly spaced", count(rows.len()), count(inputs.rows())));
    }
    let (distinct, all) = (distinct(&inputs, &rows), rows.len());
    if distinct.len() < all {
        let left_out = match all - distinct.len() {
            1 => "1 row has the inputs of another one and is left out".to_owned(),
            several => format!("{} rows have the inputs of others and are left out", count(several)),
        };
        notes.push(format!("{left_out}: with duplicates λ₀ is 0"));
    }
    Ok((Points::new(inputs.select_rows(&distinct), targets.select_rows(&distinct))?, notes))
}

fn single_target(problem: &Problem, notes: &mut Vec<String>) -> Result<Matrix<f64>> {
    let targets = &problem.train.targets;
    match &problem.preprocessing.targets {
        Targets::Classification { column, classes, .. } => {
            notes.push(format!("the target is 1 where `{column}` is {}, else −1", classes[0]));
            Ok(Matrix::from_fn(targets.rows(), 1, |i, _| if targets[(i, 0)] > 0.5 { 1.0 } else { -1.0 }))
        }
        Targets::Regression { columns, .. } | Targets::MultiLabel { columns, .. } if columns.len() > 1 => {
            let reason = "claims are tried on one target".to_owned();
            Err(Error::Target { column: columns[1].clone(), reason })
        }
        Targets::Regression { .. } | Targets::MultiLabel { .. } => Ok(targets.clone()),
    }
}

/// (x, 1)/‖(x, 1)‖: a map that no two rows share.
fn on_sphere(inputs: &Matrix<f64>) -> Matrix<f64> {
    let d = inputs.columns();
    let mut raised = Matrix::from_fn(inputs.rows(), d + 1, |i, j| if j < d { inputs[(i, j)] } else { 1.0 });
    for i in 0..raised.rows() {
        let row = raised.row_mut(i);
        let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        for x in row {
            *x /= length;
        }
    }
    raised
}

fn thinned(rows: usize, most: usize) -> Vec<usize> {
    let kept = rows.min(most);
    (0..kept).map(|i| i * rows / kept.max(1)).collect()
}

/// The rows that repeat none before them.
fn distinct(inputs: &Matrix<f64>, rows: &[usize]) -> Vec<usize> {
    let apart =
        |i: usize, j: usize| inputs.row(i).iter().zip(inputs.row(j)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    let mut kept: Vec<usize> = Vec::with_capacity(rows.len());
    for &row in rows {
        if kept.iter().all(|&other| apart(row, other) > SAME) {
            kept.push(row);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str, most: usize) -> Result<(Points, Vec<String>)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        load(&Config { data: Some(path.display().to_string()), ..Config::default() }, most)
    }

    #[test]
    fn rows_lie_on_the_sphere_without_duplicates_and_every_repair_is_stated() {
        let (points, notes) = load_text("a,b,y\n0,0,1\n1,2,2\n0,0,3\n2,1,4\n5,5,0\n", 100).unwrap();
        assert_eq!(points.samples(), 4);
        assert!(points.off_sphere() < 1e-14);
        assert!(notes.iter().any(|note| note.contains("duplicates")), "{notes:?}");
        assert!(notes.iter().any(|note| note.contains("unit sphere")));
    }

    #[test]
    fn long_tables_are_thinned_and_classes_become_signs() {
        let row = |i: usize| format!("{i},{},{}", i * i, ["red", "blue"][i % 2]);
        let text = std::iter::once("a,b,y".to_owned()).chain((0..50).map(row)).collect::<Vec<_>>().join("\n");
        let (points, notes) = load_text(&text, 10).unwrap();
        assert_eq!(points.samples(), 10);
        assert!(points.targets.as_slice().iter().all(|y| y.abs() == 1.0));
        assert!(notes.iter().any(|note| note.contains("10 of 50")), "{notes:?}");
    }
}
