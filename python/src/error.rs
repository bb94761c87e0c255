//! Errors of the library as the Python exceptions that fit them, with message and hint.

use pyo3::PyErr;
use pyo3::exceptions::{
    PyArithmeticError, PyFileExistsError, PyFileNotFoundError, PyFloatingPointError, PyMemoryError, PyOSError,
    PyRuntimeError, PyValueError,
};

fn with_hint(error: &impl std::fmt::Display, hint: &str) -> String {
    if hint.is_empty() { error.to_string() } else { format!("{error}\nhint: {hint}") }
}

/// An error of the mathematics.
pub(crate) fn core(error: gramstep::Error) -> PyErr {
    use gramstep::Error as E;
    let text = with_hint(&error, error.hint());
    match error {
        E::NonFinite { .. } => PyFloatingPointError::new_err(text),
        E::Solve { .. } => PyArithmeticError::new_err(text),
        E::Memory { .. } => PyMemoryError::new_err(text),
        E::Communication(_) => PyRuntimeError::new_err(text),
        _ => PyValueError::new_err(text),
    }
}

/// An error of training.
pub(crate) fn train(error: gramstep_train::Error) -> PyErr {
    use gramstep_train::Error as E;
    let text = with_hint(&error, error.hint().as_deref().unwrap_or_default());
    match error {
        E::Core(error) => core(error),
        E::NonFinite { .. } => PyFloatingPointError::new_err(text),
        E::FolderInUse { .. } | E::Overwrites { .. } => PyFileExistsError::new_err(text),
        E::Memory { .. } => PyMemoryError::new_err(text),
        E::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => PyFileNotFoundError::new_err(text),
        E::Read { .. } | E::Write { .. } | E::InUse { .. } => PyOSError::new_err(text),
        _ => PyValueError::new_err(text),
    }
}
