//! Training in function space, in closed form.

use gramstep::Matrix;
use gramstep::kernel::{Dynamics, EnsembleStart, Time};
use pyo3::prelude::*;

use crate::array::{Input, array_of, array2, owned};
use crate::counts;
use crate::error::core;
use crate::solve::device_of;

/// Training of a linear model in function space, in closed form (jacot2018): flow f_t = y + exp(−Kt)(f₀ − y), or gradient
/// descent with momentum. The loss is ½Σr²: times and learning rates are those of the sum.
///
/// Parameters
/// ----------
/// kernel : array of shape (n, n)
/// start : array of shape (n, k)
///     f₀.
/// y : array of shape (n, k)
/// threads : int
///
/// Examples
/// --------
/// >>> import numpy as np, gramstep
/// >>> K, y = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([[1.0], [-1.0]])  # an eigenvector, eigenvalue 1
/// >>> dynamics = gramstep.KernelDynamics(K, np.zeros((2, 1)), y)
/// >>> bool(np.isclose(dynamics.outputs(time=1.0)[0, 0], 1 - np.exp(-1)))
/// True
#[pyclass(name = "KernelDynamics", module = "gramstep", frozen)]
pub(crate) struct PyKernelDynamics {
    dynamics: Dynamics,
    rows: usize,
    threads: usize,
}

impl PyKernelDynamics {
    fn told<R: Send>(&self, py: Python<'_>, ask: impl FnOnce(&Dynamics) -> R + Send) -> R {
        let device = device_of(self.rows, self.threads);
        py.detach(|| device.install(|| ask(&self.dynamics)))
    }
}

fn time(time: Option<f64>, steps: Option<u64>, learning_rate: Option<f64>, momentum: f64) -> PyResult<Time> {
    match (time, steps, learning_rate) {
        (None, None, None) => Ok(Time::Infinite),
        (Some(time), None, None) => Ok(Time::Flow(time)),
        (None, Some(steps), Some(learning_rate)) => Ok(Time::Descent { learning_rate, momentum, steps }),
        _ => Err(pyo3::exceptions::PyTypeError::new_err(
            "give time (gradient flow), or steps and learning_rate (gradient descent), or none of them (the limit)",
        )),
    }
}

#[pymethods]
impl PyKernelDynamics {
    #[new]
    #[pyo3(signature = (kernel, start, y, *, threads=0))]
    fn new(
        py: Python<'_>,
        kernel: &Bound<'_, PyAny>,
        start: &Bound<'_, PyAny>,
        y: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = counts::threads)] threads: usize,
    ) -> PyResult<Self> {
        let matrix = |value, what| owned(&Input::<f64>::finite(value, what)?);
        let (kernel, start, y) = (matrix(kernel, "kernel")?, matrix(start, "start")?, matrix(y, "y")?);
        let (rows, device) = (kernel.rows(), device_of(kernel.rows(), threads));
        let solve = || device.install(|| Dynamics::new(&kernel, &start, &y, device.threads()));
        let dynamics = py.detach(solve).map_err(core)?;
        Ok(Self { dynamics, rows, threads })
    }

    /// Eigenvalues of the kernel, ascending.
    #[getter]
    fn eigenvalues(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let values = self.dynamics.eigenvalues().to_vec();
        let n = values.len();
        array_of(py, values, &[n])
    }

    /// f_t at the training points, (n, k): after ``time`` of gradient flow, after ``steps`` of gradient descent with
    /// ``learning_rate`` and ``momentum``, or in the limit.
    #[pyo3(signature = (*, time=None, steps=None, learning_rate=None, momentum=0.0))]
    fn outputs(
        &self,
        py: Python<'_>,
        time: Option<f64>,
        #[pyo3(from_py_with = counts::steps)] steps: Option<u64>,
        learning_rate: Option<f64>,
        momentum: f64,
    ) -> PyResult<Py<PyAny>> {
        let time = self::time(time, steps, learning_rate, momentum)?;
        let outputs = self.told(py, |own| own.outputs(time)).map_err(core)?;
        Ok(array2(py, outputs)?.into_any().unbind())
    }

    /// f_t at new points, (m, k), from their kernel with the training points (m, n) and their outputs at the start.
    #[pyo3(signature = (cross, start, *, time=None, steps=None, learning_rate=None, momentum=0.0))]
    fn predict(
        &self,
        py: Python<'_>,
        cross: &Bound<'_, PyAny>,
        start: &Bound<'_, PyAny>,
        time: Option<f64>,
        #[pyo3(from_py_with = counts::steps)] steps: Option<u64>,
        learning_rate: Option<f64>,
        momentum: f64,
    ) -> PyResult<Py<PyAny>> {
        let time = self::time(time, steps, learning_rate, momentum)?;
        let cross = owned(&Input::<f64>::finite(cross, "cross")?)?;
        let start = owned(&Input::<f64>::finite(start, "start")?)?;
        let outputs = self.told(py, |own| own.predict(&cross, &start, time)).map_err(core)?;
        Ok(array2(py, outputs)?.into_any().unbind())
    }

    /// Mean and covariance of the outputs at new points over infinitely many networks, each trained from a start of its own
    /// (lee2019), (m, k) and (m, m): the covariance is that of every output.
    ///
    /// ::
    ///
    ///     A = Θ(x, X) Θ⁻¹ (1 - exp(-Θ t))
    ///     mean        start + A (y - f₀)
    ///     covariance  K(x, x') + A K(X, X) A'ᵀ - A K(X, x') - K(x, X) A'ᵀ
    ///
    /// Θ is the kernel that the dynamics were made of: the tangent kernel where all weights are trained, the NNGP kernel K
    /// where only the last layer is. neural-tangents takes the mean loss: its t is n·k times this one.
    ///
    /// Parameters
    /// ----------
    /// cross : array of shape (m, n)
    ///     Θ between new points and training points.
    /// nngp, nngp_cross, nngp_new : arrays of shape (n, n), (m, n), (m, m)
    ///     K of the training points, between new points and them, and of the new points.
    /// start : array of shape (m, k), optional
    ///     The mean at the start, 0 unless given.
    /// time, steps, learning_rate, momentum
    ///     As of ``outputs``.
    ///
    /// Examples
    /// --------
    /// >>> import numpy as np, gramstep
    /// >>> X, Z = np.linspace(-1, 1, 6)[:, None], np.array([[0.1], [3.0]])
    /// >>> dynamics = gramstep.KernelDynamics(gramstep.ntk(X), np.zeros((6, 1)), np.sin(3 * X))
    /// >>> mean, covariance = dynamics.ensemble(
    /// ...     gramstep.ntk(Z, X), gramstep.nngp(X), gramstep.nngp(Z, X), gramstep.nngp(Z), time=50.0
    /// ... )
    /// >>> mean.shape, bool(covariance[0, 0] < covariance[1, 1])
    /// ((2, 1), True)
    #[pyo3(signature = (cross, nngp, nngp_cross, nngp_new, *, start=None, time=None, steps=None, learning_rate=None, momentum=0.0))]
    #[expect(clippy::too_many_arguments, reason = "keywords of Python")]
    fn ensemble(
        &self,
        py: Python<'_>,
        cross: &Bound<'_, PyAny>,
        nngp: &Bound<'_, PyAny>,
        nngp_cross: &Bound<'_, PyAny>,
        nngp_new: &Bound<'_, PyAny>,
        start: Option<&Bound<'_, PyAny>>,
        time: Option<f64>,
        #[pyo3(from_py_with = counts::steps)] steps: Option<u64>,
        learning_rate: Option<f64>,
        momentum: f64,
    ) -> PyResult<(Py<PyAny>, Py<PyAny>)> {
        let time = self::time(time, steps, learning_rate, momentum)?;
        let matrix = |value, what| owned(&Input::<f64>::finite(value, what)?);
        let cross = matrix(cross, "cross")?;
        let (train, between, new) =
            (matrix(nngp, "nngp")?, matrix(nngp_cross, "nngp_cross")?, matrix(nngp_new, "nngp_new")?);
        let start = match start {
            Some(start) => matrix(start, "start")?,
            None => Matrix::zeros(cross.rows(), self.dynamics.output_count()),
        };
        let both = |own: &Dynamics| {
            let mean = own.predict(&cross, &start, time)?;
            let prior = EnsembleStart::new(&train, &between, &new);
            Ok((mean, own.ensemble_covariance(&cross, &prior, time)?))
        };
        let (mean, covariance) = self.told(py, both).map_err(core)?;
        Ok((array2(py, mean)?.into_any().unbind(), array2(py, covariance)?.into_any().unbind()))
    }

    /// 2(1 + μ)/λ_max, the largest learning rate at which gradient descent does not grow.
    #[pyo3(signature = (momentum=0.0))]
    fn largest_stable_rate(&self, momentum: f64) -> PyResult<f64> {
        self.dynamics.largest_stable_rate(momentum).map_err(core)
    }

    /// The factor by which the residual shrinks or grows with each of many steps.
    #[pyo3(signature = (learning_rate, momentum=0.0))]
    fn spectral_radius(&self, learning_rate: f64, momentum: f64) -> PyResult<f64> {
        self.dynamics.spectral_radius(learning_rate, momentum).map_err(core)
    }
}
