//! Kernels with a scale for every column: values, regression, what cannot change them.

use gramstep::kernel::{KernelRegression, Ridge, ScaledKernel, ScaledKind, ScaledRegression};
use gramstep::{Error, Matrix};

/// Points that are spread without a pattern.
fn points(n: usize, d: usize, seed: usize) -> Matrix<f64> {
    Matrix::from_fn(n, d, |i, j| ((i * i * 31 + i * (17 + 29 * j) + seed * 57 + 11 * j) % 199) as f64 / 60.0 - 1.6)
}

fn targets(x: &Matrix<f64>, k: usize) -> Matrix<f64> {
    Matrix::from_fn(x.rows(), k, |i, a| (1.5 * x[(i, 0)] + a as f64).sin() + 0.4 * x.row(i).iter().sum::<f64>())
}

fn kernel(kind: ScaledKind, d: usize) -> ScaledKernel {
    let weights = (0..d).map(|j| 0.3 + 0.5 * j as f64).collect();
    let shares = if kind.has_shares() { (0..d).map(|j| 0.9 - 0.3 * j as f64 / d as f64).collect() } else { Vec::new() };
    ScaledKernel::new(kind, weights, shares, if kind.has_bias() { 0.7 } else { 0.0 }).unwrap()
}

/// K(x, x′) as the documentation of the kinds writes it.
fn dense(kernel: &ScaledKernel, x: &[f64], y: &[f64]) -> f64 {
    let part = |j: usize| kernel.weights()[j].sqrt() * (x[j] - y[j]).abs();
    let r = (0..x.len()).map(|j| part(j).powi(2)).sum::<f64>().sqrt();
    let profile = |name: &str, r: f64| match name {
        "rbf" => (-0.5 * r * r).exp(),
        "matern12" => (-r).exp(),
        "matern32" => (1.0 + 3_f64.sqrt() * r) * (-3_f64.sqrt() * r).exp(),
        _ => (1.0 + 5_f64.sqrt() * r + 5.0 / 3.0 * r * r) * (-5_f64.sqrt() * r).exp(),
    };
    let name = kernel.kind().to_string();
    match name.strip_prefix("anova-") {
        Some(one) => {
            (0..x.len()).map(|j| 1.0 - kernel.shares()[j] + kernel.shares()[j] * profile(one, part(j))).product()
        }
        None if name == "nngp" => {
            let inner = |x: &[f64], y: &[f64]| {
                kernel.bias() + (0..x.len()).map(|j| kernel.weights()[j] * x[j] * y[j]).sum::<f64>()
            };
            let length = (inner(x, x) * inner(y, y)).sqrt();
            let theta = (inner(x, y) / length).clamp(-1.0, 1.0).acos();
            length * (theta.sin() + (std::f64::consts::PI - theta) * theta.cos()) / std::f64::consts::PI
        }
        None => profile(&name, r),
    }
}

fn close(a: &Matrix<f64>, b: &Matrix<f64>, tolerance: f64) -> bool {
    let pairs = a.as_slice().iter().zip(b.as_slice());
    (a.rows(), a.columns()) == (b.rows(), b.columns()) && pairs.clone().all(|(a, b)| (a - b).abs() <= tolerance)
}

#[test]
fn values_are_those_of_the_formula() {
    let (x, other) = (points(150, 3, 1), points(140, 3, 2));
    for kind in ScaledKind::ALL {
        let kernel = kernel(kind, 3);
        let (gram, cross) = (kernel.gram(&x, 2).unwrap(), kernel.cross(&x, &other, 2).unwrap());
        let twin = Matrix::from_fn(150, 150, |i, j| dense(&kernel, x.row(i), x.row(j)));
        // The twin's arccos is that exact near 0.
        assert!(close(&gram, &twin, if kind == ScaledKind::Nngp { 1e-12 } else { 1e-14 }), "{kind}");
        let twin = Matrix::from_fn(150, 140, |i, j| dense(&kernel, x.row(i), other.row(j)));
        assert!(close(&cross, &twin, 1e-13), "{kind}");
        let diagonal = kernel.diagonal(&x).unwrap();
        assert!((0..150).all(|i| diagonal[i] == gram[(i, i)]), "{kind}");
        assert!((0..150).all(|i| (0..i).all(|j| gram[(i, j)] == gram[(j, i)])), "{kind}");
        assert!(close(&gram, &kernel.gram(&x, 1).unwrap(), 0.0), "{kind}: threads do not change a value");
        let single = kernel.gram(&x.cast::<f32>(), 1).unwrap().cast();
        assert!(close(&gram, &single, 1e-4), "{kind} in f32");
    }
}

#[test]
fn rows_columns_and_units_may_be_exchanged() {
    let (x, order) = (points(20, 3, 3), [2, 0, 1]);
    for kind in ScaledKind::ALL {
        let plain = kernel(kind, 3);
        let gram = plain.gram(&x, 1).unwrap();
        let rows: Vec<usize> = (0..20).map(|i| (7 * i + 3) % 20).collect();
        let moved = plain.gram(&x.select_rows(&rows), 1).unwrap();
        assert!(close(&moved, &Matrix::from_fn(20, 20, |i, j| gram[(rows[i], rows[j])]), 0.0), "{kind}");
        // A column in another place and in another unit.
        let scale = [8.0, 0.25, 1.0];
        let y = Matrix::from_fn(20, 3, |i, j| scale[order[j]] * x[(i, order[j])]);
        let of = |values: &[f64], f: fn(f64, f64) -> f64| order.map(|j| f(values[j], scale[j])).to_vec();
        let weights = of(plain.weights(), |w, s| w / (s * s));
        let shares = if kind.has_shares() { of(plain.shares(), |c, _| c) } else { Vec::new() };
        let moved = ScaledKernel::new(kind, weights, shares, plain.bias()).unwrap().gram(&y, 1).unwrap();
        assert!(close(&gram, &moved, 1e-13), "{kind}");
    }
}

#[test]
fn a_product_of_one_whole_column_is_the_plain_kernel() {
    let x = points(30, 1, 4);
    for (product, plain) in [
        (ScaledKind::AnovaRbf, ScaledKind::Rbf),
        (ScaledKind::AnovaMatern12, ScaledKind::Matern12),
        (ScaledKind::AnovaMatern32, ScaledKind::Matern32),
    ] {
        let of = |kind, shares| ScaledKernel::new(kind, vec![1.7], shares, 0.0).unwrap().gram(&x, 1).unwrap();
        assert!(close(&of(product, vec![1.0]), &of(plain, Vec::new()), 1e-15));
        assert!(of(product, vec![0.0]).as_slice().iter().all(|&k| k == 1.0), "a share of 0 leaves a constant");
    }
}

#[test]
fn the_regression_is_the_one_of_the_decomposed_kernel() {
    let (x, new) = (points(60, 3, 5), points(9, 3, 6));
    let y = targets(&x, 2);
    let weights: Vec<f64> = (0..60).map(|i| 0.5 + 0.25 * f64::from(i % 5)).collect();
    for kind in ScaledKind::ALL {
        for weights in [None, Some(weights.as_slice())] {
            let kernel = kernel(kind, 3);
            let fitted = ScaledRegression::fit(kernel.clone(), 0.05, x.clone(), &y, weights, 1).unwrap();
            let (gram, cross) = (kernel.gram(&x, 1).unwrap(), kernel.cross(&new, &x, 1).unwrap());
            let mean = kernel.diagonal(&x).unwrap().iter().sum::<f64>() / 60.0;
            let ridge = Ridge::Fixed(0.05 * mean);
            let twin = match weights {
                None => KernelRegression::fit(&gram, &y, ridge, 1),
                Some(weights) => KernelRegression::fit_weighted(&gram, &y, weights, ridge, 1),
            }
            .unwrap();
            assert!(close(fitted.coefficients(), &twin.coefficients(), 1e-10));
            assert!(close(&fitted.predict(&new).unwrap(), &twin.predict(&cross).unwrap(), 1e-11));
            assert!(close(&fitted.leave_one_out().unwrap(), &twin.leave_one_out(), 1e-10));
            assert!(close(&fitted.leave_one_out_variance().unwrap(), &twin.leave_one_out_variance(), 1e-10));
            let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-11);
            let diagonal = kernel.diagonal(&new).unwrap();
            assert!(near(&fitted.variance(&new).unwrap(), &twin.variance(&cross, &diagonal).unwrap()));
            assert!(near(&fitted.prior_variance().unwrap(), &twin.prior_variance()));
            assert!(near(&fitted.noise_variance().unwrap(), &twin.noise_variance()));
            assert!(near(&[fitted.effective_parameters().unwrap()], &[twin.effective_parameters()]));
            // The evidence at the best amplitude a is that at amplitude 1 of y/√a.
            let prior = fitted.prior_variance().unwrap();
            let scaled = Matrix::from_fn(60, 2, |i, a| y[(i, a)] / prior[a].sqrt());
            let twin = match weights {
                None => KernelRegression::fit(&gram, &scaled, ridge, 1),
                Some(weights) => KernelRegression::fit_weighted(&gram, &scaled, weights, ridge, 1),
            };
            let unit = prior.iter().map(|prior| 30.0 * prior.ln()).sum::<f64>();
            let evidence = twin.unwrap().log_marginal_likelihood() - unit;
            assert!((fitted.log_marginal_likelihood().unwrap() - evidence).abs() < 1e-8);
            let covariance = fitted.covariance(&new).unwrap();
            assert!(near(&(0..9).map(|i| covariance[(i, i)]).collect::<Vec<_>>(), &fitted.variance(&new).unwrap()));
        }
    }
}

#[test]
fn rows_left_out_are_predicted_as_by_the_fit_without_them() {
    let x = points(40, 2, 7);
    let (y, weights) = (targets(&x, 2), (0..40).map(|i| 1.0 + f64::from(i % 3)).collect::<Vec<_>>());
    let folds = vec![vec![3, 0, 20], vec![39], (10..19).collect()];
    // A fit without some rows has the same noise where the mean diagonal is 1.
    for kind in ScaledKind::ALL.into_iter().filter(|kind| !kind.has_bias()) {
        let kernel = kernel(kind, 2);
        let all = ScaledRegression::fit(kernel.clone(), 0.02, x.clone(), &y, Some(&weights), 1).unwrap();
        let held_out = all.leave_out(&folds).unwrap();
        for (fold, held_out) in folds.iter().zip(&held_out) {
            let rest: Vec<usize> = (0..40).filter(|i| !fold.contains(i)).collect();
            let kept: Vec<f64> = rest.iter().map(|&i| weights[i]).collect();
            let (x_rest, y_rest) = (x.select_rows(&rest), y.select_rows(&rest));
            let refit = ScaledRegression::fit(kernel.clone(), 0.02, x_rest, &y_rest, Some(&kept), 1).unwrap();
            assert!(close(held_out, &refit.predict(&x.select_rows(fold)).unwrap(), 1e-9), "{kind} {fold:?}");
        }
        let one = all.leave_out(&[vec![5]]).unwrap();
        let residual = all.leave_one_out().unwrap();
        assert!((one[0][(0, 1)] - y[(5, 1)] - residual[(5, 1)]).abs() < 1e-12);
        assert!(matches!(all.leave_out(&[vec![40]]), Err(Error::OutOfRange { index: 40, count: 40, .. })));
        assert!(matches!(all.leave_out(&[vec![4, 4]]), Err(Error::Solve { .. })));
    }
}

#[test]
fn a_weight_is_that_many_copies() {
    let (x, new) = (points(15, 2, 8), points(5, 2, 9));
    let y = targets(&x, 1);
    let weights: Vec<f64> = (0..15).map(|i| 1.0 + f64::from(i % 3)).collect();
    let copies: Vec<usize> = (0..15).flat_map(|i| std::iter::repeat_n(i, 1 + i % 3)).collect();
    for kind in ScaledKind::ALL.into_iter().filter(|kind| !kind.has_bias()) {
        let of =
            |x: Matrix<f64>, y: &Matrix<f64>, weights| ScaledRegression::fit(kernel(kind, 2), 0.1, x, y, weights, 1);
        let weighted = of(x.clone(), &y, Some(weights.as_slice())).unwrap();
        let copied = of(x.select_rows(&copies), &y.select_rows(&copies), None).unwrap();
        assert!(close(&weighted.predict(&new).unwrap(), &copied.predict(&new).unwrap(), 1e-11), "{kind}");
        let near = weighted.variance(&new).unwrap().into_iter().zip(copied.variance(&new).unwrap());
        assert!(near.map(|(a, b)| (a - b).abs()).all(|off| off < 1e-11), "{kind}");
    }
}

#[test]
fn a_restored_regression_is_the_fitted_one() {
    let (x, new) = (points(30, 2, 10), points(5, 2, 11));
    let (y, weights) = (targets(&x, 2), vec![1.5; 30]);
    for kind in ScaledKind::ALL {
        let fitted = ScaledRegression::fit(kernel(kind, 2), 0.1, x.clone(), &y, Some(&weights), 1).unwrap();
        let (c, w) = (fitted.coefficients().clone(), Some(weights.clone()));
        let restored = ScaledRegression::restore(kernel(kind, 2), 0.1, x.clone(), c, w, 1).unwrap();
        assert_eq!(fitted.predict(&new).unwrap(), restored.predict(&new).unwrap());
        assert_eq!(fitted.variance(&new).unwrap(), restored.variance(&new).unwrap());
        assert_eq!(fitted.leave_one_out().unwrap(), restored.leave_one_out().unwrap());
        let near = fitted.noise_variance().unwrap().into_iter().zip(restored.noise_variance().unwrap());
        assert!(near.map(|(a, b)| (a / b - 1.0).abs()).all(|off| off < 1e-10));
        assert!(close(
            &fitted.leave_out(&[vec![3, 4]]).unwrap()[0],
            &restored.leave_out(&[vec![3, 4]]).unwrap()[0],
            1e-10
        ));
    }
}

#[test]
fn the_gradient_in_the_input_is_that_of_the_prediction() {
    let (x, new) = (points(140, 3, 12), points(6, 3, 13));
    let (y, u) = (targets(&x, 2), points(6, 2, 14));
    for kind in ScaledKind::ALL {
        let fitted = ScaledRegression::fit(kernel(kind, 3), 0.1, x.clone(), &y, None, 2).unwrap();
        let gradient = fitted.input_gradient(&new, &u).unwrap();
        for i in 0..6 {
            for j in 0..3 {
                let at = |h: f64| {
                    let mut row = new.select_rows(&[i]);
                    row[(0, j)] += h;
                    let f = fitted.predict(&row).unwrap();
                    f[(0, 0)] * u[(i, 0)] + f[(0, 1)] * u[(i, 1)]
                };
                let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((gradient[(i, j)] - difference).abs() < 1e-6, "{kind}: {} {difference}", gradient[(i, j)]);
            }
        }
    }
}

#[test]
fn single_precision_predicts_the_same_to_its_rounding() {
    let (x, new) = (points(200, 3, 15), points(20, 3, 16));
    let y = targets(&x, 1);
    for kind in ScaledKind::ALL {
        let double = ScaledRegression::fit(kernel(kind, 3), 0.01, x.clone(), &y, None, 1).unwrap();
        let single = ScaledRegression::fit(kernel(kind, 3), 0.01, x.cast::<f32>(), &y, None, 1).unwrap();
        let (f, g) = (double.predict(&new).unwrap(), single.predict(&new.cast::<f32>()).unwrap().cast());
        assert!(close(&f, &g, 1e-2), "{kind}");
        let (a, b) = (double.leave_one_out().unwrap(), single.leave_one_out().unwrap());
        assert!(close(&a, &b, 1e-2), "{kind}");
    }
}

#[test]
fn numbers_out_of_range_are_named() {
    let new =
        |kind, weights: &[f64], shares: &[f64], bias| ScaledKernel::new(kind, weights.to_vec(), shares.to_vec(), bias);
    assert!(matches!(new(ScaledKind::Rbf, &[], &[], 0.0), Err(Error::TooFew { .. })));
    assert!(matches!(new(ScaledKind::Rbf, &[-1.0], &[], 0.0), Err(Error::Setting { .. })));
    assert!(matches!(new(ScaledKind::Rbf, &[f64::NAN], &[], 0.0), Err(Error::Setting { .. })));
    assert!(matches!(new(ScaledKind::Rbf, &[1.0], &[0.5], 0.0), Err(Error::Shape { .. })));
    assert!(matches!(new(ScaledKind::Rbf, &[1.0], &[], 0.5), Err(Error::Setting { name: "bias", .. })));
    assert!(matches!(new(ScaledKind::AnovaRbf, &[1.0, 1.0], &[0.5], 0.0), Err(Error::Shape { .. })));
    assert!(matches!(new(ScaledKind::AnovaRbf, &[1.0], &[1.5], 0.0), Err(Error::Setting { .. })));
    let kernel = new(ScaledKind::Rbf, &[1.0, 1.0], &[], 0.0).unwrap();
    let (x, y) = (points(5, 2, 1), Matrix::zeros(5, 1));
    assert!(matches!(kernel.gram(&points(5, 3, 1), 1), Err(Error::Shape { expected: 2, got: 3, .. })));
    let fit = |ridge, x: &Matrix<f64>, weights| ScaledRegression::fit(kernel.clone(), ridge, x.clone(), &y, weights, 1);
    assert!(matches!(fit(-1.0, &x, None), Err(Error::Setting { .. })));
    assert!(matches!(fit(0.1, &x, Some(&[1.0; 4])), Err(Error::Shape { .. })));
    assert!(matches!(fit(0.1, &x, Some(&[0.0; 5])), Err(Error::Setting { .. })));
    assert!(matches!(fit(0.0, &x.select_rows(&[0, 0, 0, 0, 0]), None), Err(Error::Solve { .. })));
    let missing = Matrix::from_fn(5, 2, |_, _| f64::NAN);
    assert!(matches!(fit(0.1, &missing, None), Err(Error::Solve { .. })));
}
