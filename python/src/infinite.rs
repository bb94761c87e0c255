//! Kernels of infinitely wide networks that are put together layer by layer.

use gramstep::kernel::{ConvolutionVariances, DenseVariances, InfiniteKernel, InfiniteLayer, Padding, Which};
use gramstep::model::Shape;
use gramstep::{Device, Matrix};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::array::{Input, Number, array2, is_single};
use crate::error::core;
use crate::model::activation;
use crate::worker;

/// Layers as tuples, each with its name first.
fn layers(items: &Bound<'_, PyAny>) -> PyResult<Vec<InfiniteLayer>> {
    items.try_iter()?.map(|item| layer(item?.cast::<PyTuple>()?)).collect()
}

fn layer(item: &Bound<'_, PyTuple>) -> PyResult<InfiniteLayer> {
    let name: String = item.get_item(0)?.extract()?;
    let number = |at: usize| -> PyResult<f64> { item.get_item(at)?.extract() };
    let count = |at: usize| -> PyResult<usize> { item.get_item(at)?.extract() };
    Ok(match name.as_str() {
        "dense" => InfiniteLayer::Dense(DenseVariances::new(number(1)?, number(2)?)),
        "convolution" => {
            let variances = DenseVariances::new(number(4)?, number(5)?);
            let layer = ConvolutionVariances::new(count(1)?, variances).with_stride(count(2)?);
            InfiniteLayer::Convolution(layer.with_padding(padding(&item.get_item(3)?)?))
        }
        "average-pool" => InfiniteLayer::AveragePool { window: count(1)? },
        "sum-pool" => InfiniteLayer::SumPool { window: count(1)? },
        "global-average-pool" => InfiniteLayer::GlobalAveragePool,
        "flatten" => InfiniteLayer::Flatten,
        "layer-norm" => InfiniteLayer::LayerNorm { epsilon: number(1)? },
        "activation" => InfiniteLayer::Activation(activation(&item.get_item(1)?.extract::<String>()?)?),
        "residual" => {
            InfiniteLayer::Residual { layers: layers(&item.get_item(1)?)?, shortcut: layers(&item.get_item(2)?)? }
        }
        other => return Err(PyTypeError::new_err(format!("no layer {other}"))),
    })
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
    threads: usize,
) -> PyResult<Py<PyAny>> {
    let layers = self::layers(layers)?;
    let kernel = match size {
        Some((height, width, channels)) => {
            InfiniteKernel::for_inputs(layers, Shape::Image { height, width, channels, side: 0 })
        }
        None => InfiniteKernel::from_layers(layers),
    };
    let (kernel, which) = (kernel.map_err(core)?, if which == "nngp" { Which::Nngp } else { Which::Ntk });
    if is_single(X) && X2.is_none_or(is_single) {
        compute::<f32>(py, &kernel, which, (X, X2), threads)
    } else {
        compute::<f64>(py, &kernel, which, (X, X2), threads)
    }
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
