//! The table of networks over which identities are tested, and small tools of the tests.

use gramstep::model::{ConvolutionSpecification, DenseSpecification, LayerSpecification, Parameterization, Shape};
use gramstep::optim::Optimizer;
use gramstep::random::{Purpose, stream};
use gramstep::{Activation, Device, Matrix, Model, Scalar, Specification};
use rand_distr::{Distribution, StandardNormal};

/// Makes an optimiser at rest.
pub(crate) type MakeOptimizer = fn() -> Box<dyn Optimizer<f64>>;

/// A network with a name for messages.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) specification: Specification,
}

pub(crate) const INPUTS: usize = 5;

impl Case {
    /// Values of one sample.
    pub(crate) fn inputs(&self) -> usize {
        self.specification.input.len()
    }
}

/// Every activation, one and two hidden layers, with and without bias, both parameterisations, the symmetric start,
/// an output scale, frozen and weighted spans, k ∈ {1, 3, 10}.
pub(crate) fn cases() -> Vec<Case> {
    let ntk = Parameterization::Ntk { weight_variance: 2.0, bias_variance: 0.1 };
    let mut cases: Vec<Case> = Activation::ALL
        .into_iter()
        .zip([1, 3, 10].into_iter().cycle())
        .map(|(activation, k)| Case {
            name: format!("mlp {activation}, k = {k}"),
            specification: Specification::mlp(&[INPUTS, 7, 6, k], activation),
        })
        .collect();
    let mut add = |name: &str, specification| cases.push(Case { name: name.to_owned(), specification });
    add("linear", Specification::mlp(&[INPUTS, 3], Activation::Identity));
    add("no bias", Specification::mlp(&[INPUTS, 8, 1], Activation::Tanh).with_bias(false));
    add("ntk", Specification::mlp(&[INPUTS, 9, 8, 3], Activation::Gelu).with_parameterization(ntk));
    add("symmetric", Specification::mlp(&[INPUTS, 6, 2], Activation::Silu).with_symmetric_start());
    add("lazy", Specification::mlp(&[INPUTS, 6, 1], Activation::Softplus).with_output_scale(8.0));
    add("two-layer theory network", Specification::two_layer(INPUTS, 16, Activation::SquaredRelu));
    add(
        "weighted spans",
        Specification::mlp(&[INPUTS, 6, 3], Activation::Tanh)
            .with_parameterization(ntk)
            .with_span_weight("layers.0.weight", 0.25)
            .with_span_weight("layers.0.bias", 0.0)
            .with_span_weight("layers.2.bias", 3.0),
    );
    cases.extend(image_cases());
    cases
}

/// Convolutions with stride 1 and 2, with and without border, even and odd sizes, in both of their forms; pools,
/// scalar biases and scales, residual branches with both shortcuts, side values.
fn image_cases() -> Vec<Case> {
    let image = |height, width, channels, side| Shape::Image { height, width, channels, side };
    let convolution = ConvolutionSpecification::new;
    let layers = |input, layers: Vec<LayerSpecification>| Specification::new(input, layers);
    let conv = LayerSpecification::Convolution;
    let dense = |units| LayerSpecification::Dense(DenseSpecification::new(units));
    let tanh = LayerSpecification::Activation(Activation::Tanh);
    let ntk = Parameterization::Ntk { weight_variance: 1.5, bias_variance: 0.2 };
    let case = |name: &str, specification| Case { name: name.to_owned(), specification };
    vec![
        case("cnn", Specification::cnn(image(5, 4, 2, 0), &[3, 4], Activation::Tanh, 1)),
        case("cnn on a large image", Specification::cnn(image(16, 14, 1, 0), &[2, 3], Activation::Gelu, 3)),
        case(
            "cnn with max pools",
            Specification::cnn(image(9, 8, 2, 0), &[2, 3], Activation::Tanh, 3).with_max_pools(),
        ),
        case(
            "cnn with a dense head and side values",
            Specification::cnn(image(9, 8, 1, 2), &[2], Activation::Tanh, 2).with_dense_head(&[5], Activation::Tanh),
        ),
        case(
            "max pools after a weight and of the input",
            layers(
                image(7, 6, 2, 0),
                vec![
                    LayerSpecification::MaxPool { kernel: 2 },
                    conv(convolution(3, 3)),
                    LayerSpecification::MaxPool { kernel: 2 },
                    tanh.clone(),
                    dense(2),
                ],
            )
            .with_parameterization(ntk),
        ),
        case("cnn, symmetric", Specification::cnn(image(4, 4, 1, 0), &[3], Activation::Silu, 2).with_symmetric_start()),
        case(
            "convolutions with stride, ntk",
            layers(
                image(7, 5, 2, 0),
                vec![
                    conv(convolution(3, 3).with_stride(2)),
                    tanh.clone(),
                    conv(convolution(2, 2).with_padding(0)),
                    dense(3),
                ],
            )
            .with_parameterization(ntk),
        ),
        case(
            "weighted spans of a convolution",
            layers(image(4, 3, 2, 0), vec![conv(convolution(2, 3)), tanh.clone(), dense(1)])
                .with_span_weight("layers.0.weight", 0.5)
                .with_span_weight("layers.0.bias", 0.0),
        ),
        case(
            "one convolution window",
            layers(image(3, 3, 1, 0), vec![conv(convolution(4, 3).with_padding(0)), tanh.clone(), dense(10)]),
        ),
        case(
            "cnn with group norm",
            Specification::cnn(image(6, 5, 2, 0), &[8, 4], Activation::Tanh, 2).with_group_norm(),
        ),
        case("resnet with group norm", smooth(Specification::group_norm_resnet(image(7, 6, 1, 0), 1, 2, 2))),
        case(
            "group norm of several groups and of the input",
            layers(
                image(3, 4, 6, 0),
                vec![
                    LayerSpecification::GroupNorm { groups: 3 },
                    conv(convolution(4, 3)),
                    LayerSpecification::GroupNorm { groups: 2 },
                    tanh.clone(),
                    LayerSpecification::GroupNorm { groups: 4 },
                    dense(3),
                ],
            )
            .with_span_weight("layers.2.channels.scale", 0.0)
            .with_span_weight("layers.4.channels.shift", 2.0),
        ),
        case("fixup resnet", smooth(Specification::fixup_resnet(image(8, 8, 1, 0), 1, 2, 1))),
        case("fixup resnet, odd size, side values", smooth(Specification::fixup_resnet(image(7, 9, 3, 2), 1, 2, 3))),
    ]
}

/// Softplus in place of relu, whose kinks no difference sees through.
fn smooth(mut specification: Specification) -> Specification {
    fn replace(layers: &mut [LayerSpecification]) {
        for layer in layers {
            match layer {
                LayerSpecification::Activation(activation) => *activation = Activation::Softplus,
                LayerSpecification::Residual { layers, .. } => replace(layers),
                _ => {}
            }
        }
    }
    replace(&mut specification.layers);
    specification
}

pub(crate) fn model<T: Scalar>(case: &Case, seed: u64) -> Model<T> {
    let mut model = Model::builder(case.specification.clone()).seed(seed).device(Device::cpu(2)).build().unwrap();
    // Away from the symmetric start and from zero biases, which would hide mistakes.
    let noise: Vec<T> = normal(seed + 1000, model.parameter_count());
    let theta: Vec<T> = model.theta().iter().zip(noise).map(|(&t, e)| t + e * T::from_f64(0.1)).collect();
    model.set_theta(&theta).unwrap();
    model
}

pub(crate) fn normal<T: Scalar>(seed: u64, count: usize) -> Vec<T> {
    let mut generator = stream(seed, Purpose::Data, 0, 0);
    (0..count)
        .map(|_| {
            let draw: f64 = StandardNormal.sample(&mut generator);
            T::from_f64(draw)
        })
        .collect()
}

pub(crate) fn matrix<T: Scalar>(seed: u64, rows: usize, columns: usize) -> Matrix<T> {
    Matrix::from_vec(rows, columns, normal(seed, rows * columns)).unwrap()
}

pub(crate) fn dot<T: Scalar>(x: &[T], y: &[T]) -> f64 {
    x.iter().zip(y).map(|(a, b)| a.to_f64() * b.to_f64()).sum()
}

pub(crate) fn norm<T: Scalar>(x: &[T]) -> f64 {
    dot(x, x).sqrt()
}

/// ‖x − y‖ ≤ multiple·ε·‖y‖, ε that of the type.
pub(crate) fn assert_close<T: Scalar>(x: &[T], y: &[T], multiple: f64, what: &str) {
    assert_eq!(x.len(), y.len(), "{what}: lengths");
    let difference: Vec<T> = x.iter().zip(y).map(|(&a, &b)| a - b).collect();
    let (error, allowed) = (norm(&difference), multiple * T::EPSILON.to_f64() * norm(y).max(1e-30));
    assert!(error <= allowed, "{what}: error {error:e} > {allowed:e}");
}

/// Solves a dense system by Gaussian elimination with row pivoting: the independent twin of the solvers.
pub(crate) fn eliminate(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for column in 0..n {
        let pivot = (column..n).max_by(|&i, &j| a[i][column].abs().total_cmp(&a[j][column].abs())).unwrap();
        a.swap(column, pivot);
        b.swap(column, pivot);
        for row in column + 1..n {
            let factor = a[row][column] / a[column][column];
            let (above, below) = a.split_at_mut(row);
            below[0].iter_mut().zip(&above[column]).skip(column).for_each(|(x, y)| *x -= factor * y);
            b[row] -= factor * b[column];
        }
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|j| a[row][j] * b[j]).sum();
        b[row] = (b[row] - known) / a[row][row];
    }
    b
}
