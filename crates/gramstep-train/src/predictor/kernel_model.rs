//! A fitted kernel regression: what is kept of it, and what it predicts from preprocessed inputs.

use std::sync::{Arc, OnceLock};

use gramstep::kernel::{InfiniteArchitecture, InfinitePoints, InfiniteRegressor, KernelRegression, Ridge};
use gramstep::{Device, Error as CoreError, Matrix};

use crate::data::{Dataset, Task};
use crate::error::Result;
use crate::predictor::temperature::inverse_temperature;
use crate::settings::check_memory;

/// New points at a time.
const CHUNK: usize = 1024;
/// Bytes that the kernel and its decomposition may take.
const BUDGET: usize = 16 << 30;

/// A kernel regression on preprocessed data.
///
/// ```text
/// regression       f(x) = K(x, X) c,  c = (K + κW⁻¹)⁻¹y, W the weights
/// classification   the same for one-hot targets less their mean 1/k, times β: logits of p = softmax(βf(x))
/// ```
///
/// β is the one of largest likelihood of the leave-one-out predictions, which a kernel regression knows in closed form.
#[derive(Debug)]
pub struct KernelModel {
    architecture: InfiniteArchitecture,
    task: Task,
    train: Dataset<f64>,
    /// κ
    ridge: f64,
    /// β; 1 in a regression.
    inverse_temperature: f64,
    /// c, n×k.
    coefficients: Matrix<f64>,
    /// x ↦ β·f(x).
    regressor: InfiniteRegressor<f64>,
    /// The decomposed kernel: at hand after a fit, made when it is needed after reading a file.
    regression: OnceLock<Arc<KernelRegression>>,
}

impl KernelModel {
    /// Fits preprocessed rows.
    ///
    /// # Errors
    /// If the kernel does not fit in memory, or cannot be decomposed.
    pub fn fit(
        train: Dataset<f64>,
        task: Task,
        architecture: InfiniteArchitecture,
        ridge: Ridge,
        device: &Device,
    ) -> Result<Self> {
        let points = architecture.kernel()?.points(&train.inputs, device)?;
        let regression = decompose(&train, task, &points, architecture, ridge)?;
        let coefficients = regression.coefficients();
        let inverse_temperature = match task {
            Task::Classification => inverse_temperature(&held_out(&train, task, &regression), &train),
            Task::Regression => 1.0,
        };
        let parts = (regression.ridge(), inverse_temperature);
        let model = Self::assemble((architecture, task), train, parts, coefficients, points)?;
        Ok(Self { regression: OnceLock::from(Arc::new(regression)), ..model })
    }

    /// The model of an earlier fit: its rows, κ, β and c.
    ///
    /// # Errors
    /// If they do not fit together.
    pub fn restore(
        (architecture, task): (InfiniteArchitecture, Task),
        train: Dataset<f64>,
        (ridge, inverse_temperature): (f64, f64),
        coefficients: Matrix<f64>,
        device: &Device,
    ) -> Result<Self> {
        let shape = (train.rows(), train.targets.columns());
        let lengths = [("coefficients", shape.0, coefficients.rows()), ("outputs", shape.1, coefficients.columns())];
        for (what, expected, got) in lengths {
            if expected != got {
                return Err(CoreError::Shape { what, expected, got }.into());
            }
        }
        for (name, value, range, usable) in [
            ("ridge", ridge, "finite and at least 0", ridge >= 0.0),
            ("inverse temperature", inverse_temperature, "finite and above 0", inverse_temperature > 0.0),
        ] {
            if !(usable && value.is_finite()) {
                return Err(CoreError::Setting { name, value: value.to_string(), range }.into());
            }
        }
        let points = architecture.kernel()?.points(&train.inputs, device)?;
        Self::assemble((architecture, task), train, (ridge, inverse_temperature), coefficients, points)
    }

    fn assemble(
        (architecture, task): (InfiniteArchitecture, Task),
        train: Dataset<f64>,
        (ridge, inverse_temperature): (f64, f64),
        coefficients: Matrix<f64>,
        points: InfinitePoints<f64>,
    ) -> Result<Self> {
        let scaled = scaled(&coefficients, inverse_temperature);
        let regressor = InfiniteRegressor::new(points, architecture.which, scaled)?;
        let regression = OnceLock::new();
        Ok(Self { architecture, task, train, ridge, inverse_temperature, coefficients, regressor, regression })
    }

    /// Which kernel.
    #[must_use]
    pub fn architecture(&self) -> InfiniteArchitecture {
        self.architecture
    }

    /// Regression or classification.
    #[must_use]
    pub fn task(&self) -> Task {
        self.task
    }

    /// The training rows.
    #[must_use]
    pub fn train(&self) -> &Dataset<f64> {
        &self.train
    }

    /// κ.
    #[must_use]
    pub fn ridge(&self) -> f64 {
        self.ridge
    }

    /// β of the softmax, 1/temperature; 1 in a regression.
    #[must_use]
    pub fn inverse_temperature(&self) -> f64 {
        self.inverse_temperature
    }

    /// c, n×k.
    #[must_use]
    pub fn coefficients(&self) -> &Matrix<f64> {
        &self.coefficients
    }

    /// Where it computes.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.regressor.points().device()
    }

    /// x ↦ [`outputs`](Self::outputs), with its gradient.
    #[must_use]
    pub fn regressor(&self) -> &InfiniteRegressor<f64> {
        &self.regressor
    }

    /// The regression with the decomposed kernel. After reading a file the first call decomposes, in O(n³) time.
    ///
    /// # Errors
    /// If the kernel does not fit in memory, or cannot be decomposed.
    pub fn regression(&self) -> Result<Arc<KernelRegression>> {
        if let Some(regression) = self.regression.get() {
            return Ok(Arc::clone(regression));
        }
        let (points, ridge) = (self.regressor.points(), Ridge::Fixed(self.ridge));
        let regression = Arc::new(decompose(&self.train, self.task, points, self.architecture, ridge)?);
        Ok(Arc::clone(self.regression.get_or_init(|| regression)))
    }

    /// Standardised values, or logits of the classes; m×k.
    ///
    /// # Errors
    /// If the inputs have another number of columns.
    pub fn outputs(&self, inputs: &Matrix<f64>) -> Result<Matrix<f64>> {
        Ok(self.regressor.predict(inputs)?)
    }

    /// The standard deviation of a new observation, noise included, in standardised units; m×k.
    ///
    /// # Errors
    /// Those of [`outputs`](Self::outputs) and of [`regression`](Self::regression).
    pub fn deviation(&self, inputs: &Matrix<f64>) -> Result<Matrix<f64>> {
        let regression = self.regression()?;
        let (prior, noise) = (regression.prior_variance(), regression.noise_variance());
        let (train, which) = (self.regressor.points(), self.architecture.which);
        let mut deviations = Vec::with_capacity(inputs.rows() * prior.len());
        for start in (0..inputs.rows()).step_by(CHUNK) {
            let rows = inputs.view().row_range(start..inputs.rows().min(start + CHUNK));
            let points = train.kernel().points(rows, train.device())?;
            let cross = points.cross_gram(train, which)?;
            let variance = regression.variance(&cross, &points.diagonal(which))?;
            let of = |v: f64| prior.iter().zip(&noise).map(move |(prior, noise)| (noise + prior * v).sqrt());
            deviations.extend(variance.into_iter().flat_map(of));
        }
        Ok(Matrix::from_vec(inputs.rows(), prior.len(), deviations)?)
    }

    /// The standard deviation of the target of every training row by the regression on all others, its noise included; n×k.
    ///
    /// # Errors
    /// Those of [`regression`](Self::regression).
    pub fn held_out_deviation(&self) -> Result<Matrix<f64>> {
        let variance = self.regression()?.leave_one_out_variance();
        Ok(Matrix::from_fn(variance.rows(), variance.columns(), |i, a| variance[(i, a)].sqrt()))
    }

    /// The outputs for every training row by the regression on all others, in closed form; n×k.
    ///
    /// # Errors
    /// Those of [`regression`](Self::regression).
    pub fn held_out(&self) -> Result<Matrix<f64>> {
        let f = held_out(&self.train, self.task, &*self.regression()?);
        Ok(scaled(&f, self.inverse_temperature))
    }
}

/// Fits the regression with the kernel of the training rows.
fn decompose(
    train: &Dataset<f64>,
    task: Task,
    points: &InfinitePoints<f64>,
    architecture: InfiniteArchitecture,
    ridge: Ridge,
) -> Result<KernelRegression> {
    let n = train.rows();
    let needed = n.saturating_mul(n).saturating_mul(4 * size_of::<f64>());
    if needed > BUDGET {
        let what = "kernel of the training rows and its decomposition";
        return Err(CoreError::Memory { what, needed, budget: BUDGET }.into());
    }
    let instead = "take fewer rows, or a network: --model mlp:256,256:gelu needs no n×n matrix";
    check_memory("the kernel of the training rows and its decomposition", needed, instead)?;
    let gram = points.gram(architecture.which);
    let share = share(train, task);
    let y = &train.targets;
    let targets = Matrix::from_fn(n, y.columns(), |i, a| y[(i, a)] - share);
    let threads = points.device().threads();
    Ok(match &train.weights {
        None => KernelRegression::fit(&gram, &targets, ridge, threads)?,
        Some(weights) => KernelRegression::fit_weighted(&gram, &targets, weights, ridge, threads)?,
    })
}

fn scaled(matrix: &Matrix<f64>, factor: f64) -> Matrix<f64> {
    Matrix::from_fn(matrix.rows(), matrix.columns(), |i, a| factor * matrix[(i, a)])
}

/// What is taken off one-hot targets: their mean.
fn share(train: &Dataset<f64>, task: Task) -> f64 {
    if task == Task::Classification { 1.0 / train.targets.columns() as f64 } else { 0.0 }
}

/// The outputs for every row by the regression on all others, β = 1.
fn held_out(train: &Dataset<f64>, task: Task, regression: &KernelRegression) -> Matrix<f64> {
    let (residuals, y, share) = (regression.leave_one_out(), &train.targets, share(train, task));
    Matrix::from_fn(y.rows(), y.columns(), |i, a| residuals[(i, a)] + y[(i, a)] - share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(n: usize) -> Dataset<f64> {
        let x = Matrix::from_fn(n, 2, |i, j| ((i * (7 + 5 * j)) % 23) as f64 / 11.0 - 1.0);
        let y = Matrix::from_fn(n, 1, |i, _| (2.0 * x[(i, 0)]).sin() - x[(i, 1)]);
        Dataset::new(x, y).unwrap()
    }

    #[test]
    fn a_held_out_row_is_predicted_as_by_the_fit_without_it() {
        let (all, kernel) = (rows(20), "ntk:depth=2:erf".parse().unwrap());
        let fit = |data| KernelModel::fit(data, Task::Regression, kernel, Ridge::Fixed(0.05), &Device::cpu(1)).unwrap();
        let held_out = fit(all.clone()).held_out().unwrap();
        for row in [0, 7, 19] {
            let others: Vec<usize> = (0..20).filter(|&i| i != row).collect();
            let f = fit(all.select(&others)).outputs(&all.inputs.select_rows(&[row])).unwrap();
            assert!((f[(0, 0)] - held_out[(row, 0)]).abs() < 1e-10);
        }
    }

    #[test]
    fn a_model_from_its_parts_predicts_the_same() {
        let (data, kernel) = (rows(20), "nngp:relu".parse().unwrap());
        let fitted = KernelModel::fit(data, Task::Regression, kernel, Ridge::Evidence, &Device::cpu(1)).unwrap();
        let parts = (fitted.ridge(), fitted.inverse_temperature());
        let of = (kernel, Task::Regression);
        let (train, c) = (fitted.train().clone(), fitted.coefficients().clone());
        let restored = KernelModel::restore(of, train.clone(), parts, c.clone(), &Device::cpu(1)).unwrap();
        let x = Matrix::from_fn(3, 2, |i, j| (i + 2 * j) as f64 * 0.3);
        assert_eq!(fitted.outputs(&x).unwrap(), restored.outputs(&x).unwrap());
        assert_eq!(fitted.deviation(&x).unwrap(), restored.deviation(&x).unwrap());
        assert!(KernelModel::restore(of, train.clone(), (-1.0, 1.0), c.clone(), &Device::cpu(1)).is_err());
        assert!(KernelModel::restore(of, train, parts, Matrix::zeros(3, 1), &Device::cpu(1)).is_err());
    }
}
