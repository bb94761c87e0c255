//! The kernel regressions behind `NTKRegressor` and `NTKClassifier`.

use std::path::PathBuf;
use std::sync::Arc;

use gramstep::Device;
use gramstep::kernel::Ridge;
use gramstep_train::arrays::{self, KernelPredictor};
use gramstep_train::predictor::model_file::Network as FileNetwork;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::array::{Input, Number, array_of, array2};
use crate::error::train;
use crate::kernels::{architecture, is_single};
use crate::samples::{How, PyData};
use crate::worker;

/// A fitted kernel regression with its preprocessing.
#[pyclass(name = "KernelPredictor", module = "gramstep._gramstep", frozen)]
pub(crate) struct PyKernelPredictor {
    pub(crate) predictor: Arc<KernelPredictor>,
    threads: usize,
}

/// κ by name or by number.
fn ridge(value: &Bound<'_, PyAny>) -> PyResult<Ridge> {
    if let Ok(ridge) = value.extract::<f64>() {
        return Ok(Ridge::Fixed(ridge));
    }
    match value.extract::<String>().map_err(|_| PyTypeError::new_err("alpha: a word or a number"))?.as_str() {
        "evidence" => Ok(Ridge::Evidence),
        "leave-one-out" => Ok(Ridge::LeaveOneOut),
        other => {
            let text = format!("alpha = {other:?}: expected \"evidence\", \"leave-one-out\" or a number of at least 0");
            Err(PyValueError::new_err(text))
        }
    }
}

/// Fits the tangent kernel (`which` = "ntk") or the kernel of the prior ("nngp").
#[pyfunction]
#[pyo3(signature = (data, which, *, depth, activation, weight_variance=None, bias_variance=None, alpha, threads=0,
                    report=None))]
pub(crate) fn fit_kernel(
    py: Python<'_>,
    data: &PyData,
    which: &str,
    depth: usize,
    activation: &str,
    weight_variance: Option<f64>,
    bias_variance: Option<f64>,
    alpha: &Bound<'_, PyAny>,
    threads: usize,
    report: Option<&Bound<'_, PyAny>>,
) -> PyResult<PyKernelPredictor> {
    let architecture = architecture(which, depth, activation, weight_variance, bias_variance)?;
    let ridge = ridge(alpha)?;
    let predictor = if is_single(data.x.bind(py)) {
        fit::<f32>(py, data, (architecture, ridge, threads), report)?
    } else {
        fit::<f64>(py, data, (architecture, ridge, threads), report)?
    };
    Ok(PyKernelPredictor { predictor: Arc::new(predictor), threads })
}

fn fit<T: Number>(
    py: Python<'_>,
    data: &PyData,
    (architecture, ridge, threads): (gramstep::kernel::InfiniteArchitecture, Ridge, usize),
    report: Option<&Bound<'_, PyAny>>,
) -> PyResult<KernelPredictor> {
    let prepared = data.prepare::<T>(py, How::Fresh { validation: Some(0.0), seed: 0 })?;
    worker::run(py, report, move |_, _| KernelPredictor::fit(&prepared, architecture, ridge, threads))?.map_err(train)
}

#[pymethods]
impl PyKernelPredictor {
    fn predict(&self, py: Python<'_>, x: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        if is_single(x) { self.outputs::<f32>(py, x, false) } else { self.outputs::<f64>(py, x, false) }
    }

    fn deviation(&self, py: Python<'_>, x: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        if is_single(x) { self.outputs::<f32>(py, x, true) } else { self.outputs::<f64>(py, x, true) }
    }

    /// κ.
    #[getter]
    fn ridge(&self) -> f64 {
        self.predictor.model().ridge()
    }

    #[getter]
    fn log_marginal_likelihood(&self) -> PyResult<f64> {
        Ok(self.predictor.model().regression().map_err(train)?.log_marginal_likelihood())
    }

    /// f₋ᵢ(x_i) − y_i in standardised units.
    fn leave_one_out(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(array2(py, self.predictor.model().regression().map_err(train)?.leave_one_out())?.into_any().unbind())
    }

    /// (K + κI)⁻¹y in standardised units.
    fn coefficients(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(array2(py, self.predictor.model().coefficients().clone())?.into_any().unbind())
    }

    fn save(&self, py: Python<'_>, folder: PathBuf) -> PyResult<()> {
        py.detach(|| self.predictor.save(&folder)).map_err(train)
    }

    /// The predictor in the bytes of a model file.
    #[staticmethod]
    fn from_state(bytes: PyBackedBytes, threads: usize) -> PyResult<Self> {
        match arrays::read(&bytes, Device::cpu(threads)).map_err(train)? {
            (FileNetwork::Infinite(model), metadata) => {
                let predictor = Arc::new(KernelPredictor::new(metadata.preprocessing, model));
                Ok(Self { predictor, threads })
            }
            _ => Err(PyValueError::new_err("not the state of a kernel regression")),
        }
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<(Py<PyAny>, Py<PyAny>)> {
        let (py, own) = (slf.py(), slf.get());
        let bytes = own.predictor.to_bytes().map_err(train)?;
        let arguments = (PyBytes::new(py, &bytes), own.threads);
        let from_state = slf.get_type().getattr("from_state")?.unbind();
        Ok((from_state, arguments.into_pyobject(py)?.into_any().unbind()))
    }
}

impl PyKernelPredictor {
    fn outputs<T: Number>(&self, py: Python<'_>, x: &Bound<'_, PyAny>, deviation: bool) -> PyResult<Py<PyAny>> {
        let x = Input::<T>::new(x, "X")?;
        let x = x.samples()?;
        let predictor = &self.predictor;
        let outputs = py.detach(|| if deviation { predictor.deviation(x) } else { predictor.predict(x) });
        let outputs = outputs.map_err(train)?;
        array_of(py, outputs.as_slice().to_vec(), &[outputs.rows(), outputs.columns()])
    }
}
