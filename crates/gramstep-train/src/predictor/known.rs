//! What a predictor remembers of its rows: enough for error bars, wherever the data are by then.

use gramstep::Scalar;
use gramstep::random::Purpose;

use crate::data::permutation::choice;
use crate::data::{Dataset, Problem};
use crate::error::Result;

/// Rows × outputs that are remembered at most.
const RESIDUALS: usize = 1000;
/// Numbers that are remembered at most: 32 MB.
const NUMBERS: usize = 1 << 22;

/// Some rows of training and validation, preprocessed, each with its place among all of them: those of validation
/// first. The place tells which networks were trained on a row and which judged themselves by it.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// The rows.
    pub(crate) rows: Dataset<f64>,
    /// The place of each.
    pub(crate) places: Vec<usize>,
    /// How the places are shared out.
    pub(crate) folds: Judging,
}

/// Which network judges itself by which places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Judging {
    /// Rows of training and validation.
    pub(crate) total: usize,
    /// Rows of validation.
    pub(crate) held: usize,
    /// Whether each network has validation rows of its own, the next ones around the circle.
    pub(crate) circular: bool,
}

impl Judging {
    /// Whether the numbers make sense, as those of a damaged file may not.
    pub(crate) fn is_usable(self) -> bool {
        self.held <= self.total && self.total < 1 << 40
    }

    /// Whether a network judges itself by the row at a place; else it was trained on it.
    pub(crate) fn judges(self, member: usize, place: usize) -> bool {
        let Self { total, held, circular } = self;
        let start = if circular { (member % total.max(1)) * held % total.max(1) } else { 0 };
        (place + total - start) % total.max(1) < held
    }
}

impl Known {
    /// A seeded choice of the rows of a problem, all of them where they are few.
    pub(crate) fn of<T: Scalar>(problem: &Problem<T>, circular: bool, seed: u64) -> Result<Self> {
        let (train, validation) = (&problem.train, problem.validation.as_ref());
        let judging = validation.map_or(0, Dataset::rows);
        let total = judging + train.rows();
        let most = (RESIDUALS / train.targets.columns().max(1)).min(NUMBERS / train.inputs.columns().max(1)).max(2);
        let places = choice(total, most, seed, Purpose::Split, 1);
        let (first, others) = places.split_at(places.partition_point(|&place| place < judging));
        let others: Vec<usize> = others.iter().map(|place| place - judging).collect();
        let train: Dataset<f64> = train.select(&others).into_type();
        let rows = match validation {
            Some(validation) => validation.select(first).into_type().followed_by(&train)?,
            None => train,
        };
        Ok(Self { rows, places, folds: Judging { total, held: judging, circular } })
    }

    /// The rows, by their number here, that a network was trained on or judged itself by.
    pub(crate) fn split(&self, member: usize) -> (Vec<usize>, Vec<usize>) {
        (0..self.places.len()).partition(|&at| !self.folds.judges(member, self.places[at]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn around_the_circle_every_network_judges_other_rows() {
        let folds = Judging { total: 10, held: 3, circular: true };
        let judged = |member| (0..10).filter(|&place| folds.judges(member, place)).collect::<Vec<_>>();
        assert_eq!([judged(0), judged(1), judged(3)], [vec![0, 1, 2], vec![3, 4, 5], vec![0, 1, 9]]);
        let same = Judging { circular: false, ..folds };
        assert!((0..4).all(|member| (0..10).filter(|&place| same.judges(member, place)).eq(0..3)));
        assert!((0..10).all(|place| !Judging { held: 0, ..folds }.judges(2, place)));
    }
}
