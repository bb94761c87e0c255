//! Claims of the theory, tried from Python.

use std::path::PathBuf;

use gramstep::theory::Effort;
use gramstep_train::verify::{Job, verify};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::counts;
use crate::error::train;
use crate::worker;

/// Tries claims on synthetic points and returns what became of them as JSON; `out` is a folder for it and the page.
#[pyfunction]
#[pyo3(signature = (claims, *, full, widths, seeds, threads=0, out=None, report=None))]
pub(crate) fn run_verify(
    py: Python<'_>,
    claims: Vec<String>,
    full: bool,
    #[pyo3(from_py_with = counts::widths)] widths: Option<Vec<usize>>,
    seeds: u64,
    threads: usize,
    out: Option<PathBuf>,
    report: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    let effort = if full { Effort::Full } else { Effort::Quick };
    let threads = (threads > 0).then_some(threads);
    let job = Job { claims, effort, widths, seeds, threads, ..Job::default() };
    let found = worker::run(py, report, move |stop, observer| {
        let found = verify(&job, stop, observer)?;
        out.map_or(Ok(()), |folder| found.write(&folder)).map(|()| found)
    })?;
    serde_json::to_string(&found.map_err(train)?).map_err(|error| PyValueError::new_err(error.to_string()))
}
