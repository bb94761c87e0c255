//! What a trainer sees: matrices.

use gramstep::{Matrix, Scalar};

/// Inputs and targets of the same rows, preprocessed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Dataset<T> {
    /// n×d.
    pub inputs: Matrix<T>,
    /// n×k: standardised numbers or one-hot classes.
    pub targets: Matrix<T>,
}

impl<T: Scalar> Dataset<T> {
    /// A dataset of n rows.
    ///
    /// # Errors
    /// If the two have different numbers of rows.
    pub fn new(inputs: Matrix<T>, targets: Matrix<T>) -> crate::Result<Self> {
        if inputs.rows() != targets.rows() {
            let (expected, got) = (inputs.rows(), targets.rows());
            return Err(gramstep::Error::Shape { what: "rows of the targets", expected, got }.into());
        }
        Ok(Self { inputs, targets })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.inputs.rows()
    }

    /// The same in another scalar type.
    #[must_use]
    pub fn cast<U: Scalar>(&self) -> Dataset<U> {
        Dataset { inputs: self.inputs.cast(), targets: self.targets.cast() }
    }

    /// The rows named by `indices`, in that order.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        Self { inputs: self.inputs.select_rows(indices), targets: self.targets.select_rows(indices) }
    }
}
