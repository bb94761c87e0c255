//! What was learned, behind the estimators and `load_run` alike.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gramstep::{Device, Matrix};
use gramstep_train::Predictor;
use gramstep_train::arrays::{self, How, Learnt};
use gramstep_train::data::Table;
use gramstep_train::outcome::Predictions;
use gramstep_train::predictor::{ErrorBars, Network as Learned};
use gramstep_train::settings::Config;
use numpy::PyArray2;
use pyo3::exceptions::{PyTypeError, PyUserWarning, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{IntoPyDict as _, PyBytes, PyDict};

use crate::array::{Input, Number, array2, is_single};
use crate::error::train;
use crate::model::{Network, PyModel};
use crate::samples::{self, PyData};
use crate::worker;

/// Networks or a kernel regression, with their preprocessing.
#[pyclass(name = "Predictor", module = "gramstep._gramstep", frozen)]
pub(crate) struct PyPredictor {
    pub(crate) predictor: Arc<Predictor>,
    /// The text of `config.toml` and the lines of `record.jsonl`, of one that was trained in memory.
    story: Option<(String, Vec<u8>)>,
}

/// A configuration from JSON; an error names the argument.
pub(crate) fn configuration(text: &str) -> PyResult<Config> {
    let wrong = |error: serde_json::Error| PyValueError::new_err(error.to_string());
    let arguments: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).map_err(wrong)?;
    for (name, value) in &arguments {
        let one = serde_json::Map::from_iter([(name.clone(), value.clone())]);
        serde_json::from_value::<Config>(one.into())
            .map_err(|error| PyValueError::new_err(format!("{name} = {value}: {error}")))?;
    }
    serde_json::from_value(arguments.into()).map_err(wrong)
}

/// Trains by a configuration in JSON; goes on from `start` if there is one.
#[pyfunction]
#[pyo3(signature = (data, config, *, validation=None, tolerance=0.0, start=None, report=None))]
pub(crate) fn fit<'py>(
    py: Python<'py>,
    data: &PyData,
    config: &str,
    validation: Option<f64>,
    tolerance: f64,
    start: Option<&PyPredictor>,
    report: Option<&Bound<'py, PyAny>>,
) -> PyResult<(PyPredictor, Bound<'py, PyDict>)> {
    let config = configuration(config)?;
    let single = match start {
        Some(start) => start.predictor.learned().precision() == gramstep_train::settings::Precision::F32,
        None => is_single(data.x.bind(py)),
    };
    let learnt = if single {
        learn::<f32>(py, data, config, (validation, tolerance), start, report)?
    } else {
        learn::<f64>(py, data, config, (validation, tolerance), start, report)?
    };
    let described = describe(py, &learnt)?;
    let story = Some((learnt.config, learnt.record));
    Ok((PyPredictor { predictor: Arc::new(learnt.predictor), story }, described))
}

fn learn<T: Number>(
    py: Python<'_>,
    data: &PyData,
    config: Config,
    (validation, tolerance): (Option<f64>, f64),
    start: Option<&PyPredictor>,
    report: Option<&Bound<'_, PyAny>>,
) -> PyResult<Learnt> {
    let start = start.map(|start| Arc::clone(&start.predictor));
    let how = match &start {
        Some(start) => samples::How::As(start.preprocessing()),
        None => samples::How::Fresh { validation, seed: config.seed.unwrap_or_default(), learning: config.learning() },
    };
    let mut problem = data.problem::<T>(py, how)?;
    arrays::prepare(&mut problem, &config, start.as_deref()).map_err(train)?;
    let learnt = worker::run(py, report, move |stop, observer| {
        let how = How { tolerance, start: start.as_deref() };
        arrays::learn(&problem, &config, how, stop, observer)
    })?;
    learnt.map_err(train)
}

/// What a training did.
fn describe<'py>(py: Python<'py>, learnt: &Learnt) -> PyResult<Bound<'py, PyDict>> {
    let (out, report) = (PyDict::new(py), &learnt.report);
    out.set_item("settings", learnt.settings().map_err(train)?)?;
    out.set_item("train_losses", &learnt.train_losses)?;
    out.set_item("validation_losses", &learnt.validation_losses)?;
    out.set_item("epochs", report.epochs)?;
    out.set_item("steps", report.steps)?;
    out.set_item("best_epoch", learnt.best_epoch)?;
    out.set_item("seconds", report.seconds)?;
    out.set_item("stop_reason", report.stop_reason.to_string())?;
    let candidates = serde_json::to_string(&report.candidates);
    out.set_item("candidates", candidates.map_err(|error| PyValueError::new_err(error.to_string()))?)?;
    if let Some(kernel) = &report.kernel {
        out.set_item("ridge", kernel.ridge)?;
        out.set_item("log_marginal_likelihood", kernel.log_marginal_likelihood)?;
        let columns = kernel.columns.iter();
        let columns = columns.map(|column| {
            let inputs: Vec<_> = column.inputs.iter().map(|input| (input.weight, input.share)).collect();
            (&column.column, (column.effect, inputs))
        });
        out.set_item("columns", columns.into_py_dict(py)?)?;
    }
    Ok(out)
}

#[pymethods]
impl PyPredictor {
    /// Reads the model of a run folder.
    #[staticmethod]
    #[pyo3(signature = (folder, threads=0))]
    fn load(py: Python<'_>, folder: PathBuf, threads: usize) -> PyResult<Self> {
        let predictor = py.detach(|| Predictor::load(&folder, &Device::cpu(threads))).map_err(train)?;
        Ok(Self { predictor: Arc::new(predictor), story: None })
    }

    /// Of rows of an array, or of columns by name.
    fn predict(&self, py: Python<'_>, x: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        if let Ok(columns) = x.cast::<PyDict>() {
            let values = self.warned(py, columns, ErrorBars::default())?;
            return Ok(array2(py, values)?.into_any().unbind());
        }
        if is_single(x) { self.outputs::<f32>(py, x, false) } else { self.outputs::<f64>(py, x, false) }
    }

    /// Predictions and the standard deviations of new observations.
    fn with_deviation(&self, py: Python<'_>, x: &Bound<'_, PyAny>) -> PyResult<(Py<PyAny>, Py<PyAny>)> {
        if let Ok(columns) = x.cast::<PyDict>() {
            let both = self.warned(py, columns, ErrorBars { deviation: true, ..ErrorBars::default() })?;
            let every_second =
                |first| Matrix::from_fn(both.rows(), both.columns() / 2, |i, a| both[(i, 2 * a + first)]);
            let array = |values| Ok::<_, PyErr>(array2(py, values)?.into_any().unbind());
            return Ok((array(every_second(0))?, array(every_second(1))?));
        }
        let one = |std| if is_single(x) { self.outputs::<f32>(py, x, std) } else { self.outputs::<f64>(py, x, std) };
        Ok((one(false)?, one(true)?))
    }

    /// 1 for every class in the set of this probability, else 0, (m, classes).
    fn sets(&self, py: Python<'_>, x: &Bound<'_, PyAny>, level: f64) -> PyResult<Py<PyAny>> {
        if let Ok(columns) = x.cast::<PyDict>() {
            let both = self.warned(py, columns, ErrorBars { interval: Some(level), ..ErrorBars::default() })?;
            let k = both.columns() / 2;
            return Ok(array2(py, Matrix::from_fn(both.rows(), k, |i, a| both[(i, k + a)]))?.into_any().unbind());
        }
        if is_single(x) { self.sets_of::<f32>(py, x, level) } else { self.sets_of::<f64>(py, x, level) }
    }

    /// Lower and upper end of the interval of every target, (m, 2k).
    fn interval(&self, py: Python<'_>, x: &Bound<'_, PyAny>, level: f64) -> PyResult<Py<PyAny>> {
        if let Ok(columns) = x.cast::<PyDict>() {
            let all = self.warned(py, columns, ErrorBars { interval: Some(level), ..ErrorBars::default() })?;
            let ends = Matrix::from_fn(all.rows(), all.columns() / 3 * 2, |i, a| all[(i, a / 2 * 3 + 1 + a % 2)]);
            return Ok(array2(py, ends)?.into_any().unbind());
        }
        if is_single(x) { self.ends::<f32>(py, x, level) } else { self.ends::<f64>(py, x, level) }
    }

    /// The covariance of new observations, one matrix for every target.
    fn covariance<'py>(&self, py: Python<'py>, x: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyArray2<f64>>>> {
        let covariances = if let Ok(columns) = x.cast::<PyDict>() {
            let table = self.table(columns)?;
            py.detach(|| self.predictor.covariance_of(&table))
        } else {
            let x = Input::<f64>::new(x, "X")?;
            let x = x.samples()?;
            py.detach(|| self.predictor.covariance_array(x))
        };
        covariances.map_err(train)?.into_iter().map(|covariance| array2(py, covariance)).collect()
    }

    /// Draws of new observations, one matrix (m, targets) for each.
    fn draws<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        count: usize,
        seed: u64,
    ) -> PyResult<Vec<Bound<'py, PyArray2<f64>>>> {
        let draws = if let Ok(columns) = x.cast::<PyDict>() {
            let table = self.table(columns)?;
            py.detach(|| self.predictor.draws_of(&table, count, seed))
        } else {
            let x = Input::<f64>::new(x, "X")?;
            let x = x.samples()?;
            py.detach(|| self.predictor.draw_array(x, count, seed))
        };
        draws.map_err(train)?.into_iter().map(|draw| array2(py, draw)).collect()
    }

    /// Every training row by the kernel regression on all others.
    fn leave_one_out<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let outputs = py.detach(|| self.predictor.leave_one_out()).map_err(train)?;
        array2(py, outputs)
    }

    /// Predicts rows from columns by name: arrays of numbers, or lists of text with None for a gap.
    #[pyo3(signature = (columns, *, deviation=false, interval=None, samples=None))]
    fn predict_table<'py>(
        &self,
        py: Python<'py>,
        columns: &Bound<'py, PyDict>,
        deviation: bool,
        interval: Option<f64>,
        samples: Option<(usize, u64)>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let predictions = self.predictions(py, columns, ErrorBars { deviation, interval, samples })?;
        let out = PyDict::new(py);
        out.set_item("header", &predictions.header)?;
        out.set_item("classes", &predictions.classes)?;
        out.set_item("notes", &predictions.notes)?;
        out.set_item("values", array2(py, predictions.values)?)?;
        Ok(out)
    }

    /// What the model file says, as JSON.
    fn metadata(&self) -> PyResult<String> {
        serde_json::to_string(self.predictor.metadata()).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// The network, standardised units in and out; of several networks their mean as one.
    fn model(&self) -> PyResult<PyModel> {
        let network = match self.predictor.learned().joined().map_err(train)? {
            Learned::F32(model) => Network::F32(model),
            Learned::F64(model) => Network::F64(model),
            _ => return Err(PyTypeError::new_err("a network of a number type that this version does not know")),
        };
        Ok(PyModel { network })
    }

    /// Writes a run folder.
    fn save(&self, py: Python<'_>, folder: PathBuf) -> PyResult<()> {
        let Some((config, record)) = &self.story else {
            return Err(PyValueError::new_err("what was read from a run folder is kept there already"));
        };
        py.detach(|| arrays::save(&folder, &self.predictor, config, record)).map_err(train)
    }

    #[staticmethod]
    #[pyo3(signature = (bytes, story=None, threads=0))]
    fn from_state(bytes: PyBackedBytes, story: Option<(String, Vec<u8>)>, threads: usize) -> PyResult<Self> {
        let predictor = Predictor::parse(Path::new("model"), &bytes, &Device::cpu(threads)).map_err(train)?;
        Ok(Self { predictor: Arc::new(predictor), story })
    }

    /// The bytes of the model file, and those of the other files of a run.
    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<(Py<PyAny>, Py<PyAny>)> {
        let (py, own) = (slf.py(), slf.get());
        let bytes = own.predictor.to_bytes(Path::new("model")).map_err(train)?;
        let story = own.story.as_ref().map(|(config, record)| (config, PyBytes::new(py, record)));
        let from_state = slf.get_type().getattr("from_state")?.unbind();
        Ok((from_state, (PyBytes::new(py, &bytes), story).into_pyobject(py)?.into_any().unbind()))
    }
}

impl PyPredictor {
    fn table(&self, columns: &Bound<'_, PyDict>) -> PyResult<Table> {
        self.predictor.frame("the table", samples::columns(columns)?).map_err(train)
    }

    fn predictions(&self, py: Python<'_>, columns: &Bound<'_, PyDict>, bars: ErrorBars) -> PyResult<Predictions> {
        let table = self.table(columns)?;
        py.detach(|| self.predictor.predict_with(&table, bars)).map_err(train)
    }

    /// Values of predictions; what is repaired or a guess is a warning.
    fn warned(&self, py: Python<'_>, columns: &Bound<'_, PyDict>, bars: ErrorBars) -> PyResult<Matrix<f64>> {
        let predictions = self.predictions(py, columns, bars)?;
        for note in &predictions.notes {
            let text =
                CString::new(note.replace('\0', " ")).map_err(|error| PyValueError::new_err(error.to_string()))?;
            PyErr::warn(py, &py.get_type::<PyUserWarning>(), &text, 2)?;
        }
        Ok(predictions.values)
    }

    fn outputs<T: Number>(&self, py: Python<'_>, x: &Bound<'_, PyAny>, deviation: bool) -> PyResult<Py<PyAny>> {
        let x = Input::<T>::new(x, "X")?;
        let x = x.samples()?;
        let predictor = &self.predictor;
        let outputs = py.detach(|| if deviation { predictor.deviation_array(x) } else { predictor.predict_array(x) });
        Ok(array2(py, outputs.map_err(train)?)?.into_any().unbind())
    }

    fn sets_of<T: Number>(&self, py: Python<'_>, x: &Bound<'_, PyAny>, level: f64) -> PyResult<Py<PyAny>> {
        let x = Input::<T>::new(x, "X")?;
        let x = x.samples()?;
        let sets = py.detach(|| self.predictor.class_sets_array(x, level)).map_err(train)?;
        let k = sets.first().map_or(0, Vec::len);
        let sets = Matrix::from_fn(sets.len(), k, |i, a| f64::from(u8::from(sets[i][a])));
        Ok(array2(py, sets)?.into_any().unbind())
    }

    fn ends<T: Number>(&self, py: Python<'_>, x: &Bound<'_, PyAny>, level: f64) -> PyResult<Py<PyAny>> {
        let x = Input::<T>::new(x, "X")?;
        let x = x.samples()?;
        let ends = py.detach(|| self.predictor.interval_array(x, level));
        Ok(array2(py, ends.map_err(train)?)?.into_any().unbind())
    }
}
