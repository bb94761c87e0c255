//! The system of a step on its own, for Gram matrices made elsewhere.

use gramstep::Device;
use gramstep::solve::{Damped, Solver};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::array::{Input, array_of, owned};
use crate::counts;
use crate::error::core;

/// Equations from which a factorisation is shared out among threads.
const FEWEST_SHARED: usize = 256;

/// Threads for a system, for as long as it is worked on. Work that is in none takes those that the library has for all, which
/// a forked process lacks.
pub(crate) fn device_of(equations: usize, threads: usize) -> Device {
    Device::cpu(if equations < FEWEST_SHARED { 1 } else { threads })
}

/// The solution c of (G + λI) c = z: by Cholesky, or where that fails by an eigen-decomposition with negative eigenvalues
/// clipped to 0, of least norm where the system is singular.
///
/// Parameters
/// ----------
/// G : array of shape (m, m)
///     Symmetric, positive semi-definite but for rounding. The lower triangle is read.
/// z : array of shape (m,)
/// damping : float
///     λ ≥ 0, in absolute terms.
/// threads : int
///     0: all that the machine has.
///
/// Returns
/// -------
/// array of shape (m,)
/// dict
///     ``residual`` ‖(G + λI)c − z‖/‖z‖; ``smallest`` and ``largest`` squared pivot, or eigenvalue of G after a repair;
///     ``rank``, known after a repair, else None; ``repaired``.
///
/// Raises
/// ------
/// ValueError, ArithmeticError
///     If shapes do not fit, the damping is negative, or numbers are not finite.
///
/// Examples
/// --------
/// A sample that is there twice makes G singular; without damping its weight is shared out.
///
/// >>> import numpy as np, gramstep
/// >>> c, report = gramstep.damped_solve(np.ones((2, 2)), np.ones(2), 0.0)
/// >>> c.round(12), report["rank"], report["repaired"]
/// (array([0.5, 0.5]), 1, True)
#[pyfunction]
#[pyo3(signature = (G, z, damping, *, threads=0))]
pub(crate) fn damped_solve<'py>(
    py: Python<'py>,
    G: &Bound<'py, PyAny>,
    z: &Bound<'py, PyAny>,
    damping: f64,
    #[pyo3(from_py_with = counts::threads)] threads: usize,
) -> PyResult<(Py<PyAny>, Bound<'py, PyDict>)> {
    let (gram, z) = (owned(&Input::<f64>::new(G, "G")?)?, Input::<f64>::new(z, "z")?.vector()?);
    if gram.rows() != gram.columns() {
        let text = format!("G has {} rows and {} columns: expected a square matrix", gram.rows(), gram.columns());
        return Err(pyo3::exceptions::PyValueError::new_err(text));
    }
    let device = device_of(gram.rows(), threads);
    let solve = || device.install(|| Damped::factor(&gram, damping, device.threads())?.solve(&z, Solver::Dual));
    let (solution, info) = py.detach(solve).map_err(core)?;
    let report = PyDict::new(py);
    report.set_item("damping", info.damping)?;
    report.set_item("residual", info.residual)?;
    report.set_item("smallest", info.smallest)?;
    report.set_item("largest", info.largest)?;
    report.set_item("rank", info.rank)?;
    report.set_item("repaired", info.repaired)?;
    let length = solution.len();
    Ok((array_of(py, solution, &[length])?, report))
}
