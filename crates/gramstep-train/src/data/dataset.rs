//! What a trainer sees: inputs and targets of rows.

use gramstep::{Matrix, Scalar};

use super::Features;

/// Inputs and targets of the same rows, preprocessed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dataset<T> {
    /// n×d; images as bytes.
    pub inputs: Features<T>,
    /// n×k: standardised numbers or one-hot classes.
    pub targets: Matrix<T>,
    /// A weight above 0 for every row; none where all count the same.
    pub weights: Option<Vec<f64>>,
}

impl<T: Scalar> PartialEq for Dataset<T> {
    fn eq(&self, other: &Self) -> bool {
        self.inputs == other.inputs && self.targets == other.targets && self.weights == other.weights
    }
}

impl<T: Scalar> Dataset<T> {
    /// A dataset of n rows.
    ///
    /// # Errors
    /// If the two have different numbers of rows.
    pub fn new(inputs: impl Into<Features<T>>, targets: Matrix<T>) -> crate::Result<Self> {
        let inputs = inputs.into();
        if inputs.rows() != targets.rows() {
            let (expected, got) = (inputs.rows(), targets.rows());
            return Err(gramstep::Error::Shape { what: "rows of the targets", expected, got }.into());
        }
        Ok(Self { inputs, targets, weights: None })
    }

    /// The same rows with a weight for each.
    ///
    /// # Errors
    /// If there are more or fewer weights than rows.
    pub fn with_weights(mut self, weights: Option<Vec<f64>>) -> crate::Result<Self> {
        if let Some(weights) = weights.as_ref().filter(|weights| weights.len() != self.rows()) {
            let (expected, got) = (self.rows(), weights.len());
            return Err(gramstep::Error::Shape { what: "sample weights", expected, got }.into());
        }
        self.weights = weights;
        Ok(self)
    }

    /// Σ w: the number of rows where all count the same.
    #[must_use]
    pub fn total_weight(&self) -> f64 {
        self.weights.as_ref().map_or(self.rows() as f64, |weights| weights.iter().sum())
    }

    /// The weight of a row, 1 where all count the same.
    pub(crate) fn weight(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[row])
    }

    /// Whether a row has the inputs of the one before it: those of a joined row with several classes stand one after the
    /// other.
    pub(crate) fn is_like_the_last(&self, row: usize) -> bool {
        row > 0 && self.weights.is_some() && self.inputs.is_matrix() && self.inputs.row(row) == self.inputs.row(row - 1)
    }

    /// Of each row the number of its inputs, and one row for each of them with the mean target and the summed weight; none
    /// where no row is like the last.
    pub(crate) fn by_inputs(&self) -> Option<(Vec<usize>, Self)> {
        let mut firsts = Vec::new();
        let number = |row: usize| {
            if !self.is_like_the_last(row) {
                firsts.push(row);
            }
            firsts.len() - 1
        };
        let numbers: Vec<usize> = (0..self.rows()).map(number).collect();
        if firsts.len() == self.rows() {
            return None;
        }
        let mut weights = vec![0.0; firsts.len()];
        (0..self.rows()).for_each(|row| weights[numbers[row]] += self.weight(row));
        let mut targets = Matrix::<f64>::zeros(firsts.len(), self.targets.columns());
        for (row, &number) in numbers.iter().enumerate() {
            let share = self.weight(row) / weights[number];
            let own = self.targets.row(row);
            targets.row_mut(number).iter_mut().zip(own).for_each(|(mean, y)| *mean += share * y.to_f64());
        }
        let one = Self { inputs: self.inputs.select_rows(&firsts), targets: targets.cast(), weights: Some(weights) };
        Some((numbers, one))
    }

    /// The mean of every target, rows counted by their weights: the constants that fit best.
    pub(crate) fn mean_targets(&self) -> Vec<f64> {
        let sum = |a: usize| (0..self.rows()).map(|i| self.weight(i) * self.targets[(i, a)].to_f64()).sum::<f64>();
        (0..self.targets.columns()).map(|a| sum(a) / self.total_weight()).collect()
    }

    /// Σ w of some rows; all of them if none are named.
    pub(crate) fn weight_of(&self, rows: Option<&[usize]>) -> f64 {
        match (rows, &self.weights) {
            (None, _) => self.total_weight(),
            (Some(rows), None) => rows.len() as f64,
            (Some(rows), Some(weights)) => rows.iter().map(|&row| weights[row]).sum(),
        }
    }

    /// Bytes that it takes, images as long as they are not asked for as numbers.
    pub(crate) fn bytes(&self) -> usize {
        let weights = self.weights.as_ref().map_or(0, |weights| size_of_val(weights.as_slice()));
        self.inputs.bytes() + size_of_val(self.targets.as_slice()) + weights
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.inputs.rows()
    }

    /// The same in another scalar type.
    #[must_use]
    pub fn cast<U: Scalar>(&self) -> Dataset<U> {
        Dataset { inputs: self.inputs.cast(), targets: self.targets.cast(), weights: self.weights.clone() }
    }

    /// The same in another scalar type; moved where it is the same type.
    #[must_use]
    pub fn into_type<U: Scalar>(self) -> Dataset<U> {
        Dataset { inputs: self.inputs.into_type(), targets: self.targets.into_type(), weights: self.weights }
    }

    /// These rows, then those of another dataset of the same columns.
    ///
    /// # Errors
    /// If it has other columns.
    pub(crate) fn followed_by(&self, other: &Self) -> crate::Result<Self> {
        let (a, b) = (&self.targets, &other.targets);
        let targets = [a.as_slice(), b.as_slice()].concat();
        let targets = Matrix::from_vec(a.rows() + b.rows(), a.columns(), targets)?;
        // Rows without weights count as those of weight 1.
        let weighted = self.weights.is_some() || other.weights.is_some();
        let own = |rows: &Self| (0..rows.rows()).map(|i| rows.weight(i)).collect::<Vec<f64>>();
        let weights = weighted.then(|| [own(self), own(other)].concat());
        Self::new(self.inputs.followed_by(&other.inputs)?, targets)?.with_weights(weights)
    }

    /// The rows named by `indices`, in that order.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        let weights = self.weights.as_ref().map(|weights| indices.iter().map(|&i| weights[i]).collect());
        Self { inputs: self.inputs.select_rows(indices), targets: self.targets.select_rows(indices), weights }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_weights_count_as_those_of_weight_1_beside_others() {
        let rows = |n: usize| Dataset::new(Matrix::<f64>::zeros(n, 1), Matrix::zeros(n, 1)).unwrap();
        let weighted = rows(2).with_weights(Some(vec![3.0, 0.5])).unwrap();
        let joined = |a: &Dataset<f64>, b: &Dataset<f64>| a.followed_by(b).unwrap().weights;
        assert_eq!(joined(&weighted, &rows(1)), Some(vec![3.0, 0.5, 1.0]));
        assert_eq!(joined(&rows(1), &weighted), Some(vec![1.0, 3.0, 0.5]));
        assert_eq!(joined(&rows(1), &rows(1)), None);
    }
}
