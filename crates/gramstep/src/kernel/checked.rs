//! Whether a matrix that a caller brings is a kernel: finite, symmetric, without eigenvalues below 0, up to rounding; and
//! what such rounding leaves of variances.

use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::solve::{Eigen, eigen};
use crate::view::Matrix;

/// Relative to the largest entry, by how much two mirrored ones may differ: products in `f32` differ by less.
const ASYMMETRY: f64 = 1e-4;

/// The eigenvalues and eigenvectors of a kernel.
///
/// # Errors
/// [`Error::Kernel`] where it is none, [`Error::Solve`] if the decomposition fails.
pub(super) fn decompose(kernel: &Matrix<f64>, threads: usize) -> Result<Eigen> {
    let n = kernel.rows();
    let wrong = |reason: String| Err(Error::Kernel { reason });
    let largest = kernel.as_slice().iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    for i in 0..n {
        for j in 0..=i {
            let (here, there) = (kernel[(i, j)], kernel[(j, i)]);
            if !here.is_finite() || !there.is_finite() {
                return wrong(format!("entry ({i}, {j}) is {}", if here.is_finite() { there } else { here }));
            }
            if (here - there).abs() > ASYMMETRY * largest {
                return wrong(format!("it is not symmetric: entry ({i}, {j}) is {here}, entry ({j}, {i}) is {there}"));
            }
        }
    }
    let eigen = eigen(kernel, threads)?;
    let ends = eigen.values.first().zip(eigen.values.last());
    if let Some((&lowest, &highest)) = ends.filter(|(lowest, highest)| -**lowest > rounding(n) * highest.abs()) {
        return wrong(format!(
            "it has the eigenvalue {lowest:.4e} beside {highest:.4e}, and that of a kernel is at least 0"
        ));
    }
    Ok(eigen)
}

/// Takes variances that rounding put below 0, on the diagonal of a covariance, for 0.
pub(super) fn clip_variances<T: Scalar>(covariance: &mut Matrix<T>) {
    (0..covariance.rows()).for_each(|i| covariance[(i, i)] = covariance[(i, i)].max(T::ZERO));
}

/// By how much the eigenvalues of a kernel whose entries are rounded to `f32` may lie below 0, relative to the largest.
fn rounding(n: usize) -> f64 {
    n as f64 * f64::from(f32::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_kernel_is_refused_and_a_rounded_one_is_not() {
        let of = |values: [f64; 4]| decompose(&Matrix::from_vec(2, 2, values.to_vec()).unwrap(), 1);
        assert!(of([2.0, 1.0, 1.0, 2.0]).is_ok() && of([0.0; 4]).is_ok() && of([1.0, 1.0, 1.0 + 1e-7, 1.0]).is_ok());
        for (values, word) in [
            ([1.0, 1.0, 0.0, 1.0], "not symmetric"),
            ([-1.0, 0.0, 0.0, -1.0], "eigenvalue -1"),
            ([1.0, 2.0, 2.0, 1.0], "eigenvalue -1"),
            ([1.0, f64::NAN, f64::NAN, 1.0], "NaN"),
            ([1.0, f64::INFINITY, 0.0, 1.0], "inf"),
        ] {
            let error = of(values).map(|_| ()).unwrap_err();
            assert!(matches!(error, Error::Kernel { .. }) && error.to_string().contains(word), "{error}");
        }
    }
}
