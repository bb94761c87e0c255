//! Kernels of images against those of neural-tangents 0.6.5 (tests/reference/neural_tangents_images.py), in double precision.

use gramstep::kernel::{ConvolutionVariances, DenseVariances, InfiniteKernel, InfiniteLayer, Padding};
use gramstep::model::Shape;
use gramstep::{Device, Matrix};
use serde_json::Value;

/// Relative.
const TOLERANCE: f64 = 1e-12;

fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

/// Reads words as layers.
#[derive(Clone, Copy)]
struct Reader {
    weight: f64,
    bias: f64,
    standard: bool,
    /// Channels of finite networks, which count in the standard parameterisation.
    channels: usize,
    /// Height and width in pixels.
    sides: [usize; 2],
}

impl Reader {
    fn layers(&mut self, words: &Value) -> Vec<InfiniteLayer> {
        words.as_array().unwrap().iter().map(|words| self.layer(words.as_array().unwrap())).collect()
    }

    /// Variances of a layer with windows of so many pixels, and the channels that come out of it.
    fn variances(&mut self, pixels: usize, channels: &Value) -> DenseVariances {
        let inputs = std::mem::replace(&mut self.channels, count(channels));
        if self.standard {
            DenseVariances::standard(self.weight, self.bias, pixels * inputs)
        } else {
            DenseVariances::new(self.weight, self.bias)
        }
    }

    fn layer(&mut self, words: &[Value]) -> InfiniteLayer {
        match words[0].as_str().unwrap() {
            "conv" => {
                let padding = match words[3].as_str().unwrap() {
                    "VALID" => Padding::Valid,
                    "CIRCULAR" => Padding::Circular,
                    _ => Padding::Same,
                };
                let (kernel, stride) = (count(&words[1]), count(&words[2]));
                let windows = |size: usize| if padding == Padding::Valid { size - kernel + 1 } else { size };
                self.sides = self.sides.map(|size| windows(size).div_ceil(stride));
                let layer = ConvolutionVariances::new(kernel, self.variances(kernel * kernel, &words[4]));
                InfiniteLayer::Convolution(layer.with_stride(stride).with_padding(padding))
            }
            "dense" => {
                let [height, width] = std::mem::replace(&mut self.sides, [1, 1]);
                InfiniteLayer::Dense(self.variances(height * width, &words[1]))
            }
            "norm" => InfiniteLayer::LayerNorm { epsilon: 1e-5 },
            pool @ ("pool" | "sum") => {
                let window = count(&words[1]);
                self.sides = self.sides.map(|size| size / window);
                if pool == "pool" { InfiniteLayer::AveragePool { window } } else { InfiniteLayer::SumPool { window } }
            }
            "gap" => {
                self.sides = [1, 1];
                InfiniteLayer::GlobalAveragePool
            }
            "flatten" => InfiniteLayer::Flatten,
            "residual" => {
                let mut beside = *self;
                InfiniteLayer::Residual { layers: self.layers(&words[1]), shortcut: beside.layers(&words[2]) }
            }
            activation => InfiniteLayer::Activation(activation.parse().unwrap()),
        }
    }
}

fn assert_networks(reference: &Value, name: &str, number: usize) {
    let [weight, bias] = ["weight_variance", "bias_variance"].map(|name| reference[name].as_f64().unwrap());
    let networks = reference[name].as_array().unwrap();
    assert_eq!(networks.len(), number);
    for network in networks {
        let [height, width, channels] = ["height", "width", "channels"].map(|name| count(&network[name]));
        let mut reader = Reader { weight, bias, standard: name == "standard", channels, sides: [height, width] };
        let shape = Shape::Image { height, width, channels, side: 0 };
        let kernel = InfiniteKernel::for_inputs(reader.layers(&network["layers"]), shape).unwrap();
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

fn reference() -> Value {
    serde_json::from_str(include_str!("../reference/neural_tangents_images.json")).unwrap()
}

#[test]
fn kernels_of_images_equal_those_of_neural_tangents() {
    assert_networks(&reference(), "networks", 24);
}

#[test]
fn kernels_in_the_standard_parameterisation_equal_those_of_neural_tangents() {
    assert_networks(&reference(), "standard", 5);
}
