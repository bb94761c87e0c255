//! The rectangular pieces of device memory that operations work on.

use crate::scalar::Scalar;

/// A matrix in device memory, to read.
#[derive(Clone, Copy, Debug)]
pub struct Tile<'a, T> {
    data: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T: Scalar> Tile<'a, T> {
    /// A row-major matrix.
    #[must_use]
    pub fn new(data: &'a [T], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "tile of {rows} × {columns}");
        Self { data, rows, columns, row_stride: columns, column_stride: 1 }
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

    /// The transposed matrix, nothing moved.
    #[must_use]
    pub fn t(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Some of the rows of a row-major matrix.
    #[must_use]
    pub fn row_range(self, range: std::ops::Range<usize>) -> Self {
        assert!(self.column_stride == 1 && range.end <= self.rows, "rows {range:?} of {}", self.rows);
        let end = (range.end * self.row_stride).min(self.data.len());
        Self { data: &self.data[range.start * self.row_stride..end], rows: range.len(), ..self }
    }

    /// The first `rows`×`columns` elements of a row-major matrix.
    pub(crate) fn first(self, rows: usize, columns: usize) -> Self {
        Self::new(&self.host()[..rows * columns], rows, columns)
    }

    /// A row of a row-major matrix in host memory.
    #[must_use]
    pub fn row(&self, i: usize) -> &'a [T] {
        &self.host()[i * self.columns..(i + 1) * self.columns]
    }

    /// The elements of a row-major matrix in host memory.
    #[must_use]
    pub fn host(&self) -> &'a [T] {
        assert!(self.column_stride == 1 && self.row_stride == self.columns, "a transposed tile has no row-major slice");
        self.data
    }

    /// The same row-major elements with another number of columns.
    #[must_use]
    pub fn reshape(self, columns: usize) -> Self {
        let data = self.host();
        Self::new(data, data.len() / columns.max(1), columns)
    }

    pub(super) fn parts(&self) -> (&'a [T], usize, usize) {
        (self.data, self.row_stride, self.column_stride)
    }
}

/// A row-major matrix in device memory, to write.
#[derive(Debug)]
pub struct TileMut<'a, T> {
    data: &'a mut [T],
    rows: usize,
    columns: usize,
}

impl<'a, T: Scalar> TileMut<'a, T> {
    /// A row-major matrix.
    #[must_use]
    pub fn new(data: &'a mut [T], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "tile of {rows} × {columns}");
        Self { data, rows, columns }
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

    /// The same matrix for a shorter time.
    pub fn reborrow(&mut self) -> TileMut<'_, T> {
        TileMut { data: self.data, rows: self.rows, columns: self.columns }
    }

    /// The same elements with another number of columns.
    #[must_use]
    pub fn reshape(self, columns: usize) -> Self {
        let rows = self.data.len() / columns.max(1);
        Self::new(self.data, rows, columns)
    }

    /// The same matrix to read.
    #[must_use]
    pub fn as_tile(&self) -> Tile<'_, T> {
        Tile::new(self.data, self.rows, self.columns)
    }

    /// One of the rows.
    pub(crate) fn row_mut(&mut self, i: usize) -> TileMut<'_, T> {
        TileMut::new(&mut self.data[i * self.columns..(i + 1) * self.columns], 1, self.columns)
    }

    /// Some of the rows.
    pub(crate) fn row_block(self, range: std::ops::Range<usize>) -> TileMut<'a, T> {
        let rows = range.len();
        TileMut::new(&mut self.data[range.start * self.columns..range.end * self.columns], rows, self.columns)
    }

    /// The first `rows`×`columns` elements.
    pub(crate) fn first(&mut self, rows: usize, columns: usize) -> TileMut<'_, T> {
        TileMut::new(&mut self.data[..rows * columns], rows, columns)
    }

    /// Writes `value` to every element.
    pub(crate) fn fill(&mut self, value: T) {
        self.data.fill(value);
    }

    /// Calls a function with the number of every row and the row in host memory, in order.
    pub fn for_each_row(self, mut write: impl FnMut(usize, &mut [T])) {
        for (i, row) in self.data.chunks_exact_mut(self.columns.max(1)).enumerate() {
            write(i, row);
        }
    }

    /// The elements in host memory.
    pub fn host(&mut self) -> &mut [T] {
        self.data
    }

    pub(super) fn into_host(self) -> &'a mut [T] {
        self.data
    }
}
