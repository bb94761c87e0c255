//! The arguments of an estimator's `fit` as the library's samples, and columns of any kind.

use gramstep_train::arrays::{ArrayTargets, Samples};
use gramstep_train::data::{
    ColumnType, FrameCells, Labels, Learning, Preprocessing, Problem, ReadOptions, Table, TypedColumn,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::array::{Input, Number, owned};
use crate::error::train;

/// What is fitted: `x` is an array, or columns by name; `y` holds numbers, or places in `classes`, or in each of `several`.
#[pyclass(name = "Data", module = "gramstep._gramstep", frozen)]
pub(crate) struct PyData {
    pub(crate) x: Py<PyAny>,
    y: Py<PyAny>,
    columns: Vec<String>,
    targets: Vec<String>,
    classes: Option<Vec<String>>,
    labels: Labels,
    several: Option<Vec<([String; 2], Labels)>>,
    categories: Vec<String>,
    sample_weight: Option<Py<PyAny>>,
    impute: bool,
}

#[pymethods]
impl PyData {
    #[new]
    #[pyo3(signature = (x, y, *, columns, targets, classes=None, labels="text", several=None, categories=Vec::new(),
        sample_weight=None, impute=false))]
    #[allow(clippy::too_many_arguments)] // as many as the estimators have
    fn new(
        x: Py<PyAny>,
        y: Py<PyAny>,
        columns: Vec<String>,
        targets: Vec<String>,
        classes: Option<Vec<String>>,
        labels: &str,
        several: Option<Vec<(String, String, String)>>,
        categories: Vec<String>,
        sample_weight: Option<Py<PyAny>>,
        impute: bool,
    ) -> PyResult<Self> {
        let pair = |(first, second, kind): (String, String, String)| Ok(([first, second], kind_of(&kind)?));
        let several = several.map(|pairs| pairs.into_iter().map(pair).collect::<PyResult<_>>()).transpose()?;
        let labels = kind_of(labels)?;
        Ok(Self { x, y, columns, targets, classes, labels, several, categories, sample_weight, impute })
    }
}

fn kind_of(labels: &str) -> PyResult<Labels> {
    match labels {
        "text" => Ok(Labels::Text),
        "integer" => Ok(Labels::Integer),
        "number" => Ok(Labels::Number),
        "boolean" => Ok(Labels::Boolean),
        _ => Err(PyValueError::new_err(format!("labels = {labels:?}"))),
    }
}

/// Columns by name, of numbers or of text.
pub(crate) fn columns(columns: &Bound<'_, PyDict>) -> PyResult<Vec<(String, FrameCells)>> {
    columns.iter().map(|(name, cells)| column(&name, &cells)).collect()
}

fn column(name: &Bound<'_, PyAny>, cells: &Bound<'_, PyAny>) -> PyResult<(String, FrameCells)> {
    let name = name.extract()?;
    let cells = match cells.extract::<Vec<Option<String>>>() {
        Ok(text) => FrameCells::Text(text),
        Err(_) => FrameCells::Numbers(Input::<f64>::new(cells, "a column")?.to_vec()),
    };
    Ok((name, cells))
}

/// How data are prepared.
pub(crate) enum How<'a> {
    /// Split and standardised afresh, with this share of the rows for validation, or one that suits the data.
    Fresh { validation: Option<f64>, seed: u64, learning: Learning },
    /// As before.
    As(&'a Preprocessing),
}

impl PyData {
    /// Split and standardised: the one copy of X.
    pub(crate) fn problem<T: Number>(&self, py: Python<'_>, how: How<'_>) -> PyResult<Problem<T>> {
        let weights = self
            .sample_weight
            .as_ref()
            .map(|weights| Ok::<_, PyErr>(Input::<f64>::new(weights.bind(py), "sample_weight")?.to_vec()));
        let learning = match &how {
            How::Fresh { learning, .. } => learning.clone(),
            How::As(_) => Learning::default(),
        };
        let (targets, weights) = (self.targets(py)?, weights.transpose()?);
        let make = |samples: Samples<'_, T>| {
            let samples = samples.with_weights(weights).with_learning(learning);
            match how {
                How::Fresh { validation, seed, .. } => {
                    samples.problem(validation.map_or_else(|| samples.validation_share(), Ok)?, seed)
                }
                How::As(preprocessing) => samples.problem_as(preprocessing),
            }
        };
        if let Ok(frame) = self.x.bind(py).cast::<PyDict>() {
            let options = self.read_options(&how);
            let columns = columns(frame)?;
            return py
                .detach(|| make(Samples::of_table(&Table::of_frame("X", columns, &options)?, targets)))
                .map_err(train);
        }
        let x = Input::<T>::new(self.x.bind(py), "X")?;
        let samples = Samples::new(x.samples()?, targets);
        let samples = samples.with_columns(self.columns.clone()).with_imputation(self.impute);
        py.detach(|| make(samples)).map_err(train)
    }

    /// How columns are read: categories as such, and all as before where they were read before.
    fn read_options(&self, how: &How<'_>) -> ReadOptions {
        let mut options = ReadOptions::default();
        let category = |column: &String| TypedColumn { column: column.clone(), of: ColumnType::Category };
        options.types = self.categories.iter().map(category).collect();
        match how {
            How::Fresh { .. } => options,
            How::As(preprocessing) => preprocessing.read_options(&options),
        }
    }

    fn targets(&self, py: Python<'_>) -> PyResult<ArrayTargets> {
        let y = Input::<f64>::new(self.y.bind(py), "y")?;
        if let Some(several) = &self.several {
            let (classes, kinds) = several.iter().cloned().unzip();
            return Ok(ArrayTargets::MultiLabel { columns: self.targets.clone(), classes, kinds, values: owned(&y)? });
        }
        let Some(classes) = &self.classes else {
            let values = owned(&y)?;
            return Ok(ArrayTargets::Numbers { columns: self.targets.clone(), values });
        };
        #[allow(clippy::cast_sign_loss, clippy::float_cmp)] // a number that is no place differs from its cast
        let label = |v: f64| match v as usize {
            place if place as f64 == v => Ok(place),
            _ => Err(PyValueError::new_err(format!("y: {v} is no place of a class"))),
        };
        let labels = y.to_vec().into_iter().map(label).collect::<PyResult<_>>()?;
        Ok(ArrayTargets::Classes { classes: classes.clone(), labels, kind: self.labels })
    }
}
