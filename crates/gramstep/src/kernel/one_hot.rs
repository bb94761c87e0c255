//! Classes as the targets of a regression.

use crate::error::{Error, Result};
use crate::view::Matrix;

/// Targets of a classification, n×classes: 1 − 1/classes for a sample's own class, −1/classes elsewhere.
///
/// # Errors
/// [`Error::Target`] if a label is not below `classes`.
pub fn one_hot(labels: &[usize], classes: usize) -> Result<Matrix<f64>> {
    if let Some((sample, &label)) = labels.iter().enumerate().find(|(_, label)| **label >= classes) {
        let reason = "is not the number of a class";
        return Err(Error::Target { loss: "one-hot", sample, value: label as f64, reason });
    }
    let share = 1.0 / classes as f64;
    Ok(Matrix::from_fn(labels.len(), classes, |i, a| if labels[i] == a { 1.0 - share } else { -share }))
}
