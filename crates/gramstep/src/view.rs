//! Owned row-major matrices and strided read-only views: the array types of every public signature.

use crate::error::{Error, Result, check_extent};
use crate::scalar::Scalar;

/// A dense row-major matrix. Rows are samples wherever data is meant.
///
/// ```
/// use gramstep::Matrix;
/// let x = Matrix::from_vec(2, 3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// assert_eq!(x.row(1), &[4.0, 5.0, 6.0]);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix<T> {
    rows: usize,
    columns: usize,
    data: Vec<T>,
}

impl<T: Scalar> Matrix<T> {
    /// A matrix from its entries, row by row.
    ///
    /// # Errors
    /// [`Error::Shape`] if `data` does not hold `rows · columns` entries.
    pub fn from_vec(rows: usize, columns: usize, data: Vec<T>) -> Result<Self> {
        check_extent("entries of a matrix", rows * columns, data.len())?;
        Ok(Self { rows, columns, data })
    }

    /// A matrix of zeros.
    #[must_use]
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self { rows, columns, data: vec![T::ZERO; rows * columns] }
    }

    /// A matrix whose entry (i, j) is `f(i, j)`.
    #[must_use]
    pub fn from_fn(rows: usize, columns: usize, mut f: impl FnMut(usize, usize) -> T) -> Self {
        let data = (0..rows * columns).map(|at| f(at / columns, at % columns)).collect();
        Self { rows, columns, data }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Row `i`.
    #[must_use]
    pub fn row(&self, i: usize) -> &[T] {
        &self.data[i * self.columns..(i + 1) * self.columns]
    }

    /// Row `i`, to write into.
    pub fn row_mut(&mut self, i: usize) -> &mut [T] {
        &mut self.data[i * self.columns..(i + 1) * self.columns]
    }

    /// All entries, row by row.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.data
    }

    /// All entries, row by row, to write into.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// The entries, row by row.
    #[must_use]
    pub fn into_vec(self) -> Vec<T> {
        self.data
    }

    /// A view of the whole matrix.
    #[must_use]
    pub fn view(&self) -> MatrixView<'_, T> {
        self.into()
    }

    /// The rows named by `indices`, in that order.
    #[must_use]
    pub fn select_rows(&self, indices: &[usize]) -> Self {
        let mut data = Vec::with_capacity(indices.len() * self.columns);
        for &i in indices {
            data.extend_from_slice(self.row(i));
        }
        Self { rows: indices.len(), columns: self.columns, data }
    }

    /// Every entry widened; an `f64` matrix as it is.
    #[must_use]
    pub fn into_f64(self) -> Matrix<f64> {
        self.into_type()
    }

    /// Every entry converted to another scalar type; the matrix as it is where it is the same type.
    #[must_use]
    pub fn into_type<U: Scalar>(mut self) -> Matrix<U> {
        match (&mut self.data as &mut dyn std::any::Any).downcast_mut::<Vec<U>>() {
            Some(data) => Matrix { rows: self.rows, columns: self.columns, data: std::mem::take(data) },
            None => self.cast(),
        }
    }

    /// Every entry converted to another scalar type.
    #[must_use]
    pub fn cast<U: Scalar>(&self) -> Matrix<U> {
        Matrix {
            rows: self.rows,
            columns: self.columns,
            data: self.data.iter().map(|&v| U::from_f64(v.to_f64())).collect(),
        }
    }
}

impl<T> std::ops::Index<(usize, usize)> for Matrix<T> {
    type Output = T;
    fn index(&self, (i, j): (usize, usize)) -> &T {
        assert!(j < self.columns, "column {j} of a matrix with {} columns", self.columns);
        &self.data[i * self.columns + j]
    }
}

impl<T> std::ops::IndexMut<(usize, usize)> for Matrix<T> {
    fn index_mut(&mut self, (i, j): (usize, usize)) -> &mut T {
        assert!(j < self.columns, "column {j} of a matrix with {} columns", self.columns);
        &mut self.data[i * self.columns + j]
    }
}

/// A read-only matrix somewhere in memory: any row and column stride, nothing copied.
#[derive(Clone, Copy, Debug)]
pub struct MatrixView<'a, T> {
    data: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T: Scalar> MatrixView<'a, T> {
    /// A view of `data` in which entry (i, j) is `data[i · row_stride + j · column_stride]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the last entry would lie outside `data`.
    pub fn strided(
        data: &'a [T],
        rows: usize,
        columns: usize,
        row_stride: usize,
        column_stride: usize,
    ) -> Result<Self> {
        let needed =
            if rows == 0 || columns == 0 { 0 } else { (rows - 1) * row_stride + (columns - 1) * column_stride + 1 };
        if needed > data.len() {
            return Err(Error::TooFew { what: "entries of a strided view", least: needed, got: data.len() });
        }
        Ok(Self { data, rows, columns, row_stride, column_stride })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Entry (i, j).
    #[must_use]
    pub fn get(&self, i: usize, j: usize) -> T {
        self.data[i * self.row_stride + j * self.column_stride]
    }

    /// Row `i` as a contiguous slice, where it is one.
    #[must_use]
    pub fn contiguous_row(&self, i: usize) -> Option<&'a [T]> {
        let start = i * self.row_stride;
        (self.column_stride == 1).then(|| &self.data[start..start + self.columns])
    }

    /// The rows of a range, nothing copied.
    #[must_use]
    pub fn row_range(&self, range: std::ops::Range<usize>) -> Self {
        assert!(range.end <= self.rows, "rows {range:?} of a view with {} rows", self.rows);
        let start = (range.start * self.row_stride).min(self.data.len());
        Self { data: &self.data[start..], rows: range.len(), ..*self }
    }

    /// The entries copied into one row-major vector.
    #[must_use]
    pub fn to_vec(&self) -> Vec<T> {
        let mut out = Vec::with_capacity(self.rows * self.columns);
        for i in 0..self.rows {
            match self.contiguous_row(i) {
                Some(row) => out.extend_from_slice(row),
                None => out.extend((0..self.columns).map(|j| self.get(i, j))),
            }
        }
        out
    }
}

impl<'a, T> From<&'a Matrix<T>> for MatrixView<'a, T> {
    fn from(matrix: &'a Matrix<T>) -> Self {
        Self {
            data: &matrix.data,
            rows: matrix.rows,
            columns: matrix.columns,
            row_stride: matrix.columns,
            column_stride: 1,
        }
    }
}
