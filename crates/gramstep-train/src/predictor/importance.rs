//! How much the columns matter to a kernel regression.

use std::ops::Range;

use gramstep::Matrix;
use gramstep::random::Purpose;

use super::KernelModel;
use crate::data::permutation::permutation;
use crate::error::Result;

/// Training rows that are looked at, at most and at least.
const ROWS: (usize, usize) = (300, 10);
/// Multiplications that this may take; more columns mean fewer rows.
const WORK: usize = 20_000_000_000;

impl KernelModel {
    /// The total effect of every group of inputs, the groups being the columns of the table: the share of the variance of the
    /// prediction that goes with a column, alone and together with others (jansen1999),
    ///
    /// ```text
    /// Σ_i ‖f(x_i) − f(x_i with the column of another row)‖² / (2 Σ_i ‖f(x_i) − f̄‖²)
    /// ```
    ///
    /// over at most 300 training rows, fewer where there are many columns. 0 for a column that f does not see; where columns act together their sum is
    /// above 1.
    ///
    /// # Errors
    /// None that a fitted model has.
    pub fn total_effects(&self, columns: &[Range<usize>]) -> Result<Vec<f64>> {
        let (n, inputs) = (self.train().rows(), &self.train().inputs);
        let per_row = columns.len().saturating_mul(n).saturating_mul(inputs.columns());
        let rows = (WORK / per_row.max(1)).clamp(ROWS.1, ROWS.0);
        let x = inputs.select_rows(&(0..n).step_by(n.div_ceil(rows).max(1)).collect::<Vec<_>>());
        let order = permutation(x.rows(), 0, Purpose::Perturbation, 0);
        let mut partner = vec![0; x.rows()];
        // Around a circle of all rows: none is its own partner where there are two.
        for (at, &row) in order.iter().enumerate() {
            partner[row] = order[(at + 1) % order.len()];
        }
        let f = self.outputs(&x)?;
        let mean: Vec<f64> =
            (0..f.columns()).map(|a| (0..f.rows()).map(|i| f[(i, a)]).sum::<f64>() / f.rows() as f64).collect();
        let variance = squares(&f, |_, a| mean[a]);
        let effect = |column: &Range<usize>| {
            let exchanged = |i: usize, j: usize| x[(if column.contains(&j) { partner[i] } else { i }, j)];
            let moved = self.outputs(&Matrix::from_fn(x.rows(), x.columns(), exchanged))?;
            Ok(if variance > 0.0 { squares(&f, |i, a| moved[(i, a)]) / (2.0 * variance) } else { 0.0 })
        };
        columns.iter().map(effect).collect()
    }
}

/// Σ (f_ia − g_ia)²
fn squares(f: &Matrix<f64>, g: impl Fn(usize, usize) -> f64) -> f64 {
    let row = |i: usize| f.row(i).iter().enumerate().map(|(a, f)| (f - g(i, a)).powi(2)).sum::<f64>();
    (0..f.rows()).map(row).sum()
}

#[cfg(test)]
mod tests {
    use gramstep::Device;
    use gramstep::kernel::Ridge;

    use super::*;
    use crate::data::{Dataset, Task};

    #[test]
    fn a_column_has_its_share_of_the_variance_alone_and_with_others() {
        let uniform = |i: usize, j: usize| ((i * [37, 53, 71][j]) % 211) as f64 / 105.0 - 1.0;
        let x = Matrix::from_fn(211, 3, uniform);
        // Var of 2x₀ is four times that of x₁; x₀x₁ has a share of 1/3 of the variance of both in the mean.
        for (target, expected) in [
            ((|x: &[f64]| 2.0 * x[0] + x[1]) as fn(&[f64]) -> f64, [0.8, 0.2, 0.0]),
            (|x| x[0] * x[1], [1.0, 1.0, 0.0]),
            (|x| x[2], [0.0, 0.0, 1.0]),
        ] {
            let y = Matrix::from_fn(211, 1, |i, _| target(x.row(i)));
            let data = Dataset::new(x.clone(), y).unwrap();
            let choice = "kernel:anova-rbf".parse().unwrap();
            let model = KernelModel::fit(data, Task::Regression, choice, Ridge::Evidence, &Device::cpu(1)).unwrap();
            let effects = model.total_effects(&[0..1, 1..2, 2..3]).unwrap();
            let near = effects.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 0.12);
            assert!(near, "{effects:?} {expected:?}");
            // All columns as one, and none.
            let effects = model.total_effects(&[0..3, 0..0]).unwrap();
            assert!((effects[0] - 1.0).abs() < 0.15 && effects[1] == 0.0, "{effects:?}");
        }
    }
}
