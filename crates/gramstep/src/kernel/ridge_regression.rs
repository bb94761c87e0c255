//! Ridge regression with a free intercept, its κ by leave-one-out: what a model of any other kind has to beat.
//!
//! ```text
//! (a, β)         argmin Σ w_i (y_i − a − x_iᵀβ)² + κ‖β‖²
//! leave-one-out  f₋ᵢ(x_i) − y_i = (f(x_i) − y_i)/(1 − h_i),  h_i = w_i/Σw + w_i z_iᵀ(S + κI)⁻¹z_i
//! ```
//!
//! S are the eigenvalues of XᵀWX for centred inputs X, and z_i the centred input i in its eigenvectors. Where there are
//! fewer rows than columns they come from the n×n matrix of products of rows instead.

use super::ridge::Range;
use super::row_weights::RowWeights;
use crate::error::{Error, Result, check_extent};
use crate::solve::{Eigen, dot, eigen, self_product};
use crate::view::Matrix;

/// A fitted ridge regression x ↦ a + xᵀβ, with a κ of its own for every output.
///
/// ```
/// use gramstep::Matrix;
/// use gramstep::kernel::RidgeRegression;
/// let x = Matrix::from_fn(20, 2, |i, j| ((i * (3 + 4 * j)) % 11) as f64);
/// let y = Matrix::from_fn(20, 1, |i, _| 2.0 * x[(i, 0)] - x[(i, 1)] + 7.0);
/// let regression = RidgeRegression::fit(&x, &y, None, 1)?;
/// assert!((regression.coefficients()[(0, 0)] - 2.0).abs() < 1e-6);
/// assert!((regression.predict(&Matrix::zeros(1, 2))?[(0, 0)] - 7.0).abs() < 1e-6);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RidgeRegression {
    intercept: Vec<f64>,
    coefficients: Matrix<f64>,
    ridge: Vec<f64>,
    leave_one_out: Matrix<f64>,
}

impl RidgeRegression {
    /// Fits targets (n×k) to inputs (n×d), rows counted by weights above 0 where there are any.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if sizes differ, [`Error::TooFew`](crate::Error::TooFew) for fewer than
    /// three rows, [`Error::Setting`](crate::Error::Setting) if a weight is not finite and above 0,
    /// [`Error::Solve`](crate::Error::Solve) if the decomposition fails.
    pub fn fit(x: &Matrix<f64>, y: &Matrix<f64>, weights: Option<&[f64]>, threads: usize) -> Result<Self> {
        let n = x.rows();
        check_extent("rows of the targets", n, y.rows())?;
        if n < 3 {
            return Err(Error::TooFew { what: "rows of a ridge regression", least: 3, got: n });
        }
        let weights = match weights {
            None => RowWeights::equal(),
            Some(weights) => {
                check_extent("weights", n, weights.len())?;
                RowWeights::new(weights)?
            }
        };
        let parts = Parts::new(x, &weights, threads)?;
        let fits: Vec<Column> = (0..y.columns()).map(|a| parts.column(y, a, &weights)).collect();
        Ok(Self {
            intercept: fits.iter().map(|fit| fit.intercept).collect(),
            coefficients: Matrix::from_fn(x.columns(), y.columns(), |j, a| fits[a].coefficients[j]),
            ridge: fits.iter().map(|fit| fit.ridge * weights.mean()).collect(),
            leave_one_out: Matrix::from_fn(n, y.columns(), |i, a| fits[a].leave_one_out[i]),
        })
    }

    /// a of every output.
    #[must_use]
    pub fn intercept(&self) -> &[f64] {
        &self.intercept
    }

    /// β, d×k.
    #[must_use]
    pub fn coefficients(&self) -> &Matrix<f64> {
        &self.coefficients
    }

    /// κ of every output, in the units of the weights.
    #[must_use]
    pub fn ridge(&self) -> &[f64] {
        &self.ridge
    }

    /// Leave-one-out residuals f₋ᵢ(x_i) − y_i, n×k: what the fit without row i, with this κ, says of it.
    #[must_use]
    pub fn leave_one_out(&self) -> &Matrix<f64> {
        &self.leave_one_out
    }

    /// a + xᵀβ for rows of inputs, m×k.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the inputs have another number of columns.
    pub fn predict(&self, x: &Matrix<f64>) -> Result<Matrix<f64>> {
        check_extent("columns of the inputs", self.coefficients.rows(), x.columns())?;
        let mut f = Matrix::zeros(x.rows(), self.intercept.len());
        for i in 0..x.rows() {
            let f = f.row_mut(i);
            f.copy_from_slice(&self.intercept);
            for (j, x) in x.row(i).iter().enumerate() {
                f.iter_mut().zip(self.coefficients.row(j)).for_each(|(f, beta)| *f += x * beta);
            }
        }
        Ok(f)
    }
}

/// What all outputs share.
struct Parts {
    /// x̄.
    mean: Vec<f64>,
    /// Ŵ^½(X − 1x̄ᵀ), n×d.
    centred: Matrix<f64>,
    /// Of the smaller of the two matrices of products.
    eigen: Eigen,
    /// The centred inputs in the eigenvectors, n×r.
    rotated: Matrix<f64>,
}

/// One output.
struct Column {
    intercept: f64,
    coefficients: Vec<f64>,
    /// κ/w̄.
    ridge: f64,
    leave_one_out: Vec<f64>,
}

impl Parts {
    fn new(x: &Matrix<f64>, weights: &RowWeights, threads: usize) -> Result<Self> {
        let (n, d) = (x.rows(), x.columns());
        let mut mean = vec![0.0; d];
        for i in 0..n {
            let share = weights.root(i).powi(2) / n as f64;
            mean.iter_mut().zip(x.row(i)).for_each(|(mean, x)| *mean += share * x);
        }
        let centred = Matrix::from_fn(n, d, |i, j| weights.root(i) * (x[(i, j)] - mean[j]));
        let (eigen, rotated) = if d <= n {
            let eigen = eigen(&self_product(&centred, true, threads), threads)?;
            let rotated = eigen.rotate(&centred, threads);
            (eigen, rotated)
        } else {
            let products = self_product(&centred, false, threads);
            let eigen = eigen(&products, threads)?;
            // Of products U S Uᵀ the rotated inputs are U S^½; what is rounding in S would be noise in U S^½.
            let (scaled, rounding) = (eigen.rotate(&products, threads), eigen.rounding());
            let inverse_root = |s: f64| if s > rounding { s.sqrt().recip() } else { 0.0 };
            let rotated = Matrix::from_fn(n, n, |i, j| scaled[(i, j)] * inverse_root(eigen.values[j]));
            (eigen, rotated)
        };
        Ok(Self { mean, centred, eigen, rotated })
    }

    fn column(&self, y: &Matrix<f64>, a: usize, weights: &RowWeights) -> Column {
        let n = y.rows();
        let mean = (0..n).map(|i| weights.root(i).powi(2) * y[(i, a)]).sum::<f64>() / n as f64;
        let target: Vec<f64> = (0..n).map(|i| weights.root(i) * (y[(i, a)] - mean)).collect();
        // Zᵀỹ
        let mut projected = vec![0.0; self.rotated.columns()];
        for (i, target) in target.iter().enumerate() {
            projected.iter_mut().zip(self.rotated.row(i)).for_each(|(sum, z)| *sum += target * z);
        }
        let held_out = |ridge: f64| {
            let inverses: Vec<f64> = self.eigen.values.iter().map(|s| 1.0 / (s.max(0.0) + ridge)).collect();
            let solved: Vec<f64> = projected.iter().zip(&inverses).map(|(q, inverse)| q * inverse).collect();
            let one = |i: usize| {
                let z = self.rotated.row(i);
                let influence: f64 = z.iter().zip(&inverses).map(|(z, inverse)| z * z * inverse).sum();
                let left = 1.0 - weights.root(i).powi(2) / n as f64 - influence;
                (dot(z, &solved) - target[i]) / left.max(f64::EPSILON)
            };
            (0..n).map(one).collect::<Vec<f64>>()
        };
        let ridge = Range::new(&self.eigen).least(|ridge| held_out(ridge).iter().map(|e| e * e).sum());
        let coefficients = self.coefficients(&target, ridge);
        let leave_one_out = held_out(ridge).iter().enumerate().map(|(i, e)| e / weights.root(i)).collect();
        Column { intercept: mean - dot(&self.mean, &coefficients), coefficients, ridge, leave_one_out }
    }

    /// β.
    fn coefficients(&self, target: &[f64], ridge: f64) -> Vec<f64> {
        let across = |u: &[f64]| {
            let mut sum = vec![0.0; self.centred.columns()];
            for (i, u) in u.iter().enumerate() {
                sum.iter_mut().zip(self.centred.row(i)).for_each(|(sum, x)| *sum += u * x);
            }
            sum
        };
        if self.eigen.values.len() == self.centred.columns() {
            self.eigen.solve(ridge, &across(target))
        } else {
            across(&self.eigen.solve(ridge, target))
        }
    }
}
