//! `TaylorModel`.

use gramstep::kernel::TaylorModel;
use pyo3::prelude::*;

use crate::array::{Input, array_of, array2, cotangents, owned};
use crate::counts;
use crate::error::core;
use crate::model::{Network, PyModel};
use crate::precision::{ByPrecision, each};

/// An expansion of either number type.
type Taylor = ByPrecision<TaylorModel<f32>, TaylorModel<f64>>;

/// f̃(v, x) = Σ_j Dʲf(θ₀, x)[v, …, v]/j!.
#[pyclass(name = "TaylorModel", module = "gramstep")]
#[derive(Clone, Debug)]
pub(crate) struct PyTaylorModel {
    taylor: Taylor,
}

/// The expansion of a network around its present parameters.
#[pyfunction]
pub(crate) fn taylor_expand(
    model: &PyModel,
    #[pyo3(from_py_with = counts::order)] order: usize,
) -> PyResult<PyTaylorModel> {
    let taylor = match &model.network {
        Network::F32(model) => TaylorModel::new(model.clone(), order).map(Taylor::F32),
        Network::F64(model) => TaylorModel::new(model.clone(), order).map(Taylor::F64),
    };
    Ok(PyTaylorModel { taylor: taylor.map_err(core)? })
}

#[pymethods]
impl PyTaylorModel {
    /// Lowers ½‖f̃ − y‖² + ½κ‖v‖² by damped Gauss–Newton steps from the present v. y: (n, k).
    #[pyo3(signature = (X, y, *, ridge=0.0, max_steps=None))]
    fn fit(
        slf: Py<Self>,
        py: Python<'_>,
        X: &Bound<'_, PyAny>,
        y: &Bound<'_, PyAny>,
        ridge: f64,
        #[pyo3(from_py_with = counts::max_steps)] max_steps: Option<usize>,
    ) -> PyResult<Py<Self>> {
        each!(&mut slf.try_borrow_mut(py)?.taylor, taylor => {
            let (x, y) = (Input::finite(X, "X")?, Input::finite(y, "y")?);
            let (x, y) = (x.samples()?, owned(&y)?);
            py.detach(|| taylor.fit(x, &y, ridge, max_steps)).map_err(core)?;
        });
        Ok(slf)
    }

    /// f̃(v, x), (n, k).
    fn predict(&self, py: Python<'_>, X: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        each!(&self.taylor, taylor => {
            let x = Input::finite(X, "X")?;
            let x = x.samples()?;
            let outputs = py.detach(|| taylor.predict(x)).map_err(core)?;
            Ok(array2(py, outputs)?.into_any().unbind())
        })
    }

    /// f, Df[v], D²f[v, v]/2, …: (order + 1, n, k), of which the sum is f̃.
    fn terms(&self, py: Python<'_>, X: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        each!(&self.taylor, taylor => {
            let x = Input::finite(X, "X")?;
            let x = x.samples()?;
            let terms = py.detach(|| taylor.terms(x)).map_err(core)?;
            let shape = [terms.len(), terms[0].rows(), terms[0].columns()];
            array_of(py, terms.into_iter().flat_map(gramstep::Matrix::into_vec).collect(), &shape)
        })
    }

    /// Jᵀu with J = ∂f̃/∂v at v, (p,): the gradient of a loss whose output gradients are u. u: (n, k).
    fn vjp(&self, py: Python<'_>, X: &Bound<'_, PyAny>, u: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        each!(&self.taylor, taylor => {
            let x = Input::finite(X, "X")?;
            let x = x.samples()?;
            let u = cotangents(u, x.rows(), taylor.model().outputs())?;
            let gradient = py.detach(|| taylor.gradient(x, &u)).map_err(core)?;
            let length = gradient.len();
            array_of(py, gradient, &[length])
        })
    }

    /// J Jᵀ with J = ∂f̃/∂v at v, (n·k, n·k), rows ordered (sample, output).
    fn gram(&self, py: Python<'_>, X: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        each!(&self.taylor, taylor => {
            let x = Input::finite(X, "X")?;
            let x = x.samples()?;
            let gram = py.detach(|| taylor.tangent(x).map(|tangent| tangent.gram())).map_err(core)?;
            Ok(array2(py, gram)?.into_any().unbind())
        })
    }

    /// The degree in v.
    #[getter]
    fn order(&self) -> usize {
        each!(&self.taylor, taylor => taylor.order())
    }

    /// k, the number of outputs.
    #[getter]
    fn n_outputs(&self) -> usize {
        each!(&self.taylor, taylor => taylor.model().outputs())
    }

    /// v = θ − θ₀, (p,).
    #[getter]
    fn get_displacement(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        each!(&self.taylor, taylor => {
            array_of(py, taylor.displacement().to_vec(), &[taylor.displacement().len()])
        })
    }

    #[setter]
    fn set_displacement(&mut self, v: &Bound<'_, PyAny>) -> PyResult<()> {
        each!(&mut self.taylor, taylor => {
            taylor.set_displacement(Input::finite(v, "displacement")?.vector()?).map_err(core)
        })
    }
}
