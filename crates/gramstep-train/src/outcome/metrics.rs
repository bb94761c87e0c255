//! How good predictions are: the loss in standardised units, and errors in the target's own units.

use gramstep::loss::Loss;
use gramstep::{Matrix, Model, Scalar};
use serde::{Deserialize, Serialize};

use super::classes::PerClass;
use super::labels::{self, AllLabels, LabelScores, both_probabilities};
pub(crate) use super::logits::{largest, log_sum_exp, softmax};
use super::weighted_mean::weighted_mean;
use crate::data::quantile::quantile;
use crate::data::{Dataset, InRows, LossChoice, Targets, Transform};
use crate::error::Result;
use crate::format::json_number::number;

/// Rows that are predicted at a time.
const CHUNK: usize = 4096;

/// The quality of a model on one dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Metrics {
    /// Rows that were judged.
    pub rows: usize,
    /// Mean over rows and outputs of r² in the standardised targets; classification: mean negative log-likelihood, of
    /// several targets the mean over them.
    #[serde(deserialize_with = "number")]
    pub loss: f64,
    /// Of a regression.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub regression: Option<RegressionMetrics>,
    /// Of several targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_target: Vec<TargetMetrics>,
    /// Of a regression of quantiles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quantiles: Vec<QuantileMetrics>,
    /// Of a classification.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub classification: Option<ClassificationMetrics>,
}

/// Errors in the target's own units; of several targets the mean over targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RegressionMetrics {
    /// Root of the mean squared error.
    #[serde(deserialize_with = "number")]
    pub rmse: f64,
    /// Mean absolute error.
    #[serde(deserialize_with = "number")]
    pub mae: f64,
    /// Share of the variance that is explained; none where these rows have one value only.
    pub r2: Option<f64>,
}

/// The quality of one of several targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TargetMetrics {
    /// Name of the target.
    pub target: String,
    /// Of a regression: errors in its own units.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub errors: Option<RegressionMetrics>,
    /// Of a classification.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub scores: Option<LabelScores>,
}

/// How often a target lies below one of its quantiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QuantileMetrics {
    /// The level that was asked for.
    pub level: f64,
    /// The share of rows and targets that lie below.
    pub below: f64,
}

/// How well classes are told apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClassificationMetrics {
    /// Share of the rows whose most probable class is the right one; of several targets the mean over them.
    pub accuracy: f64,
    /// Mean negative log-likelihood, in nats; of several targets the mean over them.
    #[serde(deserialize_with = "number")]
    pub nll: f64,
    /// Of each class.
    #[serde(flatten)]
    pub classes: PerClass,
    /// Of several targets.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub labels: Option<AllLabels>,
}

/// The loss alone, as in [`Metrics::loss`], by the weights of the rows.
///
/// # Errors
/// When the model cannot be evaluated.
pub fn loss<T: Scalar>(model: &Model<T>, dataset: &Dataset<T>, targets: &Targets) -> Result<f64> {
    Ok(loss_of_outputs(&outputs(model, &dataset.inputs)?, dataset, targets))
}

/// The loss of outputs, as in [`Metrics::loss`], by the weights of the rows.
pub(crate) fn loss_of_outputs<T: Scalar>(outputs: &Matrix<f64>, dataset: &Dataset<T>, targets: &Targets) -> f64 {
    mean_loss(outputs, &dataset.targets.cast(), dataset.weights.as_deref(), targets)
}

/// The mean of a loss over some rows, by their weights.
pub(crate) fn mean_of<T: Scalar>(loss: &dyn Loss, outputs: &Matrix<f64>, dataset: &Dataset<T>) -> f64 {
    mean_reported(loss, outputs, &dataset.targets.cast(), dataset.weights.as_deref())
}

/// The loss on some rows of the [`constant`].
pub(crate) fn loss_of_constant<T: Scalar>(train: &Dataset<T>, rows: &Dataset<T>, targets: &Targets) -> f64 {
    loss_of_outputs(&constant(train, rows.rows(), targets), rows, targets)
}

/// The outputs for so many rows of the constant that suits the training rows best: the mean of their targets, or the shares
/// of their classes.
pub(crate) fn constant<T: Scalar>(train: &Dataset<T>, rows: usize, targets: &Targets) -> Matrix<f64> {
    let weights = train.weights.as_deref();
    let column = |j: usize| (0..train.rows()).map(|i| train.targets[(i, j)].to_f64()).collect::<Vec<f64>>();
    let means = train.mean_targets();
    let constant = |j: usize| match targets {
        Targets::Regression { loss, .. } => match loss {
            LossChoice::Absolute => quantile(&column(j), weights, 0.5),
            LossChoice::Quantile(levels) => quantile(&column(j), weights, levels[j % levels.len()]),
            LossChoice::Poisson => means[j].max(f64::MIN_POSITIVE).ln(),
            _ => means[j],
        },
        Targets::Classification { .. } => means[j].max(f64::MIN_POSITIVE).ln(),
        Targets::MultiLabel { .. } => {
            means[j].max(f64::MIN_POSITIVE).ln() - (1.0 - means[j]).max(f64::MIN_POSITIVE).ln()
        }
    };
    let constant: Vec<f64> = (0..means.len()).map(constant).collect();
    Matrix::from_fn(rows, means.len(), |_, j| constant[j])
}

/// Outputs of a model for any number of rows, in bounded memory.
pub(crate) fn outputs<T: Scalar>(model: &Model<T>, inputs: &impl InRows<T>) -> Result<Matrix<f64>> {
    let mut values = Vec::new();
    for start in (0..inputs.count()).step_by(CHUNK) {
        let end = inputs.count().min(start + CHUNK);
        let part = model.predict(inputs.chunk(start..end).view())?;
        values.extend(part.as_slice().iter().map(|value| value.to_f64()));
    }
    Ok(Matrix::from_vec(inputs.count(), model.outputs(), values)?)
}

/// Judges outputs (standardised values or logits) against targets (standardised values, one-hot classes or labels). A row
/// counts by its weight; without weights all count the same.
#[must_use]
pub fn measure(outputs: &Matrix<f64>, expected: &Matrix<f64>, weights: Option<&[f64]>, targets: &Targets) -> Metrics {
    judge(outputs, expected, weights, targets, true)
}

/// The same without the scores of each class and label, which take a sort of the rows for each: for what is judged often.
#[must_use]
pub(crate) fn watch(
    outputs: &Matrix<f64>,
    expected: &Matrix<f64>,
    weights: Option<&[f64]>,
    targets: &Targets,
) -> Metrics {
    judge(outputs, expected, weights, targets, false)
}

fn judge(
    outputs: &Matrix<f64>,
    expected: &Matrix<f64>,
    weights: Option<&[f64]>,
    targets: &Targets,
    close: bool,
) -> Metrics {
    let rows = outputs.rows();
    let loss = mean_loss(outputs, expected, weights, targets);
    match targets {
        Targets::Regression { columns, loss: choice, .. } => {
            let errors = errors_of_targets(outputs, expected, weights, targets);
            let quantiles = match choice {
                LossChoice::Quantile(levels) => quantiles(outputs, expected, weights, levels),
                _ => Vec::new(),
            };
            let n = errors.len() as f64;
            let mean = RegressionMetrics {
                rmse: errors.iter().map(|e| e.rmse).sum::<f64>() / n,
                mae: errors.iter().map(|e| e.mae).sum::<f64>() / n,
                r2: errors.iter().map(|e| e.r2).sum::<Option<f64>>().map(|sum| sum / n),
            };
            let of = |(target, errors)| TargetMetrics { target, errors: Some(errors), scores: None };
            let several = errors.len() > 1;
            let per_target = columns.iter().cloned().zip(errors).filter(|_| several).map(of).collect();
            Metrics { rows, loss, regression: Some(mean), per_target, quantiles, classification: None }
        }
        Targets::Classification { classes, .. } => {
            let right = |i: usize| f64::from(u8::from(expected.row(i)[largest(outputs.row(i))] == 1.0));
            let accuracy = weighted_mean(rows, weights, right);
            let classes = if close { PerClass::of(outputs, expected, classes) } else { PerClass::default() };
            let classification = ClassificationMetrics { accuracy, nll: loss, classes, labels: None };
            Metrics::of_classes(rows, classification, Vec::new())
        }
        Targets::MultiLabel { columns, classes, .. } => {
            let (accuracy, whole) = labels::shares(outputs, expected, weights);
            let scores = if close { labels::scores(outputs, expected, weights, classes) } else { Vec::new() };
            let labels = Some(labels::together(whole, &scores));
            let classification = ClassificationMetrics { accuracy, nll: loss, classes: PerClass::default(), labels };
            let of = |(target, scores)| TargetMetrics { target, errors: None, scores: Some(scores) };
            Metrics::of_classes(rows, classification, columns.iter().cloned().zip(scores).map(of).collect())
        }
    }
}

impl Metrics {
    fn of_classes(rows: usize, classification: ClassificationMetrics, per_target: Vec<TargetMetrics>) -> Self {
        Self {
            rows,
            loss: classification.nll,
            regression: None,
            per_target,
            quantiles: Vec::new(),
            classification: Some(classification),
        }
    }
}

fn mean_loss(outputs: &Matrix<f64>, expected: &Matrix<f64>, weights: Option<&[f64]>, targets: &Targets) -> f64 {
    mean_reported(&*targets.loss(), outputs, expected, weights)
}

fn mean_reported(loss: &dyn Loss, outputs: &Matrix<f64>, expected: &Matrix<f64>, weights: Option<&[f64]>) -> f64 {
    weighted_mean(outputs.rows(), weights, |i| loss.reported(outputs.row(i), expected.row(i)))
}

/// The errors of every target, in its own units.
fn errors_of_targets(
    outputs: &Matrix<f64>,
    expected: &Matrix<f64>,
    weights: Option<&[f64]>,
    targets: &Targets,
) -> Vec<RegressionMetrics> {
    let Targets::Regression { columns, standardisation, transform, loss } = targets else { return Vec::new() };
    if *transform == Transform::None && loss.has_residuals() {
        let of = |j: usize| errors(outputs, expected, weights, (j, standardisation.scale[j]));
        return (0..columns.len()).map(of).collect();
    }
    let (per_target, middle) = (loss.outputs(), loss.middle());
    let mut own = outputs.clone();
    in_own_units(&mut own, targets);
    let (n, k) = (outputs.rows(), columns.len());
    let predicted = Matrix::from_fn(n, k, |i, j| own[(i, j * per_target + middle)]);
    let truth = targets.truth(expected);
    (0..k).map(|j| errors(&predicted, &truth, weights, (j, 1.0))).collect()
}

/// The errors of column `j`, whose unit is `scale`.
fn errors(
    outputs: &Matrix<f64>,
    expected: &Matrix<f64>,
    weights: Option<&[f64]>,
    (j, scale): (usize, f64),
) -> RegressionMetrics {
    let mean_of = |f: &dyn Fn(usize) -> f64| weighted_mean(outputs.rows(), weights, f);
    let residual = |i: usize| outputs[(i, j)] - expected[(i, j)];
    let mean = mean_of(&|i| expected[(i, j)]);
    let squares = mean_of(&|i| residual(i).powi(2));
    let total = mean_of(&|i| (expected[(i, j)] - mean).powi(2));
    // Of equal values the mean may be off by its rounding.
    let rounding = (4.0 * f64::EPSILON * mean.abs()).powi(2);
    let r2 = (total > rounding).then(|| 1.0 - squares / total);
    RegressionMetrics { rmse: squares.sqrt() * scale, mae: mean_of(&|i| residual(i).abs()) * scale, r2 }
}

/// How often targets lie below their quantiles, over all targets.
fn quantiles(
    outputs: &Matrix<f64>,
    expected: &Matrix<f64>,
    weights: Option<&[f64]>,
    levels: &[f64],
) -> Vec<QuantileMetrics> {
    // As they are predicted: in ascending order.
    let mut sorted = outputs.clone();
    sorted.as_mut_slice().chunks_mut(levels.len()).for_each(|levels| levels.sort_by(f64::total_cmp));
    let below = |at: usize| {
        weighted_mean(outputs.rows(), weights, |i| {
            let own = sorted.row(i).iter().zip(expected.row(i)).skip(at).step_by(levels.len());
            own.clone().filter(|(f, y)| y < f).count() as f64 / own.count() as f64
        })
    };
    levels.iter().enumerate().map(|(at, &level)| QuantileMetrics { level, below: below(at) }).collect()
}

/// Outputs of a model become targets in their own units, or the probability of every class of every target.
pub(crate) fn in_own_units(outputs: &mut Matrix<f64>, targets: &Targets) {
    match targets {
        Targets::Regression { .. } => (0..outputs.rows()).for_each(|i| targets.own_outputs(outputs.row_mut(i))),
        Targets::Classification { .. } => (0..outputs.rows()).for_each(|i| softmax(outputs.row_mut(i))),
        Targets::MultiLabel { .. } => *outputs = both_probabilities(outputs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Labels, Standardisation};

    fn matrix(rows: usize, values: &[f64]) -> Matrix<f64> {
        Matrix::from_vec(rows, values.len() / rows, values.to_vec()).unwrap()
    }

    fn regression(names: &[&str], columns: &[&[f64]]) -> Targets {
        let columns_names = names.iter().map(|&name| name.to_owned()).collect();
        let standardisation = Standardisation::fit(columns.iter().copied());
        let (transform, loss) = Default::default();
        Targets::Regression { columns: columns_names, standardisation, transform, loss }
    }

    #[test]
    fn errors_are_in_the_units_of_the_target() {
        // The target 0, 20 has scale 10; predictions 5 and 20 in its own units.
        let targets = regression(&["y"], &[&[0.0, 20.0]]);
        let metrics = measure(&matrix(2, &[-0.5, 1.0]), &matrix(2, &[-1.0, 1.0]), None, &targets);
        let errors = metrics.regression.unwrap();
        assert_eq!(metrics.loss, 0.125);
        assert_eq!((errors.rmse, errors.mae, errors.r2), (12.5_f64.sqrt(), 2.5, Some(0.875)));
        assert!(metrics.per_target.is_empty());
    }

    #[test]
    fn several_targets_are_averaged_and_listed() {
        let targets = regression(&["a", "b"], &[&[0.0, 2.0], &[0.0, 200.0]]);
        let metrics = measure(&matrix(2, &[0.0, 1.0, 1.0, 1.0]), &matrix(2, &[1.0, 1.0, 1.0, 1.0]), None, &targets);
        assert_eq!(metrics.loss, 0.25);
        let names: Vec<&str> = metrics.per_target.iter().map(|t| t.target.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(metrics.per_target[1].errors.as_ref().unwrap().rmse, 0.0);
        assert_eq!(metrics.regression.unwrap().r2, None); // constant among these rows
    }

    #[test]
    fn classes_are_judged_by_accuracy_and_likelihood_without_overflow() {
        let targets = Targets::Classification {
            column: "c".to_owned(),
            classes: vec!["x".to_owned(), "y".to_owned()],
            labels: Labels::Text,
        };
        let metrics = measure(&matrix(2, &[3000.0, 0.0, 0.0, 0.0]), &matrix(2, &[1.0, 0.0, 0.0, 1.0]), None, &targets);
        let classification = metrics.classification.unwrap();
        assert_eq!(classification.accuracy, 0.5);
        assert!((classification.nll - 0.5 * 2.0_f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn a_whole_weight_is_that_many_rows_and_the_scale_of_the_weights_is_nothing() {
        let targets = regression(&["y"], &[&[0.0, 20.0]]);
        let (f, y) = (matrix(3, &[-0.5, 1.0, 2.0]), matrix(3, &[-1.0, 1.0, 3.0]));
        let copies = measure(&matrix(4, &[-0.5, 1.0, 2.0, 2.0]), &matrix(4, &[-1.0, 1.0, 3.0, 3.0]), None, &targets);
        for scale in [1.0, 1e-9, 3e7] {
            let weights = [scale, scale, 2.0 * scale];
            let weighted = measure(&f, &y, Some(&weights), &targets);
            let (ours, theirs) = (weighted.regression.unwrap(), copies.regression.clone().unwrap());
            assert!((ours.rmse - theirs.rmse).abs() < 1e-12 && (ours.mae - theirs.mae).abs() < 1e-12);
            assert!(
                (ours.r2.unwrap() - theirs.r2.unwrap()).abs() < 1e-12 && (weighted.loss - copies.loss).abs() < 1e-14
            );
        }
    }

    #[test]
    fn metrics_are_read_back_from_json() {
        let targets = regression(&["y"], &[&[0.0, 20.0]]);
        let metrics = measure(&matrix(2, &[-0.5, 1.0]), &matrix(2, &[-1.0, 1.0]), None, &targets);
        let text = serde_json::to_string(&metrics).unwrap();
        assert!(text.contains("\"rmse\":3.53"), "{text}");
        assert_eq!(serde_json::from_str::<Metrics>(&text).unwrap(), metrics);
    }
}
