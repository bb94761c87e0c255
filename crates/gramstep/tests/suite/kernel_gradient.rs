//! Gradients of kernel expansions in their input, against central differences of the kernels.

use gramstep::kernel::{DenseVariances, InfiniteKernel, InfiniteLayer, InfinitePoints, Which};
use gramstep::model::Parameterization;
use gramstep::{Activation, Device, Matrix, Scalar, Specification};

use crate::cases::matrix;

fn points<T: Scalar>(kernel: &InfiniteKernel, x: &Matrix<T>) -> InfinitePoints<T> {
    kernel.points(x, &Device::cpu(2)).unwrap()
}

/// ⟨u_i, Σ_j K(x_i, x_j) c_j⟩ of every row.
fn values(
    kernel: &InfiniteKernel,
    which: Which,
    (x, others): (&Matrix<f64>, &InfinitePoints<f64>),
    (u, c): (&Matrix<f64>, &Matrix<f64>),
) -> Vec<f64> {
    let cross = points(kernel, x).cross_gram(others, which).unwrap();
    let weight = |i: usize, j: usize| (0..c.columns()).map(|a| u[(i, a)] * c[(j, a)]).sum::<f64>();
    (0..x.rows()).map(|i| (0..c.rows()).map(|j| cross[(i, j)] * weight(i, j)).sum()).collect()
}

/// Largest difference to central differences, relative to the largest entry.
fn error(kernel: &InfiniteKernel, which: Which, x: &Matrix<f64>, others: &Matrix<f64>) -> f64 {
    let (u, c) = (matrix::<f64>(31, x.rows(), 3), matrix::<f64>(32, others.rows(), 3));
    let others = points(kernel, others);
    let gradient = points(kernel, x).input_gradient(&others, &u, &c, which).unwrap();
    let (mut worst, mut scale) = (0.0_f64, 0.0_f64);
    let step = 1e-3;
    for column in 0..x.columns() {
        let moved = |by: f64| {
            let x = Matrix::from_fn(x.rows(), x.columns(), |i, j| x[(i, j)] + if j == column { by } else { 0.0 });
            values(kernel, which, (&x, &others), (&u, &c))
        };
        let [far_below, below, above, far_above] = [-2.0, -1.0, 1.0, 2.0].map(|steps| moved(steps * step));
        for i in 0..x.rows() {
            // Of fourth order.
            let want = (8.0 * (above[i] - below[i]) - (far_above[i] - far_below[i])) / (12.0 * step);
            worst = worst.max((gradient[(i, column)] - want).abs());
            scale = scale.max(want.abs());
        }
    }
    worst / scale
}

fn networks(activation: Activation) -> Vec<InfiniteKernel> {
    let dense = |weight, bias| InfiniteLayer::Dense(DenseVariances::new(weight, bias));
    let phi = || InfiniteLayer::Activation(activation);
    let residual = [dense(1.3, 0.2), InfiniteLayer::residual(vec![phi(), dense(0.9, 0.1)]), phi(), dense(1.1, 0.3)];
    let mut frozen = Specification::mlp(&[4, 8, 8, 1], activation);
    frozen.parameterization = Parameterization::Ntk { weight_variance: 1.5, bias_variance: 0.1 };
    frozen.span_weights.insert("layers.2.weight".to_owned(), 0.0);
    frozen.span_weights.insert("layers.0.weight".to_owned(), 2.0);
    frozen.output_scale = 0.7;
    vec![
        InfiniteKernel::mlp(1, activation, 1.2, 0.0).unwrap(),
        InfiniteKernel::mlp(3, activation, 1.4, 0.2).unwrap(),
        InfiniteKernel::from_layers(residual.to_vec()).unwrap(),
        InfiniteKernel::new(&frozen).unwrap(),
    ]
}

#[test]
fn gradients_are_those_of_central_differences_for_every_activation_and_network() {
    let (x, others) = (matrix::<f64>(41, 5, 4), matrix::<f64>(42, 300, 4));
    for activation in Activation::ALL {
        for (at, kernel) in networks(activation).iter().enumerate() {
            for which in [Which::Ntk, Which::Nngp] {
                let error = error(kernel, which, &x, &others);
                assert!(error < 1e-8, "{activation}, network {at}, {which:?}: {error:e}");
            }
        }
    }
}

#[test]
fn at_a_point_of_the_expansion_and_at_zero_gradients_are_finite() {
    let x = Matrix::from_fn(3, 4, |i, j| if i == 2 { 0.0 } else { (i + 2 * j) as f64 * 0.3 - 0.7 });
    for activation in Activation::ALL {
        for kernel in networks(activation) {
            let points = points(&kernel, &x);
            let (u, c) = (matrix::<f64>(33, 3, 1), matrix::<f64>(34, 3, 1));
            let gradient = points.input_gradient(&points, &u, &c, Which::Ntk).unwrap();
            assert!(gradient.as_slice().iter().all(|g| g.is_finite()), "{activation}");
        }
    }
    // A point so short that the square of its length underflows.
    let short = Matrix::from_fn(1, 4, |_, j| 1e-20 * (1.0 + j as f32));
    for activation in Activation::ALL {
        for kernel in networks(activation) {
            let (points, others) = (points(&kernel, &short), points(&kernel, &x.cast::<f32>()));
            let (u, c) = (matrix::<f32>(33, 1, 1), matrix::<f32>(34, 3, 1));
            let gradient = points.input_gradient(&others, &u, &c, Which::Ntk).unwrap();
            assert!(gradient.as_slice().iter().all(|g| g.is_finite()), "{activation}");
        }
    }
    // At 0 smooth kernels have a slope as everywhere.
    let zero = Matrix::zeros(1, 4);
    for activation in [Activation::Erf, Activation::Tanh, Activation::Gelu, Activation::Sin] {
        let kernel = InfiniteKernel::mlp(2, activation, 1.3, 0.2).unwrap();
        assert!(error(&kernel, Which::Ntk, &zero, &x) < 1e-8, "{activation}");
    }
    // A kink weighs nothing: relu's gradient at the point itself is the central difference.
    let kernel = InfiniteKernel::mlp(2, Activation::Relu, 2.0, 0.0).unwrap();
    let single = Matrix::from_fn(1, 4, |_, j| x[(0, j)]);
    assert!(error(&kernel, Which::Ntk, &single, &single) < 1e-4);
}

#[test]
fn single_precision_and_threads_change_rounding_alone() {
    let (x, others) = (matrix::<f64>(41, 40, 6), matrix::<f64>(42, 900, 6));
    let (u, c) = (matrix::<f64>(31, 40, 2), matrix::<f64>(32, 900, 2));
    for activation in [Activation::Relu, Activation::Tanh, Activation::Gelu] {
        let kernel = InfiniteKernel::mlp(2, activation, 1.4, 0.2).unwrap();
        let on = |threads: usize| {
            let device = Device::cpu(threads);
            let others = kernel.points(&others, &device).unwrap();
            kernel.points(&x, &device).unwrap().input_gradient(&others, &u, &c, Which::Ntk).unwrap()
        };
        let want = on(1);
        let scale = want.as_slice().iter().fold(0.0_f64, |largest, g| largest.max(g.abs()));
        let distance = |got: Matrix<f64>| {
            let pairs = got.as_slice().iter().zip(want.as_slice());
            pairs.fold(0.0_f64, |worst, (got, want)| worst.max((got - want).abs())) / scale
        };
        assert!(distance(on(3)) < 1e-13);
        let single = points(&kernel, &x.cast::<f32>());
        let single =
            single.input_gradient(&points(&kernel, &others.cast::<f32>()), &u.cast(), &c.cast(), Which::Ntk).unwrap();
        assert!(distance(single.cast()) < 1e-4, "{activation}");
    }
}
