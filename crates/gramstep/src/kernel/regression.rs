//! Regression with a kernel: ridge and least norm, the posterior of a Gaussian process, leave-one-out in closed form.
//!
//! ```text
//! K̃ = K + κW⁻¹,  c = K̃⁻¹y                                        W = diag(w), 1 without weights
//! mean          f(x) = K(x, X) c
//! variance      v(x) = K(x, x) − K(x, X) K̃⁻¹ K(X, x)
//! leave-one-out f₋ᵢ(x_i) − y_i = −c_i/[K̃⁻¹]_ii,  scored by Σ w_i e_i²/Σ w_i
//! evidence      y ~ N(0, a·K̃),  a = yᵀK̃⁻¹y/n
//! ```
//!
//! The noise of row i has the variance aκ/w_i, that of a row of mean weight w̄ = Σw/n is s² = aκ/w̄. The standard deviation
//! of f(x) is √(a·v(x)), that of a new observation, which is taken for one of mean weight, √(s² + a·v(x)). For the
//! tangent kernel of a trained network with weight decay κ this is the linearised Laplace approximation.
//!
//! κ is in the units of the weights. One that is chosen goes up and down with them, and nothing else depends on their
//! scale. With a fixed κ a whole w gives the predictions of w copies of the row.

use std::f64::consts::PI;

use super::checked;
use super::ridge::{Range, Ridge};
use super::row_weights::RowWeights;
use crate::error::{Result, check_extent, check_not_negative};
use crate::solve::{Eigen, dot};
use crate::view::Matrix;

/// A fitted kernel regression; one kernel n×n for all k outputs.
///
/// ```
/// use gramstep::kernel::{InfiniteKernel, KernelRegression, Ridge, Which};
/// use gramstep::{Activation, Device, Matrix};
/// let kernel = InfiniteKernel::mlp(2, Activation::Relu, 2.0, 0.1)?;
/// let x = Matrix::from_fn(20, 1, |i, _| i as f64 / 10.0 - 1.0);
/// let y = Matrix::from_fn(20, 1, |i, _| (3.0 * x[(i, 0)]).sin());
/// let points = kernel.points(&x, &Device::cpu(1))?;
/// let regression = KernelRegression::fit(&points.gram(Which::Ntk), &y, Ridge::LeaveOneOut, 1)?;
/// let new = kernel.points(&Matrix::from_vec(1, 1, vec![0.05])?, &Device::cpu(1))?;
/// let f = regression.predict(&new.cross_gram(&points, Which::Ntk)?)?;
/// assert!((f[(0, 0)] - 0.15_f64.sin()).abs() < 0.05);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Debug)]
pub struct KernelRegression {
    weights: RowWeights,
    /// Of Ŵ^½K Ŵ^½, Ŵ = W/w̄.
    eigen: Eigen,
    /// Its eigenvalues e, 0 where they are negative.
    spectrum: Vec<f64>,
    /// Ŵ^½y, n×k.
    targets: Matrix<f64>,
    /// VᵀŴ^½y, for every output.
    projected: Vec<Vec<f64>>,
    /// κ/w̄.
    ridge: f64,
    /// (Ŵ^½K Ŵ^½ + κ/w̄)⁻¹Ŵ^½y, for every output.
    coefficients: Vec<Vec<f64>>,
    threads: usize,
}

impl KernelRegression {
    /// Fits targets (n×k) to a kernel matrix (n×n).
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if sizes differ, [`Error::Kernel`](crate::Error::Kernel) if the matrix is not
    /// finite, symmetric and positive semi-definite up to rounding, [`Error::Setting`](crate::Error::Setting) if κ is
    /// negative, [`Error::Solve`](crate::Error::Solve) if the decomposition fails.
    pub fn fit(kernel: &Matrix<f64>, y: &Matrix<f64>, ridge: Ridge, threads: usize) -> Result<Self> {
        let n = kernel.rows();
        for (what, got) in [("columns of a kernel", kernel.columns()), ("rows of the targets", y.rows())] {
            check_extent(what, n, got)?;
        }
        Self::decompose(kernel, y.clone(), RowWeights::equal(), ridge, threads)
    }

    /// Fits with a weight w > 0 for every row: the variance of its noise is to that of the others as 1/w.
    ///
    /// Rows that are to count nothing are left out by the caller.
    ///
    /// # Errors
    /// Those of [`fit`](Self::fit), [`Error::Setting`](crate::Error::Setting) if a weight is not finite and above 0.
    pub fn fit_weighted(
        kernel: &Matrix<f64>,
        y: &Matrix<f64>,
        weights: &[f64],
        ridge: Ridge,
        threads: usize,
    ) -> Result<Self> {
        let n = kernel.rows();
        for (what, got) in
            [("columns of a kernel", kernel.columns()), ("rows of the targets", y.rows()), ("weights", weights.len())]
        {
            check_extent(what, n, got)?;
        }
        let weights = RowWeights::new(weights)?;
        let kernel = Matrix::from_fn(n, n, |i, j| weights.root(i) * kernel[(i, j)] * weights.root(j));
        let targets = Matrix::from_fn(n, y.columns(), |i, a| weights.root(i) * y[(i, a)]);
        Self::decompose(&kernel, targets, weights, ridge, threads)
    }

    fn decompose(
        kernel: &Matrix<f64>,
        targets: Matrix<f64>,
        weights: RowWeights,
        ridge: Ridge,
        threads: usize,
    ) -> Result<Self> {
        let eigen = checked::decompose(kernel, threads)?;
        let column = |a: usize| (0..targets.rows()).map(|i| targets[(i, a)]).collect::<Vec<_>>();
        let projected = (0..targets.columns()).map(|a| eigen.project(&column(a))).collect();
        let spectrum = eigen.values.iter().map(|e| e.max(0.0)).collect();
        let (mean, range) = (weights.mean(), Range::new(&eigen));
        let coefficients = Vec::new();
        let mut regression = Self { weights, eigen, spectrum, targets, projected, ridge: 0.0, coefficients, threads };
        let ridge = match ridge {
            Ridge::Fixed(ridge) => ridge,
            Ridge::LeaveOneOut => mean * range.least(|ridge| regression.leave_one_out_loss(ridge)),
            Ridge::Evidence => {
                let slope = |ridge| regression.evidence_slope(ridge);
                mean * range.largest(|ridge| regression.log_evidence(ridge), slope)
            }
        };
        regression.set_ridge(ridge)?;
        Ok(regression)
    }

    /// Another κ, without another decomposition.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if κ is negative or not finite.
    pub fn set_ridge(&mut self, ridge: f64) -> Result<()> {
        check_not_negative("ridge", ridge)?;
        self.ridge = ridge / self.weights.mean();
        // Variances are differences of numbers of the size of K: below this they are rounding.
        let least = 16.0 * self.eigen.rounding();
        if self.ridge > 0.0 && self.ridge < least && self.contradicts() {
            self.ridge = least;
        }
        let inverses = self.inverses(self.ridge);
        self.coefficients = self.projected.iter().map(|q| self.solve(q, &inverses)).collect();
        Ok(())
    }

    /// Whether y has a part where K has only rounding: rows that are alike and have other targets.
    fn contradicts(&self) -> bool {
        let rounding = self.eigen.rounding();
        self.projected.iter().any(|q| {
            let lost = q.iter().zip(&self.spectrum).filter(|(_, e)| **e <= rounding).map(|(q, _)| q * q).sum::<f64>();
            lost > 1e-12 * dot(q, q)
        })
    }

    /// κ. One above 0 that is lost in the rounding of K is raised to it where rows contradict one another: all that they say
    /// of the noise would be lost with it.
    #[must_use]
    pub fn ridge(&self) -> f64 {
        self.ridge * self.weights.mean()
    }

    /// Eigenvalues of the kernel, ascending; with weights those of Ŵ^½K Ŵ^½, Ŵ = W/w̄.
    #[must_use]
    pub fn eigenvalues(&self) -> &[f64] {
        &self.eigen.values
    }

    /// c = (K + κW⁻¹)⁻¹y, n×k.
    #[must_use]
    pub fn coefficients(&self) -> Matrix<f64> {
        let entry = |i: usize, a: usize| self.coefficients[a][i] * self.weights.root(i);
        Matrix::from_fn(self.targets.rows(), self.targets.columns(), entry)
    }

    /// The effective number of parameters, tr K K̃⁻¹ = Σ e/(e + κ/w̄) over the [`eigenvalues`](Self::eigenvalues) e.
    #[must_use]
    pub fn effective_parameters(&self) -> f64 {
        self.noise_shares(self.ridge).into_iter().map(|share| 1.0 - share).sum()
    }

    /// The posterior mean at new points, m×k, from their kernel with the training points, m×n.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if `cross` does not have n columns.
    pub fn predict(&self, cross: &Matrix<f64>) -> Result<Matrix<f64>> {
        self.check(cross)?;
        let mut f = Matrix::zeros(cross.rows(), self.targets.columns());
        for i in 0..cross.rows() {
            let row = self.weights.weigh(cross.row(i));
            for (f, c) in f.row_mut(i).iter_mut().zip(&self.coefficients) {
                *f = dot(&row, c);
            }
        }
        Ok(f)
    }

    /// The class of the largest posterior mean at new points, for one-hot targets.
    ///
    /// # Errors
    /// Those of [`predict`](Self::predict).
    pub fn classify(&self, cross: &Matrix<f64>) -> Result<Vec<usize>> {
        let f = self.predict(cross)?;
        let best = |row: &[f64]| (0..row.len()).fold(0, |best, a| if row[a] > row[best] { a } else { best });
        Ok((0..f.rows()).map(|i| best(f.row(i))).collect())
    }

    /// v(x) = K(x, x) − K(x, X) K̃⁻¹ K(X, x) at new points: `cross` m×n, `diagonal` the m numbers K(x, x).
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if sizes differ.
    pub fn variance(&self, cross: &Matrix<f64>, diagonal: &[f64]) -> Result<Vec<f64>> {
        self.check(cross)?;
        check_extent("diagonal of the new points", cross.rows(), diagonal.len())?;
        let (inverses, projected) = (self.inverses(self.ridge), self.project(cross));
        let reduced = |(i, &own): (usize, &f64)| (own - quadratic(projected.row(i), &inverses)).max(0.0);
        Ok(diagonal.iter().enumerate().map(reduced).collect())
    }

    /// K(x, x′) − K(x, X) K̃⁻¹ K(X, x′) of new points among themselves, m×m: `cross` m×n, `gram` their own kernel, m×m. Its
    /// diagonal is [`variance`](Self::variance).
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if sizes differ.
    pub fn covariance(&self, cross: &Matrix<f64>, mut gram: Matrix<f64>) -> Result<Matrix<f64>> {
        self.check(cross)?;
        check_extent("rows of the kernel of the new points", cross.rows(), gram.rows())?;
        check_extent("columns of the kernel of the new points", cross.rows(), gram.columns())?;
        let inverses = self.inverses(self.ridge);
        let projected = self.project(cross);
        for i in 0..cross.rows() {
            let solved: Vec<f64> = projected.row(i).iter().zip(&inverses).map(|(q, inverse)| q * inverse).collect();
            for (j, entry) in gram.row_mut(i).iter_mut().enumerate() {
                *entry -= dot(&solved, projected.row(j));
            }
        }
        checked::clip_variances(&mut gram);
        Ok(gram)
    }

    /// s² of every output, the variance of the noise of a row of mean weight that the evidence finds at this κ:
    /// κ/w̄·yᵀK̃⁻¹y/n.
    #[must_use]
    pub fn noise_variance(&self) -> Vec<f64> {
        self.projected.iter().map(|q| self.noise(q, self.ridge)).collect()
    }

    /// a of every output, the variance of the prior a·K for which the evidence is largest, yᵀK̃⁻¹y/n: s²w̄/κ, and defined
    /// for κ = 0 too.
    #[must_use]
    pub fn prior_variance(&self) -> Vec<f64> {
        let inverses = self.inverses(self.ridge);
        self.projected.iter().map(|q| quadratic(q, &inverses) / self.rows()).collect()
    }

    /// Leave-one-out residuals f₋ᵢ(x_i) − y_i = −c_i/[K̃⁻¹]_ii, n×k: what a fit without row i, whatever its weight, says
    /// of it. Of a singular K̃ their limit for small κ, the residuals of fits of least norm.
    #[must_use]
    pub fn leave_one_out(&self) -> Matrix<f64> {
        let columns = self.held_out(self.ridge);
        let entry = |i: usize, a: usize| columns[a][i] / self.weights.root(i);
        Matrix::from_fn(self.targets.rows(), self.targets.columns(), entry)
    }

    /// The variance of y_i given all other rows, the noise of row i included, a/[K̃⁻¹]_ii with a as in
    /// [`prior_variance`](Self::prior_variance), n×k.
    #[must_use]
    pub fn leave_one_out_variance(&self) -> Matrix<f64> {
        let (columns, diagonal) = self.without_rows(self.ridge);
        let product = |(y, c): (usize, &Vec<f64>)| (0..c.len()).map(|i| self.targets[(i, y)] * c[i]).sum::<f64>();
        let prior: Vec<f64> = columns.iter().enumerate().map(|column| product(column) / self.rows()).collect();
        let entry = |i: usize, a: usize| prior[a] / (diagonal[i] * self.weights.root(i).powi(2));
        Matrix::from_fn(self.targets.rows(), self.targets.columns(), entry)
    }

    /// log p(y) of all outputs for y ~ N(0, K̃): −½yᵀK̃⁻¹y − ½log|K̃| − ½n·log 2π, without the directions in which K̃ is
    /// rounding.
    #[must_use]
    pub fn log_marginal_likelihood(&self) -> f64 {
        let inverses = self.inverses(self.ridge);
        let rounding = self.eigen.rounding();
        let shifted = self.spectrum.iter().map(|e| e + self.ridge).filter(|shifted| *shifted > rounding);
        let log = shifted.map(f64::ln).sum::<f64>() - self.weights.log_determinant();
        self.projected.iter().map(|q| -0.5 * (quadratic(q, &inverses) + log + self.rows() * (2.0 * PI).ln())).sum()
    }

    fn check(&self, cross: &Matrix<f64>) -> Result<()> {
        check_extent("columns of the kernel with the training points", self.targets.rows(), cross.columns())
    }

    /// Ŵ^½K(X, x) in the eigenvectors, a row for every x.
    fn project(&self, cross: &Matrix<f64>) -> Matrix<f64> {
        let weighed = Matrix::from_fn(cross.rows(), cross.columns(), |i, j| self.weights.root(j) * cross[(i, j)]);
        self.eigen.rotate(&weighed, self.threads)
    }

    /// n.
    fn rows(&self) -> f64 {
        self.targets.rows() as f64
    }

    /// 1/(e + κ), 0 where that is rounding.
    fn inverses(&self, ridge: f64) -> Vec<f64> {
        let rounding = self.eigen.rounding();
        let inverse = |e: &f64| if e + ridge > rounding { 1.0 / (e + ridge) } else { 0.0 };
        self.spectrum.iter().map(inverse).collect()
    }

    /// κ/(e + κ), the share of every direction of y that is noise: 1 where K has none of it, however small κ.
    fn noise_shares(&self, ridge: f64) -> Vec<f64> {
        let rounding = self.eigen.rounding();
        let share = |e: &f64| if e + ridge > rounding { ridge / (e + ridge) } else { 1.0 };
        self.spectrum.iter().map(share).collect()
    }

    /// K̃⁻¹y from q = Vᵀy and the inverse eigenvalues.
    fn solve(&self, q: &[f64], inverses: &[f64]) -> Vec<f64> {
        self.eigen.expand(&q.iter().zip(inverses).map(|(q, inverse)| q * inverse).collect::<Vec<_>>())
    }

    fn noise(&self, q: &[f64], ridge: f64) -> f64 {
        quadratic(q, &self.noise_shares(ridge)) / self.rows()
    }

    /// √ŵ_i times the leave-one-out residual of every row, at a ridge, for every output.
    fn held_out(&self, ridge: f64) -> Vec<Vec<f64>> {
        let (mut columns, diagonal) = self.without_rows(ridge);
        for column in &mut columns {
            column.iter_mut().zip(&diagonal).for_each(|(c, d)| *c = -*c / d);
        }
        columns
    }

    /// c of every output and the diagonal of K̃⁻¹, as leaving out rows takes them. Both grow without bound in directions in
    /// which K̃ is rounding, so these count as 1/rounding there: what they say of one another is right however small κ is. Of
    /// a row that has a rounding's share in them none of it is known, and they say nothing of it.
    fn without_rows(&self, ridge: f64) -> (Vec<Vec<f64>>, Vec<f64>) {
        let inverses = self.inverses(ridge);
        let mut columns: Vec<Vec<f64>> = self.projected.iter().map(|q| self.solve(q, &inverses)).collect();
        let mut diagonal = self.eigen.diagonal_with(&inverses);
        if inverses.contains(&0.0) {
            let lost: Vec<f64> = inverses.iter().map(|inverse| f64::from(u8::from(*inverse == 0.0))).collect();
            let rounding = self.eigen.rounding();
            // Of K̃ = 0 any number says the same.
            let unit = if rounding > 0.0 { rounding } else { 1.0 };
            let shares = self.eigen.diagonal_with(&lost);
            let parts: Vec<Vec<f64>> = self.projected.iter().map(|q| self.solve(q, &lost)).collect();
            for i in (0..shares.len()).filter(|&i| shares[i] > self.rows() * f64::EPSILON) {
                diagonal[i] += shares[i] / unit;
                columns.iter_mut().zip(&parts).for_each(|(column, part)| column[i] += part[i] / unit);
            }
        }
        (columns, diagonal)
    }

    /// Σ ŵ_i e_i² of all outputs.
    fn leave_one_out_loss(&self, ridge: f64) -> f64 {
        self.held_out(ridge).iter().map(|column| dot(column, column)).sum()
    }

    /// −½n·log s² − ½Σ log(1 + e/κ), without constants, s² at its best.
    fn log_evidence(&self, ridge: f64) -> f64 {
        let log: f64 = self.spectrum.iter().map(|e| (e / ridge).ln_1p()).sum();
        let of = |q: &Vec<f64>| -0.5 * (self.rows() * self.noise(q, ridge).max(f64::MIN_POSITIVE).ln() + log);
        self.projected.iter().map(of).sum()
    }

    /// The same differentiated by log κ: ½Σ e/(e + κ) − ½n·(∂s²/∂log κ)/s².
    fn evidence_slope(&self, ridge: f64) -> f64 {
        let shares = self.noise_shares(ridge);
        let effective: f64 = shares.iter().map(|share| 1.0 - share).sum();
        let rises: Vec<f64> = shares.iter().map(|share| share * (1.0 - share)).collect();
        let of = |q: &Vec<f64>| {
            let rise = quadratic(q, &rises) / self.noise(q, ridge).max(f64::MIN_POSITIVE);
            0.5 * (effective - rise)
        };
        self.projected.iter().map(of).sum()
    }
}

/// Σ q²d: yᵀK̃⁻¹y for q = Vᵀy and d the inverse eigenvalues.
fn quadratic(q: &[f64], diagonal: &[f64]) -> f64 {
    q.iter().zip(diagonal).map(|(q, d)| q * q * d).sum()
}
