//! The rows by which parts of a combination are weighed.

use gramstep::{Matrix, Scalar};

use crate::data::{Dataset, Problem};
use crate::error::Result;
use crate::outcome::by_number;
use crate::run::fitted::Fitted;

/// Blocks into which a single fold is cut.
const BLOCKS: usize = 5;

/// All rows that a run learns from, and which of them judge.
pub(super) struct Rows {
    pub(super) all: Dataset<f64>,
    /// The places of the rows that were left out together.
    pub(super) folds: Vec<Vec<usize>>,
    /// What networks say of these, one fold after the other.
    pub(super) networks: Matrix<f64>,
    /// The number of the set of each of these, where those of a set are more alike than by chance.
    pub(super) sets: Option<Vec<usize>>,
}

impl Rows {
    /// None where no rows judge.
    pub(super) fn of<T: Scalar>(problem: &Problem<T>, fitted: &Fitted<T>) -> Result<Option<Self>> {
        let all: Dataset<f64> = match (&fitted.train, &problem.validation) {
            (Some(rows), _) => rows.cast(),
            (None, Some(validation)) => validation.followed_by(&problem.train)?.into_type(),
            (None, None) => problem.train.cast(),
        };
        let folds = match (&fitted.held_out, &problem.validation) {
            (Some(held_out), _) => held_out.folds(),
            (None, Some(validation)) => vec![(0..validation.rows()).collect()],
            (None, None) => return Ok(None),
        };
        let sets = if fitted.held_out.is_none() { problem.validation_sets.clone() } else { None };
        Ok(unseen_by(fitted, problem, &folds)?.map(|networks| Self { all, folds, networks, sets }))
    }

    pub(super) fn places(&self) -> Vec<usize> {
        self.folds.concat()
    }

    /// Rows that judge.
    pub(super) fn judged(&self) -> usize {
        self.folds.iter().map(Vec::len).sum()
    }

    /// The places, among the rows that judge, of those that are weighed by the others: a fold each, of a single fold some
    /// blocks of whole sets, be they given or the rows of one input.
    pub(super) fn blocks(&self) -> Vec<Vec<usize>> {
        let n = self.judged();
        let each: Vec<usize> = (0..n).collect();
        let [_] = self.folds.as_slice() else {
            let fold_of = self.folds.iter().enumerate().flat_map(|(fold, rows)| rows.iter().map(move |_| fold));
            return by_number(&each, &fold_of.collect::<Vec<_>>());
        };
        let sets = match &self.sets {
            Some(sets) => sets.clone(),
            None => self.unseen().by_inputs().map_or(each.clone(), |(numbers, _)| numbers),
        };
        by_number(&each, &sets.iter().map(|set| set % BLOCKS).collect::<Vec<_>>())
    }

    /// What `fit` of all rows but a fold says of that fold, one fold after the other.
    pub(super) fn without_folds(
        &self,
        fit: impl Fn(&Dataset<f64>, &[usize]) -> Result<Matrix<f64>>,
    ) -> Result<Matrix<f64>> {
        let mut values = Vec::new();
        for fold in &self.folds {
            let rest = self.all.select(&all_but(self.all.rows(), fold));
            values.extend(fit(&rest, fold)?.into_vec());
        }
        Ok(Matrix::from_vec(self.judged(), values.len() / self.judged().max(1), values)?)
    }

    /// The rows that judge, one fold after the other.
    pub(super) fn unseen(&self) -> Dataset<f64> {
        self.all.select(&self.places())
    }
}

/// The places of n rows but these, ascending.
pub(super) fn all_but(n: usize, places: &[usize]) -> Vec<usize> {
    outside(&(0..n).collect::<Vec<_>>(), places)
}

/// The places of all rows but these, in their order.
pub(super) fn outside(order: &[usize], places: &[usize]) -> Vec<usize> {
    let mut left = vec![true; order.len()];
    for &place in places {
        left[place] = false;
    }
    order.iter().copied().filter(|&i| left[i]).collect()
}

/// What networks say of the rows of folds, one fold after the other; none where they did not leave these out.
pub(super) fn unseen_by<T: Scalar>(
    fitted: &Fitted<T>,
    problem: &Problem<T>,
    folds: &[Vec<usize>],
) -> Result<Option<Matrix<f64>>> {
    match (&fitted.held_out, &problem.validation) {
        (Some(held_out), _) if held_out.folds() == folds => {
            let last = held_out.places.iter().max().map_or(0, |last| last + 1);
            let mut at = vec![0; last];
            held_out.places.iter().zip(0..).for_each(|(&place, i)| at[place] = i);
            let order: Vec<usize> = folds.iter().flatten().map(|&place| at[place]).collect();
            Ok(Some(held_out.outputs.select_rows(&order)))
        }
        (None, Some(validation)) if folds.len() == 1 => Ok(Some(fitted.learned.outputs(&validation.inputs)?)),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(folds: Vec<Vec<usize>>, sets: Option<Vec<usize>>, inputs: &[f64]) -> Rows {
        let n = inputs.len();
        let x = Matrix::from_vec(n, 1, inputs.to_vec()).unwrap();
        let all = Dataset::new(x, Matrix::zeros(n, 1)).unwrap().with_weights(Some(vec![1.0; n])).unwrap();
        Rows { all, folds, networks: Matrix::zeros(n, 1), sets }
    }

    #[test]
    fn every_row_is_in_one_block() {
        for folds in [vec![vec![4, 2, 0], vec![1, 3, 5, 6]], vec![(0..7).collect()], vec![vec![0]]] {
            let n = folds.iter().map(Vec::len).sum();
            let blocks = rows(folds.clone(), None, &(0..n).map(|i| i as f64).collect::<Vec<_>>()).blocks();
            assert_eq!(blocks.len(), if folds.len() > 1 { folds.len() } else { n.min(BLOCKS) });
            let mut all = blocks.concat();
            all.sort_unstable();
            assert_eq!(all, (0..n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn rows_of_one_group_or_one_input_are_in_one_block() {
        let groups = [0, 0, 0, 1, 2, 2, 3, 4, 4, 5, 6, 6];
        let different: Vec<f64> = (0..12).map(f64::from).collect();
        let same: Vec<f64> = groups.iter().map(|&group| group as f64).collect();
        for (sets, inputs) in [(Some(groups.to_vec()), different), (None, same)] {
            let blocks = rows(vec![(0..12).collect()], sets, &inputs).blocks();
            assert_eq!(blocks, [vec![0, 1, 2, 9], vec![3, 10, 11], vec![4, 5], vec![6], vec![7, 8]]);
        }
    }
}
