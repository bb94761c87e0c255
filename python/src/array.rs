//! NumPy arrays in and out: views where the memory allows it, else one copy.
//!
//! An array of the right type that is contiguous, in C or Fortran order, and aligned is read where it lies. Anything else
//! that NumPy can make an array of is converted by NumPy first.

use gramstep::{Matrix, MatrixView, Scalar};
use numpy::{
    Element, PyArray, PyArray1, PyArray2, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods,
};
use pyo3::exceptions::{PyFloatingPointError, PyTypeError, PyValueError};
use pyo3::prelude::*;

/// The two number types.
pub(crate) trait Number: Scalar + Element {
    /// NumPy's name of it.
    const DTYPE: &'static str;
}

impl Number for f32 {
    const DTYPE: &'static str = "float32";
}

impl Number for f64 {
    const DTYPE: &'static str = "float64";
}

/// An array that is kept alive and is contiguous.
pub(crate) struct Input<'py, T: Element> {
    array: PyReadonlyArrayDyn<'py, T>,
    what: &'static str,
}

impl<'py, T: Number> Input<'py, T> {
    /// Anything that NumPy takes for an array of numbers.
    pub(crate) fn new(value: &Bound<'py, PyAny>, what: &'static str) -> PyResult<Self> {
        let array = match value.cast::<PyArrayDyn<T>>() {
            Ok(array) if is_readable(array) => array.clone(),
            _ => converted(value, what)?,
        };
        Ok(Self { array: array.readonly(), what })
    }

    /// The same of numbers that are all there: no computation makes sense of another.
    pub(crate) fn finite(value: &Bound<'py, PyAny>, what: &'static str) -> PyResult<Self> {
        let input = Self::new(value, what)?;
        let found = input.array.as_array().iter().position(|value| !value.is_finite());
        let Some(at) = found else { return Ok(input) };
        let value = input.array.as_array().iter().nth(at).map_or(f64::NAN, |value| value.to_f64());
        Err(PyFloatingPointError::new_err(format!("{what}: non-finite value {value}, number {at} of the array")))
    }

    /// The length of every axis.
    pub(crate) fn shape(&self) -> &[usize] {
        self.array.shape()
    }

    /// All numbers in C order, without a copy where they lie so.
    pub(crate) fn to_vec(&self) -> Vec<T> {
        self.array.as_array().iter().copied().collect()
    }

    /// The same of a vector, one axis of which may be longer than 1: numbers of several axes have no order of their own.
    pub(crate) fn vector(&self) -> PyResult<Vec<T>> {
        if self.shape().iter().filter(|&&length| length != 1).count() > 1 {
            return Err(self.wrong_axes("1"));
        }
        Ok(self.to_vec())
    }

    /// The array as a matrix; a vector is one column.
    pub(crate) fn matrix(&self) -> PyResult<MatrixView<'_, T>> {
        match *self.shape() {
            [rows] => self.view(rows, 1),
            [rows, columns] => self.view(rows, columns),
            _ => Err(self.wrong_axes("1 or 2")),
        }
    }

    /// The array as one sample a row: the last three axes of an image are one.
    pub(crate) fn samples(&self) -> PyResult<MatrixView<'_, T>> {
        match self.shape() {
            &[rows, columns] => self.view(rows, columns),
            [rows, image @ ..] if image.len() == 3 => self.view(*rows, image.iter().product()),
            _ => Err(self.wrong_axes("2 (samples, features) or 4 (samples, height, width, channels)")),
        }
    }

    fn view(&self, rows: usize, columns: usize) -> PyResult<MatrixView<'_, T>> {
        let data = self.array.as_slice().map_err(|_| PyTypeError::new_err(format!("{} cannot be read", self.what)))?;
        let strides = if self.array.is_c_contiguous() || self.shape().len() > 2 { (columns, 1) } else { (1, rows) };
        MatrixView::strided(data, rows, columns, strides.0, strides.1).map_err(crate::error::core)
    }

    fn wrong_axes(&self, expected: &str) -> PyErr {
        let shape = self.shape();
        PyValueError::new_err(format!("{} has {} axes, shape {shape:?}: expected {expected}", self.what, shape.len()))
    }
}

/// Whether an array can be read where it lies. Arrays made of the bytes of a message may begin anywhere.
fn is_readable<T: Element>(array: &Bound<'_, PyArrayDyn<T>>) -> bool {
    let contiguous = array.is_c_contiguous() || (array.ndim() <= 2 && array.is_fortran_contiguous());
    contiguous && array.data().addr().is_multiple_of(align_of::<T>())
}

/// A contiguous array of T that NumPy makes.
fn converted<'py, T: Number>(value: &Bound<'py, PyAny>, what: &str) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
    let numpy = value.py().import("numpy")?;
    let plain = numpy.call_method1("asarray", (value,))?;
    let kind: String = plain.getattr("dtype")?.getattr("kind")?.extract()?;
    if !"biufO".contains(&kind) {
        return Err(PyTypeError::new_err(format!(
            "{what}: numbers expected, got an array of {}",
            plain.getattr("dtype")?
        )));
    }
    let contiguous = numpy.call_method1("ascontiguousarray", (plain, T::DTYPE))?;
    let array = numpy.call_method1("require", (contiguous, T::DTYPE, ["C", "ALIGNED"]))?;
    Ok(array.cast_into::<PyArrayDyn<T>>()?)
}

/// Samples in memory of their own, for work on another thread.
pub(crate) fn rows<T: Number>(input: &Input<'_, T>) -> PyResult<Matrix<T>> {
    let view = input.samples()?;
    Matrix::from_vec(view.rows(), view.columns(), view.to_vec()).map_err(crate::error::core)
}

/// A matrix as a NumPy array; its memory moves.
pub(crate) fn array2<T: Number>(py: Python<'_>, matrix: Matrix<T>) -> PyResult<Bound<'_, PyArray2<T>>> {
    let shape = [matrix.rows(), matrix.columns()];
    PyArray1::from_vec(py, matrix.into_vec()).reshape(shape)
}

/// Numbers with any shape as a NumPy array; their memory moves.
pub(crate) fn array_of<T: Number>(py: Python<'_>, values: Vec<T>, shape: &[usize]) -> PyResult<Py<PyAny>> {
    let array: Bound<'_, PyArrayDyn<T>> = PyArray::from_vec(py, values).reshape(shape.to_vec())?;
    Ok(array.into_any().unbind())
}

/// A matrix of its own memory.
pub(crate) fn owned<T: Number>(input: &Input<'_, T>) -> PyResult<Matrix<T>> {
    let view = input.matrix()?;
    Matrix::from_vec(view.rows(), view.columns(), view.to_vec()).map_err(crate::error::core)
}

/// u of n samples with k outputs in the order (sample, output): (n, k), or all in one axis.
pub(crate) fn cotangents<T: Number>(u: &Bound<'_, PyAny>, n: usize, k: usize) -> PyResult<Matrix<T>> {
    let u = Input::finite(u, "u")?;
    if u.shape() != [n, k] && u.shape() != [n * k] {
        let text = format!("cotangents u of shape {:?}: expected {:?} or {:?}", u.shape(), [n, k], [n * k]);
        return Err(PyValueError::new_err(text));
    }
    Matrix::from_vec(n, k, u.to_vec()).map_err(crate::error::core)
}

/// Whether an array holds float32; everything else is computed in float64.
pub(crate) fn is_single(x: &Bound<'_, PyAny>) -> bool {
    x.getattr("dtype").and_then(|dtype| dtype.eq("float32")).unwrap_or(false)
}
