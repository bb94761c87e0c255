//! `compare`.

use std::path::PathBuf;

use gramstep_train::outcome::Curve;
use gramstep_train::run::compare::compare;
use gramstep_train::settings::OptimizerName;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::train;
use crate::predictor::configuration;
use crate::worker;

/// The result of a comparison as JSON, and the course of every method.
#[pyfunction]
#[pyo3(signature = (config, optimizers, *, tune, out=None, report=None))]
pub(crate) fn run_compare<'py>(
    py: Python<'py>,
    config: &str,
    optimizers: Vec<String>,
    tune: bool,
    out: Option<PathBuf>,
    report: Option<&Bound<'py, PyAny>>,
) -> PyResult<(String, Vec<Bound<'py, PyDict>>)> {
    let config = configuration(config)?;
    let named = optimizers.iter().map(|name| name.parse::<OptimizerName>());
    let optimizers: Vec<OptimizerName> = named.collect::<Result<_, _>>().map_err(train)?;
    let compared = worker::run(py, report, move |stop, observer| {
        compare(&config, &optimizers, tune, out.as_deref(), stop, observer)
    })?;
    let compared = compared.map_err(train)?;
    let text = serde_json::to_string(&compared).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let curves = compared.curves.iter().map(|curve| lists(py, curve)).collect::<PyResult<_>>()?;
    Ok((text, curves))
}

fn lists<'py>(py: Python<'py>, curve: &Curve) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    out.set_item("epoch", &curve.epoch)?;
    out.set_item("step", &curve.step)?;
    out.set_item("seconds", &curve.seconds)?;
    out.set_item("train_loss", &curve.train_loss)?;
    out.set_item("validation_loss", &curve.validation_loss)?;
    out.set_item("test_loss", &curve.test_loss)?;
    out.set_item("test_error", &curve.test_error)?;
    Ok(out)
}
