//! The largest curvature of the mean loss along parameters, by the Gram matrix.

use super::spectrum::Spectrum;
use crate::error::{Error, Result, check_extent};
use crate::loss::{LinearisedLoss, Loss};
use crate::view::Matrix;

/// λ_max of the generalised Gauss–Newton matrix of the mean loss, (1/Σw) Σ_i w_i J_iᵀ Q_i J_i with Q = B Bᵀ the curvature of
/// the loss in the outputs: λ_max(BᵀGB)/Σw, for the same eigenvalues stand on both sides of a product.
///
/// Gradient descent with step η and momentum μ stays near a minimum only while this is below 2(1 + μ)/η (cohen2021).
/// gram: n·k×n·k, rows ordered (sample, output); f, y: n×k; weights: n.
///
/// ```
/// use gramstep::kernel::sharpness;
/// use gramstep::loss::SquaredLoss;
/// use gramstep::Matrix;
/// // f = w·x of two samples: G = X Xᵀ, and the curvature of the mean of ½r² is λ_max(XᵀX)/2.
/// let gram = Matrix::from_vec(2, 2, vec![1.0, 0.0, 0.0, 9.0])?;
/// let (f, y) = (Matrix::zeros(2, 1), Matrix::zeros(2, 1));
/// assert!((sharpness(&gram, &SquaredLoss, &f, &y, None, 1)? - 4.5).abs() < 1e-12);
/// # Ok::<(), gramstep::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] if f, y or the weights do not fit the Gram matrix, [`Error::Setting`] if the weights sum to 0,
/// [`Error::Solve`] if the matrix is not finite.
pub fn sharpness(
    gram: &Matrix<f64>,
    loss: &dyn Loss,
    f: &Matrix<f64>,
    y: &Matrix<f64>,
    weights: Option<&[f64]>,
    threads: usize,
) -> Result<f64> {
    let (n, k) = (f.rows(), f.columns());
    check_extent("rows of the Gram matrix", n * k, gram.rows())?;
    check_extent("rows of the targets", n, y.rows())?;
    check_extent("columns of the targets", k, y.columns())?;
    check_extent("sample weights", n, weights.map_or(n, <[f64]>::len))?;
    let total = weights.map_or(n as f64, |weights| weights.iter().sum());
    if total <= 0.0 {
        return Err(Error::Setting { name: "sum of the weights", value: total.to_string(), range: "above 0" });
    }
    let mut curved = gram.clone();
    LinearisedLoss::new(loss, f, y, weights).transform_gram(&mut curved, threads);
    Ok(Spectrum::new(&curved, threads)?.values.last().map_or(0.0, |largest| largest.max(0.0) / total))
}
