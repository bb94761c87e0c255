//! Eigen-decomposition of a symmetric positive semi-definite matrix: the fallback of a failed factorisation, and the
//! spectrum for those who want to look at it.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par, Spec};

use super::among::among;
use super::products::product;
use crate::error::{Error, Result};
use crate::view::Matrix;

/// Size from which a decomposition gains from a second thread.
const WORTH_THREADS: usize = 256;

/// G = V diag(w) Vᵀ.
#[derive(Debug)]
pub struct Eigen {
    /// w, ascending. Eigenvalues of a semi-definite matrix that come out negative are rounding.
    pub values: Vec<f64>,
    /// V, column j belongs to w_j.
    vectors: Mat<f64>,
}

/// The eigen-decomposition of a symmetric matrix, of which the lower triangle is read.
///
/// # Errors
/// [`Error::Solve`] if the matrix holds infinite values or NaN, or the iteration does not converge.
pub fn eigen(matrix: &Matrix<f64>, threads: usize) -> Result<Eigen> {
    let mut vectors = Mat::zeros(matrix.rows(), matrix.rows());
    Ok(Eigen { values: decompose(matrix, Some(vectors.as_mut()), threads)?, vectors })
}

/// The eigenvalues alone, ascending; the vectors are most of the work.
///
/// # Errors
/// Those of [`eigen`].
pub fn eigenvalues(matrix: &Matrix<f64>, threads: usize) -> Result<Vec<f64>> {
    decompose(matrix, None, threads)
}

/// The eigenvalues, and the eigenvectors where there is a place for them.
fn decompose(matrix: &Matrix<f64>, vectors: Option<MatMut<'_, f64>>, threads: usize) -> Result<Vec<f64>> {
    let size = matrix.rows();
    let fail = |reason: &str| Error::Solve { solver: "eigen-decomposition", size, reason: reason.to_owned() };
    if !(0..size).all(|i| matrix.row(i)[..=i].iter().all(|v| v.is_finite())) {
        return Err(fail("the matrix holds infinite values or NaN"));
    }
    let wanted = if vectors.is_some() { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    among(if size >= WORTH_THREADS { threads } else { 1 }, |par| {
        let mut values = faer::Col::<f64>::zeros(size);
        let scratch = self_adjoint_evd_scratch::<f64>(size, wanted, par, Spec::default());
        let mut memory = MemBuffer::try_new(scratch).map_err(|_| fail("not enough memory"))?;
        let source = MatRef::from_row_major_slice(matrix.as_slice(), size, size);
        let stack = MemStack::new(&mut memory);
        self_adjoint_evd(source, values.as_diagonal_mut(), vectors, par, stack, Spec::default())
            .map_err(|_| fail("the iteration did not converge"))?;
        Ok(values.iter().copied().collect())
    })
}

/// A x, on this thread.
fn times(matrix: MatRef<'_, f64>, x: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; matrix.nrows()];
    let x = MatRef::from_column_major_slice(x, x.len(), 1);
    let into = MatMut::from_column_major_slice_mut(&mut out, matrix.nrows(), 1);
    matmul(into, Accum::Replace, matrix, x, 1.0, Par::Seq);
    out
}

/// The size below which one of these eigenvalues, ascending, is rounding: n·ε·λ_max.
pub(crate) fn rounding(values: &[f64]) -> f64 {
    values.len() as f64 * f64::EPSILON * values.last().copied().unwrap_or(0.0).max(0.0)
}

impl Eigen {
    /// The size below which an eigenvalue is rounding: n·ε·λ_max.
    #[must_use]
    pub fn rounding(&self) -> f64 {
        rounding(&self.values)
    }

    /// Number of eigenvalues above rounding.
    #[must_use]
    pub fn rank(&self) -> usize {
        let rounding = self.rounding();
        self.values.iter().filter(|&&value| value > rounding).count()
    }

    /// Vᵀx.
    #[must_use]
    pub fn project(&self, x: &[f64]) -> Vec<f64> {
        times(self.vectors.transpose(), x)
    }

    /// V q.
    #[must_use]
    pub fn expand(&self, q: &[f64]) -> Vec<f64> {
        times(self.vectors.as_ref(), q)
    }

    /// V diag(d).
    pub(crate) fn scaled(&self, d: &[f64]) -> Matrix<f64> {
        Matrix::from_fn(d.len(), d.len(), |i, j| self.vectors[(i, j)] * d[j])
    }

    /// X V: rows in the eigenvectors.
    pub(crate) fn rotate(&self, x: &Matrix<f64>, threads: usize) -> Matrix<f64> {
        product(MatRef::from_row_major_slice(x.as_slice(), x.rows(), x.columns()), self.vectors.as_ref(), threads)
    }

    /// The diagonal of V diag(d) Vᵀ, such as that of an inverse from the inverse eigenvalues d.
    #[must_use]
    pub fn diagonal_with(&self, d: &[f64]) -> Vec<f64> {
        let mut diagonal = vec![0.0; self.values.len()];
        for (j, d) in d.iter().enumerate() {
            for (out, v) in diagonal.iter_mut().zip(self.vectors.col(j).iter()) {
                *out += v * v * d;
            }
        }
        diagonal
    }

    /// (G₊ + λI)⁺ r with negative eigenvalues clipped to 0; directions of no eigenvalue and no damping are left out.
    #[must_use]
    pub fn solve(&self, damping: f64, rhs: &[f64]) -> Vec<f64> {
        let rounding = self.rounding();
        let mut q = self.project(rhs);
        for (q, &value) in q.iter_mut().zip(&self.values) {
            let shifted = value.max(0.0) + damping;
            *q = if shifted > rounding { *q / shifted } else { 0.0 };
        }
        self.expand(&q)
    }
}
