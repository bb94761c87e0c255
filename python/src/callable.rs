//! A function written in Python as something that can be attacked.

use gramstep::Device;
use gramstep::device::{Operations, Tile};
use gramstep::model::{Cotangent, Differentiable, InputPass};
use pyo3::prelude::*;

use crate::array::{Input, Number, array_of};
use crate::raised::Raised;

/// An object with `n_inputs`, `n_outputs`, `dtype`, `outputs(x)` → (m, k), and `pull_back(x)` → ((m, k), cotangents
/// (m, k) → gradients (m, d)).
#[derive(Debug)]
pub(crate) struct Callable {
    function: Py<PyAny>,
    inputs: usize,
    outputs: usize,
    device: Device,
    raised: Raised,
}

impl Callable {
    /// Whether a Python object is one.
    pub(crate) fn matches(object: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(object.hasattr("pull_back")? && object.hasattr("n_inputs")?)
    }

    /// What it raises is kept in `raised`.
    pub(crate) fn new(object: &Bound<'_, PyAny>, raised: &Raised) -> PyResult<Self> {
        Ok(Self {
            raised: raised.clone(),
            function: object.clone().unbind(),
            inputs: object.getattr("n_inputs")?.extract()?,
            outputs: object.getattr("n_outputs")?.extract()?,
            // One thread: the function has its own.
            device: Device::cpu(1),
        })
    }

    fn read<T: Number>(value: &Bound<'_, PyAny>, what: &'static str, shape: [usize; 2]) -> PyResult<Vec<T>> {
        let array = Input::<T>::new(value, what)?;
        if array.shape() != shape {
            let text = format!("the model's {what} have shape {:?}: expected {shape:?}", array.shape());
            return Err(pyo3::exceptions::PyValueError::new_err(text));
        }
        Ok(array.to_vec())
    }

    fn run<T: Number>(
        &self,
        x: Tile<'_, T>,
        cotangent: Option<&mut Cotangent<'_, T>>,
        pass: &mut InputPass<T>,
    ) -> PyResult<()> {
        Python::attach(|py| {
            let rows = x.rows();
            let points = array_of(py, x.host().to_vec(), &[rows, self.inputs])?;
            let function = self.function.bind(py);
            let Some(cotangent) = cotangent else {
                let outputs = function.call_method1("outputs", (points,))?;
                pass.outputs = Self::read(&outputs, "outputs", [rows, self.outputs])?;
                return Ok(());
            };
            let (outputs, backward): (Bound<'_, PyAny>, Bound<'_, PyAny>) =
                function.call_method1("pull_back", (points,))?.extract()?;
            pass.outputs = Self::read(&outputs, "outputs", [rows, self.outputs])?;
            let mut cotangents = vec![T::ZERO; rows * self.outputs];
            let samples = pass.outputs.chunks_exact(self.outputs).zip(cotangents.chunks_exact_mut(self.outputs));
            for (row, (f, u)) in samples.enumerate() {
                cotangent(row, f, u);
            }
            let gradient = backward.call1((array_of(py, cotangents, &[rows, self.outputs])?,))?;
            pass.gradient = Self::read(&gradient, "gradients", [rows, self.inputs])?;
            Ok(())
        })
    }

    fn checked<T: Number>(
        &self,
        x: Tile<'_, T>,
        cotangent: Option<&mut Cotangent<'_, T>>,
        pass: &mut InputPass<T>,
    ) -> gramstep::Result<()> {
        let failed = |error: PyErr| {
            let reason = error.to_string();
            self.raised.keep(error);
            gramstep::Error::Conflict { what: "the model", reason }
        };
        self.run(x, cotangent, pass).map_err(failed)?;
        if pass.outputs.iter().all(|value| value.is_finite()) {
            Ok(())
        } else {
            Err(gramstep::Error::NonFinite { what: "outputs of the model", layer: None })
        }
    }
}

impl<T: Number> Differentiable<T> for Callable {
    fn inputs(&self) -> usize {
        self.inputs
    }

    fn outputs(&self) -> usize {
        self.outputs
    }

    fn device(&self) -> &Device {
        &self.device
    }

    fn cost(&self) -> f64 {
        0.0
    }

    fn evaluate(&self, _: &dyn Operations<T>, x: Tile<'_, T>, pass: &mut InputPass<T>) -> gramstep::Result<()> {
        self.checked(x, None, pass)
    }

    fn pull_back(
        &self,
        _: &dyn Operations<T>,
        x: Tile<'_, T>,
        cotangent: &mut Cotangent<'_, T>,
        pass: &mut InputPass<T>,
    ) -> gramstep::Result<()> {
        self.checked(x, Some(cotangent), pass)
    }
}
