//! The rows that an attack misled most.

use gramstep::Matrix;

use crate::data::{Dataset, Targets};
use crate::error::Result;
use crate::outcome::labels::chosen;
use crate::outcome::metrics::{in_own_units, largest};
use crate::predictor::Predictor;

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

/// The examples; `rows`: the rows of the table that the data are. Of classes first those that were right and are wrong, then those whose right class lost most
/// probability; of numbers those whose error grew most.
pub(super) fn find(
    trained: &Predictor,
    rows: &[usize],
    data: &Dataset<f64>,
    attacked: &Matrix<f64>,
) -> Result<Vec<Example>> {
    let targets = &trained.preprocessing().targets;
    let outputs = |inputs: &Matrix<f64>| -> Result<Matrix<f64>> {
        let mut outputs = trained.learned().outputs(inputs)?;
        in_own_units(&mut outputs, targets);
        Ok(outputs)
    };
    let (before, after) = (outputs(&data.inputs)?, outputs(attacked)?);
    let mut expected = data.targets.clone();
    if let Targets::Regression { standardisation, .. } = targets {
        standardisation.invert(expected.as_mut_slice());
    }
    let harm = |i: usize| harm(targets, expected.row(i), before.row(i), after.row(i));
    let mut order: Vec<usize> = (0..data.rows()).collect();
    order.sort_by(|&i, &j| harm(j).total_cmp(&harm(i)).then(i.cmp(&j)));
    let example = |i: usize| Example {
        row: rows[i],
        clean: data.inputs.row(i).to_vec(),
        attacked: attacked.row(i).to_vec(),
        target: told(targets, expected.row(i)),
        before: told(targets, before.row(i)),
        after: told(targets, after.row(i)),
    };
    Ok(order.into_iter().take(MOST).filter(|&i| harm(i) > 0.0).map(example).collect())
}

/// By how much a row is predicted worse, on a scale that orders rows.
fn harm(targets: &Targets, expected: &[f64], before: &[f64], after: &[f64]) -> f64 {
    match targets {
        Targets::Regression { standardisation, .. } => {
            let error = |f: &[f64]| -> f64 {
                let scaled = f.iter().zip(expected).zip(&standardisation.scale);
                scaled.map(|((f, y), scale)| ((f - y) / scale).powi(2)).sum()
            };
            error(after) - error(before)
        }
        Targets::Classification { .. } | Targets::MultiLabel { .. } => {
            let class = largest(expected);
            let turned = largest(before) == class && largest(after) != class;
            before[class] - after[class] + if turned { 1.0 } else { 0.0 }
        }
    }
}

/// Targets in their own units, or the class and its probability.
fn told(targets: &Targets, values: &[f64]) -> String {
    match targets {
        Targets::Regression { columns, .. } if columns.len() == 1 => crate::format::text::number(values[0]),
        Targets::Regression { columns, .. } => {
            let each = columns
                .iter()
                .zip(values)
                .map(|(name, value)| format!("{name} {}", crate::format::text::number(*value)));
            each.collect::<Vec<_>>().join(", ")
        }
        Targets::Classification { .. } | Targets::MultiLabel { .. } => {
            let class = largest(values);
            let sure = if values[class] < 1.0 { format!(" ({:.0} %)", 100.0 * values[class]) } else { String::new() };
            format!("{}{sure}", chosen(targets, values).join(", "))
        }
    }
}
