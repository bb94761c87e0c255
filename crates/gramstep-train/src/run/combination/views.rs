//! Other views of a table's inputs that kernels are tried on.

use gramstep::Matrix;

use crate::data::quantile::quantile;
use crate::data::{Dataset, Encoding, Inputs};
use crate::predictor::View;

/// How many different values numbers have that may be names of something.
const FEW: std::ops::RangeInclusive<usize> = 3..=8;
/// From the distance of the quartiles to a standard deviation, for normal numbers.
const QUARTILES: f64 = 1.349;

/// Views beside the plain one, each with what is said of it: columns that are bent, and 0/1 columns beside numbers of
/// few values.
pub(super) fn others(inputs: &Inputs, rows: &Dataset<f64>) -> Vec<(&'static str, View)> {
    let numbers = inputs.places().filter(|(column, _)| matches!(column.encoding, Encoding::Number { .. }));
    let numbers: Vec<(usize, Vec<f64>)> =
        numbers.map(|(_, places)| places.start).map(|at| (at, sorted(&rows.inputs, at))).collect();
    let bent: Vec<(usize, f64, f64)> = numbers.iter().filter_map(|(at, values)| bent(*at, values)).collect();
    let few = |values: &[f64]| {
        let mut distinct = values.to_vec();
        distinct.dedup();
        FEW.contains(&distinct.len()).then_some(distinct)
    };
    let few: Vec<(usize, Vec<f64>)> = numbers.iter().filter_map(|(at, values)| Some((*at, few(values)?))).collect();
    let mut views = Vec::new();
    if !bent.is_empty() {
        views.push((" of bent inputs", View::bent(bent)));
    }
    if !few.is_empty() {
        views.push((" with values as columns", View::one_hot(few)));
    }
    views
}

fn sorted(inputs: &Matrix<f64>, at: usize) -> Vec<f64> {
    let mut values: Vec<f64> = (0..inputs.rows()).map(|i| inputs[(i, at)]).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// Median and robust deviation of a column of more than two values, where some lie far out.
fn bent(at: usize, sorted: &[f64]) -> Option<(usize, f64, f64)> {
    let [low, median, high] = [0.25, 0.5, 0.75].map(|share| quantile(sorted, None, share));
    let scale = (high - low) / QUARTILES;
    let far = |value: &f64| (value - median).abs() > 3.0 * scale;
    (scale > 0.0 && (sorted.first().is_some_and(far) || sorted.last().is_some_and(far))).then_some((at, median, scale))
}
