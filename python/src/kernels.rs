//! Kernels: of infinite width, and of a network.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use gramstep::kernel::{EmpiricalKernel, InfiniteArchitecture, KernelTiles, MonteCarloKernel, Outputs, Which};
use gramstep::{Matrix, Scalar};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::array::{Input, array2, is_single, rows};
use crate::counts::{self, Counted as _};
use crate::error::core;
use crate::infinite::{compute, finite};
use crate::model::{PyModel, activation};
use crate::precision::each;
use crate::worker;

/// Points of a tile.
const TILE: usize = 1024;

/// A kernel that ends before its next tile when it is told to.
struct Stoppable<'a, K> {
    kernel: K,
    stop: &'a AtomicBool,
}

impl<T: Scalar, K: KernelTiles<T>> KernelTiles<T> for Stoppable<'_, K> {
    fn samples(&self) -> (usize, usize) {
        self.kernel.samples()
    }

    fn rows_per_sample(&self) -> usize {
        self.kernel.rows_per_sample()
    }

    fn tile(&self, rows: Range<usize>, columns: Range<usize>) -> gramstep::Result<Matrix<T>> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(gramstep::Error::Interrupted);
        }
        self.kernel.tile(rows, columns)
    }
}

/// The architecture of an infinitely wide network; `None` is the command line's default.
fn architecture(
    which: &str,
    depth: usize,
    activation: &str,
    weight_variance: Option<f64>,
    bias_variance: Option<f64>,
) -> PyResult<InfiniteArchitecture> {
    let activation = self::activation(activation)?;
    let mut architecture: InfiniteArchitecture = format!("{which}:depth={depth}:{activation}").parse().map_err(core)?;
    architecture.weight_variance = weight_variance.unwrap_or(architecture.weight_variance);
    architecture.bias_variance = bias_variance.unwrap_or(architecture.bias_variance);
    Ok(architecture)
}

/// The text form of a kernel, as the command line takes it.
#[pyfunction]
#[pyo3(signature = (which, *, depth, activation, weight_variance=None, bias_variance=None))]
pub(crate) fn kernel_name(
    which: &str,
    #[pyo3(from_py_with = counts::depth)] depth: usize,
    activation: &str,
    weight_variance: Option<f64>,
    bias_variance: Option<f64>,
) -> PyResult<String> {
    Ok(architecture(which, depth, activation, weight_variance, bias_variance)?.to_string())
}

/// Θ or K between X and X2.
#[pyfunction]
#[pyo3(signature = (which, X, X2=None, *, depth, activation, weight_variance=None, bias_variance=None, threads=0))]
pub(crate) fn infinite_kernel(
    py: Python<'_>,
    which: &str,
    X: &Bound<'_, PyAny>,
    X2: Option<&Bound<'_, PyAny>>,
    #[pyo3(from_py_with = counts::depth)] depth: usize,
    activation: &str,
    weight_variance: Option<f64>,
    bias_variance: Option<f64>,
    #[pyo3(from_py_with = counts::threads)] threads: usize,
) -> PyResult<Py<PyAny>> {
    let architecture = architecture(which, depth, activation, weight_variance, bias_variance)?;
    let (kernel, which) = (architecture.kernel().map_err(core)?, architecture.which);
    if is_single(X) && X2.is_none_or(is_single) {
        compute::<f32>(py, &kernel, which, (X, X2), threads)
    } else {
        compute::<f64>(py, &kernel, which, (X, X2), threads)
    }
}

/// How pairs of outputs enter a kernel.
fn outputs(outputs: &Bound<'_, PyAny>) -> PyResult<Outputs> {
    let Ok(word) = outputs.extract::<String>() else {
        return usize::read("outputs", outputs, 0).map(Outputs::One);
    };
    match word.as_str() {
        "trace" => Ok(Outputs::Trace),
        "full" => Ok(Outputs::Full),
        other => {
            let text = format!("outputs = {other:?}: expected \"trace\", \"full\" or the number of an output");
            Err(PyValueError::new_err(text))
        }
    }
}

/// The tangent kernel of a network at its parameters.
#[pyfunction]
#[pyo3(signature = (model, X, X2=None, *, outputs))]
pub(crate) fn empirical_ntk(
    py: Python<'_>,
    model: &PyModel,
    X: &Bound<'_, PyAny>,
    X2: Option<&Bound<'_, PyAny>>,
    outputs: &Bound<'_, PyAny>,
) -> PyResult<Py<PyAny>> {
    let outputs = self::outputs(outputs)?;
    each!(&model.network, model => {
        let x = rows(&Input::finite(X, "X")?)?;
        let x2 = X2.map(|x2| rows(&Input::finite(x2, "X2")?)).transpose()?;
        let model = model.clone();
        let kernel = worker::run(py, None, move |stop, _| {
            let kernel = EmpiricalKernel::new(&model, &x, x2.as_ref().unwrap_or(&x), Which::Ntk, outputs)?;
            let kernel = Stoppable { kernel, stop };
            if x2.is_none() { kernel.symmetric_matrix(TILE) } else { kernel.matrix(TILE) }
        })?;
        Ok(array2(py, finite(kernel)?)?.into_any().unbind())
    })
}

/// Mean and standard error of a kernel over initialisations.
#[pyfunction]
#[pyo3(signature = (model, X, X2=None, *, n_samples, kernel, seed, outputs))]
pub(crate) fn monte_carlo_kernel(
    py: Python<'_>,
    model: &PyModel,
    X: &Bound<'_, PyAny>,
    X2: Option<&Bound<'_, PyAny>>,
    #[pyo3(from_py_with = counts::n_samples)] n_samples: usize,
    kernel: &str,
    #[pyo3(from_py_with = counts::seed)] seed: u64,
    outputs: &Bound<'_, PyAny>,
) -> PyResult<(Py<PyAny>, Py<PyAny>)> {
    let outputs = self::outputs(outputs)?;
    let which = match kernel {
        "ntk" => Which::Ntk,
        "nngp" => Which::Nngp,
        _ => return Err(PyValueError::new_err(format!("kernel = {kernel:?}: expected \"ntk\" or \"nngp\""))),
    };
    each!(&model.network, model => {
        let x = rows(&Input::finite(X, "X")?)?;
        let x2 = X2.map(|x2| rows(&Input::finite(x2, "X2")?)).transpose()?;
        let model = model.clone();
        let drawn = worker::run(py, None, move |stop, _| {
            MonteCarloKernel::new(&model, &x, x2.as_ref().map(Into::into), which, outputs)
                .draw(n_samples, seed, Some(stop))
        })?;
        let drawn = drawn.map_err(core)?;
        let array = |matrix| Ok::<_, PyErr>(array2(py, matrix)?.into_any().unbind());
        Ok((array(drawn.mean)?, array(drawn.standard_error)?))
    })
}
