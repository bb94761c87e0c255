//! Exact copies of a row are one row that counts as often.
//!
//! A copy that is left in while its twin is left out makes every residual look too small: of folds, of splits, of
//! leave-one-out. So rows with the same inputs and targets are joined before anything is decided, and their weights
//! added up.
//! Observations of a few inputs stay apart.

use super::keys::{Both, Keyed, owners};
use super::observations::Observations;

/// Rows of which no two are copies, or which are observations.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Distinct {
    /// The first row of each set of copies, in their order.
    pub(crate) rows: Vec<usize>,
    /// The summed weight of each of them; none where all are 1.
    pub(crate) weights: Option<Vec<f64>>,
    /// How many rows were joined to another one.
    pub(crate) copies: usize,
    /// Whether nothing was joined for what the rows are.
    pub(crate) observations: Option<Observations>,
}

fn weights_of(rows: &[usize], weight: &dyn Fn(usize) -> f64) -> Option<Vec<f64>> {
    unless_all_are_1(rows.iter().map(|&row| weight(row)).collect())
}

/// The weights of rows; none where all are 1.
fn unless_all_are_1(weights: Vec<f64>) -> Option<Vec<f64>> {
    Some(weights).filter(|weights| weights.iter().any(|&weight| weight != 1.0))
}

impl Distinct {
    /// Joins the copies among some rows, unless they are observations of a few inputs. `weight` is that of a row.
    pub(crate) fn of(rows: &[usize], keys: (&impl Keyed, &impl Keyed), weight: &dyn Fn(usize) -> f64) -> Self {
        let (inputs, targets) = keys;
        let apart = || Self { rows: rows.to_vec(), weights: weights_of(rows, weight), copies: 0, observations: None };
        let Some(same_inputs) = owners(rows, inputs) else { return apart() };
        if let Some((rows, weights, observations)) = Observations::of(rows, (&same_inputs, targets), weight) {
            return Self { rows, weights: unless_all_are_1(weights), copies: 0, observations: Some(observations) };
        }
        let Some(owner) = owners(rows, &Both(inputs, targets)) else { return apart() };
        let mut sums = vec![0.0; rows.len()];
        for (at, &owner) in owner.iter().enumerate() {
            sums[owner] += weight(rows[at]);
        }
        let kept: Vec<usize> = (0..rows.len()).filter(|&at| owner[at] == at).collect();
        Self {
            copies: rows.len() - kept.len(),
            weights: unless_all_are_1(kept.iter().map(|&at| sums[at]).collect()),
            rows: kept.into_iter().map(|at| rows[at]).collect(),
            observations: None,
        }
    }

    /// What the user should know of the joining.
    pub(crate) fn note(&self) -> Option<String> {
        if let Some(observations) = self.observations {
            return Some(observations.note());
        }
        let word = if self.copies == 1 { "copy" } else { "copies" };
        let joined =
            || format!("{} exact {word} of another row: they count as one row of their summed weight", self.copies);
        (self.copies > 0).then(joined)
    }
}

/// The mean of weights above 0, relative to the largest, so that the sum does not overflow.
pub(crate) fn mean_weight(weights: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    let (largest, count) = (weights.clone().fold(0.0, f64::max), weights.len() as f64);
    largest * weights.map(|weight| weight / largest).sum::<f64>() / count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::keys::TableKeys;
    use crate::data::table_of;

    #[test]
    fn copies_are_one_row_with_the_sum_of_their_weights() {
        let table = table_of("a,c,w,y\n1,x,2,5\n2,x,1,5\n1,x,3,5\n1,z,1,5\n0,x,1,1\n-0.0,x,1,1\n");
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let (inputs, targets) = (TableKeys::of(&table, &names(&["a", "c"])), TableKeys::of(&table, &names(&["y"])));
        let rows = [0, 1, 2, 3, 4, 5];
        let joined = Distinct::of(&rows, (&inputs, &targets), &|_| 1.0);
        assert_eq!((joined.rows, joined.copies), (vec![0, 1, 3, 4], 2));
        assert_eq!(joined.weights, Some(vec![2.0, 1.0, 1.0, 2.0]));
        let weights = [2.0, 1.0, 3.0, 1.0, 1.0, 1.0];
        let weighted = Distinct::of(&rows, (&inputs, &targets), &|row| weights[row]);
        assert_eq!(weighted.weights, Some(vec![5.0, 1.0, 1.0, 2.0]));
        let all = TableKeys::of(&table, &names(&["a", "c", "w"]));
        assert_eq!(
            Distinct::of(&rows, (&all, &targets), &|_| 1.0),
            Distinct {
                rows: vec![0, 1, 2, 3, 4],
                weights: Some(vec![1.0, 1.0, 1.0, 1.0, 2.0]),
                copies: 1,
                observations: None
            }
        );
    }

    #[test]
    fn rows_without_copies_stay_as_they_are() {
        let table = table_of("a,y\n1,5\n2,5\n3,5\n");
        let keys = TableKeys::without(&table, &[]);
        assert_eq!(
            Distinct::of(&[2, 0], (&keys, &keys), &|_| 1.0),
            Distinct { rows: vec![2, 0], weights: None, copies: 0, observations: None }
        );
    }
}
