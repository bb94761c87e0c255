//! What a cross-validation comes to: every score in each fold, their mean and their spread.

use serde::{Deserialize, Serialize};

use super::metrics::Metrics;

/// Scores of a cross-validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Folds {
    /// How many folds have scores.
    pub folds: usize,
    /// The folds, counted from 1, whose fit diverged: they have no scores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diverged: Vec<usize>,
    /// Each score over the folds.
    pub scores: Vec<FoldScore>,
}

/// A score over the folds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FoldScore {
    /// Its name, such as `rmse`.
    pub name: String,
    /// The mean.
    pub mean: f64,
    /// The standard deviation of single folds, with n − 1.
    pub deviation: f64,
    /// In each fold.
    pub values: Vec<f64>,
}

impl Folds {
    /// Of the metrics of each fold; of those that diverged there are none.
    #[must_use]
    pub fn of(metrics: &[Metrics], diverged: Vec<usize>) -> Self {
        let names: Vec<String> =
            metrics.first().map_or_else(Vec::new, |first| named(first).into_iter().map(|(name, _)| name).collect());
        let score = |(at, name): (usize, String)| {
            let values: Vec<f64> = metrics.iter().map(|metrics| named(metrics)[at].1).collect();
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
            FoldScore { name, mean, deviation: variance.sqrt(), values }
        };
        Self { folds: metrics.len(), diverged, scores: names.into_iter().enumerate().map(score).collect() }
    }
}

/// Names and values of metrics; an r² that there is not is NaN.
fn named(metrics: &Metrics) -> Vec<(String, f64)> {
    let mut named = vec![("loss".to_owned(), metrics.loss)];
    if let Some(regression) = &metrics.regression {
        let r2 = regression.r2.unwrap_or(f64::NAN);
        named.extend(
            [("rmse", regression.rmse), ("mae", regression.mae), ("r2", r2)]
                .map(|(name, value)| (name.to_owned(), value)),
        );
    }
    named.extend(metrics.scores_of_targets());
    if let Some(classification) = &metrics.classification {
        named.push(("accuracy".to_owned(), classification.accuracy));
        named.push(("nll".to_owned(), classification.nll));
    }
    named
}
