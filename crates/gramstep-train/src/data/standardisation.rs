//! Mean 0 and variance 1, column by column.

use serde::{Deserialize, Serialize};

/// The map v ↦ (v − mean) / scale of every column, and back.
///
/// ```
/// use gramstep_train::data::Standardisation;
/// let standardisation = Standardisation::fit([[1.0, 3.0].as_slice(), &[5.0, 5.0]]);
/// let mut row = [3.0, 7.0];
/// standardisation.apply(&mut row);
/// assert_eq!(row, [1.0, 2.0]); // a constant column is only centred
/// standardisation.invert(&mut row);
/// assert_eq!(row, [3.0, 7.0]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Standardisation {
    /// Mean of every column.
    pub mean: Vec<f64>,
    /// Standard deviation of every column (divisor n); 1 for a constant column.
    pub scale: Vec<f64>,
}

impl Standardisation {
    /// Mean and standard deviation of columns of finite numbers.
    #[must_use]
    pub fn fit<'a>(columns: impl IntoIterator<Item = &'a [f64]>) -> Self {
        let mut fitted = Self::default();
        for column in columns {
            fitted.push(column, None);
        }
        fitted
    }

    /// Appends a column, its rows counted by their weights where there are any.
    pub(crate) fn push(&mut self, column: &[f64], weights: Option<&[f64]>) {
        let (mean, scale) = moments(column, |i| weights.map_or(1.0, |weights| weights[i]));
        self.mean.push(mean);
        self.scale.push(scale);
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.mean.len()
    }

    /// Whether it is one of that number of columns, with usable numbers.
    pub(super) fn check(&self, of: &str, columns: usize) -> Result<(), String> {
        if (self.mean.len(), self.scale.len()) != (columns, columns) {
            let (means, scales) = (self.mean.len(), self.scale.len());
            return Err(format!("{columns} columns of {of}, {means} means and {scales} deviations"));
        }
        let usable = self.mean.iter().all(|mean| mean.is_finite())
            && self.scale.iter().all(|scale| scale.is_finite() && *scale > 0.0);
        if usable { Ok(()) } else { Err(format!("means or deviations of {of} are not usable numbers")) }
    }

    /// Standardises rows stored one after another.
    pub fn apply(&self, values: &mut [f64]) {
        self.each(values, |value, mean, scale| (value - mean) / scale);
    }

    /// Undoes [`Standardisation::apply`].
    pub fn invert(&self, values: &mut [f64]) {
        self.each(values, |value, mean, scale| value.mul_add(scale, mean));
    }

    fn each(&self, values: &mut [f64], f: impl Fn(f64, f64, f64) -> f64) {
        if self.mean.is_empty() {
            return;
        }
        for row in values.chunks_mut(self.mean.len()) {
            for ((value, &mean), &scale) in row.iter_mut().zip(&self.mean).zip(&self.scale) {
                *value = f(*value, mean, scale);
            }
        }
    }
}

/// Whether values differ by no more than rounding.
pub(super) fn is_constant(values: &[f64]) -> bool {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for &value in values {
        low = low.min(value);
        high = high.max(value);
    }
    values.is_empty() || high - low <= 1e-12 * low.abs().max(high.abs())
}

/// Mean and standard deviation; relative to the largest value, so that squares do not overflow.
fn moments(values: &[f64], weight: impl Fn(usize) -> f64) -> (f64, f64) {
    let largest = values.iter().fold(0.0_f64, |largest, v| largest.max(v.abs()));
    if largest == 0.0 || values.is_empty() {
        return (0.0, 1.0);
    }
    let total: f64 = (0..values.len()).map(&weight).sum();
    let mean_of = |f: &dyn Fn(f64) -> f64| {
        values.iter().enumerate().map(|(i, v)| weight(i) * f(v / largest)).sum::<f64>() / total
    };
    let mean = mean_of(&|v| v);
    if is_constant(values) {
        return (mean * largest, 1.0);
    }
    let variance = mean_of(&|v| (v - mean).powi(2));
    (mean * largest, variance.sqrt() * largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_and_tiny_values_keep_their_scale() {
        for size in [1e-300, 1.0, 1e300] {
            let fitted = Standardisation::fit([[-size, size].as_slice()]);
            assert_eq!((fitted.mean[0], fitted.scale[0]), (0.0, size));
        }
    }

    #[test]
    fn a_weight_of_2_is_a_row_twice() {
        let (mut weighted, values) = (Standardisation::default(), [1.0, 2.0, 4.0]);
        weighted.push(&values, Some(&[2.0, 1.0, 1.0]));
        let twice = Standardisation::fit([[1.0, 1.0, 2.0, 4.0].as_slice()]);
        assert!((weighted.mean[0] - twice.mean[0]).abs() < 1e-15 && (weighted.scale[0] - twice.scale[0]).abs() < 1e-15);
    }

    #[test]
    fn values_that_differ_by_rounding_are_constant() {
        assert!(is_constant(&[0.1 + 0.2, 0.3]));
        assert!(!is_constant(&[0.3, 0.300_001]));
        assert!(is_constant(&[0.0, 0.0]));
    }
}
