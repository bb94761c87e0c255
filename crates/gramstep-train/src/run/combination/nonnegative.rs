//! The least of a quadratic function of numbers that are not negative, by the active sets of lawson1974.

use gramstep::solve::eigen;
use gramstep::{Error as CoreError, Matrix};

use crate::error::Result;

/// A slope below this, in the unit of the largest, is rounding.
const FLAT: f64 = 1e-12;
/// Sets that are looked at for every number; they seldom are more than one.
const SETS: usize = 10;

/// argmin_{w ≥ 0} ½wᵀAw − bᵀw; A: m×m, symmetric and positive semi-definite, m of a few tens at most.
///
/// # Errors
/// If A or b holds infinite values or NaN.
pub(super) fn least_nonnegative(a: &Matrix<f64>, b: &[f64]) -> Result<Vec<f64>> {
    let m = b.len();
    if !a.as_slice().iter().chain(b).all(|value| value.is_finite()) {
        let reason = "a model predicts infinite values or NaN".to_owned();
        return Err(CoreError::Solve { solver: "active sets", size: m, reason }.into());
    }
    // In units in which the diagonal of A is 1: parts may have any size.
    let unit: Vec<f64> = (0..m).map(|c| if a[(c, c)] > 0.0 { a[(c, c)].sqrt().recip() } else { 1.0 }).collect();
    let a = Matrix::from_fn(m, m, |c, e| unit[c] * a[(c, e)] * unit[e]);
    let b: Vec<f64> = b.iter().zip(&unit).map(|(b, unit)| b * unit).collect();
    let flat = FLAT * b.iter().fold(0.0_f64, |most, b| most.max(b.abs()));
    let mut w = vec![0.0; m];
    let mut free = vec![false; m];
    for _ in 0..SETS * m {
        let slope = |c: usize| b[c] - (0..m).map(|e| a[(c, e)] * w[e]).sum::<f64>();
        let steepest = (0..m).filter(|&c| !free[c]).map(|c| (c, slope(c))).max_by(|(_, a), (_, b)| a.total_cmp(b));
        let Some((enters, _)) = steepest.filter(|(_, slope)| *slope > flat) else { break };
        free[enters] = true;
        loop {
            let set: Vec<usize> = (0..m).filter(|&c| free[c]).collect();
            let inner = Matrix::from_fn(set.len(), set.len(), |c, e| a[(set[c], set[e])]);
            let least = eigen(&inner, 1)?.solve(0.0, &set.iter().map(|&c| b[c]).collect::<Vec<_>>());
            // As far towards the least of the set as no number becomes negative.
            let limits: Vec<f64> = set.iter().zip(&least).map(|(&c, &to)| limit(w[c], to)).collect();
            let share = limits.iter().copied().fold(1.0, f64::min);
            let mut leaves = false;
            for ((&c, &to), &own) in set.iter().zip(&least).zip(&limits) {
                let ends = to <= 0.0 && own <= share;
                w[c] = if ends { 0.0 } else { w[c] + share * (to - w[c]) };
                free[c] = !ends;
                leaves |= ends;
            }
            if !leaves {
                break;
            }
        }
    }
    Ok(w.iter().zip(&unit).map(|(w, unit)| w * unit).collect())
}

/// The share of the way from w ≥ 0 to another number on which it is not negative.
fn limit(w: f64, to: f64) -> f64 {
    if to > 0.0 { 1.0 } else { w / (w - to).max(f64::MIN_POSITIVE) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gramstep::random::{Purpose, stream};
    use rand::RngExt as _;

    /// No slope points to where w may go: it is the minimum. Columns are nearly the same, as kernels of one table are.
    #[test]
    fn no_slope_is_left_however_alike_the_columns_are() {
        let mut generator = stream(5, Purpose::Data, 0, 0);
        for apart in [1.0, 1e-2, 1e-4] {
            for m in 1..12 {
                let n = 40;
                let common: Vec<f64> = (0..n).map(|_| generator.random_range(-1.0..1.0)).collect();
                let f = Matrix::from_fn(n, m, |i, c| {
                    [1.0, 10.0, 100.0][c % 3] * (common[i] + apart * generator.random_range(-1.0..1.0))
                });
                let y: Vec<f64> = common.iter().map(|y| y + apart * generator.random_range(-1.0..1.0)).collect();
                let inner = |c: usize, g: &dyn Fn(usize) -> f64| (0..n).map(|i| f[(i, c)] * g(i)).sum::<f64>();
                let a = Matrix::from_fn(m, m, |c, e| inner(c, &|i| f[(i, e)]));
                let b: Vec<f64> = (0..m).map(|c| inner(c, &|i| y[i])).collect();
                let w = least_nonnegative(&a, &b).unwrap();
                for c in 0..m {
                    let slope = b[c] - (0..m).map(|e| a[(c, e)] * w[e]).sum::<f64>();
                    let rounding = 1e-9 * a[(c, c)].sqrt() * (n as f64).sqrt();
                    assert!(w[c] >= 0.0 && slope < rounding, "{apart} {m}: {c} {slope}");
                    assert!(w[c] == 0.0 || slope.abs() < rounding, "{apart} {m}: {c} {slope}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_right_where_every_column_points_away() {
        let a = Matrix::from_fn(3, 3, |c, e| f64::from(u8::from(c == e)));
        assert_eq!(least_nonnegative(&a, &[-1.0, 0.0, -2.0]).unwrap(), [0.0; 3]);
        assert!(least_nonnegative(&Matrix::from_fn(2, 2, |_, _| f64::NAN), &[1.0, 1.0]).is_err());
    }
}
