//! Regression and classification with the tangent kernel of an infinitely wide network.

use gramstep::kernel::{InfiniteArchitecture, InfinitePoints, KernelRegression, Ridge};
use gramstep::{Device, Matrix, MatrixView, Scalar};

use super::predictor::softmax;
use super::samples::{Prepared, apply, is_classification};
use crate::data::{Dataset, Preprocessing, Targets};
use crate::error::Result;
use crate::metrics::log_sum_exp;

/// New points at a time.
const CHUNK: usize = 1024;
/// Bytes that the kernel and its decomposition may take.
const BUDGET: usize = 16 << 30;

/// All that a [`KernelPredictor`] is made of.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KernelState {
    /// Which kernel.
    pub architecture: InfiniteArchitecture,
    /// From the caller's columns to the kernel's.
    pub preprocessing: Preprocessing,
    /// The training rows.
    pub train: Dataset<f64>,
    /// κ.
    pub ridge: f64,
    /// β of the softmax, 1/temperature, of a classification.
    pub inverse_temperature: f64,
}

impl KernelState {
    /// A state from its parts.
    #[must_use]
    pub fn new(
        architecture: InfiniteArchitecture,
        preprocessing: Preprocessing,
        train: Dataset<f64>,
        ridge: f64,
        inverse_temperature: f64,
    ) -> Self {
        Self { architecture, preprocessing, train, ridge, inverse_temperature }
    }
}

/// A kernel regression that predicts from arrays with the columns it was trained on.
///
/// ```text
/// regression       f(x) = K(x, X)(K + κW⁻¹)⁻¹y, W the weights
/// classification   the same for one-hot targets, less their mean 1/k; p = softmax(βf(x))
/// ```
///
/// β is the one of largest likelihood of the leave-one-out predictions, which a kernel regression knows in closed form.
#[derive(Debug)]
pub struct KernelPredictor {
    state: KernelState,
    device: Device,
    points: InfinitePoints<f64>,
    regression: KernelRegression,
}

impl KernelPredictor {
    /// Fits prepared data; validation rows have no use here.
    ///
    /// # Errors
    /// If the kernel does not fit in memory, or cannot be decomposed.
    pub fn fit<T: Scalar>(
        prepared: &Prepared<T>,
        architecture: InfiniteArchitecture,
        ridge: Ridge,
        threads: usize,
    ) -> Result<Self> {
        let state = KernelState::new(architecture, prepared.preprocessing.clone(), prepared.train.cast(), 0.0, 1.0);
        let mut fitted = Self::build(state, ridge, threads)?;
        if is_classification(&fitted.state.preprocessing) {
            fitted.state.inverse_temperature = fitted.likeliest_temperature();
        }
        Ok(fitted)
    }

    /// The predictor of a saved state.
    ///
    /// # Errors
    /// Those of [`fit`](Self::fit).
    pub fn restore(state: KernelState, threads: usize) -> Result<Self> {
        let ridge = Ridge::Fixed(state.ridge);
        Self::build(state, ridge, threads)
    }

    fn build(mut state: KernelState, ridge: Ridge, threads: usize) -> Result<Self> {
        let n = state.train.rows();
        let needed = n.saturating_mul(n).saturating_mul(4 * size_of::<f64>());
        if needed > BUDGET {
            let what = "kernel of the training rows and its decomposition";
            return Err(gramstep::Error::Memory { what, needed, budget: BUDGET }.into());
        }
        let device = Device::cpu(threads);
        let points = state.architecture.kernel()?.points(&state.train.inputs, &device)?;
        let gram = points.gram(state.architecture.which);
        let share =
            if is_classification(&state.preprocessing) { 1.0 / state.train.targets.columns() as f64 } else { 0.0 };
        let y = &state.train.targets;
        let targets = Matrix::from_fn(n, y.columns(), |i, a| y[(i, a)] - share);
        let regression = match &state.train.weights {
            None => KernelRegression::fit(&gram, &targets, ridge, device.threads())?,
            Some(weights) => KernelRegression::fit_weighted(&gram, &targets, weights, ridge, device.threads())?,
        };
        state.ridge = regression.ridge();
        Ok(Self { state, device, points, regression })
    }

    /// All that it is made of.
    #[must_use]
    pub fn state(&self) -> &KernelState {
        &self.state
    }

    /// The regression.
    #[must_use]
    pub fn regression(&self) -> &KernelRegression {
        &self.regression
    }

    /// Targets in their own units, or the probability of every class; m×k.
    ///
    /// # Errors
    /// If the array has other columns or a value that is not finite.
    pub fn predict<T: Scalar>(&self, x: MatrixView<'_, T>) -> Result<Matrix<f64>> {
        self.by_chunks(x, |points| {
            let cross = points.cross_gram(&self.points, self.state.architecture.which)?;
            let mut f = self.regression.predict(&cross)?;
            match &self.state.preprocessing.targets {
                Targets::Regression { standardisation, .. } => standardisation.invert(f.as_mut_slice()),
                Targets::Classification { .. } => {
                    for i in 0..f.rows() {
                        softmax(f.row_mut(i), self.state.inverse_temperature);
                    }
                }
            }
            Ok(f)
        })
    }

    /// The standard deviation of a new observation, noise included, in the targets' own units; m×k.
    ///
    /// # Errors
    /// Those of [`predict`](Self::predict).
    pub fn deviation<T: Scalar>(&self, x: MatrixView<'_, T>) -> Result<Matrix<f64>> {
        let scale = match &self.state.preprocessing.targets {
            Targets::Regression { standardisation, .. } => standardisation.scale.clone(),
            Targets::Classification { classes, .. } => vec![1.0; classes.len()],
        };
        let (noise, ridge) = (self.regression.noise_variance(), self.state.ridge);
        self.by_chunks(x, |points| {
            let which = self.state.architecture.which;
            let cross = points.cross_gram(&self.points, which)?;
            let variance = self.regression.variance(&cross, &points.diagonal(which))?;
            let relative = |v: f64| if ridge > 0.0 { 1.0 + v / ridge } else { 0.0 };
            let entry = |i: usize, a: usize| (noise[a] * relative(variance[i])).sqrt() * scale[a];
            Ok(Matrix::from_fn(variance.len(), scale.len(), entry))
        })
    }

    fn by_chunks<T: Scalar>(
        &self,
        x: MatrixView<'_, T>,
        work: impl Fn(&InfinitePoints<f64>) -> Result<Matrix<f64>>,
    ) -> Result<Matrix<f64>> {
        let kernel = self.state.architecture.kernel()?;
        let k = self.state.train.targets.columns();
        let mut values = Vec::with_capacity(x.rows() * k);
        for start in (0..x.rows()).step_by(CHUNK) {
            let rows: Vec<usize> = (start..x.rows().min(start + CHUNK)).collect();
            let inputs = apply(&self.state.preprocessing.inputs, x, &rows)?.into_f64();
            values.extend_from_slice(work(&kernel.points(&inputs, &self.device)?)?.as_slice());
        }
        Ok(Matrix::from_vec(x.rows(), k, values)?)
    }

    /// β of least negative log-likelihood of the leave-one-out predictions: that is convex in β, so a golden section
    /// over log β between 1e-3 and 1e3 finds it.
    fn likeliest_temperature(&self) -> f64 {
        let residuals = self.regression.leave_one_out();
        let y = &self.state.train.targets;
        let share = 1.0 / y.columns() as f64;
        let held_out = Matrix::from_fn(y.rows(), y.columns(), |i, a| residuals[(i, a)] + y[(i, a)] - share);
        let weight = |i: usize| self.state.train.weights.as_ref().map_or(1.0, |weights| weights[i]);
        let loss = |exponent: f64| -> f64 {
            let beta = 10_f64.powf(exponent);
            (0..y.rows())
                .map(|i| {
                    let scaled: Vec<f64> = held_out.row(i).iter().map(|f| beta * f).collect();
                    let own: f64 = scaled.iter().zip(y.row(i)).map(|(f, y)| f * y).sum();
                    weight(i) * (log_sum_exp(&scaled) - own)
                })
                .sum()
        };
        let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
        let (mut low, mut high) = (-3.0, 3.0);
        for _ in 0..60 {
            let (left, right) = (high - golden * (high - low), low + golden * (high - low));
            if loss(left) <= loss(right) { high = right } else { low = left }
        }
        10_f64.powf(0.5 * (low + high))
    }
}
