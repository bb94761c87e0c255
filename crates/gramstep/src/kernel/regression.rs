//! Regression with a kernel: ridge and least norm, the posterior of a Gaussian process, leave-one-out in closed form.
//!
//! ```text
//! K̃ = K + κI,  c = K̃⁻¹y
//! mean          f(x) = K(x, X) c
//! variance      v(x) = K(x, x) − K(x, X) K̃⁻¹ K(X, x)
//! leave-one-out y_i − f₋ᵢ(x_i) = c_i/[K̃⁻¹]_ii
//! evidence      y ~ N(0, (s²/κ)K + s²I), s² = yᵀ(K/κ + I)⁻¹y/n
//! ```
//!
//! With noise of variance s², the standard deviation of f(x) is √(s²v(x)/κ), that of a new observation √(s² + s²v(x)/κ).
//! For the tangent kernel of a trained network with weight decay κ this is the linearised Laplace approximation.

use std::borrow::Cow;
use std::f64::consts::PI;

use super::KernelTiles;
use super::tiles::blocks;
use crate::error::{Error, Result, check_extent, check_not_negative, check_positive};
use crate::scalar::Scalar;
use crate::solve::{ConjugateGradient, Eigen, SolveInfo, conjugate_gradient, dot, eigen, golden_section};
use crate::view::Matrix;

/// How the ridge κ is found.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Ridge {
    /// This κ ≥ 0; 0 gives the interpolant of least norm.
    Fixed(f64),
    /// The κ of least mean squared leave-one-out residual.
    LeaveOneOut,
    /// The κ of largest evidence (marginal likelihood).
    Evidence,
}

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
    eigen: Eigen,
    targets: Matrix<f64>,
    /// Vᵀy, for every output.
    projected: Vec<Vec<f64>>,
    ridge: f64,
    /// c, for every output.
    coefficients: Vec<Vec<f64>>,
    /// √w of every sample; none where all count the same.
    roots: Option<Vec<f64>>,
    /// n, or Σ w.
    observations: f64,
}

impl KernelRegression {
    /// Fits targets (n×k) to a kernel matrix (n×n, of which the lower triangle is read).
    ///
    /// # Errors
    /// [`Error::Shape`] if sizes differ, [`Error::Setting`] if κ is negative, [`Error::Solve`] if the decomposition
    /// fails.
    pub fn fit(kernel: &Matrix<f64>, y: &Matrix<f64>, ridge: Ridge, threads: usize) -> Result<Self> {
        let n = kernel.rows();
        for (what, got) in [("columns of a kernel", kernel.columns()), ("rows of the targets", y.rows())] {
            check_extent(what, n, got)?;
        }
        Self::decompose(kernel, y.clone(), (None, n as f64), ridge, threads)
    }

    /// Fits with a weight w > 0 for every sample, which then counts w times: its noise has the variance s²/w.
    ///
    /// With W = diag(w) this is the regression of W^½K W^½ on W^½y, from Σ w observations: the same as with every sample
    /// w times, for whole w.
    ///
    /// # Errors
    /// Those of [`fit`](Self::fit), [`Error::Setting`] if a weight is not finite and above 0.
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
        weights.iter().try_for_each(|&weight| check_positive("sample weight", weight))?;
        let roots: Vec<f64> = weights.iter().map(|weight| weight.sqrt()).collect();
        let kernel = Matrix::from_fn(n, n, |i, j| roots[i] * kernel[(i, j)] * roots[j]);
        let targets = Matrix::from_fn(n, y.columns(), |i, a| roots[i] * y[(i, a)]);
        let observations = weights.iter().sum();
        Self::decompose(&kernel, targets, (Some(roots), observations), ridge, threads)
    }

    fn decompose(
        kernel: &Matrix<f64>,
        targets: Matrix<f64>,
        (roots, observations): (Option<Vec<f64>>, f64),
        ridge: Ridge,
        threads: usize,
    ) -> Result<Self> {
        let eigen = eigen(kernel, threads)?;
        let column = |a: usize| (0..targets.rows()).map(|i| targets[(i, a)]).collect::<Vec<_>>();
        let projected = (0..targets.columns()).map(|a| eigen.project(&column(a))).collect();
        let mut regression =
            Self { eigen, targets, projected, ridge: 0.0, coefficients: Vec::new(), roots, observations };
        let ridge = match ridge {
            Ridge::Fixed(ridge) => ridge,
            Ridge::LeaveOneOut => regression.minimise(Self::leave_one_out_loss),
            Ridge::Evidence => regression.minimise(|this, ridge| -this.log_evidence(ridge)),
        };
        regression.set_ridge(ridge)?;
        Ok(regression)
    }

    /// Another κ, without another decomposition.
    ///
    /// # Errors
    /// [`Error::Setting`] if κ is negative or not finite.
    pub fn set_ridge(&mut self, ridge: f64) -> Result<()> {
        check_not_negative("ridge", ridge)?;
        self.ridge = ridge;
        let inverses = self.inverses(ridge);
        self.coefficients = self.projected.iter().map(|q| self.solve(q, &inverses)).collect();
        Ok(())
    }

    /// κ.
    #[must_use]
    pub fn ridge(&self) -> f64 {
        self.ridge
    }

    /// Eigenvalues of the kernel, ascending.
    #[must_use]
    pub fn eigenvalues(&self) -> &[f64] {
        &self.eigen.values
    }

    /// c = (K + κI)⁻¹y, n×k; with weights (K + κW⁻¹)⁻¹y.
    #[must_use]
    pub fn coefficients(&self) -> Matrix<f64> {
        let root = |i: usize| self.roots.as_ref().map_or(1.0, |roots| roots[i]);
        Matrix::from_fn(self.targets.rows(), self.targets.columns(), |i, a| self.coefficients[a][i] * root(i))
    }

    /// The effective number of parameters, Σ w/(w + κ).
    #[must_use]
    pub fn effective_parameters(&self) -> f64 {
        let inverses = self.inverses(self.ridge);
        self.eigen.values.iter().zip(&inverses).map(|(w, inverse)| w.max(0.0) * inverse).sum()
    }

    /// The posterior mean at new points, m×k, from their kernel with the training points, m×n.
    ///
    /// # Errors
    /// [`Error::Shape`] if `cross` does not have n columns.
    pub fn predict(&self, cross: &Matrix<f64>) -> Result<Matrix<f64>> {
        self.check(cross)?;
        let mut f = Matrix::zeros(cross.rows(), self.targets.columns());
        for i in 0..cross.rows() {
            let row = self.weigh(cross.row(i));
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
    /// [`Error::Shape`] if sizes differ.
    pub fn variance(&self, cross: &Matrix<f64>, diagonal: &[f64]) -> Result<Vec<f64>> {
        self.check(cross)?;
        check_extent("diagonal of the new points", cross.rows(), diagonal.len())?;
        let inverses = self.inverses(self.ridge);
        let reduced = |(i, &own): (usize, &f64)| {
            let q = self.eigen.project(&self.weigh(cross.row(i)));
            (own - quadratic(&q, &inverses)).max(0.0)
        };
        Ok(diagonal.iter().enumerate().map(reduced).collect())
    }

    /// s² of every output, the variance of the noise that the evidence finds at this κ: yᵀ(K/κ + I)⁻¹y/n.
    #[must_use]
    pub fn noise_variance(&self) -> Vec<f64> {
        self.projected.iter().map(|q| self.noise(q, self.ridge)).collect()
    }

    /// s²/κ of every output, the variance of the prior for which the evidence is largest, yᵀ(K + κI)⁻¹y/n: defined for
    /// κ = 0 too.
    #[must_use]
    pub fn prior_variance(&self) -> Vec<f64> {
        let inverses = self.inverses(self.ridge);
        self.projected.iter().map(|q| quadratic(q, &inverses) / self.observations).collect()
    }

    /// Leave-one-out residuals f₋ᵢ(x_i) − y_i = −c_i/[K̃⁻¹]_ii, n×k. Of a sample of weight w > 1 one of its w
    /// observations is left out.
    #[must_use]
    pub fn leave_one_out(&self) -> Matrix<f64> {
        let columns = self.held_out(self.ridge);
        Matrix::from_fn(self.targets.rows(), self.targets.columns(), |i, a| columns[a][i])
    }

    /// log p(y) of all outputs with kernel K and noise variance κ: −½yᵀK̃⁻¹y − ½log|K̃| − ½n·log 2π (of W^½y where
    /// there are weights), without the directions in which K̃ is rounding.
    #[must_use]
    pub fn log_marginal_likelihood(&self) -> f64 {
        let n = self.targets.rows() as f64;
        let inverses = self.inverses(self.ridge);
        let rounding = self.eigen.rounding();
        let shifted = self.eigen.values.iter().map(|w| w.max(0.0) + self.ridge).filter(|shifted| *shifted > rounding);
        let log: f64 = shifted.map(f64::ln).sum();
        self.projected.iter().map(|q| -0.5 * (quadratic(q, &inverses) + log + n * (2.0 * PI).ln())).sum()
    }

    /// A row of the kernel with the training points, each times √w.
    fn weigh<'a>(&self, row: &'a [f64]) -> Cow<'a, [f64]> {
        match &self.roots {
            None => Cow::Borrowed(row),
            Some(roots) => Cow::Owned(row.iter().zip(roots).map(|(k, root)| k * root).collect()),
        }
    }

    fn check(&self, cross: &Matrix<f64>) -> Result<()> {
        check_extent("columns of the kernel with the training points", self.targets.rows(), cross.columns())
    }

    /// 1/(w + κ), 0 where that is rounding.
    fn inverses(&self, ridge: f64) -> Vec<f64> {
        let rounding = self.eigen.rounding();
        let inverse = |w: &f64| {
            let shifted = w.max(0.0) + ridge;
            if shifted > rounding { 1.0 / shifted } else { 0.0 }
        };
        self.eigen.values.iter().map(inverse).collect()
    }

    /// K̃⁻¹y from q = Vᵀy and the inverse eigenvalues.
    fn solve(&self, q: &[f64], inverses: &[f64]) -> Vec<f64> {
        self.eigen.expand(&q.iter().zip(inverses).map(|(q, inverse)| q * inverse).collect::<Vec<_>>())
    }

    fn noise(&self, q: &[f64], ridge: f64) -> f64 {
        ridge * quadratic(q, &self.inverses(ridge)) / self.observations
    }

    /// Leave-one-out residuals of every output at a ridge.
    ///
    /// With weights, in terms of r = W^½(f − y) = −κc and the leverage h_i = 1 − κ[K̃⁻¹]_ii: one observation has the share
    /// h_i/w of it, so that leaving it out gives r_i/(√w(1 − h_i/w)).
    fn held_out(&self, ridge: f64) -> Vec<Vec<f64>> {
        let (diagonal, inverses) = (self.eigen.inverse_diagonal(ridge), self.inverses(ridge));
        let residual = |i: usize, c: f64| match self.weight(i) {
            w if w > 1.0 => -ridge * c / (w.sqrt() * (1.0 - (1.0 - ridge * diagonal[i]) / w)),
            w => -c / (diagonal[i] * w.sqrt()),
        };
        let of = |q: &Vec<f64>| {
            let c = self.solve(q, &inverses);
            c.into_iter().enumerate().map(|(i, c)| residual(i, c)).collect()
        };
        self.projected.iter().map(of).collect()
    }

    fn leave_one_out_loss(&self, ridge: f64) -> f64 {
        let weighted = |(i, r): (usize, &f64)| self.weight(i) * r * r;
        self.held_out(ridge).iter().map(|column| column.iter().enumerate().map(weighted).sum::<f64>()).sum()
    }

    fn weight(&self, i: usize) -> f64 {
        self.roots.as_ref().map_or(1.0, |roots| roots[i] * roots[i])
    }

    /// −½n·log s² − ½Σ log(1 + w/κ), without constants, s² at its best.
    fn log_evidence(&self, ridge: f64) -> f64 {
        let log: f64 = self.eigen.values.iter().map(|w| (w.max(0.0) / ridge).ln_1p()).sum();
        let n = self.observations;
        self.projected.iter().map(|q| -0.5 * (n * self.noise(q, ridge).max(f64::MIN_POSITIVE).ln() + log)).sum()
    }

    /// The κ between 1e-10 and 1e3 times the mean eigenvalue where a function is least: a grid, then a golden section.
    fn minimise(&self, f: impl Fn(&Self, f64) -> f64) -> f64 {
        const GRID: i32 = 53;
        let mean = self.eigen.values.iter().sum::<f64>() / self.eigen.values.len().max(1) as f64;
        let scale = if mean > 0.0 { mean } else { 1.0 };
        let at = |exponent: f64| scale * 10_f64.powf(exponent);
        let exponent = |k: i32| f64::from(k) * 0.25 - 10.0;
        let values: Vec<f64> = (0..GRID).map(|k| f(self, at(exponent(k)))).collect();
        let best =
            (0..GRID).zip(&values).fold((0, f64::INFINITY), |best, (k, &v)| if v < best.1 { (k, v) } else { best }).0;
        let (low, high) = (exponent((best - 1).max(0)), exponent((best + 1).min(GRID - 1)));
        at(golden_section(|exponent| f(self, at(exponent)), low, high, 40))
    }
}

/// yᵀK̃⁻¹y from q = Vᵀy and the inverse eigenvalues.
fn quadratic(q: &[f64], inverses: &[f64]) -> f64 {
    q.iter().zip(inverses).map(|(q, inverse)| q * q * inverse).sum()
}

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

/// Solves (K + κI) c = y for one output by conjugate gradients, with at most `budget` bytes for the kernel: rows that fit
/// are computed once and kept, the others again for every product.
///
/// # Errors
/// [`Error::Shape`] if y does not fit the kernel, [`Error::Memory`] if not even one point's rows fit, [`Error::Solve`],
/// and those of the kernel.
pub fn solve_matrix_free<T: Scalar>(
    kernel: &dyn KernelTiles<T>,
    y: &[f64],
    ridge: f64,
    budget: usize,
    settings: ConjugateGradient,
) -> Result<(Vec<f64>, SolveInfo)> {
    let ((n, m), k) = (kernel.samples(), kernel.rows_per_sample());
    check_extent("points of a kernel system", n, m)?;
    check_extent("targets of a kernel system", n * k, y.len())?;
    let row = n * k * k * size_of::<T>();
    let fitting = budget / row.max(1);
    if fitting == 0 {
        return Err(Error::Memory { what: "kernel of one point with all others", needed: row, budget });
    }
    // A quarter of the budget for the rows at work, the rest for rows that stay.
    let block = fitting.div_ceil(4).min(n.max(1));
    let mut kept: Vec<(usize, Matrix<T>)> = Vec::new();
    for rows in blocks(n, block)? {
        if (kept.len() + 2) * block > fitting && kept.len() * block < n {
            break;
        }
        kept.push((rows.start, kernel.tile(rows, 0..n)?));
    }
    let stays = kept.iter().map(|(_, tile)| tile.rows() / k).sum::<usize>();
    let product = |x: &[f64]| {
        let mut out = vec![0.0; n * k];
        let mut multiply = |start: usize, tile: &Matrix<T>| {
            for i in 0..tile.rows() {
                out[start * k + i] = tile.row(i).iter().zip(x).map(|(a, b)| a.to_f64() * b).sum();
            }
        };
        for (start, tile) in &kept {
            multiply(*start, tile);
        }
        for rows in blocks(n - stays, block)? {
            let rows = stays + rows.start..stays + rows.end;
            multiply(rows.start, &kernel.tile(rows.clone(), 0..n)?);
        }
        Ok(out)
    };
    conjugate_gradient(product, ridge, y, settings)
}
