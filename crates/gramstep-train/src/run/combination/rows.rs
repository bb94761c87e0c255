//! The rows by which parts of a combination are weighed.

use gramstep::{Matrix, Scalar};

use crate::data::{Dataset, Problem};
use crate::error::Result;
use crate::run::fitted::Fitted;

/// All rows that a run learns from, and which of them judge.
pub(super) struct Rows {
    pub(super) all: Dataset<f64>,
    /// The places of the rows that were left out together.
    pub(super) folds: Vec<Vec<usize>>,
    /// What networks say of these, one fold after the other.
    pub(super) networks: Matrix<f64>,
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
        Ok(unseen_by(fitted, problem, &folds)?.map(|networks| Self { all, folds, networks }))
    }

    pub(super) fn places(&self) -> Vec<usize> {
        self.folds.concat()
    }

    /// Rows that judge.
    pub(super) fn judged(&self) -> usize {
        self.folds.iter().map(Vec::len).sum()
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
    let mut left = vec![true; n];
    for &place in places {
        left[place] = false;
    }
    (0..n).filter(|&i| left[i]).collect()
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
