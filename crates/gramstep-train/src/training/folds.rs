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
        let (start, end) = (self.start(number), self.start(number + 1));
        let order: Vec<usize> = (0..n).map(|i| (start + i) % n).collect();
        let judging = match (end + n - start) % n {
            0 => self.judging,
            rows => rows,
        };
        let (judged, training) = order.split_at(judging);
        let (train, validation) = (self.rows.select(training), self.rows.select(judged));
        Fold { train, validation, judged: judged.to_vec() }
    }

    /// Where the rows begin that judge a network: rows with the same inputs judge the same one.
    fn start(&self, number: usize) -> usize {
        let n = self.rows.rows();
        let first = number * self.judging % n;
        (first..n).find(|&at| !self.rows.is_like_the_last(at)).unwrap_or(0)
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

    #[test]
    fn rows_with_the_same_inputs_judge_the_same_network() {
        let of = |inputs: &[f64]| {
            let column = Matrix::from_vec(inputs.len(), 1, inputs.to_vec()).unwrap();
            let weights = Some(vec![2.0; inputs.len()]);
            Dataset::new(column.clone(), column).unwrap().with_weights(weights).unwrap()
        };
        let folds = Folds::new(&of(&[3.0, 3.0, 4.0, 4.0, 5.0, 6.0, 7.0, 7.0]), &of(&[1.0, 1.0, 2.0])).unwrap();
        for number in 0..4 {
            let fold = folds.fold(number);
            let (seen, judged) = (fold.train.inputs.as_slice(), fold.validation.inputs.as_slice());
            assert!(!judged.is_empty() && judged.iter().all(|x| !seen.contains(x)), "{number}: {judged:?}");
        }
        let judged: Vec<usize> = (0..4).flat_map(|number| folds.fold(number).judged).collect();
        assert!((0..11).all(|row| judged.contains(&row)));
    }
}
