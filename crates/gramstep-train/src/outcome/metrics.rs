//! How good predictions are: the loss in standardised units, and errors in the target's own units.

use gramstep::{Matrix, Model, Scalar};
use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Targets};
use crate::error::Result;

/// Rows that are predicted at a time.
const CHUNK: usize = 4096;

/// The quality of a model on one dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Metrics {
    /// Rows that were judged.
    pub rows: usize,
    /// Mean over rows and outputs of r² in the standardised targets; classification: mean negative log-likelihood.
    pub loss: f64,
    /// Of a regression.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub regression: Option<RegressionMetrics>,
    /// Of a regression with several targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_target: Vec<TargetMetrics>,
    /// Of a classification.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub classification: Option<ClassificationMetrics>,
}

/// Errors in the target's own units; of several targets the mean over targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RegressionMetrics {
    /// Root of the mean squared error.
    pub rmse: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Share of the variance that is explained; none where these rows have one value only.
    pub r2: Option<f64>,
}

/// Errors of one of several targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TargetMetrics {
    /// Name of the target.
    pub target: String,
    /// In its own units.
    #[serde(flatten)]
    pub errors: RegressionMetrics,
}

/// How well classes are told apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClassificationMetrics {
    /// Share of the rows whose most probable class is the right one.
    pub accuracy: f64,
    /// Mean negative log-likelihood, in nats.
    pub nll: f64,
}

impl Metrics {
    /// RMSE of every target of a regression, in its own units.
    pub(crate) fn target_rmse(&self) -> Vec<f64> {
        match &self.regression {
            Some(errors) if self.per_target.is_empty() => vec![errors.rmse],
            _ => self.per_target.iter().map(|target| target.errors.rmse).collect(),
        }
    }
}

/// Judges a model on a dataset.
///
/// # Errors
/// When the model cannot be evaluated.
pub fn evaluate<T: Scalar>(model: &Model<T>, dataset: &Dataset<T>, targets: &Targets) -> Result<Metrics> {
    Ok(measure(&outputs(model, &dataset.inputs)?, &dataset.targets.cast(), targets))
}

/// The loss alone, as in [`Metrics::loss`], by the weights of the rows.
///
/// # Errors
/// When the model cannot be evaluated.
pub fn loss<T: Scalar>(model: &Model<T>, dataset: &Dataset<T>, targets: &Targets) -> Result<f64> {
    let outputs = outputs(model, &dataset.inputs)?;
    Ok(mean_loss(&outputs, &dataset.targets.cast(), dataset.weights.as_deref(), targets))
}

/// Outputs of a model for any number of rows, in bounded memory.
pub(crate) fn outputs<T: Scalar>(model: &Model<T>, inputs: &Matrix<T>) -> Result<Matrix<f64>> {
    let mut values = Vec::new();
    for start in (0..inputs.rows()).step_by(CHUNK) {
        let end = inputs.rows().min(start + CHUNK);
        let part = model.predict(inputs.view().row_range(start..end))?;
        values.extend(part.as_slice().iter().map(|value| value.to_f64()));
    }
    Ok(Matrix::from_vec(inputs.rows(), model.outputs(), values)?)
}

/// Judges outputs (standardised values or logits) against targets (standardised values or one-hot classes).
#[must_use]
pub fn measure(outputs: &Matrix<f64>, expected: &Matrix<f64>, targets: &Targets) -> Metrics {
    let rows = outputs.rows();
    let loss = mean_loss(outputs, expected, None, targets);
    match targets {
        Targets::Regression { columns, standardisation } => {
            let errors: Vec<RegressionMetrics> =
                (0..columns.len()).map(|j| column_errors(outputs, expected, j, standardisation.scale[j])).collect();
            let n = errors.len() as f64;
            let mean = RegressionMetrics {
                rmse: errors.iter().map(|e| e.rmse).sum::<f64>() / n,
                mae: errors.iter().map(|e| e.mae).sum::<f64>() / n,
                r2: errors.iter().map(|e| e.r2).sum::<Option<f64>>().map(|sum| sum / n),
            };
            let per_target = if errors.len() == 1 {
                Vec::new()
            } else {
                columns.iter().cloned().zip(errors).map(|(target, errors)| TargetMetrics { target, errors }).collect()
            };
            Metrics { rows, loss, regression: Some(mean), per_target, classification: None }
        }
        Targets::Classification { .. } => {
            let right = (0..rows).filter(|&i| expected.row(i)[largest(outputs.row(i))] == 1.0).count();
            let classification = ClassificationMetrics { accuracy: right as f64 / rows as f64, nll: loss };
            Metrics { rows, loss, regression: None, per_target: Vec::new(), classification: Some(classification) }
        }
    }
}

fn mean_loss(outputs: &Matrix<f64>, expected: &Matrix<f64>, weights: Option<&[f64]>, targets: &Targets) -> f64 {
    let row_loss = |i: usize| {
        let pairs = outputs.row(i).iter().zip(expected.row(i));
        match targets {
            Targets::Regression { .. } => pairs.map(|(f, y)| (f - y).powi(2)).sum::<f64>() / outputs.columns() as f64,
            Targets::Classification { .. } => {
                let chosen: f64 = pairs.map(|(f, y)| if *y == 0.0 { 0.0 } else { f * y }).sum();
                log_sum_exp(outputs.row(i)) - chosen
            }
        }
    };
    let rows = 0..outputs.rows();
    match weights {
        None => rows.map(row_loss).sum::<f64>() / outputs.rows() as f64,
        Some(weights) => rows.map(|i| weights[i] * row_loss(i)).sum::<f64>() / weights.iter().sum::<f64>(),
    }
}

fn column_errors(outputs: &Matrix<f64>, expected: &Matrix<f64>, j: usize, scale: f64) -> RegressionMetrics {
    let n = outputs.rows() as f64;
    let mean = (0..outputs.rows()).map(|i| expected.row(i)[j]).sum::<f64>() / n;
    let (mut squares, mut absolute, mut total) = (0.0, 0.0, 0.0);
    for i in 0..outputs.rows() {
        let residual = outputs.row(i)[j] - expected.row(i)[j];
        squares += residual * residual;
        absolute += residual.abs();
        total += (expected.row(i)[j] - mean).powi(2);
    }
    let r2 = (total > 0.0).then(|| 1.0 - squares / total);
    RegressionMetrics { rmse: (squares / n).sqrt() * scale, mae: absolute / n * scale, r2 }
}

/// log Σ exp, without overflow.
pub(crate) fn log_sum_exp(logits: &[f64]) -> f64 {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + logits.iter().map(|logit| (logit - largest).exp()).sum::<f64>().ln()
}

/// exp(f_a)/Σ exp(f_b), in place.
pub(crate) fn softmax(f: &mut [f64]) {
    let normaliser = log_sum_exp(f);
    for f in f.iter_mut() {
        *f = (*f - normaliser).exp();
    }
}

/// Outputs of a model become targets in their own units, or the probability of every class.
pub(crate) fn in_own_units(outputs: &mut Matrix<f64>, targets: &Targets) {
    match targets {
        Targets::Regression { standardisation, .. } => standardisation.invert(outputs.as_mut_slice()),
        Targets::Classification { .. } => (0..outputs.rows()).for_each(|i| softmax(outputs.row_mut(i))),
    }
}

/// Place of the largest value; the first one among equals.
pub(crate) fn largest(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Standardisation;

    fn matrix(rows: usize, values: &[f64]) -> Matrix<f64> {
        Matrix::from_vec(rows, values.len() / rows, values.to_vec()).unwrap()
    }

    fn regression(names: &[&str], columns: &[&[f64]]) -> Targets {
        let columns_names = names.iter().map(|&name| name.to_owned()).collect();
        Targets::Regression { columns: columns_names, standardisation: Standardisation::fit(columns.iter().copied()) }
    }

    #[test]
    fn errors_are_in_the_units_of_the_target() {
        // The target 0, 20 has scale 10; predictions 5 and 20 in its own units.
        let targets = regression(&["y"], &[&[0.0, 20.0]]);
        let metrics = measure(&matrix(2, &[-0.5, 1.0]), &matrix(2, &[-1.0, 1.0]), &targets);
        let errors = metrics.regression.unwrap();
        assert_eq!(metrics.loss, 0.125);
        assert_eq!((errors.rmse, errors.mae, errors.r2), (12.5_f64.sqrt(), 2.5, Some(0.875)));
        assert!(metrics.per_target.is_empty());
    }

    #[test]
    fn several_targets_are_averaged_and_listed() {
        let targets = regression(&["a", "b"], &[&[0.0, 2.0], &[0.0, 200.0]]);
        let metrics = measure(&matrix(2, &[0.0, 1.0, 1.0, 1.0]), &matrix(2, &[1.0, 1.0, 1.0, 1.0]), &targets);
        assert_eq!(metrics.loss, 0.25);
        let names: Vec<&str> = metrics.per_target.iter().map(|t| t.target.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(metrics.per_target[1].errors.rmse, 0.0);
        assert_eq!(metrics.regression.unwrap().r2, None); // constant among these rows
    }

    #[test]
    fn classes_are_judged_by_accuracy_and_likelihood_without_overflow() {
        let targets = Targets::Classification { column: "c".to_owned(), classes: vec!["x".to_owned(), "y".to_owned()] };
        let metrics = measure(&matrix(2, &[3000.0, 0.0, 0.0, 0.0]), &matrix(2, &[1.0, 0.0, 0.0, 1.0]), &targets);
        let classification = metrics.classification.unwrap();
        assert_eq!(classification.accuracy, 0.5);
        assert!((classification.nll - 0.5 * 2.0_f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn metrics_are_read_back_from_json() {
        let targets = regression(&["y"], &[&[0.0, 20.0]]);
        let metrics = measure(&matrix(2, &[-0.5, 1.0]), &matrix(2, &[-1.0, 1.0]), &targets);
        let text = serde_json::to_string(&metrics).unwrap();
        assert!(text.contains("\"rmse\":3.53"), "{text}");
        assert_eq!(serde_json::from_str::<Metrics>(&text).unwrap(), metrics);
    }
}
