//! `LinearisedModel`.

use gramstep::kernel::LinearisedModel;
use pyo3::prelude::*;

use crate::array::{Input, array_of, array2, owned};
use crate::error::core;
use crate::precision::{ByPrecision, each};

/// A linearised network of either number type.
pub(crate) type Linear = ByPrecision<LinearisedModel<f32>, LinearisedModel<f64>>;

/// f(θ₀, x) + J(x) v.
#[pyclass(name = "LinearisedModel", module = "gramstep")]
#[derive(Clone, Debug)]
pub(crate) struct PyLinearisedModel {
    pub(crate) linear: Linear,
}

#[pymethods]
impl PyLinearisedModel {
    /// Trains to the end in closed form: v = Jᵀ(G + κI)⁻¹(y − f₀), of least norm for ridge κ = 0. y: (n, k).
    #[pyo3(signature = (X, y, *, ridge=0.0))]
    fn fit(
        slf: Py<Self>,
        py: Python<'_>,
        X: &Bound<'_, PyAny>,
        y: &Bound<'_, PyAny>,
        ridge: f64,
    ) -> PyResult<Py<Self>> {
        each!(&mut slf.try_borrow_mut(py)?.linear, linear => {
            let (x, y) = (Input::finite(X, "X")?, Input::finite(y, "y")?);
            let (x, y) = (x.samples()?, owned(&y)?);
            py.detach(|| linear.fit(x, &y, ridge)).map_err(core)?;
        });
        Ok(slf)
    }

    /// f(θ₀, x) + J(x) v, (n, k).
    fn predict(&self, py: Python<'_>, X: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        each!(&self.linear, linear => {
            let x = Input::finite(X, "X")?;
            let x = x.samples()?;
            let outputs = py.detach(|| linear.predict(x)).map_err(core)?;
            Ok(array2(py, outputs)?.into_any().unbind())
        })
    }

    /// k, the number of outputs.
    #[getter]
    fn n_outputs(&self) -> usize {
        each!(&self.linear, linear => linear.model().outputs())
    }

    /// v = θ − θ₀, (p,).
    #[getter]
    fn get_displacement(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        each!(&self.linear, linear => {
            array_of(py, linear.displacement().to_vec(), &[linear.displacement().len()])
        })
    }

    #[setter]
    fn set_displacement(&mut self, v: &Bound<'_, PyAny>) -> PyResult<()> {
        each!(&mut self.linear, linear => {
            linear.set_displacement(Input::finite(v, "displacement")?.vector()?).map_err(core)
        })
    }
}
