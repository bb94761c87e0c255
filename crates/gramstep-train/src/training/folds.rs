//! Which rows train and which judge each network of an ensemble.

use gramstep::Scalar;

use crate::data::Dataset;
use crate::error::Result;

/// Training and validation rows of one network.
#[derive(Clone, Debug)]
pub(crate) struct Fold<T> {
    pub(crate) train: Dataset<T>,
    pub(crate) validation: Dataset<T>,
    /// The places of the validation rows among all.
    pub(crate) judged: Vec<usize>,
}

/// All rows of training and validation: every network judges itself by the next ones that are as many as the
/// validation rows, from the first again after the last, and trains on the others. The first network has the rows as
/// they were.
#[derive(Clone, Debug)]
pub(crate) struct Folds<T> {
    pub(crate) rows: Dataset<T>,
    judging: usize,
}

impl<T: Scalar> Folds<T> {
    pub(super) fn new(train: &Dataset<T>, validation: &Dataset<T>) -> Result<Self> {
        Ok(Self { rows: validation.followed_by(train)?, judging: validation.rows() })
    }

    pub(crate) fn fold(&self, number: usize) -> Fold<T> {
        let n = self.rows.rows();
        let order: Vec<usize> = (0..n).map(|i| (number * self.judging + i) % n).collect();
        let (judged, training) = order.split_at(self.judging);
        let (train, validation) = (self.rows.select(training), self.rows.select(judged));
        Fold { train, validation, judged: judged.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use gramstep::Matrix;

    use super::*;

    fn rows(values: std::ops::Range<usize>) -> Dataset<f64> {
        let column = |scale: f64| Matrix::from_fn(values.len(), 1, |i, _| scale * (values.start + i) as f64);
        let weights = values.clone().map(|i| 1.0 + i as f64).collect();
        Dataset::new(column(1.0), column(2.0)).unwrap().with_weights(Some(weights)).unwrap()
    }

    #[test]
    fn the_first_fold_is_the_split_and_the_folds_judge_every_row() {
        let (train, validation) = (rows(3..10), rows(0..3));
        let folds = Folds::new(&train, &validation).unwrap();
        let first = folds.fold(0);
        assert_eq!((first.train, first.validation), (train, validation));
        let judged: Vec<usize> = (0..4).flat_map(|m| folds.fold(m).judged).collect();
        assert_eq!(judged, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
        let last = folds.fold(3);
        assert_eq!(last.train.inputs.as_slice(), [2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!(last.validation.targets.as_slice(), [18.0, 0.0, 2.0]);
        assert_eq!(last.validation.weights, Some(vec![10.0, 1.0, 2.0]));
    }
}
