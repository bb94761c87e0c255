//! The direct form is the twin; errors are bounded by ε and the transforms' own numbers.

use rand::RngExt;

use std::sync::Arc;

use super::super::Cpu;
use super::*;
use crate::device::{Device, Operations};
use crate::random::{Purpose, stream};

/// Bᵀ, Aᵀ and G as they stand in the literature, in double precision.
struct Matrices {
    pixels: [[f64; 6]; 6],
    results: [[f64; 6]; 4],
    taps: [[f64; 3]; 6],
}

fn matrices() -> Matrices {
    let (p, q) = (0.5_f64.sqrt(), 2.0_f64.sqrt());
    Matrices {
        pixels: [
            [1.0, 0.0, -2.5, 0.0, 1.0, 0.0],
            [0.0, -2.0 * p, -2.0, p, 1.0, 0.0],
            [0.0, 2.0 * p, -2.0, -p, 1.0, 0.0],
            [0.0, -0.5 * q, -0.5, q, 1.0, 0.0],
            [0.0, 0.5 * q, -0.5, -q, 1.0, 0.0],
            [0.0, 1.0, 0.0, -2.5, 0.0, 1.0],
        ],
        results: [
            [1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
            [0.0, p, -p, q, -q, 0.0],
            [0.0, 0.5, 0.5, 2.0, 2.0, 0.0],
            [0.0, 0.5 * p, -0.5 * p, 2.0 * q, -2.0 * q, 1.0],
        ],
        taps: [
            [1.0, 0.0, 0.0],
            [-2.0 / 3.0, -2.0 / 3.0 * p, -1.0 / 3.0],
            [-2.0 / 3.0, 2.0 / 3.0 * p, -1.0 / 3.0],
            [1.0 / 6.0, q / 6.0, 1.0 / 3.0],
            [1.0 / 6.0, -q / 6.0, 1.0 / 3.0],
            [0.0, 0.0, 1.0],
        ],
    }
}

/// Images, deltas and weights of one layer.
struct Layer {
    window: Window,
    outputs: usize,
    images: usize,
    x: Vec<f32>,
    delta: Vec<f32>,
    weight: Vec<f32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Pass {
    Forward,
    Backward,
    Sum,
    Each,
}

const PASSES: [Pass; 4] = [Pass::Forward, Pass::Backward, Pass::Sum, Pass::Each];

impl Layer {
    fn new((height, width): (usize, usize), (inputs, outputs): (usize, usize), images: usize) -> Self {
        let window = Window::new((height, width, inputs), (3, 3), 1, 1).unwrap();
        let mut random = stream(7, Purpose::Data, 0, 0);
        let mut draw = |length: usize| (0..length).map(|_| random.random_range(-1.0..1.0)).collect::<Vec<f32>>();
        let pixels = height * width;
        let (x, delta) = (draw(images * pixels * inputs), draw(images * pixels * outputs));
        Self { window, outputs, images, x, delta, weight: draw(outputs * window.len()) }
    }

    fn shape(&self) -> Shape {
        Shape::new::<f32>(&CpuOperations::new(&Arc::new(Cpu::with_threads(1)), 1), &self.window, self.outputs).unwrap()
    }

    /// A pass on some device in some precision, added to ones.
    fn run<T: Scalar>(&self, device: &Device, pass: Pass) -> Vec<T> {
        let cast = |values: &[f32]| values.iter().map(|&v| T::from_f64(v.into())).collect::<Vec<T>>();
        let (x, delta, weight) = (cast(&self.x), cast(&self.delta), cast(&self.weight));
        let x = Tile::new(&x, self.images, self.window.image_len());
        let delta = Tile::new(&delta, self.images, self.window.places() * self.outputs);
        let weight = Tile::new(&weight, self.outputs, self.window.len());
        let (rows, columns) = match pass {
            Pass::Forward => (delta.rows(), delta.columns()),
            Pass::Backward => (x.rows(), x.columns()),
            Pass::Sum => (weight.rows(), weight.columns()),
            Pass::Each => (self.images, weight.rows() * weight.columns()),
        };
        let mut out = vec![T::ONE; rows * columns];
        let tile = TileMut::new(&mut out, rows, columns);
        let operations = device.operations::<T>();
        let window = &self.window;
        match pass {
            Pass::Forward => operations.convolve(tile, WriteMode::Accumulate, T::from_f64(0.5), window, x, weight),
            Pass::Backward => operations.convolve_backward(tile, WriteMode::Replace, T::ONE, window, delta, weight),
            Pass::Sum => operations.convolve_gradient_sum(tile, T::ONE, window, x, delta),
            Pass::Each => operations.convolve_gradients(tile, window, x, delta),
        }
        out
    }
}

/// Whole tiles and cut ones, one image in a block and several blocks to an image; one vector and two to a panel.
fn layers() -> Vec<Layer> {
    let shape = |size, channels| Layer::new(size, channels, 3);
    vec![
        shape((8, 8), (64, 32)),
        shape((7, 8), (16, 16)),
        shape((13, 15), (32, 48)),
        shape((16, 12), (48, 16)),
        shape((36, 35), (16, 32)),
    ]
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum::<f64>().sqrt()
}

#[test]
fn every_pass_is_the_direct_one_up_to_rounding() {
    for layer in layers() {
        let shape = layer.shape();
        for pass in PASSES {
            let exact: Vec<f64> = layer.run(&Device::cpu(1), pass);
            let close = |device: &Device| {
                let values: Vec<f32> = layer.run(device, pass);
                let error = values.iter().zip(&exact).map(|(&v, e)| f64::from(v) - e);
                norm(error) / norm(exact.iter().copied())
            };
            let (direct, fast) = (close(&Device::cpu(1).with_direct_convolutions()), close(&Device::cpu(1)));
            assert!(direct < 5e-7, "direct {pass:?} of {shape:?}: {direct:e}");
            assert!(fast < 1e-6 && fast > 0.0, "{pass:?} of {shape:?}: {fast:e}");
            assert_ne!(direct, fast, "{pass:?} of {shape:?} is not this form");
        }
    }
}

/// Aᵀ[Σ_c (G g_c Gᵀ) ∘ (Bᵀ d_c B)]A of one tile and one output, by the matrices, or by their absolute values.
fn tile_result(
    m: &Matrices,
    pixels: &[[[f64; 6]; 6]],
    taps: &[[[f64; 3]; 3]],
    change: fn(f64) -> f64,
) -> [[f64; 4]; 4] {
    let mut sums = [[0.0; 6]; 6];
    for (d, g) in pixels.iter().zip(taps) {
        for (i, line) in sums.iter_mut().enumerate() {
            for (j, sum) in line.iter_mut().enumerate() {
                let (mut v, mut u) = (0.0, 0.0);
                for k in 0..6 {
                    for l in 0..6 {
                        v += change(m.pixels[i][k]) * change(d[k][l]) * change(m.pixels[j][l]);
                    }
                }
                for k in 0..3 {
                    for l in 0..3 {
                        u += change(m.taps[i][k]) * change(g[k][l]) * change(m.taps[j][l]);
                    }
                }
                *sum += u * v;
            }
        }
    }
    let mut out = [[0.0; 4]; 4];
    for (i, line) in out.iter_mut().enumerate() {
        for (j, out) in line.iter_mut().enumerate() {
            for k in 0..6 {
                for l in 0..6 {
                    *out += change(m.results[i][k]) * sums[k][l] * change(m.results[j][l]);
                }
            }
        }
    }
    out
}

#[test]
fn errors_stay_below_the_bound_of_the_transforms() {
    // A sum of K products rounds by K·ε/2 of its absolute terms, a row of a transform by at most 5·ε/2 with its rounded
    // constants; two rows each for pixels, weights and results.
    let m = matrices();
    let layer = Layer::new((8, 8), (32, 16), 1);
    let values: Vec<f32> = layer.run(&Device::cpu(1), Pass::Forward);
    let exact: Vec<f64> = layer.run(&Device::cpu(1), Pass::Forward);
    let (channels, outputs) = (32, 16);
    let depth = (channels + 6 * 5 + 2) as f64 * f64::from(f32::EPSILON) / 2.0;
    let pixel = |y: usize, x: usize, c: usize| {
        let inside = (1..=8).contains(&y) && (1..=8).contains(&x);
        if inside { f64::from(layer.x[((y - 1) * 8 + x - 1) * channels + c]) } else { 0.0 }
    };
    for (row, column) in [(0, 0), (0, 4), (4, 0), (4, 4)] {
        let pixels: Vec<_> = (0..channels)
            .map(|c| std::array::from_fn(|i| std::array::from_fn(|j| pixel(row + i, column + j, c))))
            .collect();
        for output in 0..outputs {
            let tap =
                |c: usize, i: usize, j: usize| 0.5 * f64::from(layer.weight[(output * 9 + i * 3 + j) * channels + c]);
            let taps: Vec<_> =
                (0..channels).map(|c| std::array::from_fn(|i| std::array::from_fn(|j| tap(c, i, j)))).collect();
            let (same, bound) = (tile_result(&m, &pixels, &taps, |v| v), tile_result(&m, &pixels, &taps, f64::abs));
            for i in 0..4 {
                for j in 0..4 {
                    let at = ((row + i) * 8 + column + j) * outputs + output;
                    assert!((same[i][j] + 1.0 - exact[at]).abs() < 1e-12, "the matrices are a convolution");
                    let error = (f64::from(values[at]) - exact[at]).abs();
                    assert!(error <= depth * (bound[i][j] + 1.0), "{error:e} at {at}, bound {:e}", depth * bound[i][j]);
                }
            }
        }
    }
}

#[test]
fn bits_depend_neither_on_threads_nor_on_the_images_beside() {
    for layer in layers() {
        for pass in PASSES {
            let alone: Vec<f32> = layer.run(&Device::cpu(1), pass);
            for threads in [2, 3] {
                assert_eq!(alone, layer.run::<f32>(&Device::cpu(threads), pass), "{pass:?} on {threads} threads");
            }
            if pass == Pass::Sum {
                continue;
            }
            let row = layer.images - 1;
            let cut = |values: &[f32]| values[row * values.len() / layer.images..].to_vec();
            let last =
                Layer { images: 1, x: cut(&layer.x), delta: cut(&layer.delta), weight: layer.weight.clone(), ..layer };
            assert_eq!(cut(&alone), last.run::<f32>(&Device::cpu(1), pass), "{pass:?} of one image");
        }
    }
}

#[test]
fn an_image_serves_all_its_cotangents() {
    let layer = Layer::new((8, 8), (16, 32), 2);
    let operations = Device::cpu(1).operations::<f32>();
    let (places, length) = (layer.window.places() * 32, 32 * layer.window.len());
    let twice: Vec<f32> = layer.delta.chunks(places).flat_map(|delta| [delta, delta].concat()).collect();
    let mut out = vec![0.0; 4 * length];
    let (x, deltas) = (Tile::new(&layer.x, 2, layer.window.image_len()), Tile::new(&twice, 4, places));
    operations.convolve_gradients(TileMut::new(&mut out, 4, length), &layer.window, x, deltas);
    let once: Vec<f32> = layer.run(&Device::cpu(1), Pass::Each);
    for (row, out) in out.chunks(length).enumerate() {
        assert_eq!(out, &once[row / 2 * length..][..length], "row {row}");
    }
}

#[test]
fn other_layers_stay_direct() {
    let operations = CpuOperations::new(&Arc::new(Cpu::with_threads(1)), 1);
    let window =
        |size: usize, channels, stride, padding| Window::new((size, size, channels), (3, 3), stride, padding).unwrap();
    assert!(Shape::new::<f32>(&operations, &window(8, 16, 1, 1), 16).is_some());
    assert!(Shape::new::<f64>(&operations, &window(8, 16, 1, 1), 16).is_none(), "double precision");
    for (window, outputs) in [
        (window(8, 16, 2, 1), 16),
        (window(8, 16, 1, 0), 16),
        (window(8, 3, 1, 1), 16),
        (window(8, 16, 1, 1), 24),
        (window(5, 16, 1, 1), 16),
    ] {
        assert!(Shape::new::<f32>(&operations, &window, outputs).is_none(), "{window:?} to {outputs}");
    }
}

/// The vector unit that the machine does not choose gives the same bits as the one that it does.
#[cfg(target_arch = "x86_64")]
#[test]
fn bits_are_those_of_every_vector_unit_with_fused_products() {
    let Some(narrow) = pulp::x86::V3::try_new() else { return };
    for layer in layers() {
        let shape = layer.shape();
        let work = |out: &mut Vec<f32>, run: &dyn Fn(Gradients<'_>)| {
            let mut memory = vec![0.0; Gradients::memory(&shape)];
            run(Gradients {
                shape: &shape,
                images: &layer.x,
                deltas: &layer.delta,
                cotangents: 1,
                out,
                summed: false,
                memory: &mut memory,
            });
        };
        let mut gradients = [(); 2].map(|()| vec![0.0; layer.images * layer.weight.len()]);
        work(&mut gradients[0], &|work| Simd::vectorize(narrow, work));
        work(&mut gradients[1], &|work| pulp::Arch::new().dispatch(work));
        assert!(gradients[0] == gradients[1], "gradients of {shape:?}");
    }
}
