//! Regression with a kernel matrix that the caller brings.

use gramstep::kernel::{KernelRegression, Ridge};
use pyo3::prelude::*;

use crate::array::{Input, array_of, array2, owned};
use crate::counts;
use crate::error::core;
use crate::solve::device_of;

/// A fitted regression, behind `gramstep.KernelRegression`.
#[pyclass(module = "gramstep", frozen)]
pub(crate) struct FittedKernel {
    regression: KernelRegression,
    rows: usize,
    threads: usize,
}

fn matrix(value: &Bound<'_, PyAny>, what: &'static str) -> PyResult<gramstep::Matrix<f64>> {
    owned(&Input::<f64>::finite(value, what)?)
}

fn vector(py: Python<'_>, values: Vec<f64>) -> PyResult<Py<PyAny>> {
    let n = values.len();
    array_of(py, values, &[n])
}

impl FittedKernel {
    fn told<R: Send>(&self, py: Python<'_>, ask: impl FnOnce(&KernelRegression) -> R + Send) -> R {
        let device = device_of(self.rows, self.threads);
        py.detach(|| device.install(|| ask(&self.regression)))
    }
}

#[pymethods]
impl FittedKernel {
    /// `ridge`: a number, "auto" (leave-one-out) or "evidence"; y: (n, k).
    #[new]
    #[pyo3(signature = (kernel, y, *, ridge, sample_weight=None, threads=0))]
    fn new(
        py: Python<'_>,
        kernel: &Bound<'_, PyAny>,
        y: &Bound<'_, PyAny>,
        ridge: &Bound<'_, PyAny>,
        sample_weight: Option<&Bound<'_, PyAny>>,
        #[pyo3(from_py_with = counts::threads)] threads: usize,
    ) -> PyResult<Self> {
        let ridge = match ridge.extract::<f64>() {
            Ok(ridge) => Ridge::Fixed(ridge),
            Err(_) if ridge.extract::<String>()? == "evidence" => Ridge::Evidence,
            Err(_) => Ridge::LeaveOneOut,
        };
        let (kernel, y) = (matrix(kernel, "K")?, matrix(y, "y")?);
        let weights = sample_weight.map(|weights| matrix(weights, "sample_weight")).transpose()?;
        let (rows, device) = (kernel.rows(), device_of(kernel.rows(), threads));
        let fit = || match &weights {
            None => KernelRegression::fit(&kernel, &y, ridge, device.threads()),
            Some(weights) => KernelRegression::fit_weighted(&kernel, &y, weights.as_slice(), ridge, device.threads()),
        };
        let regression = py.detach(|| device.install(fit)).map_err(core)?;
        Ok(Self { regression, rows, threads })
    }

    #[getter]
    fn ridge(&self) -> f64 {
        self.regression.ridge()
    }

    #[getter]
    fn effective_parameters(&self) -> f64 {
        self.regression.effective_parameters()
    }

    #[getter]
    fn log_marginal_likelihood(&self) -> f64 {
        self.regression.log_marginal_likelihood()
    }

    #[getter]
    fn coefficients(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(array2(py, self.told(py, KernelRegression::coefficients))?.into_any().unbind())
    }

    #[getter]
    fn noise_variance(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        vector(py, self.told(py, KernelRegression::noise_variance))
    }

    #[getter]
    fn prior_variance(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        vector(py, self.told(py, KernelRegression::prior_variance))
    }

    fn leave_one_out(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(array2(py, self.told(py, KernelRegression::leave_one_out))?.into_any().unbind())
    }

    fn predict(&self, py: Python<'_>, cross: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let cross = matrix(cross, "K_cross")?;
        let outputs = self.told(py, |own| own.predict(&cross)).map_err(core)?;
        Ok(array2(py, outputs)?.into_any().unbind())
    }

    /// v(x), (m,).
    fn variance(&self, py: Python<'_>, cross: &Bound<'_, PyAny>, diagonal: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let (cross, diagonal) = (matrix(cross, "K_cross")?, matrix(diagonal, "k_diagonal")?);
        let variance = self.told(py, |own| own.variance(&cross, diagonal.as_slice())).map_err(core)?;
        vector(py, variance)
    }

    /// The same with all pairs, (m, m).
    fn covariance(&self, py: Python<'_>, cross: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let (cross, new) = (matrix(cross, "K_cross")?, matrix(new, "K_new")?);
        let covariance = self.told(py, |own| own.covariance(&cross, new)).map_err(core)?;
        Ok(array2(py, covariance)?.into_any().unbind())
    }
}
