//! What the command line kept: a run folder's model, for tables.

use std::path::PathBuf;

use gramstep::Device;
use gramstep_train::TrainedModel;
use gramstep_train::data::{Cells, Column, Table, TextCells};
use gramstep_train::predictor::model_file::Network as FileNetwork;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::array::{Input, array2};
use crate::error::train;
use crate::model::{Network, PyModel};

/// A trained model that predicts from tables.
#[pyclass(name = "TrainedModel", module = "gramstep._gramstep", frozen)]
pub(crate) struct PyTrainedModel(TrainedModel);

#[pymethods]
impl PyTrainedModel {
    #[staticmethod]
    #[pyo3(signature = (folder, threads=0))]
    fn load(py: Python<'_>, folder: PathBuf, threads: usize) -> PyResult<Self> {
        py.detach(|| TrainedModel::load(&folder, Device::cpu(threads))).map(Self).map_err(train)
    }

    /// What the model file says, as JSON.
    fn metadata(&self) -> PyResult<String> {
        serde_json::to_string(self.0.metadata()).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// The network, standardised units in and out.
    fn model(&self) -> PyResult<PyModel> {
        let network = match self.0.network() {
            FileNetwork::F32(model) => Network::F32(model.clone()),
            FileNetwork::F64(model) => Network::F64(model.clone()),
            _ => {
                return Err(PyValueError::new_err("the run is a kernel regression: it has no network of finite width"));
            }
        };
        Ok(PyModel { network })
    }

    /// Predicts rows from columns by name: arrays of numbers, or lists of text with None for a gap.
    fn predict<'py>(&self, py: Python<'py>, columns: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
        let table = Table::from_columns(
            "the table",
            columns.iter().map(|(name, cells)| column(&name, &cells)).collect::<PyResult<_>>()?,
        );
        let table = table.map_err(train)?;
        let predictions = py.detach(|| self.0.predict(&table)).map_err(train)?;
        let out = PyDict::new(py);
        out.set_item("header", &predictions.header)?;
        out.set_item("classes", &predictions.classes)?;
        out.set_item("notes", &predictions.notes)?;
        out.set_item("values", array2(py, predictions.values)?)?;
        Ok(out)
    }
}

fn column(name: &Bound<'_, PyAny>, cells: &Bound<'_, PyAny>) -> PyResult<Column> {
    let name = name.extract()?;
    let cells = match cells.extract::<Vec<Option<String>>>() {
        Ok(text) => Cells::Text(TextCells::new(&text.iter().map(Option::as_deref).collect::<Vec<_>>())),
        Err(_) => Cells::Numbers(Input::<f64>::new(cells, "a column")?.to_vec()),
    };
    Ok(Column { name, cells })
}
