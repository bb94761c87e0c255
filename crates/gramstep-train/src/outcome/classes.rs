//! How well each class is told apart: what is predicted for it, and how well its probability orders the rows.

use gramstep::Matrix;
use serde::{Deserialize, Serialize};

use super::logits::{largest, softmax};

/// Classes beyond which their table is left out: it has a number for each pair.
const MOST_CLASSES: usize = 100;

/// Scores of one class against all others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClassScores {
    /// Name of the class.
    pub class: String,
    /// Rows of the class.
    pub rows: usize,
    /// Share of the rows predicted so that are of the class; none where no row is.
    pub precision: Option<f64>,
    /// Share of the rows of the class that are predicted so; none where there is no such row.
    pub recall: Option<f64>,
    /// 2·precision·recall/(precision + recall); none where no row is predicted so or of the class.
    pub f1: Option<f64>,
    /// The probability that a row of the class has a larger one for it than a row of others (the area under the ROC
    /// curve); none where there are no two such rows.
    pub auc: Option<f64>,
}

impl ClassScores {
    /// From whether each row is of the class and is predicted so, and the area under its ROC curve.
    pub(super) fn of(class: &str, rows: impl Iterator<Item = (bool, bool)>, auc: Option<f64>) -> Self {
        let (mut own, mut said, mut right) = (0, 0, 0);
        for (is_of, is_said) in rows {
            own += usize::from(is_of);
            said += usize::from(is_said);
            right += usize::from(is_of && is_said);
        }
        let share = |part: usize, all: usize| (all > 0).then(|| part as f64 / all as f64);
        Self {
            class: class.to_owned(),
            rows: own,
            precision: share(right, said),
            recall: share(right, own),
            f1: share(2 * right, own + said),
            auc,
        }
    }
}

/// Scores of all classes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PerClass {
    /// Each class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_class: Vec<ClassScores>,
    /// Rows of each class (down) by predicted class (across), in the order of `per_class`; empty where there are many
    /// classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confusion: Vec<Vec<usize>>,
}

impl PerClass {
    /// From logits and one-hot classes. Every row counts once, whatever its weight.
    pub(crate) fn of(logits: &Matrix<f64>, expected: &Matrix<f64>, classes: &[String]) -> Self {
        let (n, k) = (logits.rows(), classes.len());
        let truth: Vec<usize> = (0..n).map(|i| largest(expected.row(i))).collect();
        let predicted: Vec<usize> = (0..n).map(|i| largest(logits.row(i))).collect();
        let mut probabilities = logits.clone();
        for i in 0..n {
            softmax(probabilities.row_mut(i));
        }
        let scores = |a: usize| {
            let rows = truth.iter().zip(&predicted).map(|(&truth, &predicted)| (truth == a, predicted == a));
            let ordered: Vec<(f64, bool)> = (0..n).map(|i| (probabilities[(i, a)], truth[i] == a)).collect();
            ClassScores::of(&classes[a], rows, area(&ordered))
        };
        let mut confusion = Vec::new();
        if k <= MOST_CLASSES {
            confusion = vec![vec![0; k]; k];
            for (&truth, &predicted) in truth.iter().zip(&predicted) {
                confusion[truth][predicted] += 1;
            }
        }
        Self { per_class: (0..k).map(scores).collect(), confusion }
    }
}

/// The share of pairs of a row of the class and one of others in which the first has the larger probability; an equal
/// one counts half.
pub(super) fn area(rows: &[(f64, bool)]) -> Option<f64> {
    let mut sorted = rows.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut sum, mut own) = (0.0, 0.0, 0.0);
    for equal in sorted.chunk_by(|a, b| a.0 == b.0) {
        let here = equal.iter().filter(|row| row.1).count() as f64;
        let others = equal.len() as f64 - here;
        sum += here * (below + others / 2.0);
        below += others;
        own += here;
    }
    (own > 0.0 && below > 0.0).then(|| sum / (own * below))
}

/// Points of the ROC curve of a class: the share of other rows and that of its own rows above each threshold.
pub(crate) fn roc(rows: &[(f64, bool)]) -> Vec<(f64, f64)> {
    let mut sorted = rows.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let own = sorted.iter().filter(|row| row.1).count() as f64;
    let others = sorted.len() as f64 - own;
    let (mut hits, mut alarms) = (0.0, 0.0);
    let mut points = vec![(0.0, 0.0)];
    if own == 0.0 || others == 0.0 {
        return points;
    }
    for equal in sorted.chunk_by(|a, b| a.0 == b.0) {
        let here = equal.iter().filter(|row| row.1).count() as f64;
        hits += here;
        alarms += equal.len() as f64 - here;
        points.push((alarms / others, hits / own));
    }
    points
}

/// Groups of about `size` rows each, in their order; rows of one number are in one group. Numbers that differ by rounding alone
/// are one.
pub(crate) fn groups<T>(sorted: &[(f64, T)], size: usize) -> Vec<&[(f64, T)]> {
    let mut groups = Vec::new();
    let (mut start, mut end) = (0, 0);
    for equal in sorted.chunk_by(|a, b| (b.0 - a.0).abs() <= 1e-9 * a.0.abs().max(b.0.abs())) {
        end += equal.len();
        if end - start >= size {
            groups.push(&sorted[start..end]);
            start = end;
        }
    }
    if start < end {
        groups.push(&sorted[start..end]);
    }
    groups
}

/// Mean probability and share of right rows in groups of about equally many rows, by the probability of the predicted class.
pub(crate) fn calibration(rows: &[(f64, bool)], groups: usize) -> Vec<(f64, f64)> {
    let mut sorted = rows.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mean = |group: &[(f64, bool)]| {
        let n = group.len() as f64;
        (group.iter().map(|row| row.0).sum::<f64>() / n, group.iter().filter(|row| row.1).count() as f64 / n)
    };
    self::groups(&sorted, sorted.len().div_ceil(groups).max(1)).into_iter().map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_table_of_classes() {
        let classes = ["a", "b"].map(str::to_owned);
        let logits = Matrix::from_vec(4, 2, vec![2.0, 0.0, 1.0, 0.0, 0.0, 1.0, 3.0, 0.0]).unwrap();
        let truth = Matrix::from_vec(4, 2, vec![1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0]).unwrap();
        let scores = PerClass::of(&logits, &truth, &classes);
        assert_eq!(scores.confusion, [[2, 0], [1, 1]]);
        let [a, b] = &scores.per_class[..] else { panic!("two classes") };
        assert_eq!((a.rows, a.precision, a.recall, a.f1), (2, Some(2.0 / 3.0), Some(1.0), Some(0.8)));
        assert_eq!((b.precision, b.recall), (Some(1.0), Some(0.5)));
        // Of four pairs of a row of `a` and one of `b`, the two beside the last row are the wrong way round.
        assert_eq!((a.auc, b.auc), (Some(0.5), Some(0.5)));
    }

    #[test]
    fn the_area_is_that_under_the_curve_and_a_coin_has_one_half() {
        let rows: Vec<(f64, bool)> = (0..97).map(|i| (f64::from(i * 31 % 97 / 3), i % 3 == 0)).collect();
        let curve = roc(&rows);
        let under: f64 = curve.windows(2).map(|pair| (pair[1].0 - pair[0].0) * (pair[1].1 + pair[0].1) / 2.0).sum();
        assert!((under - area(&rows).unwrap()).abs() < 1e-12);
        assert_eq!(area(&[(0.3, true), (0.3, false)]), Some(0.5));
        assert_eq!((area(&[(0.3, true)]), area(&[(0.1, false), (0.9, true)])), (None, Some(1.0)));
    }

    #[test]
    fn calibrated_probabilities_lie_on_the_diagonal() {
        let rows: Vec<(f64, bool)> = (0..1000).map(|i| ([0.25, 0.75][i % 2], (i / 2) % 4 < [1, 3][i % 2])).collect();
        assert_eq!(calibration(&rows, 2), [(0.25, 0.25), (0.75, 0.75)]);
    }

    #[test]
    fn rows_of_one_number_are_in_one_group() {
        let of = |numbers: &[f64], size: usize| {
            let rows: Vec<(f64, ())> = numbers.iter().map(|&number| (number, ())).collect();
            groups(&rows, size).iter().map(|group| group.len()).collect::<Vec<_>>()
        };
        assert_eq!(of(&[1.0, 2.0, 3.0, 4.0, 5.0], 2), [2, 2, 1]);
        assert_eq!(of(&[1.0, 2.0, 2.0, 2.0 + 1e-15, 3.0, 3.0], 2), [4, 2]);
        assert_eq!(of(&[-1.0, 0.0, 0.0, 1e-12], 1), [1, 2, 1]);
        assert!(of(&[], 3).is_empty());
    }
}
