//! What a part of a combination sees of the preprocessed inputs.

use gramstep::Matrix;
use serde::{Deserialize, Serialize};

use crate::data::Bound;

/// Where a value is bent, in robust deviations (holzmueller2024).
const BEND: f64 = 3.0;
/// Two standardised values this near are one: rows may have been single precision on their way.
const ALIKE: f64 = 1e-4;

/// A view of the inputs: as they are, without their bounds, bent, or with 0/1 columns beside those of few values.
///
/// ```text
/// bent:  u ↦ t/√(1 + (t/3)²),  t = (u − centre)/scale
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// Of every column, to be taken off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bounds: Vec<Bound>,
    /// Column, centre and scale of those that are bent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bent: Vec<(usize, f64, f64)>,
    /// Columns that get a 0/1 column for each of these values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    one_hot: Vec<(usize, Vec<f64>)>,
}

impl View {
    /// Without bounds.
    pub(crate) fn unbounded(bounds: &[Bound]) -> Self {
        Self { bounds: bounds.to_vec(), ..Self::default() }
    }

    /// With these columns bent at their centre and scale.
    pub(crate) fn bent(columns: Vec<(usize, f64, f64)>) -> Self {
        Self { bent: columns, ..Self::default() }
    }

    /// With a 0/1 column for each of these values of a column.
    pub(crate) fn one_hot(columns: Vec<(usize, Vec<f64>)>) -> Self {
        Self { one_hot: columns, ..Self::default() }
    }

    /// Columns of the view of inputs that have so many.
    pub(crate) fn width(&self, inputs: usize) -> usize {
        inputs + self.one_hot.iter().map(|(_, values)| values.len()).sum::<usize>()
    }

    /// Whether it is one of inputs with that number of columns.
    pub(crate) fn fits(&self, inputs: usize) -> bool {
        let usable = |value: &f64| value.is_finite();
        (self.bounds.is_empty() || self.bounds.len() == inputs)
            && self.bounds.iter().all(|bound| bound.is_usable())
            && self
                .bent
                .iter()
                .all(|(at, centre, scale)| *at < inputs && usable(centre) && usable(scale) && *scale > 0.0)
            && self.one_hot.iter().all(|(at, values)| *at < inputs && values.iter().all(usable))
    }

    /// The inputs as they are seen.
    pub(crate) fn apply(&self, x: &Matrix<f64>) -> Matrix<f64> {
        let width = self.width(x.columns());
        let mut seen = Matrix::zeros(x.rows(), width);
        for i in 0..x.rows() {
            let (own, others) = seen.row_mut(i).split_at_mut(x.columns());
            own.copy_from_slice(x.row(i));
            own.iter_mut().zip(&self.bounds).for_each(|(value, bound)| *value = bound.invert(*value));
            for &(at, centre, scale) in &self.bent {
                let t = (own[at] - centre) / scale;
                own[at] = t / (t / BEND).hypot(1.0);
            }
            let marks = self.one_hot.iter().flat_map(|(at, values)| values.iter().map(|value| (x.row(i)[*at], *value)));
            for (mark, (value, of)) in others.iter_mut().zip(marks) {
                *mark = f64::from(u8::from((value - of).abs() <= ALIKE * (1.0 + of.abs())));
            }
        }
        seen
    }

    /// From ∂/∂(what is seen) to ∂/∂x. The 0/1 columns do not follow a small change.
    pub(crate) fn pull_back(&self, x: &Matrix<f64>, seen: &Matrix<f64>) -> Matrix<f64> {
        let mut gradient = Matrix::from_fn(x.rows(), x.columns(), |i, j| seen[(i, j)]);
        for i in 0..x.rows() {
            for (at, bound) in self.bounds.iter().enumerate() {
                gradient[(i, at)] *= bound.inverse_slope(x[(i, at)]);
            }
            for &(at, centre, scale) in &self.bent {
                let t = (x[(i, at)] - centre) / scale;
                gradient[(i, at)] /= scale * (t / BEND).hypot(1.0).powi(3);
            }
        }
        gradient
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn x() -> Matrix<f64> {
        Matrix::from_fn(6, 3, |i, j| ((i * (j + 2)) % 5) as f64 / 1.7 - 1.0)
    }

    #[test]
    fn values_get_their_columns_and_others_none() {
        let x = x();
        let values = vec![x[(0, 1)], x[(1, 1)]];
        let view = View::one_hot(vec![(1, values.clone())]);
        let seen = view.apply(&x.cast::<f32>().cast());
        assert!(view.fits(3) && !view.fits(1));
        assert_eq!(seen.columns(), 5);
        for i in 0..6 {
            for (a, value) in values.iter().enumerate() {
                assert_eq!(seen[(i, 3 + a)] == 1.0, x[(i, 1)] == *value);
            }
        }
    }

    #[test]
    fn the_gradient_is_that_of_what_is_seen() {
        let views = [
            View::bent(vec![(0, 0.3, 0.5), (2, -1.0, 2.0)]),
            View::unbounded(&[Bound::Range([-0.2, 0.4]), Bound::Free, Bound::Range([-0.1, 0.1])]),
        ];
        // u·view(x) with other u for every column.
        let value = |view: &View, x: &Matrix<f64>, i: usize| {
            view.apply(x).row(i).iter().zip(1..).map(|(seen, a)| seen * f64::from(a)).sum::<f64>()
        };
        for view in views {
            let x = Matrix::from_fn(6, 3, |i, j| x()[(i, j)] * 0.4);
            let u = Matrix::from_fn(6, 3, |_, a| a as f64 + 1.0);
            let gradient = view.pull_back(&x, &u);
            for (i, j) in (0..6).flat_map(|i| (0..3).map(move |j| (i, j))) {
                let moved = |by: f64| {
                    let mut x = x.clone();
                    x[(i, j)] += by;
                    value(&view, &x, i)
                };
                let expected = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                assert!((gradient[(i, j)] - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{view:?} {i} {j}");
            }
        }
    }
}
