//! The networks behind `GramGaussNewtonRegressor` and `GramGaussNewtonClassifier`.

use std::path::PathBuf;
use std::sync::Arc;

use gramstep::{Device, Matrix};
use gramstep_train::arrays::{self, Predictor, Training};
use gramstep_train::data::Dataset;
use gramstep_train::predictor::model_file::{Metadata, Network as FileNetwork};
use gramstep_train::settings::Config;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict};

use crate::array::{Input, Number, array_of, array2, owned};
use crate::error::train;
use crate::kernels::is_single;
use crate::model::{Network, PyModel};
use crate::samples::{How, PyData};
use crate::worker;

/// A predictor of either number type.
#[derive(Clone)]
pub(crate) enum Either {
    F32(Arc<Predictor<f32>>),
    F64(Arc<Predictor<f64>>),
}

macro_rules! each {
    ($either:expr, $predictor:ident => $body:expr) => {
        match $either {
            Either::F32($predictor) => $body,
            Either::F64($predictor) => $body,
        }
    };
}

/// A trained network with its preprocessing.
#[pyclass(name = "NetworkPredictor", module = "gramstep._gramstep", frozen)]
pub(crate) struct PyNetworkPredictor {
    pub(crate) predictor: Either,
    /// Not there after pickling.
    training: Option<Arc<Training>>,
}

/// Trains by a configuration in JSON; goes on from `start` if there is one.
#[pyfunction]
#[pyo3(signature = (data, config, *, validation=None, tolerance=0.0, start=None, report=None))]
pub(crate) fn fit_network<'py>(
    py: Python<'py>,
    data: &PyData,
    config: &str,
    validation: Option<f64>,
    tolerance: f64,
    start: Option<&PyNetworkPredictor>,
    report: Option<&Bound<'py, PyAny>>,
) -> PyResult<(PyNetworkPredictor, Bound<'py, PyDict>)> {
    let config: Config = serde_json::from_str(config).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let (predictor, training) = match start.map(|start| &start.predictor) {
        Some(Either::F32(start)) => fit::<f32>(py, data, config, (validation, tolerance), Some(start), report)?,
        Some(Either::F64(start)) => fit::<f64>(py, data, config, (validation, tolerance), Some(start), report)?,
        None if is_single(data.x.bind(py)) => fit::<f32>(py, data, config, (validation, tolerance), None, report)?,
        None => fit::<f64>(py, data, config, (validation, tolerance), None, report)?,
    };
    let described = describe(py, &training)?;
    Ok((PyNetworkPredictor { predictor, training: Some(Arc::new(training)) }, described))
}

fn fit<T: Number>(
    py: Python<'_>,
    data: &PyData,
    config: Config,
    (validation, tolerance): (Option<f64>, f64),
    start: Option<&Arc<Predictor<T>>>,
    report: Option<&Bound<'_, PyAny>>,
) -> PyResult<(Either, Training)>
where
    Either: From<Arc<Predictor<T>>>,
{
    let start = start.cloned();
    let how = match &start {
        Some(start) => How::As(start.preprocessing()),
        None => How::Fresh { validation, seed: config.seed.unwrap_or_default() },
    };
    let prepared = data.prepare::<T>(py, how)?;
    let (predictor, training) = worker::run(py, report, move |stop, observer| {
        arrays::train(&prepared, &config, tolerance, start.as_deref(), stop, observer)
    })?
    .map_err(train)?;
    Ok((Arc::new(predictor).into(), training))
}

impl From<Arc<Predictor<f32>>> for Either {
    fn from(predictor: Arc<Predictor<f32>>) -> Self {
        Self::F32(predictor)
    }
}

impl From<Arc<Predictor<f64>>> for Either {
    fn from(predictor: Arc<Predictor<f64>>) -> Self {
        Self::F64(predictor)
    }
}

/// What a training did.
fn describe<'py>(py: Python<'py>, training: &Training) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    let settings =
        serde_json::to_string(&training.settings).map_err(|error| PyValueError::new_err(error.to_string()))?;
    out.set_item("settings", settings)?;
    out.set_item("train_losses", &training.train_losses)?;
    out.set_item("validation_losses", &training.validation_losses)?;
    out.set_item("epochs", training.fit.epochs)?;
    out.set_item("steps", training.fit.steps)?;
    out.set_item("best_epoch", training.fit.best_epoch)?;
    out.set_item("seconds", training.fit.seconds)?;
    out.set_item("stop_reason", training.fit.stop_reason.to_string())?;
    Ok(out)
}

#[pymethods]
impl PyNetworkPredictor {
    fn predict(&self, py: Python<'_>, x: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        each!(&self.predictor, predictor => {
            let x = Input::new(x, "X")?;
            let x = x.samples()?;
            let outputs = py.detach(|| predictor.predict(x)).map_err(train)?;
            Ok(array2(py, outputs)?.into_any().unbind())
        })
    }

    fn deviation(&self, py: Python<'_>, x: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        each!(&self.predictor, predictor => {
            let x = Input::new(x, "X")?;
            let x = x.samples()?;
            let deviation = py.detach(|| predictor.deviation(x)).map_err(train)?;
            Ok(array2(py, deviation)?.into_any().unbind())
        })
    }

    /// The network, standardised units in and out.
    fn model(&self) -> PyModel {
        let network = match &self.predictor {
            Either::F32(predictor) => Network::F32(predictor.model().clone()),
            Either::F64(predictor) => Network::F64(predictor.model().clone()),
        };
        PyModel { network }
    }

    fn save(&self, py: Python<'_>, folder: PathBuf) -> PyResult<()> {
        let training = self.training.as_deref();
        py.detach(|| each!(&self.predictor, predictor => predictor.save(&folder, training))).map_err(train)
    }

    /// Bytes of the model file of every network, and what the posterior is made from.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<State<'py>> {
        each!(&self.predictor, predictor => {
            let bytes = predictor.to_bytes().map_err(train)?;
            let known = predictor.known().map(|known| arrays_of(py, known)).transpose()?;
            Ok((bytes.iter().map(|bytes| PyBytes::new(py, bytes)).collect(), known, predictor.ridge()))
        })
    }

    #[staticmethod]
    #[pyo3(signature = (networks, known, ridge, threads=0))]
    fn from_state(
        py: Python<'_>,
        networks: Vec<PyBackedBytes>,
        known: Option<Known>,
        ridge: Option<f64>,
        threads: usize,
    ) -> PyResult<Self> {
        let known = known.as_ref();
        let networks = networks.iter().map(|bytes| arrays::read(bytes, Device::cpu(threads)));
        let networks = networks.collect::<gramstep_train::Result<Vec<_>>>().map_err(train)?;
        let Some(metadata) = networks.first().map(|(_, metadata)| metadata.clone()) else {
            return Err(PyValueError::new_err("a state without a network"));
        };
        let (mut single, mut double) = (Vec::new(), Vec::new());
        for (network, _) in networks {
            match network {
                FileNetwork::F32(model) => single.push(model),
                FileNetwork::F64(model) => double.push(model),
                _ => return Err(PyValueError::new_err("a network of a number type that this version does not know")),
            }
        }
        let predictor = if double.is_empty() {
            Either::F32(restore(py, single, metadata, known, ridge)?)
        } else {
            Either::F64(restore(py, double, metadata, known, ridge)?)
        };
        Ok(Self { predictor, training: None })
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<(Py<PyAny>, Py<PyAny>)> {
        let py = slf.py();
        let from_state = slf.get_type().getattr("from_state")?.unbind();
        let state = slf.get().state(py)?;
        Ok((from_state, state.into_pyobject(py)?.into_any().unbind()))
    }
}

/// Model files, the rows of the posterior, and κ.
type State<'py> = (Vec<Bound<'py, PyBytes>>, Option<Known>, Option<f64>);

/// Inputs and targets of some rows.
type Known = (Py<PyAny>, Py<PyAny>);

pub(crate) fn arrays_of<T: Number>(py: Python<'_>, data: &Dataset<T>) -> PyResult<Known> {
    let array = |matrix: &Matrix<T>| array_of(py, matrix.as_slice().to_vec(), &[matrix.rows(), matrix.columns()]);
    Ok((array(&data.inputs)?, array(&data.targets)?))
}

pub(crate) fn dataset_of<T: Number>(py: Python<'_>, (x, y): &Known) -> PyResult<Dataset<T>> {
    let inputs = owned(&Input::<T>::new(x.bind(py), "inputs")?)?;
    Dataset::new(inputs, owned(&Input::<T>::new(y.bind(py), "targets")?)?).map_err(train)
}

fn restore<T: Number>(
    py: Python<'_>,
    networks: Vec<gramstep::Model<T>>,
    metadata: Metadata,
    known: Option<&Known>,
    ridge: Option<f64>,
) -> PyResult<Arc<Predictor<T>>> {
    let known = known.map(|known| dataset_of(py, known)).transpose()?;
    let predictor = Predictor::from_networks(networks, metadata.model, metadata.preprocessing, known, ridge);
    Ok(Arc::new(predictor.map_err(train)?))
}
