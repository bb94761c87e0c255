//! The arguments of an estimator's `fit` as the library's samples.

use gramstep_train::arrays::{ArrayTargets, Samples};
use gramstep_train::data::{Labels, Learning, Preprocessing, Problem};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::array::{Input, Number, owned};
use crate::error::train;

/// What is fitted: `y` holds numbers, or places in `classes`.
#[pyclass(name = "Data", module = "gramstep._gramstep", frozen)]
pub(crate) struct PyData {
    pub(crate) x: Py<PyAny>,
    y: Py<PyAny>,
    columns: Vec<String>,
    targets: Vec<String>,
    classes: Option<Vec<String>>,
    labels: Labels,
    sample_weight: Option<Py<PyAny>>,
    impute: bool,
}

#[pymethods]
impl PyData {
    #[new]
    #[pyo3(signature = (x, y, *, columns, targets, classes=None, labels="text", sample_weight=None, impute=false))]
    fn new(
        x: Py<PyAny>,
        y: Py<PyAny>,
        columns: Vec<String>,
        targets: Vec<String>,
        classes: Option<Vec<String>>,
        labels: &str,
        sample_weight: Option<Py<PyAny>>,
        impute: bool,
    ) -> PyResult<Self> {
        let labels = match labels {
            "text" => Labels::Text,
            "integer" => Labels::Integer,
            "number" => Labels::Number,
            "boolean" => Labels::Boolean,
            _ => return Err(PyValueError::new_err(format!("labels = {labels:?}"))),
        };
        Ok(Self { x, y, columns, targets, classes, labels, sample_weight, impute })
    }
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
        let x = Input::<T>::new(self.x.bind(py), "X")?;
        let weights = self
            .sample_weight
            .as_ref()
            .map(|weights| Ok::<_, PyErr>(Input::<f64>::new(weights.bind(py), "sample_weight")?.to_vec()));
        let learning = match &how {
            How::Fresh { learning, .. } => learning.clone(),
            How::As(_) => Learning::default(),
        };
        let samples = Samples::new(x.samples()?, self.targets(py)?)
            .with_columns(self.columns.clone())
            .with_weights(weights.transpose()?)
            .with_imputation(self.impute)
            .with_learning(learning);
        py.detach(|| match how {
            How::Fresh { validation, seed, .. } => {
                samples.problem(validation.map_or_else(|| samples.validation_share(), Ok)?, seed)
            }
            How::As(preprocessing) => samples.problem_as(preprocessing),
        })
        .map_err(train)
    }

    fn targets(&self, py: Python<'_>) -> PyResult<ArrayTargets> {
        let y = Input::<f64>::new(self.y.bind(py), "y")?;
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
