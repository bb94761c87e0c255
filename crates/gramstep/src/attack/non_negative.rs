//! Quadratic programs of multipliers that are at least 0: the duals of fits with margins.

use crate::error::{Error, Result};
use crate::solve::{Damped, Solver};
use crate::view::Matrix;

/// Damping of the small systems, relative to their mean diagonal: two gathered points may be one to rounding.
const DAMPING: f64 = 1e-10;
/// Shortfall below which a constraint is met.
const VIOLATION: f64 = 1e-7;
/// Shortfall that the damping leaves where constraints contradict each other: the multipliers α grow until the damping
/// stops them, Hα stays, so that Σ α_i y_i J_i ≈ 0 with Σ α_i b_i > 0, and no Δ meets them all (Farkas' lemma).
const CONTRADICTION: f64 = 1e-3;

/// min_{α ≥ 0} ½ αᵀHα − bᵀα by active sets (Lawson and Hanson 1974): the constraint that misses most joins the
/// passive set, whose system is solved; multipliers that would turn negative leave it.
///
/// # Errors
/// [`Error::Conflict`] where the constraints contradict each other, and there alone; [`Error::Solve`] where it finds no end.
pub(super) fn non_negative(h: &Matrix<f64>, b: &[f64]) -> Result<Vec<f64>> {
    within(h, b, 10 * b.len().max(1))
}

/// The same within a number of rounds.
fn within(h: &Matrix<f64>, b: &[f64], rounds: usize) -> Result<Vec<f64>> {
    let n = b.len();
    let short =
        |i: usize, alpha: &[f64], passive: &[usize]| b[i] - passive.iter().map(|&j| h[(i, j)] * alpha[j]).sum::<f64>();
    let (mut alpha, mut passive) = (vec![0.0; n], Vec::<usize>::new());
    for _ in 0..rounds {
        let missing = (0..n).filter(|i| !passive.contains(i)).map(|i| (i, short(i, &alpha, &passive)));
        let Some((worst, by)) = missing.reduce(|a, b| if b.1 > a.1 { b } else { a }) else { return Ok(alpha) };
        if by <= VIOLATION {
            return Ok(alpha);
        }
        passive.push(worst);
        loop {
            let wanted = passive_solution(h, b, &passive)?;
            // The share of the way at which the first multiplier reaches 0.
            let ratio = |(at, &j): (usize, &usize)| (wanted[at] <= 0.0).then(|| alpha[j] / (alpha[j] - wanted[at]));
            let share = passive.iter().enumerate().filter_map(ratio).fold(1.0, f64::min);
            for (at, &j) in passive.iter().enumerate() {
                alpha[j] += share * (wanted[at] - alpha[j]);
            }
            if share >= 1.0 {
                break;
            }
            let floor = 1e-14 * alpha.iter().copied().fold(0.0, f64::max);
            passive.retain(|&j| {
                alpha[j] > floor || {
                    alpha[j] = 0.0;
                    false
                }
            });
        }
        if passive.iter().any(|&i| short(i, &alpha, &passive) > CONTRADICTION) {
            let reason = "no parameters near the start meet the margin on all gathered points".to_owned();
            return Err(Error::Conflict { what: "margins of a fit", reason });
        }
    }
    Err(Error::Solve { solver: "active-set method", size: n, reason: format!("no end after {rounds} rounds") })
}

/// H_PP⁻¹ b_P.
fn passive_solution(h: &Matrix<f64>, b: &[f64], passive: &[usize]) -> Result<Vec<f64>> {
    let size = passive.len();
    let matrix = Matrix::from_fn(size, size, |i, j| h[(passive[i], passive[j])]);
    let mean = (0..size).map(|i| matrix[(i, i)]).sum::<f64>() / size.max(1) as f64;
    let rhs: Vec<f64> = passive.iter().map(|&i| b[i]).collect();
    Ok(Damped::factor(&matrix, DAMPING * mean, 1)?.solve(&rhs, Solver::Dual)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_contradict_each_other_only_where_they_do() {
        let of = |entries: [f64; 4]| Matrix::from_vec(2, 2, entries.to_vec()).unwrap();
        // Δ ≥ 1 and −Δ ≥ 1.
        let opposite = non_negative(&of([1.0, -1.0, -1.0, 1.0]), &[1.0, 1.0]);
        assert!(matches!(opposite, Err(Error::Conflict { .. })), "{opposite:?}");
        // Δ₁ ≥ 1 and Δ₂ ≥ 1.
        let apart = of([1.0, 0.0, 0.0, 1.0]);
        let alpha = non_negative(&apart, &[1.0, 1.0]).unwrap();
        assert!(alpha.iter().all(|alpha| (alpha - 1.0).abs() < 1e-6), "{alpha:?}");
        let spent = within(&apart, &[1.0, 1.0], 1);
        assert!(matches!(spent, Err(Error::Solve { .. })), "{spent:?}");
    }
}
