//! Kernels of infinitely wide networks: oracles, twins, and what happens at the edges of the domain.

use std::f64::consts::PI;

use gramstep::kernel::infinite::quadrature;
use gramstep::kernel::{DenseVariances, InfiniteKernel, InfiniteLayer, Which};
use gramstep::model::Parameterization;
use gramstep::{Activation, Device, Matrix, Model, Scalar, Specification};

use super::cases::{assert_close, matrix};

fn device() -> Device {
    Device::cpu(2)
}

fn near(got: f64, want: f64, tolerance: f64, what: &str) {
    assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "{what}: {got} for {want}");
}

/// Points with |x|² = d at chosen angles in a plane of d dimensions.
fn circle(d: usize, angles: &[f64]) -> Matrix<f64> {
    Matrix::from_fn(angles.len(), d, |i, j| {
        let scale = (d as f64).sqrt();
        match j {
            0 => scale * angles[i].cos(),
            1 => scale * angles[i].sin(),
            _ => 0.0,
        }
    })
}

#[test]
fn one_hidden_relu_layer_has_the_known_values() {
    let kernel = InfiniteKernel::mlp(1, Activation::Relu, 1.0, 0.0).unwrap();
    let mut x = circle(3, &[0.0, PI / 2.0]);
    let opposite: Vec<f64> = x.row(0).iter().map(|v| -v).collect();
    x = Matrix::from_vec(3, 3, [x.as_slice(), &opposite].concat()).unwrap();
    let kernels = kernel.points(&x, &device()).unwrap().kernels();
    for (i, j, ntk, nngp) in [(0, 0, 1.0, 0.5), (1, 0, 0.5 / PI, 0.5 / PI), (2, 0, 0.0, 0.0)] {
        near(kernels.ntk[(i, j)], ntk, 1e-12, "ntk");
        near(kernels.nngp[(i, j)], nngp, 1e-12, "nngp");
    }
}

#[test]
fn deep_relu_networks_of_weight_variance_two_keep_the_norm_and_add_two_a_layer() {
    for depth in 0..9 {
        let kernel = InfiniteKernel::mlp(depth, Activation::Relu, 2.0, 0.0).unwrap();
        let kernels = kernel.points(&circle(4, &[0.3]), &device()).unwrap().kernels();
        near(kernels.ntk[(0, 0)], 2.0 * (depth + 1) as f64, 1e-12, "ntk");
        near(kernels.nngp[(0, 0)], 2.0, 1e-12, "nngp");
    }
}

#[test]
fn relu_kernels_follow_the_recursion_written_with_angles() {
    let (w, b, depth) = (1.7, 0.3, 3);
    let kernel = InfiniteKernel::mlp(depth, Activation::Relu, w, b).unwrap();
    let (x, y) = (matrix::<f64>(1, 9, 4), matrix::<f64>(2, 7, 4));
    let kernels = kernel.points(&x, &device()).unwrap().cross_kernels(&kernel.points(&y, &device()).unwrap()).unwrap();
    for i in 0..9 {
        for j in 0..7 {
            let dot = |p: &[f64], q: &[f64]| p.iter().zip(q).map(|(a, b)| a * b).sum::<f64>() / 4.0;
            let (mut kxx, mut kxy, mut kyy) =
                (dot(x.row(i), x.row(i)), dot(x.row(i), y.row(j)), dot(y.row(j), y.row(j)));
            let mut theta = 0.0;
            for layer in 0..=depth {
                theta = w * kxy + b + w * theta;
                (kxx, kxy, kyy) = (w * kxx + b, w * kxy + b, w * kyy + b);
                if layer < depth {
                    let t = (kxy / (kxx * kyy).sqrt()).acos();
                    kxy = (kxx * kyy).sqrt() / (2.0 * PI) * (t.sin() + (PI - t) * t.cos());
                    theta *= (PI - t) / (2.0 * PI);
                    (kxx, kyy) = (kxx / 2.0, kyy / 2.0);
                }
            }
            near(kernels.ntk[(i, j)], theta, 1e-13, "ntk");
            near(kernels.nngp[(i, j)], kxy, 1e-13, "nngp");
        }
    }
}

/// A kernel whose values are E[φφ], and Θ = E[φ′φ′]·K + E[φφ] of inputs with |x|²/d = variance.
fn one_activation(activation: Activation) -> InfiniteKernel {
    InfiniteKernel::mlp(1, activation, 1.0, 0.0).unwrap()
}

#[test]
fn dual_activations_agree_with_quadrature() {
    for activation in Activation::ALL {
        let kernel = one_activation(activation);
        for (a, b) in [(1.0, 1.0), (0.3, 2.5), (4.0, 4.0), (1e-3, 1.0)] {
            for angle in [0.0, 1e-3, 0.2, 0.9, PI / 2.0, 2.0, 3.0, PI] {
                let of = |variance: f64, angle: f64| {
                    let direction = [f64::cos(angle), f64::sin(angle)];
                    Matrix::from_fn(1, 2, |_, j| (2.0 * variance).sqrt() * direction[j])
                };
                let points = |x: Matrix<f64>| kernel.points(&x, &device()).unwrap();
                let kernels = points(of(a, 0.0)).cross_kernels(&points(of(b, angle))).unwrap();
                let (value, slope) = quadrature::dual(activation, a, b, angle.cos());
                let name = format!("{activation}, variances {a}, {b}, angle {angle}");
                near(kernels.nngp[(0, 0)], value, 1e-12, &name);
                near(kernels.ntk[(0, 0)], value + slope * (a * b).sqrt() * angle.cos(), 1e-11, &name);
            }
        }
    }
}

#[test]
fn kernels_of_single_and_double_precision_agree() {
    let (x, y) = (matrix::<f64>(3, 40, 6), matrix::<f64>(4, 30, 6));
    for activation in Activation::ALL {
        let kernel = InfiniteKernel::mlp(3, activation, 1.2, 0.1).unwrap();
        let wide = kernel.points(&x, &device()).unwrap();
        let wide = wide.cross_kernels(&kernel.points(&y, &device()).unwrap()).unwrap();
        let narrow = kernel.points(&x.cast::<f32>(), &device()).unwrap();
        let narrow = narrow.cross_kernels(&kernel.points(&y.cast::<f32>(), &device()).unwrap()).unwrap();
        assert_close(narrow.ntk.as_slice(), wide.ntk.cast::<f32>().as_slice(), 20.0, &format!("{activation}: ntk"));
        assert_close(narrow.nngp.as_slice(), wide.nngp.cast::<f32>().as_slice(), 20.0, &format!("{activation}: nngp"));
    }
}

/// Points in rows, their copies, their opposites, a point of zeros, and neighbours at a distance.
fn edges(d: usize, distance: f64) -> Matrix<f64> {
    let base = matrix::<f64>(5, 4, d);
    let noise = matrix::<f64>(6, 4, d);
    Matrix::from_fn(17, d, |i, j| match i {
        0..4 => base[(i, j)],
        4..8 => base[(i - 4, j)],
        8..12 => -base[(i - 8, j)],
        12..16 => base[(i - 12, j)] + distance * noise[(i - 12, j)],
        _ => 0.0,
    })
}

fn duplicates_keep_all_digits<T: Scalar>() {
    for activation in Activation::ALL {
        for bias in [0.0, 0.4] {
            let kernel = InfiniteKernel::mlp(3, activation, 1.6, bias).unwrap();
            for d in [1, 3, 50] {
                let points = kernel.points(&edges(d, 1e-3).cast::<T>(), &device()).unwrap();
                let kernels = points.kernels();
                let name = format!("{activation}, d = {d}, bias {bias}, {}", T::NAME);
                for (which, kernel) in [(Which::Ntk, &kernels.ntk), (Which::Nngp, &kernels.nngp)] {
                    assert!(kernel.as_slice().iter().all(|v| v.is_finite()), "{name}");
                    let diagonal = points.diagonal(which);
                    for i in 0..17 {
                        assert_close(&[kernel[(i, i)]], &[diagonal[i]], 4.0, &format!("{name}: diagonal"));
                    }
                    for i in 0..4 {
                        // The copy of a point is the point, to the bit, in every kernel.
                        assert_eq!(kernel[(i + 4, i)], kernel[(i, i)], "{name}: copy");
                        let scale = kernel[(i, i)].to_f64();
                        for j in 0..4 {
                            let error = (kernel[(i + 4, j)] - kernel[(i, j)]).to_f64().abs();
                            assert!(error <= 8.0 * T::EPSILON.to_f64() * scale.max(1.0), "{name}: copies");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn duplicates_opposites_and_zero_give_finite_kernels_with_all_digits() {
    duplicates_keep_all_digits::<f64>();
    duplicates_keep_all_digits::<f32>();
}

#[test]
fn angles_near_zero_and_pi_do_not_lose_half_of_their_digits() {
    // |x| = 1 at an angle t, and one hidden relu layer: Θ/w² = cos t·(π−t)/(2π) + (sin t + (π−t)cos t)/(2π) at d = 2.
    let kernel = InfiniteKernel::mlp(1, Activation::Relu, 2.0_f64.sqrt(), 0.0).unwrap();
    for t in [1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 0.1] {
        for turned in [false, true] {
            let sign = if turned { -1.0 } else { 1.0 };
            let x = Matrix::from_vec(2, 2, vec![1.0, 0.0, sign * f64::cos(t), sign * f64::sin(t)]).unwrap();
            let theta = kernel.points(&x, &device()).unwrap().gram(Which::Ntk)[(1, 0)];
            let full = if turned { PI - t } else { t };
            let value = (full.sin() + (PI - full) * full.cos()) / (2.0 * PI);
            let want = value + full.cos() * (PI - full) / (2.0 * PI);
            near(theta, want, 4e-16 * 2.0, &format!("angle {t}, turned {turned}"));
        }
    }
}

#[test]
fn near_duplicates_keep_their_digits_through_deep_networks() {
    // x′ = x + δ across x: the first layer's deficit is exact, and f32 follows f64.
    for bias in [0.0, 0.5] {
        for distance in [1e-2, 1e-4, 1e-6] {
            let kernel = InfiniteKernel::mlp(6, Activation::Relu, 2.0, bias).unwrap();
            // Both precisions see the same numbers.
            let narrow = edges(3, distance).cast::<f32>();
            let wide = narrow.cast::<f64>();
            let wide = kernel.points(&wide, &device()).unwrap().gram(Which::Ntk);
            let narrow = kernel.points(&narrow, &device()).unwrap().gram(Which::Ntk);
            for (a, b) in narrow.as_slice().iter().zip(wide.as_slice()) {
                near(f64::from(*a), *b, 3e-6, &format!("distance {distance}, bias {bias}"));
            }
        }
    }
}

#[test]
fn tiles_make_up_the_whole_matrix_on_any_number_of_threads() {
    let kernel = InfiniteKernel::mlp(2, Activation::Tanh, 1.5, 0.1).unwrap();
    let x = matrix::<f64>(7, 300, 5);
    let points = kernel.points(&x, &device()).unwrap();
    let alone = kernel.points(&x, &Device::cpu(1)).unwrap();
    for which in [Which::Ntk, Which::Nngp] {
        let whole = points.gram(which);
        assert_close(alone.gram(which).as_slice(), whole.as_slice(), 4.0, "one thread");
        let both = points.kernels();
        assert_eq!(whole, if which == Which::Ntk { both.ntk } else { both.nngp });
        for (rows, columns) in [(0..300, 0..300), (17..130, 200..300), (299..300, 0..1), (5..5, 0..300)] {
            let tile = points.tile(rows.clone(), &points, columns.clone(), which).unwrap();
            for i in rows.clone() {
                let part = &whole.row(i)[columns.clone()];
                assert_close(tile.row(i - rows.start), part, 8.0, &format!("tile {rows:?} × {columns:?}"));
            }
        }
        for i in 0..300 {
            for j in 0..i {
                assert_eq!(whole[(i, j)], whole[(j, i)]);
            }
        }
    }
    assert!(points.tile(0..301, &points, 0..1, Which::Ntk).is_err());
}

#[test]
fn the_two_layer_network_of_the_theory_has_the_kernel_of_du2019() {
    let specification = Specification::two_layer(6, 1000, Activation::Relu);
    let x = matrix::<f64>(8, 12, 6);
    let unit = Matrix::from_fn(12, 6, |i, j| x[(i, j)] / x.row(i).iter().map(|v| v * v).sum::<f64>().sqrt());
    let gram = InfiniteKernel::new(&specification).unwrap().points(&unit, &device()).unwrap().gram(Which::Ntk);
    for i in 0..12 {
        for j in 0..12 {
            let rho: f64 = unit.row(i).iter().zip(unit.row(j)).map(|(a, b)| a * b).sum();
            let want = if i == j { 0.5 } else { rho * (PI - rho.acos()) / (2.0 * PI) };
            near(gram[(i, j)], want, 1e-14, "H∞");
        }
    }
}

fn ntk(sizes: &[usize], activation: Activation) -> Specification {
    let scaled = Parameterization::Ntk { weight_variance: 1.8, bias_variance: 0.2 };
    Specification::mlp(sizes, activation).with_parameterization(scaled)
}

#[test]
fn finite_networks_converge_to_the_kernel_at_the_rate_of_monte_carlo() {
    // Mean error over seeds of the Gram matrix against Θ: slope −1/2 in the width, and no floor.
    let x = matrix::<f64>(9, 6, 4);
    let weighted = ntk(&[4, 8, 8, 1], Activation::Gelu)
        .with_span_weight("layers.0.weight", 0.5)
        .with_span_weight("layers.2.bias", 3.0)
        .with_output_scale(1.5);
    let cases = [
        ntk(&[4, 8, 8, 1], Activation::Relu),
        ntk(&[4, 8, 8, 1], Activation::Tanh),
        ntk(&[4, 8, 1], Activation::Erf).with_bias(false),
        weighted.clone(),
        weighted.with_symmetric_start(),
        Specification::two_layer(4, 8, Activation::SquaredRelu),
    ];
    for specification in cases {
        let widths = [16, 64, 256, 1024];
        let errors = widths.map(|width| {
            let mut wide = specification.clone();
            let last = wide.layers.len() - 1;
            for layer in &mut wide.layers[..last] {
                if let gramstep::model::LayerSpecification::Dense(dense) = layer {
                    dense.units = width;
                }
            }
            if wide.parameterization == Parameterization::Standard {
                wide = Specification::two_layer(4, width, Activation::SquaredRelu);
            }
            let theta = InfiniteKernel::new(&wide).unwrap().points(&x, &device()).unwrap().gram(Which::Ntk);
            let seeds = 8;
            let square: f64 = (0..seeds)
                .map(|seed| {
                    let model = Model::<f64>::builder(wide.clone()).seed(seed).device(device()).build().unwrap();
                    let gram = model.tangent(&x).unwrap().gram();
                    let difference = gram.as_slice().iter().zip(theta.as_slice()).map(|(a, b)| (a - b).powi(2));
                    difference.sum::<f64>()
                })
                .sum();
            (square / seeds as f64).sqrt()
        });
        let slope = (errors[3] / errors[0]).ln() / (1024.0_f64 / 16.0).ln();
        assert!((-0.62..=-0.4).contains(&slope), "slope {slope}, errors {errors:?} of {specification:?}");
    }
}

#[test]
fn outputs_of_finite_networks_have_the_covariance_of_the_nngp() {
    let x = matrix::<f64>(10, 3, 4);
    let specification = ntk(&[4, 64, 64, 1], Activation::Silu);
    let nngp = InfiniteKernel::new(&specification).unwrap().points(&x, &device()).unwrap().gram(Which::Nngp);
    let draws = 4000;
    let mut covariance = [[0.0; 3]; 3];
    for seed in 0..draws {
        let model = Model::<f64>::builder(specification.clone()).seed(seed).device(Device::cpu(1)).build().unwrap();
        let f = model.predict(&x).unwrap().into_vec();
        for i in 0..3 {
            for j in 0..3 {
                covariance[i][j] += f[i] * f[j] / draws as f64;
            }
        }
    }
    for i in 0..3 {
        for j in 0..3 {
            let scale = (nngp[(i, i)] * nngp[(j, j)]).sqrt();
            // Five standard deviations of the mean of a product of normal numbers.
            let allowed = 5.0 * scale * (2.0 / draws as f64).sqrt();
            assert!((covariance[i][j] - nngp[(i, j)]).abs() < allowed, "{covariance:?} for {nngp:?}");
        }
    }
}

#[test]
fn a_residual_branch_adds_its_kernel_to_that_of_its_input() {
    // x ↦ h = W₁x, then h + W₂φ(h), then W₃φ(·): K and Θ by hand.
    let (w, b) = (1.3, 0.2);
    let dense = || InfiniteLayer::Dense(DenseVariances::new(w, b));
    let relu = || InfiniteLayer::Activation(Activation::Erf);
    let kernel =
        InfiniteKernel::from_layers(vec![dense(), InfiniteLayer::residual(vec![relu(), dense()]), relu(), dense()]);
    let x = matrix::<f64>(11, 5, 3);
    let kernels = kernel.unwrap().points(&x, &device()).unwrap().kernels();
    for i in 0..5 {
        for j in 0..5 {
            let dot = |i: usize, j: usize| w * x.row(i).iter().zip(x.row(j)).map(|(a, b)| a * b).sum::<f64>() / 3.0 + b;
            let dual = |a: f64, k: f64, c: f64| quadrature::dual(Activation::Erf, a, c, k / (a * c).sqrt());
            let (a, k, c) = (dot(i, i), dot(i, j), dot(j, j));
            let (value, slope) = dual(a, k, c);
            let branch = |a: f64, value: f64| a + w * value + b;
            let summed = [branch(a, dual(a, a, a).0), branch(k, value), branch(c, dual(c, c, c).0)];
            let theta = k + (w * value + b + w * slope * k);
            let (value, slope) = dual(summed[0], summed[1], summed[2]);
            near(kernels.nngp[(i, j)], w * value + b, 1e-12, "nngp");
            near(kernels.ntk[(i, j)], w * value + b + w * slope * theta, 1e-12, "ntk");
        }
    }
}

#[test]
fn networks_without_a_kernel_of_infinite_width_are_refused() {
    let relu = InfiniteLayer::Activation(Activation::Relu);
    let dense = InfiniteLayer::Dense(DenseVariances::new(1.0, 0.0));
    let refused = |layers: Vec<InfiniteLayer>| InfiniteKernel::from_layers(layers).is_err();
    assert!(refused(vec![]));
    assert!(refused(vec![relu.clone()]));
    assert!(refused(vec![dense.clone(), relu.clone(), relu.clone()]));
    assert!(refused(vec![dense.clone(), InfiniteLayer::residual(vec![relu.clone()])]));
    assert!(refused(vec![dense.clone(), InfiniteLayer::residual(vec![])]));
    assert!(refused(vec![InfiniteLayer::Dense(DenseVariances::new(-1.0, 0.0))]));
    assert!(InfiniteKernel::new(&Specification::mlp(&[3, 4, 1], Activation::Relu)).is_err(), "standard");
    assert!(InfiniteKernel::new(&ntk(&[3, 4, 1], Activation::Relu).with_span_weight("layers.9.weight", 0.0)).is_err());
    let kernel = InfiniteKernel::new(&ntk(&[3, 4, 1], Activation::Relu)).unwrap();
    assert!(kernel.points(&matrix::<f64>(1, 2, 4), &device()).is_err());
    assert!(kernel.points(&Matrix::from_vec(1, 3, vec![f64::NAN; 3]).unwrap(), &device()).is_err());
    let steep = InfiniteKernel::mlp(1, Activation::Silu, 1e8, 0.0).unwrap();
    let error = steep.points(&matrix::<f64>(1, 2, 4), &device()).unwrap_err();
    assert!(error.to_string().contains("series"), "{error}");
}
