//! `TangentFeatures`: of a model's batch, or from parts made elsewhere.

use gramstep::tangent::{ExplicitPart, LinearPart, Part, Term};
use gramstep::{Device, Matrix, TangentFeatures};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::array::{Input, Number, array_of, array2, cotangents, owned};
use crate::counts::{self, Counted as _};
use crate::error::core;
use crate::precision::{ByPrecision, each};

/// Features of either number type.
type Features = ByPrecision<TangentFeatures<f32>, TangentFeatures<f64>>;

/// All that the Jacobian of a batch can do, without the Jacobian: of :meth:`Model.tangent`, or from parts made elsewhere.
///
/// Parameters
/// ----------
/// parts : sequence of LinearPart or ExplicitPart
///     One for each layer; those without an offset follow one another in θ.
/// predictions : array of shape (n, k), optional
///     f; zeros unless given.
/// n_parameters : int, optional
///     p; where the last part ends unless given.
/// dtype : {"float32", "float64"}
/// threads : int
#[pyclass(name = "TangentFeatures", module = "gramstep", frozen)]
#[derive(Debug)]
pub(crate) struct PyTangentFeatures(Features);

impl From<TangentFeatures<f32>> for PyTangentFeatures {
    fn from(tangent: TangentFeatures<f32>) -> Self {
        Self(Features::F32(tangent))
    }
}

impl From<TangentFeatures<f64>> for PyTangentFeatures {
    fn from(tangent: TangentFeatures<f64>) -> Self {
        Self(Features::F64(tangent))
    }
}

#[pymethods]
impl PyTangentFeatures {
    #[new]
    #[pyo3(signature = (parts, *, predictions=None, n_parameters=None, dtype="float64", threads=0))]
    fn new(
        parts: &Bound<'_, PyAny>,
        predictions: Option<&Bound<'_, PyAny>>,
        #[pyo3(from_py_with = counts::n_parameters)] n_parameters: Option<usize>,
        dtype: &str,
        #[pyo3(from_py_with = counts::threads)] threads: usize,
    ) -> PyResult<Self> {
        match dtype {
            "float32" => from_parts::<f32>(parts, predictions, n_parameters, threads).map(Into::into),
            "float64" => from_parts::<f64>(parts, predictions, n_parameters, threads).map(Into::into),
            _ => Err(PyValueError::new_err(format!("dtype = {dtype:?}: expected \"float32\" or \"float64\""))),
        }
    }

    /// n.
    #[getter]
    fn n_samples(&self) -> usize {
        each!(&self.0, tangent => tangent.samples())
    }

    /// k.
    #[getter]
    fn n_outputs(&self) -> usize {
        each!(&self.0, tangent => tangent.outputs())
    }

    /// p.
    #[getter]
    fn n_parameters(&self) -> usize {
        each!(&self.0, tangent => tangent.parameter_count())
    }

    /// f, (n, k).
    #[getter]
    fn predictions(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        each!(&self.0, tangent => Ok(array2(py, tangent.predictions().clone())?.into_any().unbind()))
    }

    /// G = J S Jᵀ, (n·k, n·k), rows ordered (sample, output).
    fn gram(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        each!(&self.0, tangent => Ok(array2(py, py.detach(|| tangent.gram()))?.into_any().unbind()))
    }

    /// J S J'ᵀ with the features of other samples of the same network, (n·k, m·k).
    fn cross_gram(&self, py: Python<'_>, other: &Self) -> PyResult<Py<PyAny>> {
        match (&self.0, &other.0) {
            (Features::F32(a), Features::F32(b)) => cross(py, a, b),
            (Features::F64(a), Features::F64(b)) => cross(py, a, b),
            _ => Err(PyTypeError::new_err("features of float32 and of float64 have no common Gram matrix")),
        }
    }

    /// The diagonal of G, (n·k,), without G.
    fn diagonal(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        each!(&self.0, tangent => array_of(py, py.detach(|| tangent.diagonal()), &[tangent.rows()]))
    }

    /// J, (n, k, p): for small problems.
    fn jacobian(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        each!(&self.0, tangent => {
            let shape = [tangent.samples(), tangent.outputs(), tangent.parameter_count()];
            array_of(py, py.detach(|| tangent.jacobian()).into_vec(), &shape)
        })
    }

    /// J v, (n, k). v: (p,).
    fn jvp(&self, py: Python<'_>, v: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        each!(&self.0, tangent => {
            let v = Input::finite(v, "v")?.vector()?;
            let slope = py.detach(|| tangent.jvp(&v)).map_err(core)?;
            array_of(py, slope, &[tangent.samples(), tangent.outputs()])
        })
    }

    /// S Jᵀu, (p,). u: (n, k).
    fn vjp(&self, py: Python<'_>, u: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        each!(&self.0, tangent => {
            let u = cotangents(u, tangent.samples(), tangent.outputs())?;
            let gradient = py.detach(|| tangent.vjp(u.as_slice())).map_err(core)?;
            array_of(py, gradient, &[tangent.parameter_count()])
        })
    }
}

fn cross<T: Number>(py: Python<'_>, a: &TangentFeatures<T>, b: &TangentFeatures<T>) -> PyResult<Py<PyAny>> {
    let gram = py.detach(|| a.cross_gram(b)).map_err(core)?;
    Ok(array2(py, gram)?.into_any().unbind())
}

/// Reads `gramstep.LinearPart` and `gramstep.ExplicitPart`; parts without an offset follow one another in θ.
fn from_parts<T: Number>(
    parts: &Bound<'_, PyAny>,
    predictions: Option<&Bound<'_, PyAny>>,
    n_parameters: Option<usize>,
    threads: usize,
) -> PyResult<TangentFeatures<T>> {
    let mut read = Vec::new();
    let (mut end, mut rows) = (0, None);
    for part in parts.try_iter()? {
        let part = part?;
        let (part, n, k) =
            if part.hasattr("gradients")? { explicit(&part, &mut end)? } else { linear(&part, &mut end)? };
        rows.get_or_insert((n, k));
        read.push(part);
    }
    let (n, k) = rows.ok_or_else(|| PyValueError::new_err("parts: at least one part is needed"))?;
    let predictions = match predictions {
        Some(values) => owned(&Input::finite(values, "predictions")?)?,
        None => Matrix::zeros(n, k),
    };
    TangentFeatures::from_parts(Device::cpu(threads), n_parameters.unwrap_or(end), predictions, read).map_err(core)
}

/// The part's place in θ, at `end` unless it names one; `end` moves behind it.
fn place(part: &Bound<'_, PyAny>, length: usize, end: &mut usize) -> PyResult<Term> {
    let offset = Option::<usize>::read("offset", &part.getattr("offset")?, 0)?;
    let mut term = Term::at(offset.unwrap_or(*end));
    term.scale = part.getattr("scale")?.extract()?;
    term.weight = part.getattr("weight")?.extract()?;
    if !term.scale.is_finite() {
        return Err(PyValueError::new_err(format!("scale = {}: a finite number", term.scale)));
    }
    *end = (*end).max(term.offset + length);
    Ok(term)
}

fn linear<T: Number>(part: &Bound<'_, PyAny>, end: &mut usize) -> PyResult<(Part<T>, usize, usize)> {
    let activations = Input::finite(&part.getattr("activations")?, "activations")?;
    let deltas = Input::finite(&part.getattr("deltas")?, "deltas")?;
    let (n, k, places, inputs, outputs) = match (activations.shape(), deltas.shape()) {
        (&[n, inputs], &[m, k, outputs]) if n == m => (n, k, 1, inputs, outputs),
        (&[n, t, inputs], &[m, k, s, outputs]) if n == m && t == s => (n, k, t, inputs, outputs),
        (a, d) => {
            return Err(PyValueError::new_err(format!(
                "activations {a:?} and deltas {d:?}: expected (n, d_in) and (n, k, d_out), \
                 or (n, T, d_in) and (n, k, T, d_out)"
            )));
        }
    };
    let weight = place(part, inputs * outputs, end)?;
    let bias: bool = part.getattr("bias")?.extract()?;
    let bias = bias.then(|| {
        let term = Term { offset: weight.offset + inputs * outputs, ..weight };
        *end = (*end).max(term.offset + outputs);
        term
    });
    let part = LinearPart::new(places, (inputs, activations.to_vec()), (outputs, deltas.to_vec()), weight, bias);
    Ok((Part::Linear(part), n, k))
}

fn explicit<T: Number>(part: &Bound<'_, PyAny>, end: &mut usize) -> PyResult<(Part<T>, usize, usize)> {
    let gradients = Input::finite(&part.getattr("gradients")?, "gradients")?;
    let &[n, k, length] = gradients.shape() else {
        return Err(PyValueError::new_err(format!("gradients {:?}: expected (n, k, length)", gradients.shape())));
    };
    let term = place(part, length, end)?;
    Ok((Part::Explicit(ExplicitPart::new(length, gradients.to_vec(), term)), n, k))
}
