//! How far the tangent kernel of a finite network at its start is from that of infinite width.

use super::ground::Points;
use super::statistics::mean;
use crate::device::Device;
use crate::error::Result;
use crate::kernel::{InfiniteKernel, Which};
use crate::model::{Activation, Model, Parameterization, Specification};
use crate::view::Matrix;

/// σ_w² of the networks.
pub(super) const WEIGHT_VARIANCE: f64 = 2.0;

/// Weights of a variance, biases of variance 0.1.
fn parameterization(weight_variance: f64) -> Parameterization {
    Parameterization::Ntk { weight_variance, bias_variance: 0.1 }
}

/// ‖Θ̂₀ − Θ∞‖_F/‖Θ∞‖_F of a network with `depth` hidden layers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Distance {
    /// Between the points themselves.
    pub(super) training: f64,
    /// Between test points and the points.
    pub(super) test: f64,
}

/// The root mean square distance over networks of some seeds, on points and on test points of the same dimension, from
/// the limit of networks with weights of variance `limit`.
pub(super) fn distance(
    points: &Points,
    test: &Matrix<f64>,
    (depth, width): (usize, usize),
    limit: f64,
    seeds: impl Iterator<Item = u64>,
    device: &Device,
) -> Result<Distance> {
    let (n, d) = (points.samples(), points.inputs.columns());
    let sizes: Vec<usize> = std::iter::once(d).chain(std::iter::repeat_n(width, depth)).chain([1]).collect();
    let of = |variance| Specification::mlp(&sizes, Activation::Relu).with_parameterization(parameterization(variance));
    let specification = of(WEIGHT_VARIANCE);
    let all = Matrix::from_fn(n + test.rows(), d, |i, j| if i < n { points.inputs[(i, j)] } else { test[(i - n, j)] });
    let limit = InfiniteKernel::new(&of(limit))?.points(&all, device)?.gram(Which::Ntk);
    let (mut training, mut new) = (Vec::new(), Vec::new());
    for seed in seeds {
        let model = Model::<f64>::builder(specification.clone()).seed(seed).device(device.clone()).build()?;
        let start = model.tangent(&all)?.gram();
        let relative = |rows: std::ops::Range<usize>| {
            let entries = || rows.clone().flat_map(|i| (0..n).map(move |j| (i, j)));
            let off: f64 = entries().map(|at| (start[at] - limit[at]).powi(2)).sum();
            off / entries().map(|at| limit[at].powi(2)).sum::<f64>()
        };
        training.push(relative(0..n));
        new.push(relative(n..n + test.rows()));
    }
    Ok(Distance { training: mean(training).sqrt(), test: mean(new).sqrt() })
}
