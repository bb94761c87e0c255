//! The weights of models by what they say of rows that they have not seen.

use gramstep::Matrix;

use super::nonnegative::least_nonnegative;
use crate::data::{Dataset, Task};
use crate::error::{Error, Result};
use crate::outcome::deciding::bound;
use crate::outcome::metrics::log_sum_exp;

/// How much equal weights count beside the rows, a row and altogether, in the mean squared error of the best part: few
/// rows believe a chance less.
const PRIOR: (f64, f64) = (0.05, 50.0);
/// Rows of evidence for every part of a mixture, before any is seen.
const COUNTS: f64 = 0.5;
/// A part that has less than this share of all weights is left out.
const LEAST: f64 = 0.02;
/// Robust deviations beyond which the residuals of at most 2.5 % of the rows are wild. Left out of fold, combinations of
/// ordinary tables (boston, concrete, energy, Journals, Airline) are off by at most 8 to 19 of them, those of a table with a few huge targets
/// (Clothing) by 50.
const WILD: f64 = 20.0;
/// Least squares of rows weighted anew, at most, and how much less each has to decide than the one before.
const REWEIGHTED: usize = 30;
const SETTLED: f64 = 1e-6;
/// Rounds of the search of a mixture, each of which takes as many operations as there are rows and parts.
const ROUNDS: usize = 5000;
/// It ends where no weight moves by more.
const ENOUGH: f64 = 1e-10;

/// The weights of parts with these outputs; 0 of those that are left out. One has a weight, whatever they say.
///
/// ```text
/// regression       argmin_{w ≥ 0} Σ_i v_i h(y_i − Σ_c w_c f_ci) + ρ Σ_c (w_c − 1/m)²,  ρ = s²(n/20 + 50)   (breiman1996)
///                  h(e) = e² up to a bound b, of wild rows b²(1 + 2 ln(|e|/b)): however wild, they decide nothing
/// classification   argmax_{w ≥ 0, Σw = 1} Σ_i v_i log Σ_c w_c p_ci(y_i) + ½ Σ_c log w_c
/// ```
///
/// # Errors
/// If outputs are infinite or NaN.
pub(super) fn weights(task: Task, parts: &[&Matrix<f64>], rows: &Dataset<f64>) -> Result<Vec<f64>> {
    let mut used: Vec<usize> = (0..parts.len()).collect();
    loop {
        let outputs: Vec<&Matrix<f64>> = used.iter().map(|&c| parts[c]).collect();
        let found = match task {
            Task::Regression => of_squares(&outputs, rows)?,
            Task::Classification => of_likelihood(&outputs, rows),
        };
        let least = LEAST * found.iter().sum::<f64>();
        let lasting: Vec<usize> = (0..used.len()).filter(|&at| found[at] > least).collect();
        if lasting.is_empty() {
            // Their mean tells the rows better than any of them.
            return Ok(alone(parts.len(), best(parts, rows)));
        }
        if lasting.len() == used.len() {
            let mut all = vec![0.0; parts.len()];
            used.iter().zip(found).for_each(|(&c, weight)| all[c] = weight);
            return Ok(all);
        }
        used = lasting.into_iter().map(|at| used[at]).collect();
    }
}

/// Least squares of rows none of which is wild, else reweighted ones, from all rows as they are and from the residuals of
/// the best part: what decides least is kept, if need be that part alone.
fn of_squares(parts: &[&Matrix<f64>], rows: &Dataset<f64>) -> Result<Vec<f64>> {
    let (m, k) = (parts.len(), rows.targets.columns());
    let best = best(parts, rows);
    let Some(loss) = parts.get(best).map(|f| loss(f, rows)) else { return Ok(Vec::new()) };
    let total = rows.total_weight();
    let prior = (loss / (total * k as f64)).max(f64::MIN_POSITIVE) * k as f64 * (PRIOR.0 * total + PRIOR.1);
    let value = |w: &[f64]| {
        deciding(&residuals(w, parts, rows), rows) + prior * w.iter().map(|w| (w - 1.0 / m as f64).powi(2)).sum::<f64>()
    };
    let from = |mut counts: Option<Matrix<f64>>, mut kept: Option<(f64, Vec<f64>)>| {
        for _ in 0..REWEIGHTED {
            let w = least_squares(parts, rows, counts.as_ref(), prior)?;
            let found = value(&w);
            if kept.as_ref().is_some_and(|(least, _)| found >= least * (1.0 - SETTLED)) {
                break;
            }
            counts = counts_of(&residuals(&w, parts, rows), rows);
            kept = Some((found, w));
            if counts.is_none() {
                break;
            }
        }
        Ok::<_, Error>(kept)
    };
    let all = from(None, None)?;
    let alone = alone(m, best);
    let counts = counts_of(&residuals(&alone, parts, rows), rows);
    let tame = match counts {
        Some(counts) => from(Some(counts), Some((value(&alone), alone)))?,
        None => None,
    };
    let least = all.into_iter().chain(tame).min_by(|(a, _), (b, _)| a.total_cmp(b));
    Ok(least.map_or_else(|| vec![1.0 / m as f64; m], |(_, w)| w))
}

/// What decides of one part.
fn loss(f: &Matrix<f64>, rows: &Dataset<f64>) -> f64 {
    deciding(&residuals(&[1.0], &[f], rows), rows)
}

/// The part of which least decides.
fn best(parts: &[&Matrix<f64>], rows: &Dataset<f64>) -> usize {
    let losses: Vec<f64> = parts.iter().map(|f| loss(f, rows)).collect();
    (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).unwrap_or(0)
}

/// All weight on one of m parts.
fn alone(m: usize, part: usize) -> Vec<f64> {
    (0..m).map(|c| f64::from(u8::from(c == part))).collect()
}

/// y − Σ_c w_c f_c, n×k.
fn residuals(w: &[f64], parts: &[&Matrix<f64>], rows: &Dataset<f64>) -> Matrix<f64> {
    let y = &rows.targets;
    Matrix::from_fn(y.rows(), y.columns(), |i, a| {
        y[(i, a)] - w.iter().zip(parts).map(|(w, f)| w * f[(i, a)]).sum::<f64>()
    })
}

/// The size beyond which residuals of every column are wild.
fn bounds(residuals: &Matrix<f64>, rows: &Dataset<f64>) -> Vec<f64> {
    let column = |a| (0..residuals.rows()).map(|i| residuals[(i, a)].abs()).collect::<Vec<_>>();
    (0..residuals.columns()).map(|a| bound(&column(a), rows.weights.as_deref(), WILD)).collect()
}

/// Σ_ia v_i min(e_ia², c_a²).
fn deciding(residuals: &Matrix<f64>, rows: &Dataset<f64>) -> f64 {
    let bounds = bounds(residuals, rows);
    let of = |i: usize| residuals.row(i).iter().zip(&bounds).map(|(e, c)| e.powi(2).min(c.powi(2))).sum::<f64>();
    (0..residuals.rows()).map(|i| rows.weight(i) * of(i)).sum()
}

/// (c/e)² of wild residuals, 1 of others; none where none is wild.
fn counts_of(residuals: &Matrix<f64>, rows: &Dataset<f64>) -> Option<Matrix<f64>> {
    let bounds = bounds(residuals, rows);
    let wild = |i: usize, a: usize| residuals[(i, a)].abs() > bounds[a];
    let (n, k) = (residuals.rows(), residuals.columns());
    (0..n)
        .any(|i| (0..k).any(|a| wild(i, a)))
        .then(|| Matrix::from_fn(n, k, |i, a| if wild(i, a) { (bounds[a] / residuals[(i, a)]).powi(2) } else { 1.0 }))
}

/// The least squares, of which every row counts so much.
fn least_squares(
    parts: &[&Matrix<f64>],
    rows: &Dataset<f64>,
    counts: Option<&Matrix<f64>>,
    prior: f64,
) -> Result<Vec<f64>> {
    let (m, n) = (parts.len(), rows.rows());
    let count = |i: usize, a: usize| counts.map_or(1.0, |counts| counts[(i, a)]);
    let inner = |f: &Matrix<f64>, g: &Matrix<f64>| -> f64 {
        let row =
            |i: usize| f.row(i).iter().zip(g.row(i)).enumerate().map(|(a, (f, g))| count(i, a) * f * g).sum::<f64>();
        (0..n).map(|i| rows.weight(i) * row(i)).sum()
    };
    let mut gram = Matrix::from_fn(m, m, |c, e| if e <= c { inner(parts[c], parts[e]) } else { 0.0 });
    for c in 0..m {
        gram[(c, c)] += prior;
        (c + 1..m).for_each(|e| gram[(c, e)] = gram[(e, c)]);
    }
    let aim: Vec<f64> = parts.iter().map(|f| inner(f, &rows.targets) + prior / m as f64).collect();
    least_nonnegative(&gram, &aim)
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
        let w = weights(Task::Regression, &parts.iter().collect::<Vec<_>>(), &rows).unwrap();
        assert!((w[0] - w[1]).abs() < 0.1 && w[0] > 0.35 && w[2] < 0.05 && w[3] == 0.0, "{w:?}");
    }

    #[test]
    fn one_part_has_a_weight_where_all_are_against_the_rows() {
        let (rows, _) = regression(60);
        let against = |size: f64| Matrix::from_fn(60, 1, |i, _| -size * rows.targets[(i, 0)]);
        let parts: Vec<Matrix<f64>> = (1..=12).rev().map(|c| against(f64::from(c))).collect();
        let w = weights(Task::Regression, &parts.iter().collect::<Vec<_>>(), &rows).unwrap();
        assert_eq!(w, alone(12, 11));
    }

    #[test]
    fn weights_are_the_least_squares_and_copies_are_weights() {
        let (rows, parts) = regression(60);
        let parts: Vec<&Matrix<f64>> = parts.iter().take(2).collect();
        let w = of_squares(&parts, &rows).unwrap();
        let least = parts.iter().map(|f| loss(f, &rows)).fold(f64::INFINITY, f64::min);
        let prior = least / 60.0 * (PRIOR.0 * 60.0 + PRIOR.1);
        let value = |w: &[f64]| {
            let error = |i: usize| (rows.targets[(i, 0)] - w[0] * parts[0][(i, 0)] - w[1] * parts[1][(i, 0)]).powi(2);
            let prior = prior * w.iter().map(|w| (w - 0.5).powi(2)).sum::<f64>();
            (0..60).map(error).sum::<f64>() + prior
        };
        for (a, b) in [(1e-3, 0.0), (-1e-3, 0.0), (0.0, 1e-3), (0.0, -1e-3)] {
            assert!(value(&[w[0] + a, w[1] + b]) > value(&w));
        }
        let weighted = rows.clone().with_weights(Some((0..60).map(|i| 1.0 + f64::from(i % 3)).collect())).unwrap();
        let copies: Vec<usize> = (0..60).flat_map(|i| std::iter::repeat_n(i, 1 + i % 3)).collect();
        let copied: Vec<Matrix<f64>> = parts.iter().map(|part| part.select_rows(&copies)).collect();
        let one = of_squares(&parts, &weighted).unwrap();
        let other = of_squares(&copied.iter().collect::<Vec<_>>(), &rows.select(&copies)).unwrap();
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
        let w = weights(Task::Classification, &parts, &rows).unwrap();
        assert!((w.iter().sum::<f64>() - 1.0).abs() < 1e-12 && w[0] > 0.2 && w[1] > 0.2 && w[2] < 0.2, "{w:?}");
    }

    /// A part that tells most rows better, and one that tells three of them better, which are off by so much.
    fn wild(n: usize, wildness: f64) -> (Dataset<f64>, Vec<Matrix<f64>>) {
        let far = |i: usize| i % (n / 3) == 5;
        let y = Matrix::from_fn(n, 1, |i, _| if far(i) { wildness } else { 3.4 * noise(i, 0) });
        let good = Matrix::from_fn(n, 1, |i, _| if far(i) { 0.3 * wildness } else { y[(i, 0)] + 0.1 * noise(i, 1) });
        let poor = Matrix::from_fn(n, 1, |i, _| y[(i, 0)] + if far(i) { 0.01 * wildness } else { noise(i, 2) });
        (Dataset::new(Matrix::zeros(n, 1), y).unwrap(), vec![good, poor])
    }

    #[test]
    fn weights_do_not_turn_over_by_a_few_rows_however_wild() {
        for n in [150, 360] {
            for wildness in [30.0, 1e3, 1e9] {
                let (rows, parts) = wild(n, wildness);
                let w = weights(Task::Regression, &parts.iter().collect::<Vec<_>>(), &rows).unwrap();
                assert!(w[0] > 10.0 * w[1] && (w[0] + w[1] - 1.0).abs() < 0.1, "{n} {wildness}: {w:?}");
            }
        }
    }

    #[test]
    fn the_unit_of_targets_and_the_order_of_rows_are_nothing() {
        for (rows, parts) in [regression(150), wild(150, 1e3)] {
            let parts: Vec<&Matrix<f64>> = parts.iter().collect();
            let own = weights(Task::Regression, &parts, &rows).unwrap();
            for unit in [1e-8, 1e5] {
                let scaled = |f: &Matrix<f64>| Matrix::from_fn(f.rows(), 1, |i, _| unit * f[(i, 0)]);
                let other = Dataset::new(Matrix::zeros(150, 1), scaled(&rows.targets)).unwrap();
                let scaled: Vec<Matrix<f64>> = parts.iter().map(|f| scaled(f)).collect();
                let other = weights(Task::Regression, &scaled.iter().collect::<Vec<_>>(), &other).unwrap();
                assert!(own.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-9), "{unit}: {own:?} {other:?}");
            }
            let order: Vec<usize> = (0..150).map(|i| 67 * i % 150).collect();
            let turned: Vec<Matrix<f64>> = parts.iter().map(|f| f.select_rows(&order)).collect();
            let turned = weights(Task::Regression, &turned.iter().collect::<Vec<_>>(), &rows.select(&order)).unwrap();
            assert!(own.iter().zip(&turned).all(|(a, b)| (a - b).abs() < 1e-9), "{own:?} {turned:?}");
        }
    }

    #[test]
    fn no_combination_decides_more_than_its_best_part() {
        for (rows, parts) in [regression(80), wild(150, 40.0), wild(150, 1e4)] {
            let parts: Vec<&Matrix<f64>> = parts.iter().collect();
            let w = of_squares(&parts, &rows).unwrap();
            let own = deciding(&residuals(&w, &parts, &rows), &rows);
            let best = parts.iter().map(|f| loss(f, &rows)).fold(f64::INFINITY, f64::min);
            let n = rows.rows() as f64;
            assert!(own <= best * (1.0 + PRIOR.0 + PRIOR.1 / n), "{own} {best}");
        }
    }
}
