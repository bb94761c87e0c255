//! Kernels averaged over initialisations beside those of infinite width.

use gramstep::kernel::{InfiniteKernel, MonteCarloKernel, Outputs, Which};
use gramstep::model::{ConvolutionSpecification, DenseSpecification, LayerSpecification, Parameterization, Shape};
use gramstep::{Activation, Device, Matrix, Model, Specification};

use super::cases::matrix;

const VARIANCES: Parameterization = Parameterization::Ntk { weight_variance: 1.7, bias_variance: 0.2 };

fn dense(width: usize) -> Specification {
    Specification::mlp(&[4, width, width, 3], Activation::Erf).with_parameterization(VARIANCES)
}

fn convolutional(width: usize) -> Specification {
    let input = Shape::Image { height: 4, width: 4, channels: 1, side: 0 };
    let conv = || LayerSpecification::Convolution(ConvolutionSpecification::new(width, 3));
    let phi = || LayerSpecification::Activation(Activation::Relu);
    let head = LayerSpecification::Dense(DenseSpecification::new(2));
    let layers = vec![conv(), phi(), conv(), phi(), LayerSpecification::GlobalAveragePool, head];
    Specification::new(input, layers).with_parameterization(VARIANCES)
}

/// Mean over entries of ((mean − limit)/standard error)².
fn surprise(network: &Specification, limit: &Specification, x: &Matrix<f64>, which: Which, draws: usize) -> f64 {
    let model = Model::<f64>::builder(network.clone()).device(Device::cpu(2)).build().unwrap();
    let drawn = MonteCarloKernel::new(&model, x, None, which, Outputs::Trace).draw(draws, 1, None).unwrap();
    let limit = InfiniteKernel::new(limit).unwrap().points(x, &Device::cpu(2)).unwrap().gram(which);
    let entries = drawn.mean.as_slice().iter().zip(drawn.standard_error.as_slice()).zip(limit.as_slice());
    let squares: Vec<f64> = entries.map(|((mean, error), limit)| ((mean - limit) / error).powi(2)).collect();
    squares.iter().sum::<f64>() / squares.len() as f64
}

#[test]
fn means_agree_with_infinite_kernels_within_their_errors() {
    let (vectors, images) = (matrix::<f64>(1, 5, 4), matrix::<f64>(2, 5, 16));
    for which in [Which::Ntk, Which::Nngp] {
        for (name, network, x) in
            [("dense", dense as fn(usize) -> Specification, &vectors), ("conv", convolutional, &images)]
        {
            let network = network(128);
            // Entries of a kernel go together, so their mean square is far from 1 in some draws.
            let of = surprise(&network, &network, x, which, 40);
            assert!(of < 3.5, "{name}, {which:?}: {of}");
            let wrong = Parameterization::Ntk { weight_variance: 3.0, bias_variance: 0.2 };
            let wrong = surprise(&network, &network.clone().with_parameterization(wrong), x, which, 40);
            assert!(wrong > 10.0, "{name}, {which:?}: another kernel is told apart, {wrong}");
        }
    }
}

#[test]
fn the_standard_error_is_that_of_the_mean_and_falls_with_the_root_of_the_draws() {
    let (x, other) = (matrix::<f64>(3, 4, 4), matrix::<f64>(4, 3, 4));
    let model = Model::<f64>::builder(dense(16)).build().unwrap();
    let kernel = MonteCarloKernel::new(&model, &x, Some((&other).into()), Which::Ntk, Outputs::One(1));
    let means: Vec<f64> = (0..60).map(|i| kernel.draw(10, 10 * i, None).unwrap().mean[(2, 1)]).collect();
    let mean = means.iter().sum::<f64>() / 60.0;
    let spread = (means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / 59.0).sqrt();
    let all = kernel.draw(600, 0, None).unwrap();
    assert!((all.mean[(2, 1)] - mean).abs() < 1e-12, "the same draws have the same mean");
    let told = all.standard_error[(2, 1)] * 60_f64.sqrt();
    assert!((spread / told - 1.0).abs() < 0.3, "{spread} and {told}");
    assert!(kernel.draw(1, 0, None).is_err());
    assert!(kernel.draw(5, 0, Some(&true.into())).is_err());
}
