//! Predicted against true values of the rows that judge a run, as charts.

use std::collections::BTreeMap;

use gramstep::{Matrix, Scalar};

use super::Chart;
use crate::data::{Problem, Targets};
use crate::error::Result;
use crate::outcome::classes::{calibration, groups, roc};
use crate::outcome::labels::both_probabilities;
use crate::outcome::metrics::{largest, softmax};
use crate::predictor::Predictor;

/// Inputs against which residuals are shown.
const MOST_FEATURES: usize = 6;
/// Groups of equally many rows along an input.
const GROUPS: usize = 12;
/// Classes whose curves are drawn.
const MOST_CURVES: usize = 8;
/// Classes of the largest matrix that shows its counts.
const MOST_COUNTED: usize = 10;
/// Targets for which charts are shown.
const MOST_TARGETS: usize = 3;

/// A regression's predictions on one part of the data.
#[derive(Clone, Debug)]
pub(super) struct Judgement {
    /// `test`, `validation` or `training`.
    pub(super) part: &'static str,
    pub(super) charts: Vec<Chart>,
}

impl Judgement {
    /// On the test rows if there are any, else on those of validation, else on those of training.
    pub(super) fn of<T: Scalar>(model: &Predictor, problem: &Problem<T>) -> Result<Self> {
        let (part, data) = match (&problem.test, &problem.validation) {
            (Some(test), _) => ("test", test),
            (None, Some(validation)) => ("validation", validation),
            (None, None) => ("training", &problem.train),
        };
        let data = &data.cast::<f64>();
        let outputs = model.learned().outputs(&data.inputs)?;
        let preprocessing = &problem.preprocessing;
        let mut charts = Vec::new();
        match &preprocessing.targets {
            targets @ Targets::Regression { columns, loss, .. } => {
                let names = preprocessing.inputs.names();
                let plain = preprocessing.inputs.geometry().is_none();
                let mut raw = if plain { data.inputs.as_slice().to_vec() } else { Vec::new() };
                preprocessing.inputs.unstandardise(&mut raw);
                for (j, name) in columns.iter().enumerate().take(MOST_TARGETS) {
                    let (at, middle) = (j * loss.outputs(), loss.middle());
                    let truth: Vec<f64> = (0..data.rows()).map(|i| targets.own(j, data.targets.row(i)[at])).collect();
                    let own = |i: usize| {
                        let mut row = outputs.row(i).to_vec();
                        targets.own_outputs(&mut row);
                        row[at + middle]
                    };
                    let predicted: Vec<f64> = (0..data.rows()).map(own).collect();
                    charts.extend(regression(part, name, &truth, &predicted));
                    let residuals: Vec<f64> = predicted.iter().zip(&truth).map(|(f, y)| f - y).collect();
                    // Single pixels explain nothing.
                    if plain {
                        charts.extend(by_feature(name, &residuals, &names, &raw));
                    }
                }
            }
            Targets::Classification { classes, .. } => {
                let pairs = (0..data.rows()).map(|i| (largest(data.targets.row(i)), largest(outputs.row(i))));
                charts.push(confusion(part, classes, pairs));
                charts.extend(probabilities(part, classes, &outputs, &data.targets));
            }
            Targets::MultiLabel { columns, classes, .. } => {
                let names: Vec<String> =
                    columns.iter().zip(classes).map(|(name, [_, value])| format!("{name} = {value}")).collect();
                charts.extend(labels(part, &names, &both_probabilities(&outputs), &data.targets));
            }
        }
        Ok(Self { part, charts })
    }
}

fn regression(part: &str, name: &str, truth: &[f64], predicted: &[f64]) -> [Chart; 2] {
    let pairs = truth.iter().copied().zip(predicted.iter().copied());
    let residuals: Vec<f64> = predicted.iter().zip(truth).map(|(f, y)| f - y).collect();
    [
        Chart::new(format!("Predicted against true {name}"))
            .note(format!("{} {part} rows; on the line a prediction is exact", truth.len()))
            .axes(format!("true {name}"), "predicted")
            .points("", pairs)
            .diagonal(),
        Chart::new(format!("Residuals of {name}"))
            .note("predicted − true, number of rows")
            .axes(format!("residual of {name}"), "rows")
            .histogram("", &residuals),
    ]
}

type Points = Vec<(f64, f64)>;

/// Residuals against the inputs along which their mean varies most: where the fit could still gain.
fn by_feature(target: &str, residuals: &[f64], names: &[String], raw: &[f64]) -> Vec<Chart> {
    let mut found: Vec<(f64, usize, Points, Points)> = (0..names.len())
        .filter_map(|j| {
            let values = raw.iter().skip(j).step_by(names.len()).copied();
            let mut pairs: Vec<(f64, f64)> = values.zip(residuals.iter().copied()).collect();
            pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
            let several = pairs.windows(2).filter(|pair| pair[0].0 < pair[1].0).count() > 1;
            let means = several.then(|| group_means(&pairs))?;
            let mean = residuals.iter().sum::<f64>() / residuals.len() as f64;
            let spread = means.iter().map(|group| (group.1 - mean).powi(2)).sum::<f64>();
            Some((spread, j, pairs, means))
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let chart = |(_, j, pairs, means): (f64, usize, Points, Points)| {
        Chart::new(format!("Residuals of {target} by {}", names[j]))
            .axes(names[j].clone(), "residual")
            .points("rows", pairs)
            .line("mean of neighbouring rows", means)
            .zero_line()
    };
    found.into_iter().take(MOST_FEATURES).map(chart).collect()
}

/// Means over groups of equally many rows, in the order of the input.
fn group_means(sorted: &[(f64, f64)]) -> Points {
    let size = sorted.len().div_ceil(GROUPS).max(5);
    let mean = |group: &[(f64, f64)]| {
        let n = group.len() as f64;
        (group.iter().map(|pair| pair.0).sum::<f64>() / n, group.iter().map(|pair| pair.1).sum::<f64>() / n)
    };
    groups(sorted, size).into_iter().map(mean).collect()
}

/// For every true class the share of each predicted one.
fn confusion(part: &str, classes: &[String], pairs: impl Iterator<Item = (usize, usize)>) -> Chart {
    let k = classes.len();
    let mut counts: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    let mut rows = vec![0.0; k];
    for (truth, predicted) in pairs {
        *counts.entry((truth, predicted)).or_default() += 1.0;
        rows[truth] += 1.0;
    }
    let share = |truth: usize, predicted: usize| {
        let count = counts.get(&(truth, predicted)).copied().unwrap_or(0.0);
        if rows[truth] > 0.0 { count / rows[truth] } else { 0.0 }
    };
    let values = (0..k * k).map(|at| share(at / k, at % k)).collect();
    let chart = Chart::new("Confusion of classes")
        .note(format!("{part} rows, counted; dark is a large share of the rows of a true class"))
        .axes("predicted class", "true class")
        .heat_map("share", k, values)
        .cell_names(classes);
    if k > MOST_COUNTED {
        return chart;
    }
    let count = |at: usize| counts.get(&(at / k, at % k)).copied().unwrap_or(0.0).to_string();
    chart.cell_texts((0..k * k).map(count).collect())
}

/// How well probabilities order the rows, and how often what they say is right.
fn probabilities(part: &str, classes: &[String], logits: &Matrix<f64>, expected: &Matrix<f64>) -> Vec<Chart> {
    let mut values = logits.clone();
    for i in 0..values.rows() {
        softmax(values.row_mut(i));
    }
    let truth: Vec<usize> = (0..values.rows()).map(|i| largest(expected.row(i))).collect();
    let of = |a: usize| truth.iter().enumerate().map(|(i, &truth)| (values[(i, a)], truth == a)).collect();
    let curves = curves("ROC: each class against all others", part, classes, of);
    let chosen = |i: usize| largest(values.row(i));
    let rows: Vec<(f64, bool)> =
        truth.iter().enumerate().map(|(i, &truth)| (values[(i, chosen(i))], chosen(i) == truth)).collect();
    vec![curves, calibrated(part, &rows)]
}

/// The same of several labels, from the probabilities of both values of each.
fn labels(part: &str, names: &[String], both: &Matrix<f64>, expected: &Matrix<f64>) -> Vec<Chart> {
    let of = |a: usize| (0..both.rows()).map(|i| (both[(i, 2 * a + 1)], expected[(i, a)] == 1.0)).collect();
    let curves = curves("ROC: each label", part, names, of);
    let said = |i: usize, a: usize| {
        let value = usize::from(both[(i, 2 * a + 1)] > 0.5);
        (both[(i, 2 * a + value)], expected[(i, a)] == value as f64)
    };
    let rows: Vec<(f64, bool)> = (0..both.rows()).flat_map(|i| (0..names.len()).map(move |a| said(i, a))).collect();
    vec![curves, calibrated(part, &rows)]
}

/// The ROC curves of the first classes, of whose rows `of` tells the probability and whether they are of the class.
fn curves(title: &str, part: &str, classes: &[String], of: impl Fn(usize) -> Vec<(f64, bool)>) -> Chart {
    let chart = Chart::new(title)
        .note(format!("{part} rows; the further above the diagonal, the better the class is told apart"))
        .axes("share of other rows above a threshold", "share of the class's rows above it")
        .diagonal();
    let shown = classes.iter().enumerate().take(MOST_CURVES);
    shown.fold(chart, |chart, (a, class)| chart.line(class, roc(&of(a))))
}

/// How often the probability of what is predicted is right.
fn calibrated(part: &str, rows: &[(f64, bool)]) -> Chart {
    Chart::new("Calibration")
        .note(format!(
            "{part} rows in groups of about equally many; on the diagonal a probability is as often right as it says"
        ))
        .axes("probability of the predicted class", "share of right rows")
        .line("groups of rows", calibration(rows, GROUPS))
        .diagonal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_that_explains_most_comes_first() {
        let raw: Vec<f64> = (0..200).flat_map(|i| [f64::from(i * 37 % 101), f64::from(i), 1.0]).collect();
        let residuals: Vec<f64> = (0..200).map(|i| f64::from(i) * 0.01 - 1.0).collect();
        let names = ["noise", "cause", "constant"].map(str::to_owned);
        let charts = by_feature("y", &residuals, &names, &raw);
        assert_eq!(charts.len(), 2);
        assert!(charts[0].to_html().unwrap().contains("by cause"));
    }
}
