//! Kernels of infinitely wide networks that are put together layer by layer.

use std::sync::Arc;

use gramstep::device::{Order, Pointwise};
use gramstep::kernel::{ConvolutionVariances, DenseVariances, Function, InfiniteKernel, InfiniteLayer, Padding, Which};
use gramstep::model::Shape;
use gramstep::{Device, Matrix};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::array::{Input, Number, array_of, array2, is_single};
use crate::counts;
use crate::error::core;
use crate::model::activation;
use crate::raised::Raised;
use crate::worker;

/// Layers as tuples, each with its name first.
fn layers(items: &Bound<'_, PyAny>, raised: &Raised) -> PyResult<Vec<InfiniteLayer>> {
    items.try_iter()?.map(|item| layer(item?.cast::<PyTuple>()?, raised)).collect()
}

fn layer(item: &Bound<'_, PyTuple>, raised: &Raised) -> PyResult<InfiniteLayer> {
    let name: String = item.get_item(0)?.extract()?;
    let number = |at: usize| -> PyResult<f64> { item.get_item(at)?.extract() };
    let count = |at: usize| -> PyResult<usize> { item.get_item(at)?.extract() };
    Ok(match name.as_str() {
        "dense" => InfiniteLayer::Dense(variances(&item.get_item(1)?)?),
        "convolution" => {
            let layer = ConvolutionVariances::new(count(1)?, variances(&item.get_item(4)?)?).with_stride(count(2)?);
            InfiniteLayer::Convolution(layer.with_padding(padding(&item.get_item(3)?)?))
        }
        "average-pool" => InfiniteLayer::AveragePool { window: count(1)? },
        "sum-pool" => InfiniteLayer::SumPool { window: count(1)? },
        "global-average-pool" => InfiniteLayer::GlobalAveragePool,
        "flatten" => InfiniteLayer::Flatten,
        "layer-norm" => InfiniteLayer::LayerNorm { epsilon: number(1)? },
        "activation" => InfiniteLayer::Activation(activation(&item.get_item(1)?.extract::<String>()?)?),
        "function" => InfiniteLayer::Function(function(item, raised)?),
        "residual" => {
            let part = |at: usize| layers(&item.get_item(at)?, raised);
            InfiniteLayer::Residual { layers: part(1)?, shortcut: part(2)? }
        }
        other => return Err(PyTypeError::new_err(format!("no layer {other}"))),
    })
}

/// Variances and tangents of a layer.
fn variances(item: &Bound<'_, PyAny>) -> PyResult<DenseVariances> {
    let (weight, bias, weight_tangent, bias_tangent) = item.extract()?;
    let mut variances = DenseVariances::new(weight, bias);
    (variances.weight_tangent, variances.bias_tangent) = (weight_tangent, bias_tangent);
    Ok(variances)
}

/// A function by its name and parameters, from the second place on.
fn function(item: &Bound<'_, PyTuple>, raised: &Raised) -> PyResult<Function> {
    let name: String = item.get_item(1)?.extract()?;
    let number = |at: usize| -> PyResult<f64> { item.get_item(at)?.extract() };
    let degree = || -> PyResult<usize> { item.get_item(2)?.extract() };
    let sine = |turn: f64| -> PyResult<Function> {
        Ok(Function::Sine { scale: number(2)?, rate: number(3)?, phase: number(4)? + turn })
    };
    Ok(match name.as_str() {
        "sign" => Function::Sign,
        "rectifier" => Function::Rectifier { below: number(2)?, above: number(3)? },
        "erf" => Function::Erf { scale: number(2)?, rate: number(3)?, shift: number(4)? },
        "sigmoid-like" => Function::sigmoid_like(),
        "sin" => sine(0.0)?,
        "cos" => sine(std::f64::consts::FRAC_PI_2)?,
        "rbf" => Function::rbf(number(2)?),
        "exp" => Function::Exponential { scale: number(2)?, rate: number(3)? },
        "gaussian" => Function::Gaussian { scale: number(2)?, sharpness: number(3)? },
        "monomial" => Function::monomial(degree()?),
        "hermite" => Function::hermite(degree()?),
        "polynomial" => {
            Function::Polynomial(item.get_item(2)?.try_iter()?.map(|c| c?.extract()).collect::<PyResult<_>>()?)
        }
        "own" => Function::Custom(Arc::new(Own {
            value: item.get_item(2)?.unbind(),
            derivative: item.get_item(3)?.unbind(),
            raised: raised.clone(),
        })),
        other => return Err(PyTypeError::new_err(format!("no function {other}"))),
    })
}

/// A user's own function. What it raises is kept, and its values are then no numbers, which is noticed.
#[derive(Debug)]
struct Own {
    value: Py<PyAny>,
    derivative: Py<PyAny>,
    raised: Raised,
}

impl Own {
    fn call(&self, order: Order, z: &[f64]) -> PyResult<Vec<f64>> {
        let (function, what) = match order {
            Order::Value => (&self.value, "the activation's values"),
            Order::First => (&self.derivative, "the activation's derivatives"),
            _ => return Err(PyValueError::new_err("the activation has no second derivative")),
        };
        Python::attach(|py| {
            let values = function.bind(py).call1((array_of(py, z.to_vec(), &[z.len()])?,))?;
            let values = Input::<f64>::finite(&values, what)?;
            if values.shape() != [z.len()] {
                let text =
                    format!("{what} have shape {:?}: expected one for each number, {:?}", values.shape(), [z.len()]);
                return Err(PyValueError::new_err(text));
            }
            Ok(values.to_vec())
        })
    }
}

impl Pointwise<f64> for Own {
    fn evaluate(&self, order: Order, z: &[f64], out: &mut [f64]) {
        match self.call(order, z) {
            Ok(values) => out.copy_from_slice(&values),
            Err(error) => {
                out.fill(f64::NAN);
                self.raised.keep(error);
            }
        }
    }
}

fn padding(value: &Bound<'_, PyAny>) -> PyResult<Padding> {
    if let Ok(border) = value.extract::<usize>() {
        return Ok(Padding::Zeros(border));
    }
    match value.extract::<String>().as_deref() {
        Ok("same") => Ok(Padding::Same),
        Ok("valid") => Ok(Padding::Valid),
        Ok("circular") => Ok(Padding::Circular),
        _ => {
            let text =
                format!("padding = {value}: expected \"same\", \"valid\", \"circular\" or the width of a border");
            Err(PyValueError::new_err(text))
        }
    }
}

/// Θ or K of a network between X and X2, whose rows are images of this size, or vectors.
#[pyfunction]
#[pyo3(signature = (which, layers, X, X2=None, *, size=None, threads=0))]
pub(crate) fn network_kernel(
    py: Python<'_>,
    which: &str,
    layers: &Bound<'_, PyAny>,
    X: &Bound<'_, PyAny>,
    X2: Option<&Bound<'_, PyAny>>,
    size: Option<(usize, usize, usize)>,
    #[pyo3(from_py_with = counts::threads)] threads: usize,
) -> PyResult<Py<PyAny>> {
    let raised = Raised::default();
    let layers = self::layers(layers, &raised)?;
    let kernel = match size {
        Some((height, width, channels)) => {
            InfiniteKernel::for_inputs(layers, Shape::Image { height, width, channels, side: 0 })
        }
        None => InfiniteKernel::from_layers(layers),
    };
    let (kernel, which) = (kernel.map_err(core)?, if which == "nngp" { Which::Nngp } else { Which::Ntk });
    let result = if is_single(X) && X2.is_none_or(is_single) {
        compute::<f32>(py, &kernel, which, (X, X2), threads)
    } else {
        compute::<f64>(py, &kernel, which, (X, X2), threads)
    };
    raised.or(result)
}

/// One kernel of a set of points, or between two.
pub(crate) fn compute<T: Number>(
    py: Python<'_>,
    kernel: &InfiniteKernel,
    which: Which,
    (X, X2): (&Bound<'_, PyAny>, Option<&Bound<'_, PyAny>>),
    threads: usize,
) -> PyResult<Py<PyAny>> {
    let x = Input::<T>::finite(X, "X")?;
    let x2 = X2.map(|x2| Input::<T>::finite(x2, "X2")).transpose()?;
    let (x, x2) = (x.samples()?, x2.as_ref().map(Input::samples).transpose()?);
    let points = py.detach(|| {
        let device = Device::cpu(threads);
        let others = x2.map(|x2| kernel.points(x2, &device)).transpose()?;
        Ok((kernel.points(x, &device)?, others))
    });
    let (points, others) = points.map_err(core)?;
    let matrix: gramstep::Result<Matrix<T>> = worker::run(py, None, move |_, _| match others {
        None => Ok(points.gram(which)),
        Some(others) => points.cross_gram(&others, which),
    })?;
    Ok(array2(py, finite(matrix)?)?.into_any().unbind())
}

/// A kernel none of whose numbers is too large for its type.
pub(crate) fn finite<T: Number>(kernel: gramstep::Result<Matrix<T>>) -> PyResult<Matrix<T>> {
    let kernel = kernel.map_err(core)?;
    if kernel.as_slice().iter().all(|value| value.is_finite()) {
        return Ok(kernel);
    }
    Err(core(gramstep::Error::NonFinite { what: "the kernel", layer: None }))
}
