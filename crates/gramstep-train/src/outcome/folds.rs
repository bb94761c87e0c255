//! What a cross-validation comes to: every score in each fold, their mean and their spread.

use serde::{Deserialize, Serialize};

use super::metrics::Metrics;
use crate::format::json_number::{number, numbers};

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
    /// The mean of the folds that have it.
    #[serde(deserialize_with = "number")]
    pub mean: f64,
    /// The standard deviation of single folds, with n − 1.
    #[serde(deserialize_with = "number")]
    pub deviation: f64,
    /// In each fold; NaN, `null` in JSON, where a fold has none, as r² where all true values are the same.
    #[serde(deserialize_with = "numbers")]
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
            let known: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
            let n = known.len() as f64;
            let mean = known.iter().sum::<f64>() / n;
            let variance = known.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
            (n > 0.0).then(|| FoldScore { name, mean, deviation: variance.sqrt(), values })
        };
        Self { folds: metrics.len(), diverged, scores: names.into_iter().enumerate().filter_map(score).collect() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::metrics::RegressionMetrics;

    fn of(r2: &[Option<f64>]) -> Folds {
        let metrics = |&r2: &Option<f64>| Metrics {
            rows: 1,
            loss: 0.5,
            regression: Some(RegressionMetrics { rmse: 1.0, mae: 1.0, r2 }),
            per_target: Vec::new(),
            quantiles: Vec::new(),
            classification: None,
        };
        Folds::of(&r2.iter().map(metrics).collect::<Vec<_>>(), Vec::new())
    }

    #[test]
    fn a_score_that_some_folds_lack_is_that_of_the_others_and_is_read_back() {
        let folds = of(&[Some(0.5), None, Some(0.7)]);
        let r2 = folds.scores.iter().find(|score| score.name == "r2").unwrap();
        assert!((r2.mean - 0.6).abs() < 1e-12 && r2.values[1].is_nan());
        let text = serde_json::to_string(&folds).unwrap();
        let back: Folds = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), text);
    }

    #[test]
    fn a_score_that_no_fold_has_is_left_out() {
        let folds = of(&[None, None]);
        assert!(folds.scores.iter().all(|score| score.name != "r2" && score.mean.is_finite()));
        assert!(folds.scores.iter().any(|score| score.name == "rmse"));
    }
}
