//! Kernels of infinitely wide convolutional networks: the slow twin, laws, and what happens at the edges of the domain.

use gramstep::kernel::{
    ConvolutionVariances, DenseVariances, EmpiricalKernel, InfiniteKernel, InfiniteLayer, InfiniteTiles, KernelTiles,
    Outputs, Padding, Which,
};
use gramstep::model::{Parameterization, Scheme, Shape};
use gramstep::{Activation, Device, Matrix, Model, Scalar, Specification};

use super::cases::matrix;
use super::image_twin;

type Size = (usize, usize, usize);

fn shape((height, width, channels): Size) -> Shape {
    Shape::Image { height, width, channels, side: 0 }
}

fn variances() -> DenseVariances {
    DenseVariances::new(1.9, 0.15)
}

fn convolution(kernel: usize, stride: usize, padding: Padding) -> InfiniteLayer {
    InfiniteLayer::Convolution(ConvolutionVariances::new(kernel, variances()).with_stride(stride).with_padding(padding))
}

fn phi(activation: Activation) -> InfiniteLayer {
    InfiniteLayer::Activation(activation)
}

/// A network from its body: the mean over pixels, or all of them, and a dense layer.
fn network(body: impl IntoIterator<Item = InfiniteLayer>, mean: bool) -> Vec<InfiniteLayer> {
    let head = if mean { InfiniteLayer::GlobalAveragePool } else { InfiniteLayer::Flatten };
    body.into_iter().chain([head, InfiniteLayer::Dense(DenseVariances::new(1.3, 0.2))]).collect()
}

/// Networks that together have every layer, and sizes of images that are not square.
#[expect(clippy::too_many_lines, reason = "a table")]
fn networks() -> Vec<(String, Size, Vec<InfiniteLayer>)> {
    let relu = || phi(Activation::Relu);
    let same = |stride| convolution(3, stride, Padding::Same);
    let mut cases = Vec::new();
    let mut add = |name: &str, size: Size, body: Vec<InfiniteLayer>| {
        for mean in [true, false] {
            let name = format!("{name}, {}", if mean { "mean" } else { "flatten" });
            cases.push((name, size, network(body.clone(), mean)));
        }
    };
    add("one convolution", (4, 3, 2), vec![same(1)]);
    add("deep", (5, 4, 3), vec![same(1), relu(), same(1), relu(), same(1), relu()]);
    for kernel in [1, 2, 3, 4, 5] {
        let borders = [Padding::Same, Padding::Valid, Padding::Circular, Padding::Zeros(kernel - 1)];
        for padding in borders {
            for stride in [1, 2] {
                let layers = vec![convolution(kernel, stride, padding), relu()];
                let name = format!("kernel {kernel}, stride {stride}, {padding:?}");
                add(&name, (6, if padding == Padding::Circular { 6 } else { 5 }, 1), layers);
            }
        }
    }
    add("stride three", (7, 8, 1), vec![same(3), relu(), same(1), relu()]);
    add("pools", (6, 7, 2), vec![same(1), relu(), InfiniteLayer::AveragePool { window: 2 }, same(1), relu()]);
    add("pool of the input", (6, 6, 1), vec![InfiniteLayer::AveragePool { window: 3 }, same(1), relu()]);
    add(
        "pools of sums after strides",
        (8, 8, 1),
        vec![same(2), relu(), InfiniteLayer::SumPool { window: 2 }, same(2), relu(), same(1)],
    );
    add(
        "two pools in turn",
        (9, 8, 1),
        vec![
            same(1),
            relu(),
            InfiniteLayer::AveragePool { window: 2 },
            InfiniteLayer::AveragePool { window: 2 },
            same(1),
            relu(),
        ],
    );
    let circular = |stride| convolution(3, stride, Padding::Circular);
    add(
        "a torus with pools and strides",
        (8, 12, 2),
        vec![circular(1), relu(), InfiniteLayer::AveragePool { window: 2 }, circular(2), relu()],
    );
    let block = |stride, shortcut: Vec<InfiniteLayer>| InfiniteLayer::Residual {
        layers: vec![relu(), same(stride), relu(), same(1)],
        shortcut,
    };
    add(
        "wide residual",
        (6, 5, 2),
        vec![same(1), block(1, vec![same(1)]), block(1, vec![]), block(2, vec![same(2)]), block(1, vec![]), relu()],
    );
    add(
        "residual with a pooled shortcut",
        (7, 6, 1),
        vec![same(1), block(2, vec![InfiniteLayer::Pixels { stride: 2, share: 0.5 }]), relu(), same(1), relu()],
    );
    add(
        "branches in branches",
        (5, 5, 1),
        vec![
            same(1),
            InfiniteLayer::Residual { layers: vec![block(1, vec![]), relu(), same(2)], shortcut: vec![same(2)] },
            relu(),
            InfiniteLayer::AveragePool { window: 2 },
            same(1),
            block_with_normalised_shortcut(),
            relu(),
        ],
    );
    add(
        "normalisation",
        (5, 4, 2),
        vec![
            InfiniteLayer::LayerNorm { epsilon: 1e-5 },
            same(1),
            InfiniteLayer::LayerNorm { epsilon: 0.1 },
            relu(),
            same(1),
            relu(),
            InfiniteLayer::LayerNorm { epsilon: 0.0 },
        ],
    );
    let mut frozen = DenseVariances::new(1.4, 0.3);
    (frozen.weight_tangent, frozen.bias_tangent) = (0.0, 0.6);
    let frozen = InfiniteLayer::Convolution(ConvolutionVariances::new(3, frozen));
    add("frozen weights", (5, 4, 1), vec![same(1), relu(), frozen.clone(), relu(), frozen, relu()]);
    for activation in [
        Activation::Identity,
        Activation::Erf,
        Activation::LeakyRelu,
        Activation::Abs,
        Activation::SquaredRelu,
        Activation::Gelu,
        Activation::Sin,
        Activation::Cos,
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::Silu,
        Activation::Softplus,
    ] {
        // Small: the twin takes quadrature for most of them.
        add(activation.name(), (2, 2, 1), vec![same(1), phi(activation), same(1), phi(activation)]);
    }
    let (dense, erf) = (InfiniteLayer::Dense(DenseVariances::new(1.2, 0.1)), phi(Activation::Erf));
    let tail = InfiniteLayer::Residual { layers: vec![relu(), dense.clone()], shortcut: vec![dense.clone()] };
    for mean in [true, false] {
        let body = network([same(1), relu(), same(2), relu()], mean);
        let layers =
            body.into_iter().chain([relu(), dense.clone(), erf.clone(), dense.clone(), tail.clone()]).collect();
        cases.push((format!("dense layers after it, {mean}"), (5, 5, 2), layers));
    }
    cases
}

fn block_with_normalised_shortcut() -> InfiniteLayer {
    let layers = vec![convolution(3, 1, Padding::Same)];
    InfiniteLayer::Residual { layers, shortcut: vec![InfiniteLayer::LayerNorm { epsilon: 0.0 }] }
}

fn length((height, width, channels): Size) -> usize {
    height * width * channels
}

fn kernel(layers: &[InfiniteLayer], size: Size) -> InfiniteKernel {
    InfiniteKernel::for_inputs(layers.to_vec(), shape(size)).unwrap()
}

#[test]
fn kernels_of_images_agree_with_the_definitions_written_out() {
    for (name, size, layers) in networks() {
        let (x, y) = (matrix::<f64>(1, 2, length(size)), matrix::<f64>(2, 2, length(size)));
        let kernel = kernel(&layers, size);
        let device = Device::cpu(1);
        let (x_points, y_points) = (kernel.points(&x, &device).unwrap(), kernel.points(&y, &device).unwrap());
        let got = x_points.cross_kernels(&y_points).unwrap();
        for i in 0..2 {
            let j = 1 - i;
            let (theta, k) = image_twin::kernels(&layers, size, x.row(i), y.row(j));
            for (which, got, want) in [("ntk", got.ntk[(i, j)], theta), ("nngp", got.nngp[(i, j)], k)] {
                let error = (got - want).abs() / want.abs().max(0.01);
                assert!(error <= 1e-12, "{name}: {which} ({i}, {j}) is {got} for {want}, error {error:.1e}");
            }
        }
    }
}

/// Images in which large parts are alike, copies, opposites, shifted ones, nothing, and near copies.
fn edges(size: Size) -> Matrix<f64> {
    let (height, width, channels) = size;
    let base = matrix::<f64>(3, 1, length(size));
    let noise = matrix::<f64>(4, 1, length(size));
    Matrix::from_fn(8, length(size), |i, at| {
        let (row, column) = (at / channels / width, at / channels % width);
        match i {
            0 | 1 => base[(0, at)],
            2 => -base[(0, at)],
            3 => 0.0,
            4 => 1.0,
            5 => f64::from(u8::from(row > height / 2 && column > width / 2)),
            6 => base[(0, at)] + 1e-4 * noise[(0, at)],
            _ => 1.5 * base[(0, at)],
        }
    })
}

fn symmetric_and_in_tiles<T: Scalar>() {
    for (name, size, layers) in networks() {
        let x = edges(size).cast::<T>();
        let points = kernel(&layers, size).points(&x, &Device::cpu(1)).unwrap();
        let more = kernel(&layers, size).points(&x, &Device::cpu(2)).unwrap();
        for which in [Which::Ntk, Which::Nngp] {
            let gram = points.gram(which);
            assert_eq!(gram, more.gram(which), "{name}: threads");
            let tiles = InfiniteTiles { rows: &points, columns: &points, which };
            assert_eq!(tiles.symmetric_matrix(3).unwrap(), gram, "{name}: tiles");
            let diagonal = points.diagonal(which);
            for i in 0..8 {
                assert_eq!(gram[(i, i)], diagonal[i], "{name}: diagonal");
                for j in 0..i {
                    assert_eq!(gram[(i, j)], gram[(j, i)], "{name}: symmetry");
                    assert!(gram[(i, j)].is_finite(), "{name}: ({i}, {j})");
                }
            }
            assert_eq!(gram[(1, 0)], gram[(0, 0)], "{name}: a copy is the image");
            let tile = points.tile(2..7, &points, 1..4, which).unwrap();
            for i in 0..5 {
                for j in 0..3 {
                    let (got, want) = (tile[(i, j)].to_f64(), gram[(i + 2, j + 1)].to_f64());
                    let scale = want.abs().max(gram[(i + 2, i + 2)].to_f64().abs());
                    assert!((got - want).abs() <= 32.0 * T::EPSILON.to_f64() * scale, "{name}: {got} for {want}");
                }
            }
        }
    }
}

#[test]
fn kernels_of_images_are_symmetric_and_the_same_in_tiles_and_on_threads() {
    symmetric_and_in_tiles::<f64>();
    symmetric_and_in_tiles::<f32>();
}

#[test]
fn single_precision_follows_double_precision_where_pixels_and_images_are_alike() {
    for (name, size, layers) in networks() {
        // Behind a pool or a mean, 1 − ρ of images that are almost alike is a difference of covariances.
        let flat = |layer: &InfiniteLayer| {
            let mean = matches!(layer, InfiniteLayer::GlobalAveragePool);
            !mean && !matches!(layer, InfiniteLayer::AveragePool { .. } | InfiniteLayer::SumPool { .. })
        };
        let tolerance = if layers.iter().all(flat) { 1e-5 } else { 4e-5 };
        let narrow = edges(size).cast::<f32>();
        let wide = narrow.cast::<f64>();
        let kernel = kernel(&layers, size);
        let narrow = kernel.points(&narrow, &Device::cpu(1)).unwrap().kernels();
        let wide = kernel.points(&wide, &Device::cpu(1)).unwrap().kernels();
        for (which, narrow, wide) in [("ntk", narrow.ntk, wide.ntk), ("nngp", narrow.nngp, wide.nngp)] {
            for i in 0..8 {
                for j in 0..8 {
                    // Of an image and a multiple of it, 1 − ρ is a difference of numbers of the size of (r − r′)².
                    let tolerance = if (i == 7) == (j == 7) { tolerance } else { 1e-4 };
                    let scale = wide[(i, j)].abs().max(wide[(i, i)].abs().min(wide[(j, j)].abs()));
                    let error = (f64::from(narrow[(i, j)]) - wide[(i, j)]).abs() / scale.max(1e-3);
                    assert!(error <= tolerance, "{name}: {which} ({i}, {j}) off by {error:.1e}");
                }
            }
        }
    }
}

/// Strokes on a dark ground, as of digits: most pixels alike, lengths far apart.
fn strokes(size: Size) -> Matrix<f64> {
    let (height, width, channels) = size;
    Matrix::from_fn(5, length(size), |image, at| {
        let (row, column) = ((at / channels / width) as f64, (at / channels % width) as f64);
        let (angle, shift) = (0.7 * image as f64 + 0.3, 0.4 * image as f64 - 0.8);
        let across = (row - height as f64 / 2.0) * angle.cos() + (column - width as f64 / 2.0) * angle.sin() - shift;
        (1.0 - across.abs() / 1.5).max(0.0) * (1.0 - 0.2 * (at % channels) as f64)
    })
}

#[test]
fn single_precision_keeps_six_digits_on_images_with_flat_parts() {
    let size = (10, 9, 2);
    let wide = strokes(size);
    let narrow = wide.cast::<f32>();
    let wide = narrow.cast::<f64>();
    let block = || [convolution(3, 1, Padding::Same), phi(Activation::Relu)];
    let deep = |depth: usize| (0..depth).flat_map(|_| block()).collect::<Vec<_>>();
    let pooled: Vec<_> =
        [deep(3), vec![InfiniteLayer::AveragePool { window: 2 }], deep(3)].into_iter().flatten().collect();
    for (name, body, bound) in [("shallow", deep(1), 1e-6), ("deep", deep(12), 1e-6), ("pooled", pooled, 1e-6)] {
        for mean in [true, false] {
            let kernel = kernel(&network(body.clone(), mean), size);
            let narrow = kernel.points(&narrow, &Device::cpu(1)).unwrap().kernels();
            let wide = kernel.points(&wide, &Device::cpu(1)).unwrap().kernels();
            for (got, want) in [(&narrow.ntk, &wide.ntk), (&narrow.nngp, &wide.nngp)] {
                for (got, want) in got.as_slice().iter().zip(want.as_slice()) {
                    let error = (f64::from(*got) / want - 1.0).abs();
                    assert!(error <= bound, "{name}, {mean}: {got} for {want}, {error:.1e}");
                }
            }
        }
    }
}

#[test]
fn an_image_with_itself_has_the_closed_recursion() {
    // relu of equal pixels: E[φφ] = v/2, E[φ′φ′] = ½, so K and Θ of pairs of equal pixels need no angle.
    let (depth, size) = (21, (8, 8, 3));
    let (w, b) = (2.0, 0.01);
    let layer = InfiniteLayer::Convolution(ConvolutionVariances::new(3, DenseVariances::new(w, b)));
    let body = (0..depth).flat_map(|_| [layer.clone(), phi(Activation::Relu)]);
    let layers: Vec<_> =
        body.chain([InfiniteLayer::Flatten, InfiniteLayer::Dense(DenseVariances::new(w, b))]).collect();
    let x = matrix::<f64>(5, 3, length(size));
    let mean = |values: &[f64]| -> Vec<f64> {
        // Rows and columns from 1 on, zeros around them.
        let at = |i: usize, j: usize| {
            if (1..=8).contains(&i) && (1..=8).contains(&j) { values[8 * (i - 1) + j - 1] } else { 0.0 }
        };
        let sum = |p: usize| -> f64 { (0..9).map(|tap| at(p / 8 + tap / 3, p % 8 + tap % 3)).sum() };
        (0..64).map(|p| sum(p) / 9.0).collect()
    };
    let kernel = kernel(&layers, size);
    let wide = kernel.points(&x, &Device::cpu(1)).unwrap().kernels();
    let narrow = kernel.points(&x.cast::<f32>(), &Device::cpu(1)).unwrap().kernels();
    for i in 0..3 {
        let square = |p: usize| x.row(i)[3 * p..3 * p + 3].iter().map(|v| v * v / 3.0).sum::<f64>();
        let (mut k, mut theta) = ((0..64).map(square).collect::<Vec<_>>(), vec![0.0; 64]);
        for _ in 0..depth {
            let grown: Vec<f64> = mean(&k).into_iter().map(|k| w * k + b).collect();
            theta = mean(&theta).iter().zip(&grown).map(|(theta, k)| 0.5 * (w * theta + k)).collect();
            k = grown.into_iter().map(|k| 0.5 * k).collect();
        }
        let average = |values: &[f64]| values.iter().sum::<f64>() / 64.0;
        let k_end = w * average(&k) + b;
        let theta_end = w * average(&theta) + k_end;
        for (wide, narrow, want) in
            [(wide.nngp[(i, i)], narrow.nngp[(i, i)], k_end), (wide.ntk[(i, i)], narrow.ntk[(i, i)], theta_end)]
        {
            assert!((wide / want - 1.0).abs() <= 1e-14, "{wide} for {want}");
            assert!((f64::from(narrow) / want - 1.0).abs() <= 2e-7, "{narrow} for {want}");
        }
    }
}

/// The slope of ln error over ln width by least squares, and the errors: of G of finite networks of these widths,
/// root mean square over seeds, relative to their limits.
fn slope(
    widths: [usize; 4],
    size: Size,
    network: impl Fn(usize) -> (Specification, InfiniteKernel),
) -> (f64, Vec<f64>) {
    let x = matrix::<f64>(6, 5, length(size));
    let device = Device::cpu(2);
    let errors = widths.map(|width| {
        let (specification, limit) = network(width);
        let limit = limit.points(&x, &device).unwrap().gram(Which::Ntk);
        let norm: f64 = limit.as_slice().iter().map(|k| k * k).sum();
        let seeds = 8;
        let square = |seed: u64| {
            let model = Model::<f64>::builder(specification.clone()).seed(seed).device(device.clone()).build().unwrap();
            let gram = EmpiricalKernel::new(&model, &x, &x, Which::Ntk, Outputs::Trace).unwrap().matrix(5).unwrap();
            gram.as_slice().iter().zip(limit.as_slice()).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / norm
        };
        ((0..seeds).map(square).sum::<f64>() / seeds as f64).sqrt()
    });
    let logs: Vec<(f64, f64)> = widths.iter().zip(&errors).map(|(&w, e)| ((w as f64).ln(), e.ln())).collect();
    let centre = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / logs.len() as f64;
    let (mx, my) = (centre(|p| p.0), centre(|p| p.1));
    let slope = logs.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum::<f64>();
    (slope / logs.iter().map(|p| (p.0 - mx).powi(2)).sum::<f64>(), errors.to_vec())
}

#[test]
fn tangent_kernels_of_wide_convolutional_networks_converge() {
    let size = (6, 6, 2);
    let ntk = Parameterization::Ntk { weight_variance: 1.8, bias_variance: 0.2 };
    let (slope, errors) = slope([8, 32, 128, 512], size, |width| {
        let cnn = Specification::cnn(shape(size), &[width, width], Activation::Relu, 1).with_parameterization(ntk);
        (cnn.clone(), InfiniteKernel::new(&cnn).unwrap())
    });
    assert!(slope <= -0.45 && errors[3] < errors[0] / 5.0, "slope {slope}, errors {errors:?}");
}

#[test]
fn networks_in_the_standard_parameterisation_converge_to_the_kernels_of_their_widths() {
    let size = (6, 6, 2);
    let convolution = |channels: usize| {
        let layer = ConvolutionVariances::new(3, DenseVariances::standard(2.0, 0.0, 9 * channels));
        InfiniteLayer::Convolution(layer.with_padding(Padding::Zeros(1)))
    };
    let dense = |inputs: usize| InfiniteLayer::Dense(DenseVariances::standard(2.0, 0.0, inputs));
    let relu = || phi(Activation::Relu);
    let frozen = |layer: InfiniteLayer| match layer {
        InfiniteLayer::Convolution(mut convolution) => {
            convolution.variances = convolution.variances.frozen();
            InfiniteLayer::Convolution(convolution)
        }
        InfiniteLayer::Dense(variances) => InfiniteLayer::Dense(variances.frozen()),
        other => other,
    };
    for freeze in [false, true] {
        let start = |specification: Specification| {
            let specification = specification.with_initialization(Scheme::He, false);
            if !freeze {
                return specification;
            }
            specification.with_span_weight("layers.2.weight", 0.0).with_span_weight("layers.2.bias", 0.0)
        };
        let second = |layer: InfiniteLayer| if freeze { frozen(layer) } else { layer };
        let images = slope([8, 32, 128, 512], size, |width| {
            let cnn = start(Specification::cnn(shape(size), &[width, width], Activation::Relu, 1));
            let layers = vec![
                convolution(2),
                relu(),
                second(convolution(width)),
                relu(),
                InfiniteLayer::GlobalAveragePool,
                dense(width),
            ];
            (cnn, kernel(&layers, size))
        });
        let vectors = slope([8, 32, 128, 512], size, |width| {
            let mlp = start(Specification::mlp(&[72, width, width, 1], Activation::Relu));
            let layers = vec![dense(72), relu(), second(dense(width)), relu(), dense(width)];
            (mlp, InfiniteKernel::from_layers(layers).unwrap())
        });
        for (slope, errors) in [images, vectors] {
            // −½ within three standard errors of eight seeds.
            assert!(slope <= -0.42 && errors[3] < errors[0] / 5.0, "{freeze}: slope {slope}, errors {errors:?}");
        }
    }
}

#[test]
fn a_network_that_begins_with_all_pixels_is_that_of_vectors() {
    let size = (4, 5, 2);
    let x = matrix::<f64>(7, 6, length(size));
    let dense = InfiniteLayer::Dense(variances());
    let layers = vec![dense.clone(), phi(Activation::Gelu), dense];
    let flat: Vec<_> = [InfiniteLayer::Flatten].into_iter().chain(layers.clone()).collect();
    let of = |kernel: InfiniteKernel| kernel.points(&x, &Device::cpu(1)).unwrap().kernels();
    let want = of(InfiniteKernel::from_layers(layers).unwrap());
    assert_eq!(of(kernel(&flat, size)), want);
}

#[test]
fn what_has_no_kernel_is_refused_with_its_reason() {
    let size = (6, 6, 1);
    let same = || convolution(3, 1, Padding::Same);
    let relu = || phi(Activation::Relu);
    let pool = |window| InfiniteLayer::AveragePool { window };
    let residual = |layers, shortcut| InfiniteLayer::Residual { layers, shortcut };
    let zero = {
        let mut variances = variances();
        variances.weight = 0.0;
        InfiniteLayer::Convolution(ConvolutionVariances::new(3, variances))
    };
    for (body, reason) in [
        (vec![relu()], "right before it"),
        (vec![same(), relu(), relu()], "right before it"),
        (vec![same(), pool(7)], "does not fit"),
        (vec![same(), pool(0)], "does not fit"),
        (vec![convolution(7, 1, Padding::Valid)], "larger than the image"),
        (vec![convolution(0, 1, Padding::Same)], "at least 1"),
        (vec![convolution(3, 0, Padding::Same)], "at least 1"),
        (vec![convolution(2, 1, Padding::Zeros(2))], "not narrower"),
        (vec![convolution(3, 4, Padding::Circular)], "torus"),
        (vec![convolution(3, 1, Padding::Circular), same()], "either all"),
        (vec![same(), residual(vec![relu()], vec![])], "ends in a convolution"),
        (vec![same(), residual(vec![relu(), convolution(3, 2, Padding::Same)], vec![])], "puts out 3×3"),
        (vec![same(), residual(vec![relu(), pool(2), same()], vec![])], "before or after a branch"),
        (vec![same(), residual(vec![relu(), InfiniteLayer::Dense(variances())], vec![])], "over all pixels"),
        (vec![zero], "start at 0"),
    ] {
        let error = InfiniteKernel::for_inputs(network(body.clone(), true), shape(size)).unwrap_err().to_string();
        assert!(error.contains(reason), "{body:?}: {error}");
    }
    assert!(InfiniteKernel::from_layers(network([same(), relu()], true)).is_err(), "the size of images is not known");
    let kernel = kernel(&network([same(), relu()], true), size);
    let x = matrix::<f64>(1, 2, length(size));
    let points = kernel.points(&x, &Device::cpu(1)).unwrap();
    let ones = Matrix::from_vec(2, 1, vec![1.0, 1.0]).unwrap();
    assert!(points.input_gradient(&points, &ones, &ones, Which::Ntk).is_err());
    assert!(kernel.points(&matrix::<f64>(1, 2, 35), &Device::cpu(1)).is_err());
    let infinite = Matrix::from_fn(1, length(size), |_, _| f64::INFINITY);
    assert!(kernel.points(&infinite, &Device::cpu(1)).is_err());
    assert_eq!(kernel.points(&matrix::<f64>(1, 0, length(size)), &Device::cpu(1)).unwrap().kernels().ntk.rows(), 0);
}
