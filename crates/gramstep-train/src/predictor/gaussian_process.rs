//! What a solved kernel regression knows of its errors, whatever its kernel.

use std::sync::OnceLock;

use gramstep::Matrix;
use gramstep::kernel::{InfiniteArchitecture, InfinitePoints, KernelRegression, Ridge, ScaledRegression};

use crate::error::{Error, Result};
use crate::settings::check_memory;

/// Bytes that a kernel and its decomposition may take.
const BUDGET: usize = 16 << 30;
/// New points at a time.
const CHUNK: usize = 1024;

/// The posterior of y ~ N(0, a·(K + κW⁻¹)), the a of each output at its best. The first question after reading a file
/// decomposes the kernel, in O(n³) time, and may fail for that.
pub trait GaussianProcess: std::fmt::Debug + Send + Sync {
    /// Whether the kernel is decomposed already.
    fn is_factored(&self) -> bool;

    /// v(x) of new points: the variance of output j of f(x) is a_j·v(x).
    ///
    /// # Errors
    /// If the points have another number of columns, and as said above.
    fn variance(&self, x: &Matrix<f64>) -> Result<Vec<f64>>;

    /// The same of all pairs of new points, m×m, with v on its diagonal.
    ///
    /// # Errors
    /// Those of [`variance`](Self::variance).
    fn covariance(&self, x: &Matrix<f64>) -> Result<Matrix<f64>>;

    /// a of every output.
    ///
    /// # Errors
    /// As said above.
    fn prior_variance(&self) -> Result<Vec<f64>>;

    /// The variance of the noise of a row of mean weight, for every output.
    ///
    /// # Errors
    /// As said above.
    fn noise_variance(&self) -> Result<Vec<f64>>;

    /// f₋ᵢ(x_i) − y_i of every row by the regression on all others, n×k.
    ///
    /// # Errors
    /// As said above.
    fn leave_one_out(&self) -> Result<Matrix<f64>>;

    /// The variance of y_i given all other rows, n×k.
    ///
    /// # Errors
    /// As said above.
    fn leave_one_out_variance(&self) -> Result<Matrix<f64>>;

    /// tr K(K + κW⁻¹)⁻¹
    ///
    /// # Errors
    /// As said above.
    fn effective_parameters(&self) -> Result<f64>;

    /// log p(y): for a = 1 with the kernel of an infinitely wide network, whose scale is fixed, else for the best a.
    ///
    /// # Errors
    /// As said above.
    fn log_marginal_likelihood(&self) -> Result<f64>;
}

impl GaussianProcess for ScaledRegression {
    fn is_factored(&self) -> bool {
        self.is_factored()
    }

    fn variance(&self, x: &Matrix<f64>) -> Result<Vec<f64>> {
        Ok(self.variance(x)?)
    }

    fn covariance(&self, x: &Matrix<f64>) -> Result<Matrix<f64>> {
        Ok(self.covariance(x)?)
    }

    fn prior_variance(&self) -> Result<Vec<f64>> {
        Ok(self.prior_variance()?)
    }

    fn noise_variance(&self) -> Result<Vec<f64>> {
        Ok(self.noise_variance()?)
    }

    fn leave_one_out(&self) -> Result<Matrix<f64>> {
        Ok(self.leave_one_out()?)
    }

    fn leave_one_out_variance(&self) -> Result<Matrix<f64>> {
        Ok(self.leave_one_out_variance()?)
    }

    fn effective_parameters(&self) -> Result<f64> {
        Ok(self.effective_parameters()?)
    }

    fn log_marginal_likelihood(&self) -> Result<f64> {
        Ok(self.log_marginal_likelihood()?)
    }
}

/// The regression with the kernel of an infinitely wide network.
#[derive(Debug)]
pub(super) struct InfiniteProcess {
    architecture: InfiniteArchitecture,
    points: InfinitePoints<f64>,
    /// What is regressed: the targets less what classes have in common.
    targets: Matrix<f64>,
    weights: Option<Vec<f64>>,
    /// κ
    ridge: f64,
    /// The decomposed kernel: at hand after a fit, made when it is needed after reading a file.
    regression: OnceLock<KernelRegression>,
}

impl InfiniteProcess {
    pub(super) fn fit(
        architecture: InfiniteArchitecture,
        points: InfinitePoints<f64>,
        (targets, weights): (Matrix<f64>, Option<Vec<f64>>),
        ridge: Ridge,
    ) -> Result<Self> {
        let unfitted = Self::restore(architecture, points, (targets, weights), 0.0);
        let regression = unfitted.decompose(ridge)?;
        Ok(Self { ridge: regression.ridge(), regression: OnceLock::from(regression), ..unfitted })
    }

    /// Of an earlier fit.
    pub(super) fn restore(
        architecture: InfiniteArchitecture,
        points: InfinitePoints<f64>,
        (targets, weights): (Matrix<f64>, Option<Vec<f64>>),
        ridge: f64,
    ) -> Self {
        Self { architecture, points, targets, weights, ridge, regression: OnceLock::new() }
    }

    pub(super) fn architecture(&self) -> &InfiniteArchitecture {
        &self.architecture
    }

    pub(super) fn points(&self) -> &InfinitePoints<f64> {
        &self.points
    }

    /// κ
    pub(super) fn ridge(&self) -> f64 {
        self.ridge
    }

    pub(super) fn regression(&self) -> Result<&KernelRegression> {
        if let Some(regression) = self.regression.get() {
            return Ok(regression);
        }
        let regression = self.decompose(Ridge::Fixed(self.ridge))?;
        Ok(self.regression.get_or_init(|| regression))
    }

    fn decompose(&self, ridge: Ridge) -> Result<KernelRegression> {
        check_kernel_memory(self.targets.rows())?;
        let gram = self.points.gram(self.architecture.which);
        let threads = self.points.device().threads();
        Ok(match &self.weights {
            None => KernelRegression::fit(&gram, &self.targets, ridge, threads)?,
            Some(weights) => KernelRegression::fit_weighted(&gram, &self.targets, weights, ridge, threads)?,
        })
    }
}

impl GaussianProcess for InfiniteProcess {
    fn is_factored(&self) -> bool {
        self.regression.get().is_some()
    }

    fn variance(&self, x: &Matrix<f64>) -> Result<Vec<f64>> {
        let (regression, which) = (self.regression()?, self.architecture.which);
        let mut variance = Vec::with_capacity(x.rows());
        for start in (0..x.rows()).step_by(CHUNK) {
            let rows = x.view().row_range(start..x.rows().min(start + CHUNK));
            let points = self.points.kernel().points(rows, self.points.device())?;
            let cross = points.cross_gram(&self.points, which)?;
            variance.extend(regression.variance(&cross, &points.diagonal(which))?);
        }
        Ok(variance)
    }

    fn covariance(&self, x: &Matrix<f64>) -> Result<Matrix<f64>> {
        let (regression, which) = (self.regression()?, self.architecture.which);
        let points = self.points.kernel().points(x, self.points.device())?;
        Ok(regression.covariance(&points.cross_gram(&self.points, which)?, points.gram(which))?)
    }

    fn prior_variance(&self) -> Result<Vec<f64>> {
        Ok(self.regression()?.prior_variance())
    }

    fn noise_variance(&self) -> Result<Vec<f64>> {
        Ok(self.regression()?.noise_variance())
    }

    fn leave_one_out(&self) -> Result<Matrix<f64>> {
        Ok(self.regression()?.leave_one_out())
    }

    fn leave_one_out_variance(&self) -> Result<Matrix<f64>> {
        Ok(self.regression()?.leave_one_out_variance())
    }

    fn effective_parameters(&self) -> Result<f64> {
        Ok(self.regression()?.effective_parameters())
    }

    fn log_marginal_likelihood(&self) -> Result<f64> {
        Ok(self.regression()?.log_marginal_likelihood())
    }
}

/// Whether a kernel of that number of rows fits in memory with what is made of it.
///
/// # Errors
/// If it does not.
pub(super) fn check_kernel_memory(rows: usize) -> Result<()> {
    let needed = rows.saturating_mul(rows).saturating_mul(4 * size_of::<f64>());
    let what = "the kernel of the training rows and its decomposition";
    let hint = "take fewer rows, or a network: --model mlp:256,256:gelu needs no n×n matrix";
    if needed > BUDGET {
        return Err(Error::Memory { what, needed: needed as u64, free: BUDGET as u64, instead: hint });
    }
    check_memory(what, needed, hint)
}
