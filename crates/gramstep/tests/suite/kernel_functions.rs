//! Functions of infinitely wide networks that finite ones do not have: neural-tangents, quadrature, limits.

use std::sync::Arc;

use gramstep::device::{Order, Pointwise};
use gramstep::kernel::infinite::quadrature;
use gramstep::kernel::{ConvolutionVariances, DenseVariances, Function, InfiniteKernel, InfiniteLayer, Kernels, Which};
use gramstep::model::Shape;
use gramstep::{Activation, Device, Matrix};
use serde_json::Value;

use super::cases::matrix;

fn plain() -> InfiniteLayer {
    InfiniteLayer::Dense(DenseVariances::new(1.0, 0.0))
}

fn function(words: &Value) -> Function {
    let words = words.as_array().unwrap();
    let number = |at: usize| words[at].as_f64().unwrap();
    let degree = || usize::try_from(words[1].as_u64().unwrap()).unwrap();
    match words[0].as_str().unwrap() {
        "sign" => Function::Sign,
        "rectifier" => Function::Rectifier { below: number(1), above: number(2) },
        "erf" => Function::Erf { scale: number(1), rate: number(2), shift: number(3) },
        "sigmoid-like" => Function::sigmoid_like(),
        "sine" => Function::Sine { scale: number(1), rate: number(2), phase: number(3) },
        "rbf" => Function::rbf(number(1)),
        "exp" => Function::Exponential { scale: number(1), rate: number(2) },
        "gaussian" => Function::Gaussian { scale: number(1), sharpness: number(2) },
        "monomial" => Function::monomial(degree()),
        "polynomial" => Function::Polynomial((1..words.len()).map(number).collect()),
        "hermite" => Function::hermite(degree()),
        other => panic!("no function {other}"),
    }
}

/// Two blocks of a linear layer, perhaps a normalisation, and the function; a dense layer after them.
fn layers(function: &Function, variances: DenseVariances, image: bool, normalised: bool) -> Vec<InfiniteLayer> {
    let linear = if image {
        InfiniteLayer::Convolution(ConvolutionVariances::new(3, variances))
    } else {
        InfiniteLayer::Dense(variances)
    };
    let norm = normalised.then_some(InfiniteLayer::LayerNorm { epsilon: 0.0 });
    let block = [Some(linear), norm, Some(InfiniteLayer::Function(function.clone()))];
    let blocks = block.iter().chain(&block).flatten().cloned();
    let mean = image.then_some(InfiniteLayer::GlobalAveragePool);
    blocks.chain(mean).chain([InfiniteLayer::Dense(variances)]).collect()
}

/// What each function is.
fn functions() -> Vec<(Function, Custom)> {
    use std::f64::consts::{FRAC_PI_4, SQRT_2};
    vec![
        (
            Function::Rectifier { below: -0.3, above: 1.2 },
            Custom(|x| if x < 0.0 { -0.3 * x } else { 1.2 * x }, |x| if x < 0.0 { -0.3 } else { 1.2 }, |_| 0.0),
        ),
        (Function::Sign, Custom(f64::signum, |_| 0.0, |_| 0.0)),
        (
            Function::Erf { scale: 0.7, rate: 1.9, shift: 0.3 },
            Custom(
                |x| 0.7 * Activation::Erf.value(1.9 * x) + 0.3,
                |x| 0.7 * 1.9 * Activation::Erf.derivative(1.9 * x),
                |x| 0.7 * 1.9 * 1.9 * Activation::Erf.second_derivative(1.9 * x),
            ),
        ),
        (
            Function::Sine { scale: 0.8, rate: 1.4, phase: 0.6 },
            Custom(
                |x| 0.8 * (1.4 * x + 0.6).sin(),
                |x| 0.8 * 1.4 * (1.4 * x + 0.6).cos(),
                |x| -0.8 * 1.4 * 1.4 * (1.4 * x + 0.6).sin(),
            ),
        ),
        (
            Function::rbf(0.5),
            Custom(
                |x| SQRT_2 * (x + FRAC_PI_4).sin(),
                |x| SQRT_2 * (x + FRAC_PI_4).cos(),
                |x| -SQRT_2 * (x + FRAC_PI_4).sin(),
            ),
        ),
        (
            Function::Exponential { scale: 0.9, rate: 0.5 },
            Custom(|x| 0.9 * (0.5 * x).exp(), |x| 0.45 * (0.5 * x).exp(), |x| 0.225 * (0.5 * x).exp()),
        ),
        (
            Function::Gaussian { scale: 1.1, sharpness: 0.7 },
            Custom(
                |x| 1.1 * (-0.7 * x * x).exp(),
                |x| -1.54 * x * (-0.7 * x * x).exp(),
                |x| (1.4 * x * x - 1.0) * 1.54 * (-0.7 * x * x).exp(),
            ),
        ),
        (
            Function::Polynomial(vec![0.4, -1.0, 0.3, 0.2]),
            Custom(|x| 0.4 - x + 0.3 * x * x + 0.2 * x * x * x, |x| -1.0 + 0.6 * x + 0.6 * x * x, |x| 0.6 + 1.2 * x),
        ),
        (Function::hermite(2), Custom(|x| (x * x - 1.0) / SQRT_2, |x| SQRT_2 * x, |_| SQRT_2)),
        (Function::monomial(0), Custom(|_| 1.0, |_| 0.0, |_| 0.0)),
    ]
}

/// A function with its derivatives.
#[derive(Clone, Copy, Debug)]
struct Custom(fn(f64) -> f64, fn(f64) -> f64, fn(f64) -> f64);

impl Pointwise<f64> for Custom {
    fn evaluate(&self, order: Order, z: &[f64], out: &mut [f64]) {
        let function = match order {
            Order::Value => self.0,
            Order::First => self.1,
            Order::Second => self.2,
            _ => panic!("{order:?} is not asked for"),
        };
        out.iter_mut().zip(z).for_each(|(out, &z)| *out = function(z));
    }
}

/// (E[φφ], E[φ′φ′]) by the kernels of a network of φ alone.
fn dual(layer: InfiniteLayer, (a, b, rho): (f64, f64, f64)) -> (f64, f64) {
    let layers = vec![plain(), layer, plain()];
    let x = Matrix::from_vec(1, 2, vec![(2.0 * a).sqrt(), 0.0]).unwrap();
    let across = (1.0 - rho * rho).max(0.0).sqrt();
    let y = Matrix::from_vec(1, 2, vec![(2.0 * b).sqrt() * rho, (2.0 * b).sqrt() * across]).unwrap();
    let kernel = InfiniteKernel::from_layers(layers).unwrap();
    let points = |x| kernel.points(x, &Device::cpu(1)).unwrap();
    let Kernels { ntk, nngp } = points(&x).cross_kernels(&points(&y)).unwrap();
    // Θ = K_φ + K·E[φ′φ′]
    let k = rho * (a * b).sqrt();
    (nngp[(0, 0)], if k == 0.0 { f64::NAN } else { (ntk[(0, 0)] - nngp[(0, 0)]) / k })
}

#[test]
fn kernels_equal_those_of_neural_tangents() {
    let reference: Value = serde_json::from_str(include_str!("../reference/neural_tangents_functions.json")).unwrap();
    let number = |name: &str| reference[name].as_f64().unwrap();
    let variances = DenseVariances::new(number("weight_variance"), number("bias_variance"));
    let networks = reference["networks"].as_array().unwrap();
    assert_eq!(networks.len(), 24);
    for network in networks {
        let image = network["image"].as_bool().unwrap();
        let function = function(&network["function"]);
        let layers = layers(&function, variances, image, network["normalised"].as_bool().unwrap());
        let (kernel, inputs) = if image {
            let shape = Shape::Image { height: 4, width: 4, channels: 2, side: 0 };
            (InfiniteKernel::for_inputs(layers, shape).unwrap(), 32)
        } else {
            (InfiniteKernel::from_layers(layers).unwrap(), 5)
        };
        let points = |first: usize, count: usize| {
            let value = |i: usize, j: usize| 1.5 * (78.233 * ((first + i) * inputs + j + 1) as f64).sin();
            kernel.points(&Matrix::<f64>::from_fn(count, inputs, value), &Device::cpu(1)).unwrap()
        };
        let got = points(0, 2).cross_kernels(&points(2, 3)).unwrap();
        for (name, got) in [("ntk", got.ntk), ("nngp", got.nngp)] {
            for i in 0..2 {
                for j in 0..3 {
                    let want = network[name][i][j].as_f64().unwrap();
                    let error = (got[(i, j)] - want).abs() / want.abs();
                    assert!(error <= 1e-12, "{} {image}: {name} ({i}, {j}) off by {error:.1e}", network["function"]);
                }
            }
        }
    }
}

#[test]
fn closed_forms_equal_integrals() {
    for (function, custom) in functions() {
        for (a, b) in [(1.0, 1.0), (0.3, 2.1), (1e-3, 4.0)] {
            for rho in [-0.999, -0.6, 0.0, 0.2, 0.9, 0.999_99] {
                let (value, slope) = dual(InfiniteLayer::Function(function.clone()), (a, b, rho));
                let want = quadrature::integral(&custom, a, b, rho);
                assert!((value - want.0).abs() <= 1e-11 * want.0.abs().max(1.0), "{function} {a} {b} {rho}: {value}");
                let close = (slope - want.1).abs() <= 1e-8 * want.1.abs().max(1.0);
                assert!(close || slope.is_nan(), "{function}′ {a} {b} {rho}: {slope} for {}", want.1);
            }
        }
    }
}

/// A network of the function's closed form and one of the same function as a user's own.
#[test]
fn a_users_own_function_equals_the_closed_form() {
    let x = matrix::<f64>(1, 6, 4);
    for (function, custom) in functions() {
        // A series of a kinked function does not end.
        if matches!(function, Function::Sign | Function::Rectifier { .. }) {
            continue;
        }
        let network = |function: &Function| {
            let layers = layers(function, DenseVariances::new(0.8, 0.1), false, false);
            InfiniteKernel::from_layers(layers).unwrap().points(&x, &Device::cpu(1)).unwrap()
        };
        let (closed, own) = (network(&function), network(&Function::Custom(Arc::new(custom))));
        let (Kernels { ntk, nngp }, others) = (closed.kernels(), own.kernels());
        for (got, want) in [(others.ntk, ntk), (others.nngp, nngp)] {
            for (got, want) in got.as_slice().iter().zip(want.as_slice()) {
                assert!((got - want).abs() <= 1e-11 * want.abs().max(1.0), "{function}: {got} for {want}");
            }
        }
        let (u, c) = (matrix::<f64>(2, 6, 1), matrix::<f64>(3, 6, 1));
        for which in [Which::Ntk, Which::Nngp] {
            let closed = closed.input_gradient(&closed, &u, &c, which).unwrap();
            let own = own.input_gradient(&own, &u, &c, which).unwrap();
            for (got, want) in own.as_slice().iter().zip(closed.as_slice()) {
                assert!((got - want).abs() <= 1e-9 * want.abs().max(1.0), "{function}: gradient {got} for {want}");
            }
        }
    }
}

/// A function may be odd to rounding on small points, and not on large ones: the series of the two have other terms.
#[test]
fn kernels_between_two_sets_of_points_are_a_block_of_those_of_both() {
    let late = Custom(
        |x| x.tanh() + (-4.0 * (x - 6.0).powi(2)).exp(),
        |x| 1.0 - x.tanh().powi(2) - 8.0 * (x - 6.0) * (-4.0 * (x - 6.0).powi(2)).exp(),
        |x| {
            let slope = 1.0 - x.tanh().powi(2);
            -2.0 * x.tanh() * slope + (64.0 * (x - 6.0).powi(2) - 8.0) * (-4.0 * (x - 6.0).powi(2)).exp()
        },
    );
    let smooth = functions().into_iter().filter(|(of, _)| !matches!(of, Function::Sign | Function::Rectifier { .. }));
    for custom in [late].into_iter().chain(smooth.map(|(_, custom)| custom)) {
        let of_mean_square = |seed: u64, square: f64| {
            let x = matrix::<f64>(seed, 3, 2);
            Matrix::from_fn(3, 2, |i, j| x[(i, j)] * (square / (0.5 * (x[(i, 0)].powi(2) + x[(i, 1)].powi(2)))).sqrt())
        };
        let (small, large) = (of_mean_square(5, 0.2), of_mean_square(6, 4.0));
        let both = Matrix::from_fn(6, 2, |i, j| if i < 3 { small[(i, j)] } else { large[(i - 3, j)] });
        let layers = vec![plain(), InfiniteLayer::Function(Function::Custom(Arc::new(custom))), plain()];
        let kernel = InfiniteKernel::from_layers(layers).unwrap();
        let points = |x| kernel.points(x, &Device::cpu(1)).unwrap();
        let (small, large, both) = (points(&small), points(&large), points(&both));
        let (u, c) = (matrix::<f64>(7, 6, 1), matrix::<f64>(8, 3, 1));
        for which in [Which::Ntk, Which::Nngp] {
            let (cross, whole) = (small.cross_gram(&large, which).unwrap(), both.gram(which));
            for (i, j) in (0..3).flat_map(|i| (0..3).map(move |j| (i, j))) {
                let (got, want) = (cross[(i, j)], whole[(i, 3 + j)]);
                let size = (whole[(i, i)] * whole[(3 + j, 3 + j)]).sqrt();
                assert!((got - want).abs() <= 1e-10 * size.max(1.0), "{which:?}: {got} for {want}");
            }
            let own = small.input_gradient(&large, &u.select_rows(&[0, 1, 2]), &c, which).unwrap();
            let whole = both.input_gradient(&large, &u, &c, which).unwrap();
            let size = whole.as_slice().iter().fold(1.0, |size: f64, value| size.max(value.abs()));
            for (got, want) in own.as_slice().iter().zip(whole.as_slice()) {
                assert!((got - want).abs() <= 1e-9 * size, "{which:?}: gradient {got} for {want}");
            }
        }
    }
}

/// The same of images, the whole matrix: pairs of pixels that are equal, opposite, close, and without variance.
#[test]
fn a_users_own_function_of_images_equals_the_closed_form() {
    let plain = matrix::<f64>(1, 5, 32);
    let x = Matrix::from_fn(5, 32, |i, at| match i {
        0 => 0.0,
        1 => plain[(2, at)] * if at < 16 { 1.0 } else { -1.0 },
        3 => plain[(2, at)] + 1e-5 * plain[(3, at)],
        _ => plain[(i, at)],
    });
    let shape = Shape::Image { height: 4, width: 4, channels: 2, side: 0 };
    for (function, custom) in functions() {
        if matches!(function, Function::Sign | Function::Rectifier { .. }) {
            continue;
        }
        let kernels = |function: &Function| {
            let layers = layers(function, DenseVariances::new(0.8, 0.1), true, false);
            InfiniteKernel::for_inputs(layers, shape).unwrap().points(&x, &Device::cpu(1)).unwrap().kernels()
        };
        let (closed, own) = (kernels(&function), kernels(&Function::Custom(Arc::new(custom))));
        for (got, want) in [(own.ntk, closed.ntk), (own.nngp, closed.nngp)] {
            for (got, want) in got.as_slice().iter().zip(want.as_slice()) {
                assert!((got - want).abs() <= 1e-11 * want.abs().max(1.0), "{function}: {got} for {want}");
            }
        }
    }
    let layers = layers(
        &Function::Custom(Arc::new(Custom(f64::abs, f64::signum, |_| 0.0))),
        DenseVariances::new(0.8, 0.1),
        true,
        false,
    );
    let error = InfiniteKernel::for_inputs(layers, shape).unwrap().points(&x, &Device::cpu(1)).unwrap_err();
    assert!(error.to_string().contains("series"), "{error}");
}

/// Equal and opposite points, and points without variance.
#[test]
fn limits_are_those_of_the_functions() {
    let moment = |custom: &Custom, a: f64| quadrature::integral(custom, a, a, 1.0).0;
    for (function, custom) in functions() {
        let layer = || InfiniteLayer::Function(function.clone());
        for a in [0.5, 2.0] {
            let (own, _) = dual(layer(), (a, a, 1.0));
            let want = moment(&custom, a);
            assert!((own - want).abs() <= 1e-11 * want.abs().max(1.0), "{function}({a}): {own} for {want}");
            let (near, _) = dual(layer(), (a, a, 1.0 - 1e-10));
            let reach = if matches!(function, Function::Sign) { 1e-4 } else { 1e-7 };
            assert!((near - own).abs() <= reach, "{function}: {near} beside {own}");
            let (opposite, _) = dual(layer(), (a, a, -1.0));
            let want = quadrature::integral(&custom, a, a, -1.0).0;
            assert!((opposite - want).abs() <= 1e-11 * want.abs().max(1.0), "{function}(−{a}): {opposite} for {want}");
        }
        let (value, _) = dual(layer(), (0.0, 0.0, 1.0));
        let at_zero = if matches!(function, Function::Sign) { 0.0 } else { (custom.0)(0.0) };
        assert!((value - at_zero * at_zero).abs() < 1e-15, "{function}(0): {value} for {}", at_zero * at_zero);
    }
}

/// (E[φφ], E[φ′φ′]) by the trapezoidal rule in both variables, which the poles of φ leave e^(−30) wrong.
fn trapezoids(activation: Activation, a: f64, b: f64, rho: f64) -> (f64, f64) {
    let step = 0.04;
    let nodes = || (-220..=220).map(|i| f64::from(i) * step);
    let weight = |z: f64| step * (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let mut sums = (0.0, 0.0);
    for p in nodes() {
        let x = a.sqrt() * p;
        let mut inner = (0.0, 0.0);
        for q in nodes() {
            let y = b.sqrt() * (rho * p + (1.0 - rho * rho).sqrt() * q);
            inner.0 += weight(q) * activation.value(y);
            inner.1 += weight(q) * activation.derivative(y);
        }
        sums.0 += weight(p) * activation.value(x) * inner.0;
        sums.1 += weight(p) * activation.derivative(x) * inner.1;
    }
    sums
}

#[test]
fn tanh_and_sigmoid_have_kernels_at_any_variance() {
    for activation in [Activation::Tanh, Activation::Sigmoid] {
        for (a, b) in [(0.5, 9.0), (9.0, 9.0), (40.0, 12.0)] {
            for rho in [-0.9, 0.3, 0.99] {
                let (value, slope) = dual(InfiniteLayer::Activation(activation), (a, b, rho));
                let want = trapezoids(activation, a, b, rho);
                assert!((value - want.0).abs() <= 1e-12, "{activation} {a} {b} {rho}: {value} for {}", want.0);
                assert!((slope - want.1).abs() <= 1e-12, "{activation}′ {a} {b} {rho}: {slope} for {}", want.1);
            }
        }
        // Towards the sign, the step.
        let (value, _) = dual(InfiniteLayer::Activation(activation), (1e8, 1e8, 0.5));
        let sign = 2.0 / std::f64::consts::PI * 0.5_f64.asin();
        let want = if activation == Activation::Tanh { sign } else { 0.25 + 0.25 * sign };
        assert!((value - want).abs() < 1e-4, "{activation}: {value} for {want}");
        // Two sets of points, one of which needs the mixture.
        let (small, large) = (dual(InfiniteLayer::Activation(activation), (7.9, 0.5, 0.4)), (8.1, 0.5, 0.4));
        let large = dual(InfiniteLayer::Activation(activation), large);
        assert!((small.0 - large.0).abs() < 0.01, "{activation}: {} beside {}", small.0, large.0);
    }
}

#[test]
fn unusable_functions_are_refused() {
    let network =
        |function: Function| InfiniteKernel::from_layers(vec![plain(), InfiniteLayer::Function(function), plain()]);
    for function in [
        Function::Polynomial(Vec::new()),
        Function::Gaussian { scale: 1.0, sharpness: -1.0 },
        Function::Exponential { scale: f64::NAN, rate: 1.0 },
        Function::Erf { scale: 1.0, rate: f64::INFINITY, shift: 0.0 },
    ] {
        assert!(network(function.clone()).is_err(), "{function:?}");
    }
    let kinked = Custom(f64::abs, f64::signum, |_| 0.0);
    let kernel = network(Function::Custom(Arc::new(kinked))).unwrap();
    let error = kernel.points(&matrix::<f64>(4, 2, 3), &Device::cpu(1)).unwrap_err().to_string();
    assert!(error.contains("series"), "{error}");
}

/// A rectifier of two slopes of 0 is the function that is 0.
#[test]
fn a_function_without_slopes_leaves_the_biases_behind_it() {
    let image = Shape::Image { height: 4, width: 4, channels: 1, side: 0 };
    for (images, x) in [(false, matrix::<f64>(1, 3, 4)), (true, matrix::<f64>(1, 3, 16))] {
        let kernels = |function: &Function| {
            let layers = layers(function, DenseVariances::new(0.8, 0.1), images, false);
            let kernel =
                if images { InfiniteKernel::for_inputs(layers, image) } else { InfiniteKernel::from_layers(layers) };
            kernel.unwrap().points(&x, &Device::cpu(1)).unwrap().kernels()
        };
        let flat = kernels(&Function::Rectifier { below: 0.0, above: 0.0 });
        let zero = kernels(&Function::Polynomial(vec![0.0]));
        for (got, want) in [(flat.ntk, zero.ntk), (flat.nngp, zero.nngp)] {
            for (got, want) in got.as_slice().iter().zip(want.as_slice()) {
                assert!((got - want).abs() <= 1e-14, "images {images}: {got} for {want}");
            }
        }
    }
}
