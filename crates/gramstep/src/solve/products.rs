//! Products of dense `f64` matrices beside a decomposition.

use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, MatMut, MatRef};

use super::among::among;
use crate::view::Matrix;

/// Multiplications from which a product gains from a second thread.
const WORTH_THREADS: f64 = 2e6;

/// XᵀX of the columns, or XXᵀ of the rows.
pub(crate) fn self_product(x: &Matrix<f64>, columns: bool, threads: usize) -> Matrix<f64> {
    let rows = MatRef::from_row_major_slice(x.as_slice(), x.rows(), x.columns());
    if columns { product(rows.transpose(), rows, threads) } else { product(rows, rows.transpose(), threads) }
}

/// The lower triangle of XXᵀ, at half the work of the whole; zeros above it.
pub(crate) fn lower_self_product(x: &Matrix<f64>, threads: usize) -> Matrix<f64> {
    let n = x.rows();
    let rows = MatRef::from_row_major_slice(x.as_slice(), n, x.columns());
    let mut out = Matrix::zeros(n, n);
    let (lower, whole) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
    let into = MatMut::from_row_major_slice_mut(out.as_mut_slice(), n, n);
    among(threads, |par| {
        triangular::matmul(into, lower, Accum::Replace, rows, whole, rows.transpose(), whole, 1.0, par);
    });
    out
}

/// A B.
pub(super) fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>, threads: usize) -> Matrix<f64> {
    let mut out = Matrix::zeros(a.nrows(), b.ncols());
    let into = MatMut::from_row_major_slice_mut(out.as_mut_slice(), a.nrows(), b.ncols());
    let work = a.nrows() as f64 * a.ncols() as f64 * b.ncols() as f64;
    let threads = if work > WORTH_THREADS { threads } else { 1 };
    among(threads, |par| matmul(into, Accum::Replace, a, b, 1.0, par));
    out
}
