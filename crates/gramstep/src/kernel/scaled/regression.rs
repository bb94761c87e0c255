//! Regression with a scaled kernel by one Cholesky factor: O(n³/3), where the decomposition of
//! [`KernelRegression`](crate::kernel::KernelRegression), which serves every κ, takes some ten times as long.
//!
//! ```text
//! A = K + κsW⁻¹,  c = A⁻¹y,  C = A⁻¹              W = diag(w), 1 without weights; s the mean diagonal of K
//! mean            f(x) = K(x, X) c
//! variance        v(x) = K(x, x) − K(x, X) A⁻¹ K(X, x)
//! left out        f₋F(x_F) = y_F − (C_FF)⁻¹c_F    for any rows F
//! ```
//!
//! The targets are taken for y ~ N(0, a·A) with a = yᵀc/n.

use std::f64::consts::PI;
use std::sync::OnceLock;

use super::super::checked::clip_variances;
use super::kernel::ScaledKernel;
use super::matrices::symmetric;
use super::objective::add_noise;
use super::regressor::ScaledRegressor;
use crate::device::{Device, Operations as _, Tile, TileMut, WriteMode};
use crate::error::{Error, Result, check_extent, check_not_negative, check_positive};
use crate::scalar::Scalar;
use crate::solve::Cholesky;
use crate::view::{Matrix, MatrixView};

/// A fitted regression; one kernel for all k outputs. In `f32` it takes half the memory, and asks for κ of about 0.01 or
/// more.
///
/// ```
/// use gramstep::Matrix;
/// use gramstep::kernel::{ScaledKernel, ScaledKind, ScaledRegression};
/// let kernel = ScaledKernel::new(ScaledKind::Matern52, vec![4.0], Vec::new(), 0.0)?;
/// let x = Matrix::from_fn(20, 1, |i, _| i as f64 / 10.0 - 1.0);
/// let y = Matrix::from_fn(20, 1, |i, _| (3.0 * x[(i, 0)]).sin());
/// let regression = ScaledRegression::fit(kernel, 1e-6, x, &y, None, 1)?;
/// let new = Matrix::from_vec(1, 1, vec![0.05])?;
/// assert!((regression.predict(&new)?[(0, 0)] - 0.15_f64.sin()).abs() < 1e-3);
/// assert!(regression.variance(&new)?[0] < 1e-3);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Debug)]
pub struct ScaledRegression<T = f64> {
    regressor: ScaledRegressor<T>,
    x: Matrix<T>,
    ridge: f64,
    weights: Option<Vec<f64>>,
    /// At hand after a fit, made when it is needed after [`restore`](Self::restore).
    posterior: OnceLock<Posterior<T>>,
}

#[derive(Debug)]
struct Posterior<T> {
    factor: Cholesky<T>,
    /// κs
    noise: f64,
    /// y, n×k.
    targets: Matrix<T>,
    /// The diagonal of C, once it is asked for.
    inverse_diagonal: OnceLock<Vec<f64>>,
}

impl<T: Scalar> ScaledRegression<T> {
    /// Fits targets (n×k) to points (n×d). κ ≥ 0 is relative to the mean of K(x, x), which is 1 for all kinds but `nngp`.
    /// Weights count rows, above 0; their unit is that of κ.
    ///
    /// # Errors
    /// [`Error::Shape`] if sizes differ, [`Error::TooFew`] without rows or outputs, [`Error::Setting`] if κ or a weight is
    /// outside its range, [`Error::Solve`] if K + κsW⁻¹ is not positive definite beyond rounding: κ is too small for
    /// points this close, or a number is not finite.
    pub fn fit(
        kernel: ScaledKernel,
        ridge: f64,
        x: Matrix<T>,
        y: &Matrix<f64>,
        weights: Option<&[f64]>,
        threads: usize,
    ) -> Result<Self> {
        check_extent("rows of the targets", x.rows(), y.rows())?;
        let targets: Matrix<T> = y.cast();
        let zeros = Matrix::zeros(y.rows(), y.columns());
        let unfitted = Self::restore(kernel, ridge, x, zeros, weights.map(<[f64]>::to_vec), threads)?;
        let (gram, noise) = unfitted.noisy();
        let factor = unfitted.factor(&gram)?;
        drop(gram);
        // Row by row of the transposed targets: one output after the other.
        let mut solved = transposed(&targets);
        unfitted.device().enter(factor_work(y.rows()), |_| factor.solve_in_place(solved.as_mut_slice()));
        let posterior = Posterior { factor, noise, targets, inverse_diagonal: OnceLock::new() };
        let coefficients = transposed(&solved);
        let ScaledRegression { regressor, x, ridge, weights, .. } = unfitted;
        let regressor = regressor.with_coefficients(coefficients);
        Ok(Self { regressor, x, ridge, weights, posterior: OnceLock::from(posterior) })
    }

    /// The regression of an earlier fit, from its coefficients: what only they are needed for costs nothing more, all else
    /// O(n³/3) at its first use.
    ///
    /// # Errors
    /// Those of [`fit`](Self::fit) but the last.
    pub fn restore(
        kernel: ScaledKernel,
        ridge: f64,
        x: Matrix<T>,
        coefficients: Matrix<T>,
        weights: Option<Vec<f64>>,
        threads: usize,
    ) -> Result<Self> {
        check_not_negative("ridge", ridge)?;
        if x.rows() == 0 {
            return Err(Error::TooFew { what: "rows of a kernel regression", least: 1, got: 0 });
        }
        if let Some(weights) = &weights {
            check_extent("weights", x.rows(), weights.len())?;
            weights.iter().try_for_each(|&weight| check_positive("sample weight", weight))?;
        }
        let regressor = ScaledRegressor::new(kernel, &x, coefficients, Device::cpu(threads))?;
        Ok(Self { regressor, x, ridge, weights, posterior: OnceLock::new() })
    }

    /// Whether K + κsW⁻¹ is factored already: after a fit, and after the first question that needs it.
    #[must_use]
    pub fn is_factored(&self) -> bool {
        self.posterior.get().is_some()
    }

    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> &ScaledKernel {
        self.regressor.kernel()
    }

    /// κ.
    #[must_use]
    pub fn ridge(&self) -> f64 {
        self.ridge
    }

    /// The points, n×d.
    #[must_use]
    pub fn points(&self) -> &Matrix<T> {
        &self.x
    }

    /// The weights of the rows, where there are any.
    #[must_use]
    pub fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }

    /// c, n×k.
    #[must_use]
    pub fn coefficients(&self) -> &Matrix<T> {
        self.regressor.coefficients()
    }

    /// x ↦ f(x), with its gradient.
    #[must_use]
    pub fn regressor(&self) -> &ScaledRegressor<T> {
        &self.regressor
    }

    /// f(x), m×k.
    ///
    /// # Errors
    /// [`Error::Shape`] if x has another number of columns.
    pub fn predict<'x>(&self, x: impl Into<MatrixView<'x, T>>) -> Result<Matrix<T>> {
        self.regressor.predict(x)
    }

    /// ∂⟨u_i, f(x_i)⟩/∂x_i, m×d; u: m×k.
    ///
    /// # Errors
    /// [`Error::Shape`] if x or u does not fit.
    pub fn input_gradient<'x>(&self, x: impl Into<MatrixView<'x, T>>, u: &Matrix<T>) -> Result<Matrix<T>> {
        self.regressor.input_gradient(x, u)
    }

    /// v(x) of new points. The variance of output j of f(x) is a_j·v(x), that of a new observation of mean weight a_j·v(x)
    /// and its [`noise_variance`](Self::noise_variance).
    ///
    /// # Errors
    /// [`Error::Shape`] if x has another number of columns, [`Error::Solve`] as in [`fit`](Self::fit).
    pub fn variance<'x>(&self, x: impl Into<MatrixView<'x, T>>) -> Result<Vec<T>> {
        let (x, n) = (x.into(), self.x.rows());
        let posterior = self.posterior()?;
        let mut variance = self.kernel().diagonal(x)?;
        self.regressor.by_chunks(x, |first, points| {
            let reduced = self.reduced(posterior, self.regressor.cross(points));
            for (own, row) in variance[first..].iter_mut().zip(reduced.as_slice().chunks_exact(n)) {
                *own = (*own - row.iter().map(|&value| value * value).sum::<T>()).max(T::ZERO);
            }
        })?;
        Ok(variance)
    }

    /// K(x, x′) − K(x, X) A⁻¹ K(X, x′) of new points among themselves, m×m; its diagonal is [`variance`](Self::variance).
    ///
    /// # Errors
    /// Those of [`variance`](Self::variance).
    pub fn covariance<'x>(&self, x: impl Into<MatrixView<'x, T>>) -> Result<Matrix<T>> {
        let points = self.kernel().points(x.into())?;
        let (m, n) = (points.rows(), self.x.rows());
        let reduced = self.reduced(self.posterior()?, self.regressor.cross(&points));
        let mut covariance = symmetric(&*self.kernel().pairs(&points, &points), self.device());
        let (tile, target) = (Tile::new(reduced.as_slice(), m, n), TileMut::new(covariance.as_mut_slice(), m, m));
        self.device().operations::<T>().product(target, WriteMode::Accumulate, -T::ONE, tile, tile.t());
        clip_variances(&mut covariance);
        Ok(covariance)
    }

    /// a of every output, the variance of the prior a·K for which the evidence is largest, yᵀc/n.
    ///
    /// # Errors
    /// [`Error::Solve`] as in [`fit`](Self::fit).
    pub fn prior_variance(&self) -> Result<Vec<f64>> {
        let (y, c) = (&self.posterior()?.targets, self.coefficients());
        let products = |a: usize| (0..y.rows()).map(|i| y[(i, a)].to_f64() * c[(i, a)].to_f64()).sum::<f64>();
        Ok((0..y.columns()).map(|a| products(a).max(0.0) / y.rows() as f64).collect())
    }

    /// The variance aκs/w̄ of the noise of a row of mean weight, for every output.
    ///
    /// # Errors
    /// [`Error::Solve`] as in [`fit`](Self::fit).
    pub fn noise_variance(&self) -> Result<Vec<f64>> {
        let mean = self.weights.as_ref().map_or(1.0, |weights| weights.iter().sum::<f64>() / weights.len() as f64);
        let noise = self.posterior()?.noise / mean;
        Ok(self.prior_variance()?.into_iter().map(|prior| prior * noise).collect())
    }

    /// log p(y) of all outputs for y ~ N(0, a·A), the a of each at its best.
    ///
    /// # Errors
    /// [`Error::Solve`] as in [`fit`](Self::fit).
    pub fn log_marginal_likelihood(&self) -> Result<f64> {
        let (n, log) = (self.x.rows() as f64, self.posterior()?.factor.log_determinant());
        let of = |prior: f64| -0.5 * (n * (1.0 + (2.0 * PI * prior).ln()) + log);
        Ok(self.prior_variance()?.into_iter().map(of).sum())
    }

    /// The effective number of parameters, tr K A⁻¹.
    ///
    /// # Errors
    /// [`Error::Solve`] as in [`fit`](Self::fit).
    pub fn effective_parameters(&self) -> Result<f64> {
        let noise = self.posterior()?.noise;
        let share = |(i, own): (usize, &f64)| 1.0 - noise * own / self.weight(i);
        Ok(self.inverse_diagonal()?.iter().enumerate().map(share).sum())
    }

    /// Leave-one-out residuals f₋ᵢ(x_i) − y_i = −c_i/C_ii, n×k.
    ///
    /// # Errors
    /// [`Error::Solve`] as in [`fit`](Self::fit).
    pub fn leave_one_out(&self) -> Result<Matrix<f64>> {
        let (own, c) = (self.inverse_diagonal()?, self.coefficients());
        Ok(Matrix::from_fn(c.rows(), c.columns(), |i, a| -c[(i, a)].to_f64() / own[i]))
    }

    /// The variance of y_i given all other rows, the noise of row i included, a/C_ii, n×k.
    ///
    /// # Errors
    /// [`Error::Solve`] as in [`fit`](Self::fit).
    pub fn leave_one_out_variance(&self) -> Result<Matrix<f64>> {
        let (own, prior) = (self.inverse_diagonal()?, self.prior_variance()?);
        Ok(Matrix::from_fn(own.len(), prior.len(), |i, a| prior[a] / own[i]))
    }

    /// What the rows of every fold are predicted by the regression on all others with this kernel and this noise, in closed
    /// form, one matrix of k columns a fold: y_F − (C_FF)⁻¹c_F. O(2n³/3 + Σ|F|³/3).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if there is no such row, [`Error::Solve`] if a fold names a row twice, or as in
    /// [`fit`](Self::fit).
    pub fn leave_out(&self, folds: &[Vec<usize>]) -> Result<Vec<Matrix<T>>> {
        let (n, k) = (self.x.rows(), self.coefficients().columns());
        if let Some(&index) = folds.iter().flatten().find(|&&i| i >= n) {
            return Err(Error::OutOfRange { what: "row of a fold", index, count: n });
        }
        let targets = &self.posterior()?.targets;
        let inverse = self.inverse()?;
        let of = |fold: &Vec<usize>| {
            let entry = |i: usize, j: usize| inverse[(fold[i].max(fold[j]), fold[i].min(fold[j]))];
            let block = Matrix::from_fn(fold.len(), fold.len(), entry);
            let factor = self.factor(&block)?;
            let mut moved = transposed(&self.coefficients().select_rows(fold));
            self.device().enter(factor_work(fold.len()), |_| factor.solve_in_place(moved.as_mut_slice()));
            Ok(Matrix::from_fn(fold.len(), k, |i, a| targets[(fold[i], a)] - moved[(a, i)]))
        };
        folds.iter().map(of).collect()
    }

    fn device(&self) -> &Device {
        self.regressor.device()
    }

    fn weight(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[row])
    }

    /// A, and κs.
    fn noisy(&self) -> (Matrix<T>, f64) {
        let points = self.regressor.points();
        let mut gram = symmetric(&*self.kernel().pairs(points, points), self.device());
        let noise = add_noise(&mut gram, self.ridge, self.weights.as_deref());
        (gram, noise)
    }

    fn factor(&self, matrix: &Matrix<T>) -> Result<Cholesky<T>> {
        let size = matrix.rows();
        let factor = self.device().enter(factor_work(size), |threads| Cholesky::factor(matrix, T::ZERO, threads));
        factor.ok_or_else(|| {
            let reason = format!("the kernel with the ridge {} is not positive definite beyond rounding", self.ridge);
            Error::Solve { solver: "Cholesky factorisation", size, reason }
        })
    }

    fn posterior(&self) -> Result<&Posterior<T>> {
        if let Some(posterior) = self.posterior.get() {
            return Ok(posterior);
        }
        let (gram, noise) = self.noisy();
        let c = self.coefficients();
        // y = A c.
        let mut targets = Matrix::zeros(c.rows(), c.columns());
        for i in 0..c.rows() {
            for (j, &entry) in gram.row(i).iter().enumerate() {
                targets.row_mut(i).iter_mut().zip(c.row(j)).for_each(|(y, &c)| *y += entry * c);
            }
        }
        let posterior = Posterior { factor: self.factor(&gram)?, noise, targets, inverse_diagonal: OnceLock::new() };
        Ok(self.posterior.get_or_init(|| posterior))
    }

    /// L⁻¹K(X, x), a row for every x.
    fn reduced(&self, posterior: &Posterior<T>, mut cross: Matrix<T>) -> Matrix<T> {
        let work = cross.rows() as f64 * (self.x.rows() as f64).powi(2);
        self.device().enter(work, |_| posterior.factor.half_solve_in_place(cross.as_mut_slice()));
        cross
    }

    /// C, of which the lower triangle is filled.
    fn inverse(&self) -> Result<Matrix<T>> {
        let (posterior, size) = (self.posterior()?, self.x.rows());
        self.device().enter(factor_work(size), |_| posterior.factor.inverse()).ok_or_else(|| {
            let reason = "there is not the memory for it".to_owned();
            Error::Solve { solver: "inverse of a Cholesky factor", size, reason }
        })
    }

    fn inverse_diagonal(&self) -> Result<&[f64]> {
        let posterior = self.posterior()?;
        if let Some(diagonal) = posterior.inverse_diagonal.get() {
            return Ok(diagonal);
        }
        let inverse = self.inverse()?;
        let diagonal = (0..inverse.rows()).map(|i| inverse[(i, i)].to_f64()).collect();
        Ok(posterior.inverse_diagonal.get_or_init(|| diagonal))
    }
}

/// Multiplications of a factorisation.
fn factor_work(size: usize) -> f64 {
    (size as f64).powi(3) / 6.0
}

fn transposed<T: Scalar>(matrix: &Matrix<T>) -> Matrix<T> {
    Matrix::from_fn(matrix.columns(), matrix.rows(), |i, j| matrix[(j, i)])
}
