//! How well several targets of two values each are told: each by itself, and all together.

use gramstep::Matrix;
use serde::{Deserialize, Serialize};

use super::classes::{ClassScores, area};
use super::logits::{largest, softmax};
use super::weighted_mean::weighted_mean;
use crate::data::{Targets, in_pairs};

/// How well one of several labels is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LabelScores {
    /// Share of the rows whose more probable value is the right one.
    pub accuracy: f64,
    /// Of its second value, in the order of its classes.
    #[serde(flatten)]
    pub class: ClassScores,
}

/// How well several labels are told together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AllLabels {
    /// Share of the rows of which all labels are right.
    pub subset_accuracy: f64,
    /// The mean of the labels' F1; none where no label has one.
    pub f1: Option<f64>,
    /// The mean of the labels' areas under the ROC curve; none where no label has one.
    pub auc: Option<f64>,
}

/// The probability of both values of each label, from the logits of the second; n×2k.
pub(crate) fn both_probabilities(outputs: &Matrix<f64>) -> Matrix<f64> {
    let mut both = in_pairs(outputs, |f| [0.0, f]);
    both.as_mut_slice().chunks_exact_mut(2).for_each(softmax);
    both
}

/// The class of each target that probabilities, or one-hot classes, of all its classes are for; none of a regression.
pub(crate) fn chosen<'a>(targets: &'a Targets, probabilities: &[f64]) -> Vec<&'a str> {
    let mut start = 0;
    let of = |classes: &'a [String]| {
        let own = &probabilities[start..start + classes.len()];
        start += classes.len();
        classes[largest(own)].as_str()
    };
    targets.classes().into_iter().map(of).collect()
}

/// Share of the labels that are right, and share of the rows of which all are.
pub(super) fn shares(outputs: &Matrix<f64>, expected: &Matrix<f64>, weights: Option<&[f64]>) -> (f64, f64) {
    let k = outputs.columns();
    let right = |i: usize| (0..k).filter(|&a| is_right(outputs[(i, a)], expected[(i, a)])).count();
    let mean = weighted_mean(outputs.rows(), weights, |i| right(i) as f64 / k as f64);
    let whole = weighted_mean(outputs.rows(), weights, |i| f64::from(u8::from(right(i) == k)));
    (mean, whole)
}

/// The scores of each label. Every row counts once but in the accuracy, whatever its weight.
pub(super) fn scores(
    outputs: &Matrix<f64>,
    expected: &Matrix<f64>,
    weights: Option<&[f64]>,
    classes: &[[String; 2]],
) -> Vec<LabelScores> {
    let n = outputs.rows();
    let of = |(a, [_, class]): (usize, &[String; 2])| {
        let right = |i: usize| f64::from(u8::from(is_right(outputs[(i, a)], expected[(i, a)])));
        let pairs = || (0..n).map(|i| (expected[(i, a)] == 1.0, outputs[(i, a)] > 0.0));
        let ordered: Vec<(f64, bool)> = (0..n).map(|i| (outputs[(i, a)], expected[(i, a)] == 1.0)).collect();
        LabelScores {
            accuracy: weighted_mean(n, weights, right),
            class: ClassScores::of(class, pairs(), area(&ordered)),
        }
    };
    classes.iter().enumerate().map(of).collect()
}

/// Means over those that have a score.
pub(super) fn together(subset_accuracy: f64, scores: &[LabelScores]) -> AllLabels {
    let mean = |of: fn(&ClassScores) -> Option<f64>| {
        let known: Vec<f64> = scores.iter().filter_map(|label| of(&label.class)).collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    AllLabels { subset_accuracy, f1: mean(|class| class.f1), auc: mean(|class| class.auc) }
}

/// Whether a logit is for the value that a label has; the first one where it is for none.
fn is_right(logit: f64, label: f64) -> bool {
    (logit > 0.0) == (label == 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Labels;
    use crate::outcome::metrics::{in_own_units, measure, watch};

    fn labels(columns: &[&str]) -> Targets {
        let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
        let classes = vec![["no", "yes"].map(str::to_owned); columns.len()];
        Targets::MultiLabel { labels: vec![Labels::Text; columns.len()], columns, classes }
    }

    fn outputs(n: usize, k: usize) -> (Matrix<f64>, Matrix<f64>, Vec<f64>) {
        let f = Matrix::from_fn(n, k, |i, a| ((i * 37 + a * 11) % 19) as f64 / 4.0 - 2.3);
        let y = Matrix::from_fn(n, k, |i, a| f64::from(u8::from((i * 53 + a * 7) % 19 < 8 + a)));
        (f, y, (0..n).map(|i| 1.0 + (i % 3) as f64).collect())
    }

    #[test]
    fn one_label_is_a_classification_of_two_classes() {
        let (f, y, weights) = outputs(60, 1);
        let classes = vec!["no".to_owned(), "yes".to_owned()];
        let twin = Targets::Classification { column: "a".to_owned(), classes, labels: Labels::Text };
        let both = |matrix: &Matrix<f64>, of: fn(f64) -> [f64; 2]| in_pairs(matrix, of);
        let (logits, truth) = (both(&f, |f| [0.0, f]), both(&y, |y| [1.0 - y, y]));
        for weights in [None, Some(weights.as_slice())] {
            let ours = measure(&f, &y, weights, &labels(&["a"]));
            let theirs = measure(&logits, &truth, weights, &twin);
            assert!((ours.loss - theirs.loss).abs() < 1e-12, "{} {}", ours.loss, theirs.loss);
            let (own, other) = (ours.classification.unwrap(), theirs.classification.unwrap());
            assert_eq!(own.accuracy, other.accuracy);
            assert_eq!(Some(&ours.per_target[0].scores.as_ref().unwrap().class), other.classes.per_class.get(1));
        }
        let (mut own, mut other) = (f.clone(), logits);
        in_own_units(&mut own, &labels(&["a"]));
        in_own_units(&mut other, &twin);
        assert_eq!(own, other);
    }

    #[test]
    fn several_labels_are_means_of_each_and_a_row_is_right_where_all_are() {
        let (f, y, weights) = outputs(40, 3);
        let all = measure(&f, &y, Some(&weights), &labels(&["a", "b", "c"]));
        let column = |matrix: &Matrix<f64>, a| Matrix::from_fn(40, 1, |i, _| matrix[(i, a)]);
        let each = |a| measure(&column(&f, a), &column(&y, a), Some(&weights), &labels(&["a"]));
        let mean = (0..3).map(|a| each(a).loss).sum::<f64>() / 3.0;
        assert!((all.loss - mean).abs() < 1e-12);
        for a in 0..3 {
            assert_eq!(all.per_target[a].scores, each(a).per_target[0].scores);
        }
        let right = |i: usize| (0..3).all(|a| (f[(i, a)] > 0.0) == (y[(i, a)] == 1.0));
        let sum: f64 = weights.iter().sum();
        let own: f64 = weights.iter().enumerate().filter(|(i, _)| right(*i)).map(|(_, weight)| weight).sum();
        let labels_of = |metrics: super::super::metrics::Metrics| metrics.classification.unwrap().labels.unwrap();
        assert!((labels_of(all.clone()).subset_accuracy - own / sum).abs() < 1e-12);
        // What is watched is the same, less what takes a sort.
        let watched = watch(&f, &y, Some(&weights), &labels(&["a", "b", "c"]));
        assert_eq!((watched.loss, watched.per_target.len()), (all.loss, 0));
        assert_eq!(labels_of(watched).subset_accuracy, labels_of(all).subset_accuracy);
    }

    #[test]
    fn labels_are_read_back_from_json() {
        let (f, y, _) = outputs(20, 2);
        let metrics = measure(&f, &y, None, &labels(&["a", "b"]));
        let text = serde_json::to_string(&metrics).unwrap();
        assert_eq!(serde_json::from_str::<super::super::metrics::Metrics>(&text).unwrap(), metrics);
    }
}
