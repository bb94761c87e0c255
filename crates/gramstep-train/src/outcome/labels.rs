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
