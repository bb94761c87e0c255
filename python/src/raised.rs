//! What a function written in Python raised while the compiled half called it.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::PyErr;
use pyo3::PyResult;

/// Keeps the first exception on its way through code that knows none: the caller gets it as it was raised.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raised(Arc<Mutex<Option<PyErr>>>);

impl Raised {
    /// Keeps it, unless there is an earlier one.
    pub(crate) fn keep(&self, error: PyErr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// The exception that was kept, else the result.
    pub(crate) fn or<R>(&self, result: PyResult<R>) -> PyResult<R> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(result, Err)
    }
}
