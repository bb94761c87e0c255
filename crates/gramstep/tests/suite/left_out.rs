//! What a trained network says of rows that are left out: against fits without them.

use gramstep::kernel::leave_one_out;
use gramstep::{Activation, Matrix, Model};

use super::cases::{INPUTS, assert_close, eliminate, matrix};

/// min ½Σ w|t − Jv|² + ½κ|v|² over the rows of J that are kept.
fn fit(j: &Matrix<f64>, t: &[f64], w: &[f64], ridge: f64, kept: &dyn Fn(usize) -> bool) -> Vec<f64> {
    let p = j.columns();
    let sum = |f: &dyn Fn(usize) -> f64| (0..t.len()).filter(|&i| kept(i)).map(|i| w[i] * f(i)).sum::<f64>();
    let entry = |a: usize, b: usize| sum(&|i| j[(i, a)] * j[(i, b)]) + if a == b { ridge } else { 0.0 };
    let system = (0..p).map(|a| (0..p).map(|b| entry(a, b)).collect()).collect();
    eliminate(system, (0..p).map(|a| sum(&|i| j[(i, a)] * t[i])).collect())
}

fn product(j: &Matrix<f64>, i: usize, v: &[f64]) -> f64 {
    j.row(i).iter().zip(v).map(|(j, v)| j * v).sum()
}

#[test]
fn rows_left_out_are_predicted_as_by_linearised_fits_without_them() {
    for (seed, sizes, weighted) in [
        (1, vec![INPUTS, 1], false),
        (2, vec![INPUTS, 3, 1], true),
        (3, vec![INPUTS, 2, 2], false),
        (4, vec![INPUTS, 2, 3], true),
    ] {
        let (n, k) = (14, sizes[sizes.len() - 1]);
        let model = Model::<f64>::mlp(&sizes, Activation::Tanh).seed(seed).build().unwrap();
        let (x, noise) = (matrix(seed + 10, n, INPUTS), matrix::<f64>(seed + 20, n, k));
        let tangent = model.tangent(&x).unwrap();
        let f = tangent.predictions().clone();
        let y = Matrix::from_fn(n, k, |i, a| f[(i, a)] + 0.3 * noise[(i, a)]);
        let of_row = |i: usize| if weighted { 0.5 + (i % 3) as f64 } else { 1.0 };
        let weights: Vec<f64> = (0..n).map(of_row).collect();
        let (j, w): (_, Vec<f64>) = (tangent.jacobian(), (0..n * k).map(|i| of_row(i / k)).collect());
        let own = tangent.jvp(&model.theta()).unwrap();
        let r: Vec<f64> = y.as_slice().iter().zip(f.as_slice()).map(|(y, f)| y - f).collect();
        let t: Vec<f64> = own.iter().zip(&r).map(|(own, r)| own + r).collect();
        let left = |ridge: f64| {
            let v = fit(&j, &t, &w, ridge, &|_| true);
            (0..n * k).map(|i| w[i] * (t[i] - product(&j, i, &v)).powi(2)).sum::<f64>()
        };
        let wanted: f64 = (0..n * k).map(|i| w[i] * r[i] * r[i]).sum();
        let (mut low, mut high) = (1e-9, 1e9);
        for _ in 0..200 {
            let middle = f64::sqrt(low * high);
            if left(middle) < wanted { low = middle } else { high = middle }
        }
        assert!(
            (left(low) / wanted - 1.0).abs() < 1e-9,
            "seed {seed}: the residuals of the network are those of some κ"
        );
        let mut expected = Vec::new();
        for i in 0..n {
            let v = fit(&j, &t, &w, low, &|row| row / k != i);
            expected.extend((i * k..(i + 1) * k).map(|row| product(&j, row, &v) - own[row] + f.as_slice()[row]));
        }
        let found = leave_one_out(&model, &x, &y, weighted.then_some(&weights[..])).unwrap();
        assert_close(found.as_slice(), &expected, 1e6, &format!("seed {seed}"));
        let scaled: Vec<f64> = weights.iter().map(|w| 1e3 * w).collect();
        let scaled = leave_one_out(&model, &x, &y, weighted.then_some(&scaled[..])).unwrap();
        assert_close(found.as_slice(), scaled.as_slice(), 1e6, "the scale of the weights is nothing");
    }
}

#[test]
fn noise_that_a_network_has_learnt_by_heart_is_no_help_for_rows_left_out() {
    let n = 30;
    let (x, y) = (matrix::<f64>(1, n, INPUTS), matrix::<f64>(2, n, 1));
    let mut model = Model::<f64>::mlp(&[INPUTS, 60, 1], Activation::Tanh).seed(1).build().unwrap();
    let config = gramstep::optim::GramGaussNewtonConfig::default()
        .with_damping(gramstep::optim::Damping::Adaptive(gramstep::optim::AdaptiveDamping::default()));
    let mut optimizer = gramstep::optim::GramGaussNewton::new(config).unwrap();
    let batch = gramstep::optim::Batch::new(&x, &y);
    for _ in 0..40 {
        gramstep::optim::Optimizer::step(&mut optimizer, &mut model, &batch).unwrap();
    }
    let spread =
        |f: &Matrix<f64>| f.as_slice().iter().zip(y.as_slice()).map(|(f, y)| (f - y).powi(2)).sum::<f64>() / n as f64;
    let constant = spread(&Matrix::zeros(n, 1));
    assert!(batch.loss(&model).unwrap() < 1e-6 * constant);
    assert!(spread(&leave_one_out(&model, &x, &y, None).unwrap()) > constant);
}
