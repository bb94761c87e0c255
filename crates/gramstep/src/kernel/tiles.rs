//! A kernel matrix that exists tile by tile: what can be done with it without holding it.

use std::ops::Range;

use crate::error::{Error, Result, check_extent, check_setting};
use crate::scalar::Scalar;
use crate::view::Matrix;

/// A kernel between two sets of points, of which any tile can be computed.
///
/// ```
/// use std::ops::Range;
/// use gramstep::{Matrix, Result};
/// use gramstep::kernel::KernelTiles;
///
/// /// x·x′ of numbers.
/// struct Products(Vec<f64>);
///
/// impl KernelTiles<f64> for Products {
///     fn samples(&self) -> (usize, usize) {
///         (self.0.len(), self.0.len())
///     }
///     fn tile(&self, rows: Range<usize>, columns: Range<usize>) -> Result<Matrix<f64>> {
///         let entry = |i, j| self.0[rows.start + i] * self.0[columns.start + j];
///         Ok(Matrix::from_fn(rows.len(), columns.len(), entry))
///     }
/// }
///
/// assert_eq!(Products(vec![1.0, 2.0, 3.0]).matrix(2)?.row(2), [3.0, 6.0, 9.0]);
/// # Ok::<(), gramstep::Error>(())
/// ```
pub trait KernelTiles<T: Scalar> {
    /// n and n′, the numbers of points of the rows and of the columns.
    fn samples(&self) -> (usize, usize);

    /// Rows (and columns) of the matrix for every point: 1, or k where all pairs of outputs are in it.
    fn rows_per_sample(&self) -> usize {
        1
    }

    /// The part of the matrix between some points of the rows and some of the columns.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if a range is too long, and those of the kernel.
    fn tile(&self, rows: Range<usize>, columns: Range<usize>) -> Result<Matrix<T>>;

    /// The whole matrix, by tiles of at most `samples`×`samples` points.
    ///
    /// # Errors
    /// Those of [`tile`](Self::tile), [`Error::Setting`] if `samples` is 0.
    fn matrix(&self, samples: usize) -> Result<Matrix<T>> {
        let ((n, m), k) = (self.samples(), self.rows_per_sample());
        let mut whole = Matrix::zeros(n * k, m * k);
        for rows in blocks(n, samples)? {
            for columns in blocks(m, samples)? {
                let tile = self.tile(rows.clone(), columns.clone())?;
                for i in 0..tile.rows() {
                    whole.row_mut(rows.start * k + i)[columns.start * k..columns.end * k].copy_from_slice(tile.row(i));
                }
            }
        }
        Ok(whole)
    }

    /// The whole symmetric matrix of one set of points: tiles on and below the diagonal are computed, the others copied.
    ///
    /// # Errors
    /// Those of [`matrix`](Self::matrix), [`Error::Shape`] if there are two sets of different size.
    fn symmetric_matrix(&self, samples: usize) -> Result<Matrix<T>> {
        let ((n, m), k) = (self.samples(), self.rows_per_sample());
        check_extent("points of a symmetric kernel", n, m)?;
        let mut whole = Matrix::zeros(n * k, n * k);
        for rows in blocks(n, samples)? {
            for columns in blocks(rows.end, samples)? {
                let tile = self.tile(rows.clone(), columns.clone())?;
                for i in 0..tile.rows() {
                    let row = rows.start * k + i;
                    for (column, &value) in (columns.start * k..).zip(tile.row(i)) {
                        if column <= row {
                            whole[(row, column)] = value;
                            whole[(column, row)] = value;
                        }
                    }
                }
            }
        }
        Ok(whole)
    }
}

/// 0..n cut into ranges of `length`.
pub(super) fn blocks(n: usize, length: usize) -> Result<impl Iterator<Item = Range<usize>>> {
    check_setting(length > 0, "samples of a tile", &length, "1 or more")?;
    Ok((0..n).step_by(length).map(move |start| start..(start + length).min(n)))
}

/// Whether a tile lies inside its matrix.
pub(super) fn check_tile((n, m): (usize, usize), rows: &Range<usize>, columns: &Range<usize>) -> Result<()> {
    for (what, range, samples) in [("points of a tile's rows", rows, n), ("points of a tile's columns", columns, m)] {
        if range.start > range.end {
            let reason = format!("{} to {} runs backwards", range.start, range.end);
            return Err(Error::Conflict { what, reason });
        }
        if range.end > samples {
            return Err(Error::OutOfRange { what, index: range.end - 1, count: samples });
        }
    }
    Ok(())
}
