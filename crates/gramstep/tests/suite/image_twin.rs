//! The slow twin of kernels of convolutional networks: K\[p,q\] and Θ\[p,q\] of one pair of images, as the definitions say.

use std::f64::consts::PI;

use gramstep::Activation;
use gramstep::kernel::infinite::quadrature;
use gramstep::kernel::{ConvolutionVariances, InfiniteLayer, Padding};

/// Covariances of all pairs of pixels: of x with x, of x with x′ and of x′ with x′, and Θ of x with x′.
#[derive(Clone)]
struct State {
    height: usize,
    width: usize,
    own: [Vec<f64>; 2],
    cross: Vec<f64>,
    theta: Vec<f64>,
}

/// (Θ, K) of two images under these layers.
pub(crate) fn kernels(layers: &[InfiniteLayer], size: (usize, usize, usize), x: &[f64], y: &[f64]) -> (f64, f64) {
    let (height, width, channels) = size;
    let pixels = height * width;
    let product = |a: &[f64], b: &[f64]| {
        let dot = |p: usize, q: usize| {
            (0..channels).map(|c| a[p * channels + c] * b[q * channels + c]).sum::<f64>() / channels as f64
        };
        (0..pixels * pixels).map(|at| dot(at / pixels, at % pixels)).collect::<Vec<_>>()
    };
    let state = State {
        height,
        width,
        own: [product(x, x), product(y, y)],
        cross: product(x, y),
        theta: vec![0.0; pixels * pixels],
    };
    let end = follow(layers, state);
    assert_eq!(end.cross.len(), 1, "the layers end in one number");
    (end.theta[0], end.cross[0])
}

fn follow(layers: &[InfiniteLayer], state: State) -> State {
    layers.iter().fold(state, |state, layer| match layer {
        InfiniteLayer::Convolution(convolution) => convolve(convolution, &state),
        InfiniteLayer::Dense(variances) => {
            let state = if state.cross.len() == 1 { state } else { flatten(&state) };
            let theta = variances.weight_tangent * state.cross[0] + variances.bias_tangent;
            let theta = vec![variances.weight * state.theta[0] + theta];
            linear(state, variances.weight, variances.bias, theta)
        }
        InfiniteLayer::Activation(activation) => activate(*activation, &state),
        InfiniteLayer::LayerNorm { epsilon } => normalise(*epsilon, &state),
        InfiniteLayer::AveragePool { window } => {
            pool(&state, *window, 1.0 / (window * window * window * window) as f64)
        }
        InfiniteLayer::SumPool { window } => pool(&state, *window, 1.0),
        InfiniteLayer::GlobalAveragePool => {
            let mean = |k: &[f64]| vec![k.iter().sum::<f64>() / k.len() as f64];
            one(mean, &state)
        }
        InfiniteLayer::Flatten => flatten(&state),
        InfiniteLayer::Residual { layers, shortcut } => {
            let (mut branch, beside) = (follow(layers, state.clone()), follow(shortcut, state));
            let [own, other] = &mut branch.own;
            let sums = [
                (own, &beside.own[0]),
                (other, &beside.own[1]),
                (&mut branch.cross, &beside.cross),
                (&mut branch.theta, &beside.theta),
            ];
            for (sum, values) in sums {
                assert_eq!(sum.len(), values.len());
                sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            branch
        }
        InfiniteLayer::Pixels { stride, share } => {
            let (height, width) = (state.height.div_ceil(*stride), state.width.div_ceil(*stride));
            let from = |at: usize| (at / width) * stride * state.width + (at % width) * stride;
            let pixels = state.height * state.width;
            let pick = |k: &[f64]| -> Vec<f64> {
                let count = height * width;
                (0..count * count).map(|at| share * k[from(at / count) * pixels + from(at % count)]).collect()
            };
            State { height, width, ..all(pick, &state) }
        }
        other => panic!("no twin of {other:?}"),
    })
}

fn all(map: impl Fn(&[f64]) -> Vec<f64>, state: &State) -> State {
    let own = [map(&state.own[0]), map(&state.own[1])];
    State { own, cross: map(&state.cross), theta: map(&state.theta), ..*state }
}

fn one(map: impl Fn(&[f64]) -> Vec<f64>, state: &State) -> State {
    State { height: 1, width: 1, ..all(map, state) }
}

fn flatten(state: &State) -> State {
    let pixels = state.height * state.width;
    one(|k| vec![(0..pixels).map(|p| k[p * pixels + p]).sum::<f64>() / pixels as f64], state)
}

fn linear(mut state: State, weight: f64, bias: f64, theta: Vec<f64>) -> State {
    let [own, other] = &mut state.own;
    for value in own.iter_mut().chain(other).chain(&mut state.cross) {
        *value = weight * *value + bias;
    }
    State { theta, ..state }
}

/// Windows along an axis: how many come out, and the border before the first pixel.
fn axis(size: usize, layer: &ConvolutionVariances) -> (usize, usize) {
    match layer.padding {
        Padding::Valid => ((size - layer.kernel) / layer.stride + 1, 0),
        Padding::Zeros(border) => ((size + 2 * border - layer.kernel) / layer.stride + 1, border),
        _ => {
            let out = size.div_ceil(layer.stride);
            (out, ((out - 1) * layer.stride + layer.kernel).saturating_sub(size) / 2)
        }
    }
}

fn convolve(layer: &ConvolutionVariances, state: &State) -> State {
    let ((height, top), (width, left)) = (axis(state.height, layer), axis(state.width, layer));
    let torus = layer.padding == Padding::Circular;
    let place = |out: usize, tap: usize, low: usize, size: usize| {
        let at = out * layer.stride + tap;
        if torus { Some((at + size - low) % size) } else { at.checked_sub(low).filter(|&at| at < size) }
    };
    let pixel = |p: usize, tap: usize| {
        let row = place(p / width, tap / layer.kernel, top, state.height)?;
        Some(row * state.width + place(p % width, tap % layer.kernel, left, state.width)?)
    };
    let (count, pixels, taps) = (height * width, state.height * state.width, layer.kernel * layer.kernel);
    let mean = |k: &[f64]| -> Vec<f64> {
        let sum = |p: usize, q: usize| {
            (0..taps).filter_map(|tap| Some(k[pixel(p, tap)? * pixels + pixel(q, tap)?])).sum::<f64>() / taps as f64
        };
        (0..count * count).map(|at| sum(at / count, at % count)).collect()
    };
    let means = all(mean, state);
    let variances = layer.variances;
    let theta = means.theta.iter().zip(&means.cross);
    let theta =
        theta.map(|(theta, k)| variances.weight * theta + variances.weight_tangent * k + variances.bias_tangent);
    let theta = theta.collect();
    State { height, width, ..linear(means, variances.weight, variances.bias, theta) }
}

fn pool(state: &State, window: usize, factor: f64) -> State {
    let (height, width) = (state.height / window, state.width / window);
    let (count, pixels) = (height * width, state.height * state.width);
    let members = |p: usize| -> Vec<usize> {
        let (top, left) = (window * (p / width), window * (p % width));
        (0..window * window).map(|at| (top + at / window) * state.width + left + at % window).collect()
    };
    let sums = |k: &[f64]| -> Vec<f64> {
        let sum = |p: usize, q: usize| {
            let pairs = members(p).into_iter().flat_map(|a| members(q).into_iter().map(move |b| k[a * pixels + b]));
            factor * pairs.sum::<f64>()
        };
        (0..count * count).map(|at| sum(at / count, at % count)).collect()
    };
    State { height, width, ..all(sums, state) }
}

/// (E[φφ], E[φ′φ′]).
fn dual(activation: Activation, a: f64, b: f64, k: f64) -> (f64, f64) {
    let norm = (a * b).sqrt();
    let c = if norm > 0.0 { (k / norm).clamp(-1.0, 1.0) } else { 0.0 };
    match activation {
        Activation::Relu => {
            let t = c.acos();
            (norm / (2.0 * PI) * (t.sin() + (PI - t) * c), (PI - t) / (2.0 * PI))
        }
        Activation::Erf => {
            let total = (1.0 + 2.0 * a) * (1.0 + 2.0 * b);
            (2.0 / PI * (2.0 * k / total.sqrt()).asin(), 4.0 / PI / (total - 4.0 * k * k).sqrt())
        }
        other => quadrature::dual(other, a, b, c),
    }
}

fn activate(activation: Activation, state: &State) -> State {
    let pixels = state.height * state.width;
    let variance = |side: usize, p: usize| state.own[side][p * pixels + p];
    let map = |left: usize, right: usize, k: &[f64]| -> Vec<(f64, f64)> {
        let of = |at: usize| dual(activation, variance(left, at / pixels), variance(right, at % pixels), k[at]);
        (0..pixels * pixels).map(of).collect()
    };
    let values = |pairs: Vec<(f64, f64)>| pairs.into_iter().map(|pair| pair.0).collect::<Vec<_>>();
    let own = [values(map(0, 0, &state.own[0])), values(map(1, 1, &state.own[1]))];
    let (cross, slopes): (Vec<_>, Vec<_>) = map(0, 1, &state.cross).into_iter().unzip();
    let theta = state.theta.iter().zip(slopes).map(|(theta, slope)| theta * slope).collect();
    State { own, cross, theta, ..*state }
}

fn normalise(epsilon: f64, state: &State) -> State {
    let pixels = state.height * state.width;
    let factor = |side: usize, p: usize| 1.0 / (state.own[side][p * pixels + p] + epsilon).sqrt();
    let map = |left: usize, right: usize, k: &[f64]| -> Vec<f64> {
        (0..pixels * pixels).map(|at| k[at] * factor(left, at / pixels) * factor(right, at % pixels)).collect()
    };
    let own = [map(0, 0, &state.own[0]), map(1, 1, &state.own[1])];
    State { own, cross: map(0, 1, &state.cross), theta: map(0, 1, &state.theta), ..*state }
}
