//! The rows that an attack misled most.

use gramstep::Matrix;

use crate::data::{Dataset, Targets};
use crate::format::text::number;
use crate::outcome::labels::chosen;
use crate::outcome::metrics::{in_own_units, largest};

/// Rows that are shown.
const MOST: usize = 6;

/// A row before and after.
pub(super) struct Example {
    /// Its number in the table, from 0.
    pub(super) row: usize,
    /// Inputs of the network.
    pub(super) clean: Vec<f64>,
    pub(super) attacked: Vec<f64>,
    /// In words: target, prediction before and after.
    pub(super) target: String,
    pub(super) before: String,
    pub(super) after: String,
}

/// The examples; `rows`: the rows of the table that the data are; `said`: outputs before and after. Of classes first those
/// that were right and are wrong, then those whose right class lost most probability; of numbers those whose loss grew most.
pub(super) fn find(
    targets: &Targets,
    rows: &[usize],
    data: &Dataset<f64>,
    attacked: &Matrix<f64>,
    (mut before, mut after): (Matrix<f64>, Matrix<f64>),
) -> Vec<Example> {
    let loss = targets.loss();
    let grown = |i: usize| {
        let of = |outputs: &Matrix<f64>| loss.value(outputs.row(i), data.targets.row(i));
        of(&after) - of(&before)
    };
    let grown: Vec<f64> = (0..data.rows()).map(grown).collect();
    in_own_units(&mut before, targets);
    in_own_units(&mut after, targets);
    let truth = targets.truth(&data.targets);
    let harm = |i: usize| match targets {
        Targets::Regression { .. } => grown[i],
        Targets::Classification { .. } | Targets::MultiLabel { .. } => lost(truth.row(i), before.row(i), after.row(i)),
    };
    let mut order: Vec<usize> = (0..data.rows()).collect();
    order.sort_by(|&i, &j| harm(j).total_cmp(&harm(i)).then(i.cmp(&j)));
    let example = |i: usize| Example {
        row: rows[i],
        clean: data.inputs.row(i).to_vec(),
        attacked: attacked.row(i).to_vec(),
        target: told(targets, truth.row(i)),
        before: told(targets, before.row(i)),
        after: told(targets, after.row(i)),
    };
    order.into_iter().take(MOST).filter(|&i| harm(i) > 0.0).map(example).collect()
}

/// The probability that the right class lost, and 1 where it is no longer the largest.
fn lost(truth: &[f64], before: &[f64], after: &[f64]) -> f64 {
    let class = largest(truth);
    let turned = largest(before) == class && largest(after) != class;
    before[class] - after[class] + if turned { 1.0 } else { 0.0 }
}

/// Targets in their own units, or the class and its probability.
fn told(targets: &Targets, values: &[f64]) -> String {
    match targets {
        Targets::Regression { columns, loss, .. } => {
            // Of quantiles the middle one.
            let levels = values.len() / columns.len();
            let middle = |values: &[f64]| number(values[if levels > 1 { loss.middle() } else { 0 }]);
            let each = columns.iter().zip(values.chunks(levels));
            let named =
                |(name, values)| if columns.len() == 1 { middle(values) } else { format!("{name} {}", middle(values)) };
            each.map(named).collect::<Vec<_>>().join(", ")
        }
        Targets::Classification { .. } | Targets::MultiLabel { .. } => {
            let class = largest(values);
            let sure = if values[class] < 1.0 { format!(" ({:.0} %)", 100.0 * values[class]) } else { String::new() };
            format!("{}{sure}", chosen(targets, values).join(", "))
        }
    }
}
