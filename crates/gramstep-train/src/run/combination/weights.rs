//! The weights of models by what they say of rows that they have not seen.

use gramstep::Matrix;

use crate::data::{Dataset, Task};
use crate::outcome::metrics::log_sum_exp;

/// How much equal weights count beside the rows, a row and altogether, in the mean squared error of the best part: few
/// rows believe a chance less.
const PRIOR: (f64, f64) = (0.05, 50.0);
/// Rows of evidence for every part of a mixture, before any is seen.
const COUNTS: f64 = 0.5;
/// A part that has less than this share of all weights is left out.
const LEAST: f64 = 0.02;
/// Rounds of either search, each of which takes as many operations as there are parts, or rows and parts.
const ROUNDS: usize = 5000;
/// A search ends where no weight moves by more.
const ENOUGH: f64 = 1e-10;

/// The weights of parts with these outputs; 0 of those that are left out.
///
/// ```text
/// regression       argmin_{w ≥ 0} Σ_i v_i|y_i − Σ_c w_c f_ci|² + ρ Σ_c (w_c − 1/m)²,  ρ = s²(n/20 + 50)   (breiman1996)
/// classification   argmax_{w ≥ 0, Σw = 1} Σ_i v_i log Σ_c w_c p_ci(y_i) + ½ Σ_c log w_c
/// ```
pub(super) fn weights(task: Task, parts: &[&Matrix<f64>], rows: &Dataset<f64>) -> Vec<f64> {
    let mut used: Vec<usize> = (0..parts.len()).collect();
    loop {
        let outputs: Vec<&Matrix<f64>> = used.iter().map(|&c| parts[c]).collect();
        let found = match task {
            Task::Regression => of_squares(&outputs, rows),
            Task::Classification => of_likelihood(&outputs, rows),
        };
        let least = LEAST * found.iter().sum::<f64>();
        let lasting: Vec<usize> = (0..used.len()).filter(|&at| found[at] > least).collect();
        if lasting.len() == used.len() || lasting.is_empty() {
            let mut all = vec![0.0; parts.len()];
            used.iter().zip(found).for_each(|(&c, weight)| all[c] = weight);
            return all;
        }
        used = lasting.into_iter().map(|at| used[at]).collect();
    }
}

/// By coordinate descent on the normal equations, which are few.
fn of_squares(parts: &[&Matrix<f64>], rows: &Dataset<f64>) -> Vec<f64> {
    let (m, n) = (parts.len(), rows.rows());
    let inner = |f: &Matrix<f64>, g: &Matrix<f64>| -> f64 {
        (0..n).map(|i| rows.weight(i) * f.row(i).iter().zip(g.row(i)).map(|(f, g)| f * g).sum::<f64>()).sum()
    };
    let prior = prior(parts, rows);
    let mut gram = Matrix::from_fn(m, m, |c, e| if e <= c { inner(parts[c], parts[e]) } else { 0.0 });
    for (c, e) in (0..m).flat_map(|c| (c + 1..m).map(move |e| (c, e))) {
        gram[(c, e)] = gram[(e, c)];
    }
    let aim: Vec<f64> = parts.iter().map(|f| inner(f, &rows.targets) + prior / m as f64).collect();
    let mut w = vec![1.0 / m as f64; m];
    for _ in 0..ROUNDS {
        let mut moved: f64 = 0.0;
        for c in 0..m {
            let others: f64 = (0..m).filter(|&e| e != c).map(|e| gram[(c, e)] * w[e]).sum();
            let new = ((aim[c] - others) / (gram[(c, c)] + prior)).max(0.0);
            moved = moved.max((new - w[c]).abs());
            w[c] = new;
        }
        if moved < ENOUGH {
            break;
        }
    }
    w
}

/// ρ: n rows of the error of the best part would be that error times n.
fn prior(parts: &[&Matrix<f64>], rows: &Dataset<f64>) -> f64 {
    let (n, k, total) = (rows.rows(), rows.targets.columns() as f64, rows.total_weight());
    let error =
        |f: &Matrix<f64>, i: usize| f.row(i).iter().zip(rows.targets.row(i)).map(|(f, y)| (f - y).powi(2)).sum::<f64>();
    let mean = |f: &&Matrix<f64>| (0..n).map(|i| rows.weight(i) * error(f, i)).sum::<f64>() / (total * k);
    let least = parts.iter().map(mean).fold(f64::INFINITY, f64::min).max(f64::MIN_POSITIVE);
    least * k * (PRIOR.0 * total + PRIOR.1)
}

/// By expectation and maximisation, which never lowers the likelihood.
fn of_likelihood(parts: &[&Matrix<f64>], rows: &Dataset<f64>) -> Vec<f64> {
    let (m, n) = (parts.len(), rows.rows());
    let own = |f: &Matrix<f64>, i: usize| {
        let logit: f64 = f.row(i).iter().zip(rows.targets.row(i)).map(|(f, y)| f * y).sum();
        (logit - log_sum_exp(f.row(i))).exp().max(f64::MIN_POSITIVE)
    };
    let p: Vec<Vec<f64>> = (0..n).map(|i| parts.iter().map(|f| own(f, i)).collect()).collect();
    let mut w = vec![1.0 / m as f64; m];
    for _ in 0..ROUNDS {
        let mut counts = vec![COUNTS; m];
        for (i, p) in p.iter().enumerate() {
            let mean: f64 = w.iter().zip(p).map(|(w, p)| w * p).sum();
            for ((count, w), p) in counts.iter_mut().zip(&w).zip(p) {
                *count += rows.weight(i) * w * p / mean;
            }
        }
        let total: f64 = counts.iter().sum();
        let new: Vec<f64> = counts.into_iter().map(|count| count / total).collect();
        let moved = new.iter().zip(&w).map(|(new, old)| (new - old).abs()).fold(0.0, f64::max);
        w = new;
        if moved < ENOUGH {
            break;
        }
    }
    w
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(i: usize, j: usize) -> f64 {
        let hash =
            (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (j as u64 + 7).wrapping_mul(0xD1B5_4A32_D192_ED03);
        ((hash.wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 11) as f64) / (1_u64 << 53) as f64 - 0.5
    }

    fn regression(n: usize) -> (Dataset<f64>, Vec<Matrix<f64>>) {
        let y = Matrix::from_fn(n, 1, |i, _| 3.4 * noise(i, 0));
        let part = |size: f64, j: usize| Matrix::from_fn(n, 1, |i, _| y[(i, 0)] + size * noise(i, j));
        let parts = vec![part(1.0, 1), part(1.0, 2), part(9.0, 3), Matrix::from_fn(n, 1, |i, _| -y[(i, 0)])];
        (Dataset::new(Matrix::zeros(n, 1), y).unwrap(), parts)
    }

    #[test]
    fn equally_good_parts_share_and_bad_ones_have_nothing() {
        let (rows, parts) = regression(400);
        let w = weights(Task::Regression, &parts.iter().collect::<Vec<_>>(), &rows);
        assert!((w[0] - w[1]).abs() < 0.1 && w[0] > 0.35 && w[2] < 0.05 && w[3] == 0.0, "{w:?}");
    }

    #[test]
    fn weights_are_the_least_squares_and_copies_are_weights() {
        let (rows, parts) = regression(60);
        let parts: Vec<&Matrix<f64>> = parts.iter().take(2).collect();
        let w = of_squares(&parts, &rows);
        let value = |w: &[f64]| {
            let error = |i: usize| (rows.targets[(i, 0)] - w[0] * parts[0][(i, 0)] - w[1] * parts[1][(i, 0)]).powi(2);
            let prior = prior(&parts, &rows) * w.iter().map(|w| (w - 0.5).powi(2)).sum::<f64>();
            (0..60).map(error).sum::<f64>() + prior
        };
        for (a, b) in [(1e-3, 0.0), (-1e-3, 0.0), (0.0, 1e-3), (0.0, -1e-3)] {
            assert!(value(&[w[0] + a, w[1] + b]) > value(&w));
        }
        let weighted = rows.clone().with_weights(Some((0..60).map(|i| 1.0 + f64::from(i % 3)).collect())).unwrap();
        let copies: Vec<usize> = (0..60).flat_map(|i| std::iter::repeat_n(i, 1 + i % 3)).collect();
        let copied: Vec<Matrix<f64>> = parts.iter().map(|part| part.select_rows(&copies)).collect();
        let one = of_squares(&parts, &weighted);
        let other = of_squares(&copied.iter().collect::<Vec<_>>(), &rows.select(&copies));
        assert!(one.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-8), "{one:?} {other:?}");
    }

    #[test]
    fn a_mixture_has_the_likelihood_of_its_maximum() {
        let n = 300;
        let y = Matrix::from_fn(n, 2, |i, a| f64::from(u8::from((noise(i, 0) > 0.0) == (a == 1))));
        let logits = |j: usize, size: f64| {
            Matrix::from_fn(n, 2, |i, a| if a == 1 { 8.0 * noise(i, 0) + size * noise(i, j) } else { 0.0 })
        };
        let parts = [logits(1, 6.0), logits(2, 6.0), logits(3, 60.0)];
        let parts: Vec<&Matrix<f64>> = parts.iter().collect();
        let rows = Dataset::new(Matrix::zeros(n, 1), y).unwrap();
        let w = weights(Task::Classification, &parts, &rows);
        assert!((w.iter().sum::<f64>() - 1.0).abs() < 1e-12 && w[0] > 0.2 && w[1] > 0.2 && w[2] < 0.2, "{w:?}");
    }
}
