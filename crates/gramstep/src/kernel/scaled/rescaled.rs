//! Scales that were found on some rows, used on many: more rows can tell finer scales.

use std::cmp::Ordering;

use super::kernel::ScaledKernel;
use super::regression::ScaledRegression;
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::view::Matrix;

/// Factors on all w_j that are tried one after the other, while they help.
const FACTORS: [f64; 4] = [1.0, 4.0, 16.0, 64.0];

/// The regression on all rows with w, 4w, 16w or 64w: the first one whose mean squared leave-one-out residual the next one
/// does not lower. Each takes O(n³); `stop` is asked between them.
///
/// Scales of the largest evidence of some rows are too long for rough targets of many.
///
/// # Errors
/// Those of [`ScaledRegression::fit`], [`Error::Interrupted`] when `stop` says so.
///
/// ```
/// use gramstep::Matrix;
/// use gramstep::kernel::{ScaledKernel, ScaledKind, fit_rescaled};
/// let x = Matrix::from_fn(200, 1, |i, _| i as f64 / 100.0 - 1.0);
/// let y = Matrix::from_fn(200, 1, |i, _| (40.0 * x[(i, 0)]).sin());
/// let too_long = ScaledKernel::new(ScaledKind::Rbf, vec![25.0], Vec::new(), 0.0)?;
/// let regression = fit_rescaled(&too_long, 1e-2, &x, &y, None, 1, &|| false)?;
/// assert!(regression.kernel().weights()[0] > 25.0);
/// # Ok::<(), gramstep::Error>(())
/// ```
pub fn fit_rescaled<T: Scalar>(
    kernel: &ScaledKernel,
    ridge: f64,
    x: &Matrix<T>,
    y: &Matrix<f64>,
    weights: Option<&[f64]>,
    threads: usize,
    stop: &dyn Fn() -> bool,
) -> Result<ScaledRegression<T>> {
    let mut best: Option<(f64, ScaledRegression<T>)> = None;
    for factor in FACTORS {
        if stop() {
            return Err(Error::Interrupted);
        }
        let regression = ScaledRegression::fit(kernel.rescaled(factor)?, ridge, x.clone(), y, weights, threads)?;
        let residuals = regression.leave_one_out()?;
        let weight = |i: usize| weights.map_or(1.0, |weights| weights[i]);
        let square = |i: usize| weight(i) * residuals.row(i).iter().map(|e| e * e).sum::<f64>();
        let loss: f64 = (0..residuals.rows()).map(square).sum();
        match best {
            Some((least, earlier)) if loss.partial_cmp(&least).is_none_or(Ordering::is_ge) => return Ok(earlier),
            _ => best = Some((loss, regression)),
        }
    }
    // There is a first factor.
    best.map(|(_, regression)| regression).ok_or(Error::Interrupted)
}
