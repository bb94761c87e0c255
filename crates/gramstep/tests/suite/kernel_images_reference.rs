//! Kernels of images against those of neural-tangents 0.6.5 (tests/reference/neural_tangents_images.py), in double precision.

use gramstep::kernel::{ConvolutionVariances, DenseVariances, InfiniteKernel, InfiniteLayer, Padding};
use gramstep::model::Shape;
use gramstep::{Activation, Device, Matrix};
use serde_json::Value;

/// Relative.
const TOLERANCE: f64 = 1e-12;

fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

fn layers(words: &Value, variances: DenseVariances) -> Vec<InfiniteLayer> {
    words.as_array().unwrap().iter().map(|words| layer(words.as_array().unwrap(), variances)).collect()
}

fn layer(words: &[Value], variances: DenseVariances) -> InfiniteLayer {
    match words[0].as_str().unwrap() {
        "conv" => {
            let padding = match words[3].as_str().unwrap() {
                "VALID" => Padding::Valid,
                "CIRCULAR" => Padding::Circular,
                _ => Padding::Same,
            };
            let layer = ConvolutionVariances::new(count(&words[1]), variances);
            InfiniteLayer::Convolution(layer.with_stride(count(&words[2])).with_padding(padding))
        }
        "dense" => InfiniteLayer::Dense(variances),
        "relu" => InfiniteLayer::Activation(Activation::Relu),
        "erf" => InfiniteLayer::Activation(Activation::Erf),
        "norm" => InfiniteLayer::LayerNorm { epsilon: 1e-5 },
        "pool" => InfiniteLayer::AveragePool { window: count(&words[1]) },
        "sum" => InfiniteLayer::SumPool { window: count(&words[1]) },
        "gap" => InfiniteLayer::GlobalAveragePool,
        "flatten" => InfiniteLayer::Flatten,
        "residual" => {
            InfiniteLayer::Residual { layers: layers(&words[1], variances), shortcut: layers(&words[2], variances) }
        }
        other => panic!("no layer {other}"),
    }
}

#[test]
fn kernels_of_images_equal_those_of_neural_tangents() {
    let reference: Value = serde_json::from_str(include_str!("../reference/neural_tangents_images.json")).unwrap();
    let number = |name: &str| reference[name].as_f64().unwrap();
    let variances = DenseVariances::new(number("weight_variance"), number("bias_variance"));
    let networks = reference["networks"].as_array().unwrap();
    assert_eq!(networks.len(), 15);
    for network in networks {
        let [height, width, channels] = ["height", "width", "channels"].map(|name| count(&network[name]));
        let shape = Shape::Image { height, width, channels, side: 0 };
        let kernel = InfiniteKernel::for_inputs(layers(&network["layers"], variances), shape).unwrap();
        let image = |i: usize, at: usize| 1.5 * (78.233 * (i * shape.len() + at + 1) as f64).sin();
        let points = |first: usize, count: usize| {
            let x = Matrix::<f64>::from_fn(count, shape.len(), |i, at| image(first + i, at));
            kernel.points(&x, &Device::cpu(1)).unwrap()
        };
        let got = points(0, 2).cross_kernels(&points(2, 3)).unwrap();
        for (name, got) in [("ntk", got.ntk), ("nngp", got.nngp)] {
            for i in 0..2 {
                for j in 0..3 {
                    let want = network[name][i][j].as_f64().unwrap();
                    let error = (got[(i, j)] - want).abs() / want.abs();
                    assert!(error <= TOLERANCE, "{}: {name} ({i}, {j}) off by {error:.1e}", network["layers"]);
                }
            }
        }
    }
}
