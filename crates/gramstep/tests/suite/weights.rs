//! Weights of rows in a kernel regression: W = diag(w) says how the variances of the noise are to one another.

use gramstep::Matrix;
use gramstep::kernel::{KernelRegression, Ridge};

use super::cases::{eliminate, matrix, normal};

const SEEDS: u64 = 6;
const ROWS: usize = 14;

/// A kernel of smooth functions of points, targets with noise, weights between ¼ and 4, new points.
struct Problem {
    x: Matrix<f64>,
    y: Matrix<f64>,
    weights: Vec<f64>,
    new: Matrix<f64>,
}

fn kernel(x: &Matrix<f64>, y: &Matrix<f64>) -> Matrix<f64> {
    let of = |i: usize, j: usize| x.row(i).iter().zip(y.row(j)).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    Matrix::from_fn(x.rows(), y.rows(), |i, j| (-0.5 * of(i, j)).exp() + 0.1)
}

fn problem(seed: u64) -> Problem {
    let x = matrix::<f64>(seed, ROWS, 2);
    let noise = normal::<f64>(seed + 100, 2 * ROWS);
    let y = Matrix::from_fn(ROWS, 2, |i, a| (1.5 * x[(i, a)]).sin() + 0.4 * noise[2 * i + a]);
    let weights = normal::<f64>(seed + 200, ROWS).iter().map(|z| (2.0 * z.tanh()).exp2()).collect();
    Problem { x, y, weights, new: matrix::<f64>(seed + 300, 5, 2) }
}

impl Problem {
    fn fit(&self, weights: &[f64], ridge: Ridge) -> KernelRegression {
        KernelRegression::fit_weighted(&kernel(&self.x, &self.x), &self.y, weights, ridge, 1).unwrap()
    }

    /// Everything that a regression says: predictions, variances, noise, prior, leave-one-out, evidence.
    fn says(&self, regression: &KernelRegression) -> Vec<f64> {
        let cross = kernel(&self.new, &self.x);
        let own: Vec<f64> = (0..5).map(|i| kernel(&self.new, &self.new)[(i, i)]).collect();
        let mut all = regression.predict(&cross).unwrap().into_vec();
        all.extend(regression.variance(&cross, &own).unwrap());
        all.extend(regression.noise_variance());
        all.extend(regression.prior_variance());
        all.extend(regression.leave_one_out().into_vec());
        all.push(regression.log_marginal_likelihood());
        all.push(regression.effective_parameters());
        all
    }
}

fn close(got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    for (at, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= tolerance * (1.0 + want.abs()), "number {at}: {got} {want}");
    }
}

#[test]
fn the_scale_of_the_weights_changes_nothing_where_the_ridge_is_chosen() {
    for seed in 0..SEEDS {
        let problem = problem(seed);
        for ridge in [Ridge::Evidence, Ridge::LeaveOneOut] {
            let one = problem.fit(&problem.weights, ridge);
            for factor in [1e-6, 1e-3, 0.3, 7.0, 1e6] {
                let scaled: Vec<f64> = problem.weights.iter().map(|w| factor * w).collect();
                let other = problem.fit(&scaled, ridge);
                // A search finds the κ of least value to about √ε.
                close(&[other.ridge() / (factor * one.ridge())], &[1.0], 1e-5);
                close(&problem.says(&other), &problem.says(&one), 1e-6);
                let mut same = problem.fit(&scaled, Ridge::Fixed(1.0));
                same.set_ridge(factor * one.ridge()).unwrap();
                close(&problem.says(&same), &problem.says(&one), 1e-11);
            }
        }
    }
}

#[test]
fn a_whole_weight_is_that_many_copies_of_the_row_at_a_fixed_ridge() {
    for seed in 0..SEEDS {
        let problem = problem(seed);
        let counts: Vec<usize> = (0..ROWS).map(|i| 1 + (i + seed as usize) % 4).collect();
        let weights: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
        let rows: Vec<usize> = (0..ROWS).flat_map(|i| vec![i; counts[i]]).collect();
        let copies = problem.x.select_rows(&rows);
        for ridge in [0.03, 2.0] {
            let one = problem.fit(&weights, Ridge::Fixed(ridge));
            let other =
                KernelRegression::fit(&kernel(&copies, &copies), &problem.y.select_rows(&rows), Ridge::Fixed(ridge), 1)
                    .unwrap();
            let (near, far) = (kernel(&problem.new, &problem.x), kernel(&problem.new, &copies));
            close(one.predict(&near).unwrap().as_slice(), other.predict(&far).unwrap().as_slice(), 1e-10);
            let own: Vec<f64> = (0..5).map(|i| kernel(&problem.new, &problem.new)[(i, i)]).collect();
            close(&one.variance(&near, &own).unwrap(), &other.variance(&far, &own).unwrap(), 1e-10);
            let apart = other.coefficients();
            let summed = Matrix::from_fn(ROWS, 2, |i, a| {
                rows.iter().enumerate().filter(|(_, row)| **row == i).map(|(at, _)| apart[(at, a)]).sum::<f64>()
            });
            close(one.coefficients().as_slice(), summed.as_slice(), 1e-9);
        }
    }
}

#[test]
fn leave_one_out_leaves_the_whole_row_out_whatever_its_weight() {
    for seed in 0..SEEDS {
        let problem = problem(seed);
        let ridge = Ridge::Fixed(0.2);
        let residuals = problem.fit(&problem.weights, ridge).leave_one_out();
        for left in 0..ROWS {
            let others: Vec<usize> = (0..ROWS).filter(|&i| i != left).collect();
            let x = problem.x.select_rows(&others);
            let weights: Vec<f64> = others.iter().map(|&i| problem.weights[i]).collect();
            let y = problem.y.select_rows(&others);
            let fitted = KernelRegression::fit_weighted(&kernel(&x, &x), &y, &weights, ridge, 1).unwrap();
            let f = fitted.predict(&kernel(&problem.x.select_rows(&[left]), &x)).unwrap();
            for a in 0..2 {
                close(&[residuals[(left, a)]], &[f[(0, a)] - problem.y[(left, a)]], 1e-10);
            }
        }
    }
}

/// Weighted least squares without row `left`: f(x) − y there, by the normal equations.
fn residual_without(left: usize, x: &Matrix<f64>, y: &Matrix<f64>, weights: &[f64]) -> f64 {
    let others = || (0..x.rows()).filter(|&i| i != left);
    let sum = |of: &dyn Fn(usize) -> f64| others().map(|i| weights[i] * of(i)).sum::<f64>();
    let columns = 0..x.columns();
    let normal = columns.clone().map(|a| columns.clone().map(|b| sum(&|i| x[(i, a)] * x[(i, b)])).collect()).collect();
    let beta = eliminate(normal, columns.clone().map(|a| sum(&|i| x[(i, a)] * y[(i, 0)])).collect());
    columns.map(|a| x[(left, a)] * beta[a]).sum::<f64>() - y[(left, 0)]
}

#[test]
fn leave_one_out_of_a_kernel_of_low_rank_without_a_ridge_is_least_squares_without_the_row() {
    let copies = KernelRegression::fit(
        &Matrix::from_vec(2, 2, vec![1.0; 4]).unwrap(),
        &Matrix::from_vec(2, 2, vec![1.0, 1.0, -1.0, 1.0]).unwrap(),
        Ridge::Fixed(0.0),
        1,
    );
    close(copies.unwrap().leave_one_out().as_slice(), &[-2.0, 0.0, 2.0, 0.0], 1e-12);
    let nothing = KernelRegression::fit(
        &Matrix::zeros(2, 2),
        &Matrix::from_vec(2, 1, vec![3.0, -4.0]).unwrap(),
        Ridge::Fixed(0.0),
        1,
    );
    close(nothing.unwrap().leave_one_out().as_slice(), &[-3.0, 4.0], 1e-12);
    for seed in 0..SEEDS {
        // The last row alone has the last column: no other says anything of it.
        let x = Matrix::from_fn(ROWS, 4, |i, j| match (i + 1 == ROWS, j) {
            (last, 3) => f64::from(u8::from(last)),
            _ => matrix::<f64>(seed, ROWS, 3)[(i, j)],
        });
        let gram = Matrix::from_fn(ROWS, ROWS, |i, j| x.row(i).iter().zip(x.row(j)).map(|(a, b)| a * b).sum());
        let y = Matrix::from_vec(ROWS, 1, normal::<f64>(seed + 100, ROWS)).unwrap();
        for weights in [vec![1.0; ROWS], problem(seed).weights] {
            let fit = |ridge| KernelRegression::fit_weighted(&gram, &y, &weights, Ridge::Fixed(ridge), 1).unwrap();
            let (none, small) = (fit(0.0), fit(1e-8));
            let seen = Matrix::from_fn(ROWS, 3, |i, j| x[(i, j)]);
            let mut expected: Vec<f64> = (0..ROWS - 1).map(|left| residual_without(left, &x, &y, &weights)).collect();
            expected.push(residual_without(ROWS - 1, &seen, &y, &weights));
            close(none.leave_one_out().as_slice(), &expected, 1e-8);
            close(small.leave_one_out().as_slice(), &expected, 1e-5);
            let (none, small) = (none.leave_one_out_variance(), small.leave_one_out_variance());
            close(&none.as_slice()[..ROWS - 1], &small.as_slice()[..ROWS - 1], 1e-5);
        }
    }
}

#[test]
fn the_ridge_chosen_by_leave_one_out_has_the_least_weighted_mean_square() {
    for seed in 0..SEEDS {
        let problem = problem(seed);
        let loss = |ridge: f64| {
            let residuals = problem.fit(&problem.weights, Ridge::Fixed(ridge)).leave_one_out();
            let squares = (0..ROWS).map(|i| problem.weights[i] * residuals.row(i).iter().map(|e| e * e).sum::<f64>());
            squares.sum::<f64>() / problem.weights.iter().sum::<f64>()
        };
        let chosen = problem.fit(&problem.weights, Ridge::LeaveOneOut).ridge();
        for other in [0.5, 0.9, 1.1, 2.0] {
            assert!(loss(chosen) <= loss(chosen * other) * (1.0 + 1e-12), "seed {seed}, {chosen} and {other}");
        }
    }
}

#[test]
fn the_evidence_of_weighted_rows_is_the_density_of_their_targets() {
    // log N(y; 0, K + κW⁻¹) by elimination: the product of pivots is the determinant.
    let problem = problem(3);
    let ridge = 0.4;
    let matrix = kernel(&problem.x, &problem.x);
    let entry = &|i: usize, j: usize| matrix[(i, j)] + if i == j { ridge / problem.weights[i] } else { 0.0 };
    let row = |i: usize| (0..ROWS).map(|j| entry(i, j)).collect::<Vec<f64>>();
    let covariance: Vec<Vec<f64>> = (0..ROWS).map(row).collect();
    let mut log_determinant = 0.0;
    let mut pivots = covariance.clone();
    for i in 0..ROWS {
        log_determinant += pivots[i][i].ln();
        for j in i + 1..ROWS {
            let factor = pivots[j][i] / pivots[i][i];
            let line = pivots[i].clone();
            pivots[j].iter_mut().zip(line).for_each(|(v, above)| *v -= factor * above);
        }
    }
    let density: f64 = (0..2)
        .map(|a| {
            let y: Vec<f64> = (0..ROWS).map(|i| problem.y[(i, a)]).collect();
            let square: f64 = eliminate(covariance.clone(), y.clone()).iter().zip(&y).map(|(c, y)| c * y).sum();
            -0.5 * (square + log_determinant + ROWS as f64 * (2.0 * std::f64::consts::PI).ln())
        })
        .sum();
    let fitted = problem.fit(&problem.weights, Ridge::Fixed(ridge));
    close(&[fitted.log_marginal_likelihood()], &[density], 1e-11);
}

#[test]
fn equal_weights_are_no_weights() {
    for seed in 0..SEEDS {
        let problem = problem(seed);
        for ridge in [Ridge::Fixed(0.3), Ridge::Evidence, Ridge::LeaveOneOut] {
            let none = KernelRegression::fit(&kernel(&problem.x, &problem.x), &problem.y, ridge, 1).unwrap();
            let one = problem.fit(&[1.0; ROWS], ridge);
            close(&problem.says(&one), &problem.says(&none), 1e-12);
            if ridge != Ridge::Fixed(0.3) {
                close(&problem.says(&problem.fit(&[0.7; ROWS], ridge)), &problem.says(&none), 1e-12);
            }
        }
        let (heavy, light) =
            (problem.fit(&[3.0; ROWS], Ridge::Fixed(0.3)), problem.fit(&[1.0; ROWS], Ridge::Fixed(0.1)));
        close(&problem.says(&heavy)[..15], &problem.says(&light)[..15], 1e-12);
    }
}

#[test]
fn a_weight_that_is_no_positive_number_is_refused() {
    let problem = problem(1);
    let gram = kernel(&problem.x, &problem.x);
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut weights = problem.weights.clone();
        weights[4] = bad;
        let refused = KernelRegression::fit_weighted(&gram, &problem.y, &weights, Ridge::Evidence, 1);
        assert!(refused.unwrap_err().to_string().contains("sample weight"));
    }
}
