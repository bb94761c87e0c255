//! What the eigenvalues of a kernel matrix say about it.

use crate::error::{Result, check_extent};
use crate::solve::{dot, eigenvalues, rounding};
use crate::view::Matrix;

/// Eigenvalues of a symmetric kernel matrix.
///
/// ```
/// use gramstep::{Matrix, kernel::Spectrum};
/// let unit = Matrix::from_fn(5, 5, |i, j| if i == j { 2.0 } else { 0.0 });
/// let spectrum = Spectrum::new(&unit, 1)?;
/// assert!((spectrum.effective_rank() - 5.0).abs() < 1e-12 && (spectrum.condition() - 1.0).abs() < 1e-12);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Spectrum {
    /// Eigenvalues, ascending; those of a semi-definite matrix that are negative are rounding.
    pub values: Vec<f64>,
    /// n·ε·λ_max: what is smaller is rounding.
    pub rounding: f64,
}

impl Spectrum {
    /// The spectrum of a symmetric matrix, of which the lower triangle is read.
    ///
    /// # Errors
    /// [`Error::Solve`](crate::Error::Solve) if the matrix is not finite.
    pub fn new(kernel: &Matrix<f64>, threads: usize) -> Result<Self> {
        let values = eigenvalues(kernel, threads)?;
        Ok(Self { rounding: rounding(&values), values })
    }

    /// The trace, Σ λ.
    #[must_use]
    pub fn trace(&self) -> f64 {
        self.values.iter().sum()
    }

    /// λ_max/λ_min, infinite where λ_min is rounding.
    #[must_use]
    pub fn condition(&self) -> f64 {
        match (self.values.first(), self.values.last()) {
            (Some(&low), Some(&high)) if low > self.rounding => high / low,
            _ => f64::INFINITY,
        }
    }

    /// Number of eigenvalues above rounding.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.values.iter().filter(|&&value| value > self.rounding).count()
    }

    /// exp of the entropy of λ/Σλ (roy2007): how many directions carry the kernel.
    #[must_use]
    pub fn effective_rank(&self) -> f64 {
        let total: f64 = self.values.iter().map(|v| v.max(0.0)).sum();
        let shares = self.values.iter().map(|v| v.max(0.0) / total).filter(|share| *share > 0.0);
        shares.map(|share| -share * share.ln()).sum::<f64>().exp()
    }
}

/// Alignment of a kernel with targets, ⟨K, yyᵀ⟩/(‖K‖·‖yyᵀ‖) in 0..1 (cristianini2001). K: n×n, y: n×k.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if y does not have n rows.
pub fn alignment(kernel: &Matrix<f64>, y: &Matrix<f64>) -> Result<f64> {
    let n = kernel.rows();
    check_extent("rows of the targets", n, y.rows())?;
    let (mut inner, mut kernels, mut targets) = (0.0, 0.0, 0.0);
    for i in 0..n {
        let similar: Vec<f64> = (0..n).map(|j| dot(y.row(i), y.row(j))).collect();
        inner += dot(kernel.row(i), &similar);
        kernels += dot(kernel.row(i), kernel.row(i));
        targets += dot(&similar, &similar);
    }
    let norms = (kernels * targets).sqrt();
    Ok(if norms > 0.0 { inner / norms } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_of_rank_one_is_aligned_with_its_own_vector_alone() {
        let y = [1.0, -2.0, 0.5];
        let kernel = Matrix::from_fn(3, 3, |i, j| y[i] * y[j]);
        let column = |values: [f64; 3]| Matrix::from_vec(3, 1, values.to_vec()).unwrap();
        assert!((alignment(&kernel, &column(y)).unwrap() - 1.0).abs() < 1e-14);
        assert!(alignment(&kernel, &column([2.0, 1.0, 0.0])).unwrap().abs() < 1e-14);
        let spectrum = Spectrum::new(&kernel, 1).unwrap();
        assert_eq!((spectrum.rank(), spectrum.condition()), (1, f64::INFINITY));
        assert!((spectrum.effective_rank() - 1.0).abs() < 1e-10 && (spectrum.trace() - 5.25).abs() < 1e-12);
        assert!(alignment(&kernel, &Matrix::zeros(2, 1)).is_err());
    }

    #[test]
    fn eigenvalues_alone_are_those_of_the_decomposition() {
        let half = Matrix::from_fn(40, 30, |i, j| if i == j { 1.0 + i as f64 } else { 0.1 * (i % 7) as f64 });
        let kernel = Matrix::from_fn(40, 40, |i, j| dot(half.row(i), half.row(j)));
        let (spectrum, eigen) = (Spectrum::new(&kernel, 1).unwrap(), crate::solve::eigen(&kernel, 1).unwrap());
        let largest = eigen.values[39];
        assert!(spectrum.values.iter().zip(&eigen.values).all(|(a, b)| (a - b).abs() <= 1e-13 * largest));
    }
}
