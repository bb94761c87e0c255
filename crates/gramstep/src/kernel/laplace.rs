//! The posterior of a trained network by its tangent: linearised Laplace (mackay1992, immer2021).
//!
//! ```text
//! Var f(x) = a·[K(x, x) − K(x, X)(K + κW⁻¹)⁻¹K(X, x)] = aκ·j(x)(JᵀWJ + κI)⁻¹j(x)ᵀ
//! a        = tᵀ(K + κW⁻¹)⁻¹t/(nk),    s² = aκ/w̄,    t = Jθ + y − f
//! ```
//!
//! κ is the weight decay of the training loss ½Σ w_i r_i² + ½κ‖θ‖², or the one of largest evidence. s² is the variance of
//! the noise of a row of mean weight w̄; a new observation has s² + Var f(x).
//!
//! Both presume that training has come near the minimum of the loss with weight decay: of a network that has fitted the
//! noise, the evidence finds more noise than there is.
//!
//! Everything is in `f64`, whatever the network was trained in: where there are more rows than parameters most
//! eigenvalues of K are 0, and those of an `f32` matrix are rounding that looks like a prior able to explain the noise.

use super::regression::KernelRegression;
use super::ridge::Ridge;
use crate::error::{Error, Result, check_extent, check_positive};
use crate::model::Model;
use crate::random::{Purpose, stream};
use crate::scalar::Scalar;
use crate::tangent::TangentFeatures;
use crate::view::{Matrix, MatrixView};
use rand::Rng as _;

/// Bytes for each entry of the kernel: the matrix, its eigenvectors and the work space of the decomposition.
const BYTES: usize = 3 * size_of::<f64>();
/// New points at a time.
const BLOCK: usize = 256;

/// Which training rows the posterior knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Coverage {
    /// All of them.
    All,
    /// A seeded choice that fits the memory budget. The posterior is wider than that of all rows.
    Rows {
        /// Rows used.
        used: usize,
        /// Rows there are.
        of: usize,
    },
}

/// The linearised Laplace posterior of a trained network with squared loss.
///
/// ```
/// use gramstep::kernel::{LinearisedLaplace, Ridge};
/// use gramstep::{Activation, Matrix, Model};
/// let model = Model::<f64>::mlp(&[1, 16, 1], Activation::Tanh).seed(1).build()?;
/// let x = Matrix::from_fn(10, 1, |i, _| i as f64 / 5.0 - 1.0);
/// let y = model.predict(&x)?; // as if it were trained
/// let laplace = LinearisedLaplace::fit(&model, &x, &y, Ridge::Fixed(0.1), 1 << 30, 0)?;
/// let deviation = laplace.deviation(&Matrix::from_vec(2, 1, vec![0.0, 20.0])?)?;
/// assert!(deviation[(0, 0)] < deviation[(1, 0)], "surer among the data than far from them");
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Debug)]
pub struct LinearisedLaplace {
    model: Model<f64>,
    tangent: TangentFeatures<f64>,
    regression: KernelRegression,
    coverage: Coverage,
}

impl LinearisedLaplace {
    /// The posterior of a model trained on x (n×inputs) and y (n×k), with at most about `budget` bytes for the kernel:
    /// of more rows, a choice by `seed`.
    ///
    /// # Errors
    /// [`Error::Shape`] if sizes differ, [`Error::Setting`] if κ is not above 0, [`Error::Memory`] if not even one row
    /// fits, and those of [`Model::cast`], [`Model::tangent`] and [`KernelRegression::fit`].
    pub fn fit<'x, T: Scalar>(
        model: &Model<T>,
        x: impl Into<MatrixView<'x, T>>,
        y: &Matrix<T>,
        ridge: Ridge,
        budget: usize,
        seed: u64,
    ) -> Result<Self> {
        Self::fit_weighted(model, x, y, None, ridge, budget, seed)
    }

    /// The same where the loss of every sample had a weight w > 0; none where all counted the same.
    ///
    /// # Errors
    /// Those of [`fit`](Self::fit) and of [`KernelRegression::fit_weighted`].
    pub fn fit_weighted<'x, T: Scalar>(
        model: &Model<T>,
        x: impl Into<MatrixView<'x, T>>,
        y: &Matrix<T>,
        weights: Option<&[f64]>,
        ridge: Ridge,
        budget: usize,
        seed: u64,
    ) -> Result<Self> {
        let (x, k) = (x.into(), model.outputs());
        for (what, expected, got) in
            [("rows of the targets", x.rows(), y.rows()), ("columns of the targets", k, y.columns())]
        {
            check_extent(what, expected, got)?;
        }
        if let Ridge::Fixed(ridge) = ridge {
            check_positive("ridge", ridge)?;
        }
        let rows = choose(x.rows(), k, budget, seed)?;
        let whole = rows.len() == x.rows();
        let coverage = if whole { Coverage::All } else { Coverage::Rows { used: rows.len(), of: x.rows() } };
        let model = model.cast::<f64>()?;
        let tangent = model.tangent(&Matrix::from_fn(rows.len(), x.columns(), |i, j| x.get(rows[i], j).to_f64()))?;
        // t = Jθ + y − f.
        let mut targets = tangent.jvp(&model.theta())?;
        let known = rows.iter().flat_map(|&i| y.row(i)).zip(tangent.predictions().as_slice());
        for (t, (y, f)) in targets.iter_mut().zip(known) {
            *t += y.to_f64() - f;
        }
        let targets = Matrix::from_vec(targets.len(), 1, targets)?;
        let kernel = tangent.gram();
        if let Some(weights) = weights {
            check_extent("sample weights", x.rows(), weights.len())?;
        }
        let of_rows =
            |weights: &[f64]| rows.iter().flat_map(|&i| std::iter::repeat_n(weights[i], k)).collect::<Vec<_>>();
        let weights = weights.map(of_rows);
        let work = (kernel.rows() as f64).powi(3);
        let regression = model.device().enter(work, |threads| match &weights {
            None => KernelRegression::fit(&kernel, &targets, ridge, threads),
            Some(weights) => KernelRegression::fit_weighted(&kernel, &targets, weights, ridge, threads),
        })?;
        Ok(Self { model, tangent, regression, coverage })
    }

    /// Which training rows it knows.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        self.coverage
    }

    /// κ.
    #[must_use]
    pub fn ridge(&self) -> f64 {
        self.regression.ridge()
    }

    /// s², one number for all outputs: the variance of the noise of a row of mean weight.
    #[must_use]
    pub fn noise_variance(&self) -> f64 {
        self.regression.noise_variance().first().copied().unwrap_or(0.0)
    }

    /// The effective number of parameters, tr K(K + κW⁻¹)⁻¹.
    #[must_use]
    pub fn effective_parameters(&self) -> f64 {
        self.regression.effective_parameters()
    }

    /// f(x), the outputs of the network, m×k.
    ///
    /// # Errors
    /// Those of [`Model::predict`].
    pub fn predict<'x>(&self, x: impl Into<MatrixView<'x, f64>>) -> Result<Matrix<f64>> {
        self.model.predict(x)
    }

    /// The standard deviation of f(x), m×k.
    ///
    /// # Errors
    /// [`Error::Shape`] if x does not fit the network, and those of [`Model::tangent`].
    pub fn deviation<'x>(&self, x: impl Into<MatrixView<'x, f64>>) -> Result<Matrix<f64>> {
        self.deviations(x.into(), 0.0)
    }

    /// The standard deviation of a new observation at x, noise included, m×k. A Gaussian interval of probability q is
    /// f(x) ± Φ⁻¹((1 + q)/2) times this.
    ///
    /// # Errors
    /// Those of [`deviation`](Self::deviation).
    pub fn observation_deviation<'x>(&self, x: impl Into<MatrixView<'x, f64>>) -> Result<Matrix<f64>> {
        self.deviations(x.into(), self.noise_variance())
    }

    /// The covariance of f at new points and outputs among themselves, mk×mk with a sample's outputs side by side. With
    /// [`noise_variance`](Self::noise_variance) on its diagonal it is that of new observations.
    ///
    /// # Errors
    /// Those of [`deviation`](Self::deviation).
    pub fn covariance<'x>(&self, x: impl Into<MatrixView<'x, f64>>) -> Result<Matrix<f64>> {
        let scale = self.regression.prior_variance().first().copied().unwrap_or(0.0);
        let new = self.model.tangent(x)?;
        let mut covariance = self.regression.covariance(&new.cross_gram(&self.tangent)?, new.gram())?;
        covariance.as_mut_slice().iter_mut().for_each(|entry| *entry *= scale);
        Ok(covariance)
    }

    fn deviations(&self, x: MatrixView<'_, f64>, added: f64) -> Result<Matrix<f64>> {
        let k = self.model.outputs();
        let scale = self.regression.prior_variance().first().copied().unwrap_or(0.0);
        let mut deviations = Vec::with_capacity(x.rows() * k);
        for start in (0..x.rows()).step_by(BLOCK) {
            let new = self.model.tangent(x.row_range(start..(start + BLOCK).min(x.rows())))?;
            let cross = new.cross_gram(&self.tangent)?;
            let variances = self.regression.variance(&cross, &new.diagonal())?;
            deviations.extend(variances.into_iter().map(|v| (scale * v + added).sqrt()));
        }
        Matrix::from_vec(x.rows(), k, deviations)
    }
}

/// Rows whose kernel fits the budget, in order: all, or a seeded choice.
fn choose(samples: usize, k: usize, budget: usize, seed: u64) -> Result<Vec<usize>> {
    let fitting = (budget / BYTES).isqrt() / k.max(1);
    if samples > 0 && fitting == 0 {
        return Err(Error::Memory { what: "kernel of one training row", needed: k * k * BYTES, budget });
    }
    let mut order: Vec<usize> = (0..samples).collect();
    if fitting < samples {
        // The rows of smallest random numbers.
        let drawn: Vec<u64> = order.iter().map(|&i| stream(seed, Purpose::Split, i as u64, 1).next_u64()).collect();
        order.sort_by_key(|&i| (drawn[i], i));
        order.truncate(fitting);
        order.sort_unstable();
    }
    Ok(order)
}
