//! Ridge regression beside elimination, and its leave-one-out beside fits without a row.

use gramstep::Matrix;
use gramstep::kernel::RidgeRegression;

use super::cases::{eliminate, matrix, normal};

/// Inputs, targets of two outputs, weights between ¼ and 4.
fn problem(seed: u64, n: usize, d: usize) -> (Matrix<f64>, Matrix<f64>, Vec<f64>) {
    let x = matrix::<f64>(seed, n, d);
    let noise = normal::<f64>(seed + 100, 2 * n);
    let y = Matrix::from_fn(n, 2, |i, a| x[(i, a % d)] + 3.0 * a as f64 + noise[2 * i + a]);
    let weights = normal::<f64>(seed + 200, n).iter().map(|z| (2.0 * z.tanh()).exp2()).collect();
    (x, y, weights)
}

/// (a, β) of one output by the normal equations of [1 X], the intercept free; a row of weight 0 is not there.
fn normal_equations(x: &Matrix<f64>, y: &[f64], weights: &[f64], ridge: f64) -> Vec<f64> {
    let (n, d) = (x.rows(), x.columns());
    let column = |i: usize, j: usize| if j == 0 { 1.0 } else { x[(i, j - 1)] };
    let entry = |j: usize, l: usize| {
        let sum: f64 = (0..n).map(|i| weights[i] * column(i, j) * column(i, l)).sum();
        sum + if j == l && j > 0 { ridge } else { 0.0 }
    };
    let right = (0..=d).map(|j| (0..n).map(|i| weights[i] * column(i, j) * y[i]).sum()).collect();
    let left = (0..=d).map(|j| (0..=d).map(|l| entry(j, l)).collect()).collect();
    eliminate(left, right)
}

#[test]
fn coefficients_and_leave_one_out_are_those_of_the_normal_equations() {
    for (seed, n, d) in [(1, 12, 3), (2, 7, 20), (3, 30, 1), (4, 9, 9), (5, 10, 9)] {
        let (x, y, weights) = problem(seed, n, d);
        for weights in [None, Some(weights.as_slice())] {
            let regression = RidgeRegression::fit(&x, &y, weights, 1).unwrap();
            let all = weights.map_or_else(|| vec![1.0; n], <[f64]>::to_vec);
            for a in 0..2 {
                let column: Vec<f64> = (0..n).map(|i| y[(i, a)]).collect();
                let ridge = regression.ridge()[a];
                let close = |got: f64, want: f64| {
                    assert!((got - want).abs() < 1e-7 * (1.0 + want.abs()), "n {n} d {d} κ {ridge}: {got} {want}");
                };
                let beta = normal_equations(&x, &column, &all, ridge);
                close(regression.intercept()[a], beta[0]);
                (0..d).for_each(|j| close(regression.coefficients()[(j, a)], beta[j + 1]));
                for row in [0, n / 2, n - 1] {
                    let mut without = all.clone();
                    without[row] = 0.0;
                    let beta = normal_equations(&x, &column, &without, ridge);
                    let f = beta[0] + (0..d).map(|j| beta[j + 1] * x[(row, j)]).sum::<f64>();
                    close(regression.leave_one_out()[(row, a)], f - y[(row, a)]);
                }
            }
        }
    }
}

#[test]
fn units_of_targets_and_weights_change_nothing_and_a_shift_of_the_inputs_nothing_either() {
    let (x, y, weights) = problem(7, 40, 4);
    let of = |x: &Matrix<f64>, y: &Matrix<f64>, weights: &[f64]| {
        RidgeRegression::fit(x, y, Some(weights), 2).unwrap().predict(x).unwrap()
    };
    let own = of(&x, &y, &weights);
    let shifted = Matrix::from_fn(40, 4, |i, j| x[(i, j)] + 50.0 * j as f64);
    let scaled = Matrix::from_fn(40, 2, |i, a| 1e-6 * y[(i, a)] + 4.0);
    let heavier: Vec<f64> = weights.iter().map(|weight| 1e5 * weight).collect();
    for i in 0..40 {
        for a in 0..2 {
            let close = |other: f64| assert!((own[(i, a)] - other).abs() < 1e-7, "{} {other}", own[(i, a)]);
            close(of(&shifted, &y, &weights)[(i, a)]);
            close(1e6 * (of(&x, &scaled, &weights)[(i, a)] - 4.0));
            close(of(&x, &y, &heavier)[(i, a)]);
        }
    }
}

#[test]
fn noise_alone_is_answered_by_the_mean() {
    let x = matrix::<f64>(9, 60, 5);
    let y = Matrix::from_vec(60, 1, normal::<f64>(10, 60)).unwrap();
    let regression = RidgeRegression::fit(&x, &y, None, 1).unwrap();
    let mean = y.as_slice().iter().sum::<f64>() / 60.0;
    assert!(regression.predict(&x).unwrap().as_slice().iter().all(|f| (f - mean).abs() < 0.5));
    assert!(RidgeRegression::fit(&matrix(1, 2, 1), &matrix(2, 2, 1), None, 1).is_err());
}
