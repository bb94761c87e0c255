//! A fitted kernel regression: what is kept of it, and what it predicts from preprocessed inputs.

use gramstep::kernel::{
    InfiniteRegressor, Ridge, ScaleObjective, ScaleOptions, ScaledRegression, ScaledRegressor, fit_rescaled, fit_scales,
};
use gramstep::{Device, Error as CoreError, Matrix};

use super::gaussian_process::{GaussianProcess, InfiniteProcess, check_kernel_memory};
use super::kernel_choice::{Kernel, KernelChoice};
use super::kernel_regressor::KernelRegressor;
use super::kernel_solution::{Solution, regressed};
use crate::data::{Dataset, Task};
use crate::error::Result;
use crate::predictor::temperature::inverse_temperature;

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
    task: Task,
    train: Dataset<f64>,
    /// β; 1 in a regression.
    inverse_temperature: f64,
    /// c, n×k.
    coefficients: Matrix<f64>,
    /// x ↦ β·f(x).
    regressor: KernelRegressor,
    solution: Solution,
}

/// How a kernel is fitted, beside what it is.
#[derive(Clone, Copy)]
pub struct KernelFitting<'a> {
    /// κ, or how it is found; with a kernel that has scales these are found by the same measure.
    pub ridge: Ridge,
    /// Of the choice of rows for the search of scales.
    pub seed: u64,
    /// Asked before every step of that search.
    pub stop: &'a dyn Fn() -> bool,
    /// Where it computes.
    pub device: &'a Device,
}

impl KernelModel {
    /// Most training rows on which scales are found.
    pub const SCALE_ROWS: usize = 1000;

    /// Fits preprocessed rows.
    ///
    /// # Errors
    /// If the kernel does not fit in memory, or cannot be decomposed.
    pub fn fit(train: Dataset<f64>, task: Task, choice: KernelChoice, ridge: Ridge, device: &Device) -> Result<Self> {
        Self::fit_until(train, task, choice, &KernelFitting { ridge, seed: 0, stop: &|| false, device })
    }

    /// The same with all that can be said of the fit.
    ///
    /// # Errors
    /// Those of [`fit`](Self::fit), and when `stop` says so.
    pub fn fit_until(
        train: Dataset<f64>,
        task: Task,
        choice: KernelChoice,
        fitting: &KernelFitting<'_>,
    ) -> Result<Self> {
        check_kernel_memory(train.rows())?;
        if let Some((_, one)) = inputs_that_come_again(&train, task) {
            // Of an input with several classes one cannot be left out without the others: they would contradict it.
            let own = Self::fit_until(one, task, choice, fitting)?;
            let solution = Solution::of((own.kernel(), own.ridge()), (&train, task), fitting.device)?;
            let coefficients = solution.coefficients()?;
            return Self::assemble(task, train, own.inverse_temperature, coefficients, solution);
        }
        let solution = match choice {
            KernelChoice::Infinite(architecture) => {
                Solution::infinite(architecture, (&train, task), fitting.ridge, fitting.device)?
            }
            KernelChoice::Scaled(kind) => {
                let (targets, threads) = (regressed(&train, task), fitting.device.threads());
                let (x, weights) = (&*train.inputs, train.weights.as_deref());
                let options = ScaleOptions {
                    rows: Self::SCALE_ROWS,
                    seed: fitting.seed,
                    threads,
                    objective: match fitting.ridge {
                        Ridge::LeaveOneOut => ScaleObjective::LeaveOneOut,
                        _ => ScaleObjective::Evidence,
                    },
                    ridge: if let Ridge::Fixed(ridge) = fitting.ridge { Some(ridge) } else { None },
                    ..ScaleOptions::default()
                };
                let fit = fit_scales(kind, x, &targets, weights, &options, fitting.stop)?;
                let regression = if train.rows() > Self::SCALE_ROWS {
                    fit_rescaled(&fit.kernel, fit.ridge, x, &targets, weights, threads, fitting.stop)?
                } else {
                    ScaledRegression::fit(fit.kernel, fit.ridge, x.clone(), &targets, weights, threads)?
                };
                Solution::Scaled(Box::new(regression))
            }
        };
        let coefficients = solution.coefficients()?;
        let inverse_temperature = match task {
            Task::Classification => inverse_temperature(&held_out(&train, task, solution.process())?, &train),
            Task::Regression => 1.0,
        };
        Self::assemble(task, train, inverse_temperature, coefficients, solution)
    }

    /// The model of an earlier fit: its rows, κ, β and c.
    ///
    /// # Errors
    /// If they do not fit together.
    pub fn restore(
        (kernel, task): (Kernel, Task),
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
        let weights = train.weights.clone();
        let solution = match kernel {
            Kernel::Infinite(architecture) => {
                let points = architecture.kernel()?.points(&train.inputs, device)?;
                let rows = (regressed(&train, task).into_owned(), weights);
                Solution::Infinite(Box::new(InfiniteProcess::restore(architecture, points, rows, ridge)))
            }
            Kernel::Scaled(kernel) => {
                let (x, c, threads) = (train.inputs.clone().into_matrix(), coefficients.clone(), device.threads());
                Solution::Scaled(Box::new(ScaledRegression::restore(kernel, ridge, x, c, weights, threads)?))
            }
        };
        Self::assemble(task, train, inverse_temperature, coefficients, solution)
    }

    fn assemble(
        task: Task,
        train: Dataset<f64>,
        inverse_temperature: f64,
        coefficients: Matrix<f64>,
        solution: Solution,
    ) -> Result<Self> {
        let scaled = scaled(&coefficients, inverse_temperature);
        let regressor = match &solution {
            Solution::Infinite(process) => {
                let which = process.architecture().which;
                KernelRegressor::Infinite(InfiniteRegressor::new(process.points().clone(), which, scaled)?)
            }
            Solution::Scaled(regression) => {
                let device = regression.regressor().device().clone();
                let kernel = regression.kernel().clone();
                KernelRegressor::Scaled(ScaledRegressor::new(kernel, &train.inputs, scaled, device)?)
            }
        };
        Ok(Self { task, train, inverse_temperature, coefficients, regressor, solution })
    }

    /// The kernel with its numbers.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        match &self.solution {
            Solution::Infinite(process) => Kernel::Infinite(process.architecture().clone()),
            Solution::Scaled(regression) => Kernel::Scaled(regression.kernel().clone()),
        }
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

    /// κ; of a kernel with scales relative to the mean of K(x, x).
    #[must_use]
    pub fn ridge(&self) -> f64 {
        match &self.solution {
            Solution::Infinite(process) => process.ridge(),
            Solution::Scaled(regression) => regression.ridge(),
        }
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

    /// x ↦ [`outputs`](Self::outputs), with its gradient.
    #[must_use]
    pub fn regressor(&self) -> &KernelRegressor {
        &self.regressor
    }

    /// What the regression knows of its errors.
    #[must_use]
    pub fn process(&self) -> &dyn GaussianProcess {
        self.solution.process()
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
    /// Those of [`outputs`](Self::outputs) and of [`GaussianProcess`].
    pub fn deviation(&self, inputs: &Matrix<f64>) -> Result<Matrix<f64>> {
        let process = self.process();
        let (prior, noise) = (process.prior_variance()?, process.noise_variance()?);
        let variance = process.variance(inputs)?;
        let of = |i: usize, a: usize| (noise[a] + prior[a] * variance[i]).sqrt();
        Ok(Matrix::from_fn(inputs.rows(), prior.len(), of))
    }

    /// The covariance of f at new points among themselves, in standardised units: m×m for every output.
    ///
    /// # Errors
    /// Those of [`deviation`](Self::deviation).
    pub fn function_covariance(&self, inputs: &Matrix<f64>) -> Result<Vec<Matrix<f64>>> {
        let process = self.process();
        let (prior, posterior) = (process.prior_variance()?, process.covariance(inputs)?);
        let of = |prior: f64| Matrix::from_fn(inputs.rows(), inputs.rows(), |i, j| prior * posterior[(i, j)]);
        Ok(prior.into_iter().map(of).collect())
    }

    /// The same of new observations, noise included.
    ///
    /// # Errors
    /// Those of [`deviation`](Self::deviation).
    pub fn covariance(&self, inputs: &Matrix<f64>) -> Result<Vec<Matrix<f64>>> {
        let mut covariances = self.function_covariance(inputs)?;
        for (covariance, noise) in covariances.iter_mut().zip(self.process().noise_variance()?) {
            (0..inputs.rows()).for_each(|i| covariance[(i, i)] += noise);
        }
        Ok(covariances)
    }

    /// The standard deviation of the target of every training row by the regression on all others, its noise included; n×k.
    ///
    /// # Errors
    /// Those of [`GaussianProcess`].
    pub fn held_out_deviation(&self) -> Result<Matrix<f64>> {
        let variance = self.process().leave_one_out_variance()?;
        Ok(Matrix::from_fn(variance.rows(), variance.columns(), |i, a| variance[(i, a)].sqrt()))
    }

    /// The outputs for every training row by the regression on all others, in closed form; n×k. Rows of a classification
    /// with the same inputs are left out together.
    ///
    /// # Errors
    /// Those of [`GaussianProcess`].
    pub fn held_out(&self) -> Result<Matrix<f64>> {
        if let Some((numbers, one)) = inputs_that_come_again(&self.train, self.task) {
            let device = match &self.solution {
                Solution::Infinite(_) => Device::cpu(1),
                Solution::Scaled(regression) => regression.regressor().device().clone(),
            };
            let solution = Solution::of((self.kernel(), self.ridge()), (&one, self.task), &device)?;
            let told = held_out(&one, self.task, solution.process())?;
            return Ok(scaled(&told.select_rows(&numbers), self.inverse_temperature));
        }
        Ok(scaled(&held_out(&self.train, self.task, self.process())?, self.inverse_temperature))
    }
}

/// The inputs of a classification that come again, see [`Dataset::by_inputs`].
fn inputs_that_come_again(train: &Dataset<f64>, task: Task) -> Option<(Vec<usize>, Dataset<f64>)> {
    if task == Task::Classification { train.by_inputs() } else { None }
}

fn scaled(matrix: &Matrix<f64>, factor: f64) -> Matrix<f64> {
    Matrix::from_fn(matrix.rows(), matrix.columns(), |i, a| factor * matrix[(i, a)])
}

/// The outputs for every row by the regression on all others, β = 1.
fn held_out(train: &Dataset<f64>, task: Task, process: &dyn GaussianProcess) -> Result<Matrix<f64>> {
    let (residuals, y) = (process.leave_one_out()?, regressed(train, task));
    Ok(Matrix::from_fn(y.rows(), y.columns(), |i, a| residuals[(i, a)] + y[(i, a)]))
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
        let all = rows(20);
        let fit = |data, kernel: &str, ridge| {
            KernelModel::fit(data, Task::Regression, kernel.parse().unwrap(), ridge, &Device::cpu(1)).unwrap()
        };
        let held_out = fit(all.clone(), "ntk:depth=2:erf", Ridge::Fixed(0.05)).held_out().unwrap();
        let scaled = fit(all.clone(), "kernel:matern32", Ridge::Evidence);
        let held_out_scaled = scaled.held_out().unwrap();
        let Kernel::Scaled(kernel) = scaled.kernel() else { panic!("no scales") };
        for row in [0, 7, 19] {
            let others: Vec<usize> = (0..20).filter(|&i| i != row).collect();
            let (rest, left_out) = (all.select(&others), all.inputs.select_rows(&[row]));
            let f = fit(rest.clone(), "ntk:depth=2:erf", Ridge::Fixed(0.05)).outputs(&left_out).unwrap();
            assert!((f[(0, 0)] - held_out[(row, 0)]).abs() < 1e-10);
            // Scales stay as they are.
            let ridge = scaled.ridge();
            let (x, y) = (rest.inputs.into_matrix(), &rest.targets);
            let refit = ScaledRegression::fit(kernel.clone(), ridge, x, y, None, 1).unwrap();
            assert!((refit.predict(&left_out).unwrap()[(0, 0)] - held_out_scaled[(row, 0)]).abs() < 1e-8);
        }
    }

    #[test]
    fn an_input_with_several_classes_is_left_out_as_a_whole() {
        // Ten inputs of which 70 % are of the one class, and ten that are all of the other.
        let x = Matrix::from_fn(30, 1, |i, _| if i < 20 { (i / 2) as f64 / 10.0 } else { 3.0 + i as f64 / 10.0 });
        let first = |i: usize| i < 20 && i.is_multiple_of(2);
        let y = Matrix::from_fn(30, 2, |i, a| f64::from(u8::from(first(i) == (a == 0))));
        let weights = (0..30).map(|i| if first(i) { 7.0 } else { 3.0 }).collect();
        let data = Dataset::new(x, y).unwrap().with_weights(Some(weights)).unwrap();
        for kernel in ["ntk:depth=2:relu", "kernel:rbf"] {
            let choice: KernelChoice = kernel.parse().unwrap();
            let fit = KernelModel::fit(data.clone(), Task::Classification, choice, Ridge::LeaveOneOut, &Device::cpu(1));
            let model = fit.unwrap();
            let share = |f: &[f64]| 1.0 / (1.0 + (f[1] - f[0]).exp());
            let seen = model.outputs(&model.train().inputs).unwrap();
            let unseen = model.held_out().unwrap();
            for f in [&seen, &unseen] {
                assert_eq!(f.row(0), f.row(1), "{kernel}: rows of one input");
                assert!((share(f.row(8)) - 0.7).abs() < 0.15 && share(f.row(25)) < 0.2, "{kernel}: {f:?}");
            }
        }
    }

    #[test]
    fn a_model_from_its_parts_predicts_the_same() {
        for name in ["nngp:relu", "kernel:anova-matern32", "kernel:nngp"] {
            let choice: KernelChoice = name.parse().unwrap();
            let fitted =
                KernelModel::fit(rows(20), Task::Regression, choice.clone(), Ridge::Evidence, &Device::cpu(1)).unwrap();
            assert_eq!(fitted.kernel().choice(), choice);
            let parts = (fitted.ridge(), fitted.inverse_temperature());
            let of = || (fitted.kernel(), Task::Regression);
            let (train, c) = (fitted.train().clone(), fitted.coefficients().clone());
            let restored = KernelModel::restore(of(), train.clone(), parts, c.clone(), &Device::cpu(1)).unwrap();
            let x = Matrix::from_fn(3, 2, |i, j| (i + 2 * j) as f64 * 0.3);
            assert_eq!(fitted.outputs(&x).unwrap(), restored.outputs(&x).unwrap());
            let (one, other) = (fitted.deviation(&x).unwrap(), restored.deviation(&x).unwrap());
            let near = one.as_slice().iter().zip(other.as_slice());
            assert!(near.clone().all(|(a, b)| (a / b - 1.0).abs() < 1e-7), "{name}");
            assert!(KernelModel::restore(of(), train.clone(), (-1.0, 1.0), c.clone(), &Device::cpu(1)).is_err());
            assert!(KernelModel::restore(of(), train, parts, Matrix::zeros(3, 1), &Device::cpu(1)).is_err());
        }
    }

    #[test]
    fn classes_are_told_apart_with_probabilities() {
        let x = Matrix::from_fn(60, 2, |i, j| ((i * (7 + 5 * j)) % 29) as f64 / 14.0 - 1.0);
        let y = Matrix::from_fn(60, 2, |i, a| f64::from(usize::from(x[(i, 0)].abs() > 0.5) == a));
        let data = Dataset::new(x, y).unwrap();
        for kernel in ["kernel:rbf", "kernel:anova-rbf"] {
            let choice = kernel.parse().unwrap();
            let model =
                KernelModel::fit(data.clone(), Task::Classification, choice, Ridge::Evidence, &Device::cpu(1)).unwrap();
            let f = model.held_out().unwrap();
            let right = (0..60).filter(|&i| (f[(i, 1)] > f[(i, 0)]) == (data.targets[(i, 1)] == 1.0)).count();
            assert!(right > 50 && model.inverse_temperature() > 1.0, "{kernel}: {right}");
        }
    }
}
