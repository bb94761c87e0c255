//! Opaque device memory and the rectangular pieces of it that operations work on.

use std::sync::Arc;

use super::memory::Pool;
use crate::scalar::Scalar;

/// Memory of a device. Its contents are reached through operations, [`Buffer::upload`] and [`Buffer::download`].
#[derive(Debug)]
pub struct Buffer<T> {
    data: Vec<T>,
    /// Where the memory goes in the end.
    pool: Option<Arc<Pool<T>>>,
}

impl<T: Clone> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Self { data: self.data.clone(), pool: None }
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        if let Some(pool) = &self.pool {
            pool.give(std::mem::take(&mut self.data));
        }
    }
}

impl<T: Scalar> Buffer<T> {
    /// `length` zeros.
    #[must_use]
    pub fn zeros(length: usize) -> Self {
        Self { data: vec![T::ZERO; length], pool: None }
    }

    /// `length` numbers of any value, in memory that goes back to `pool`.
    pub(crate) fn lent(pool: &Arc<Pool<T>>, length: usize) -> Self {
        Self { data: pool.take(length), pool: Some(pool.clone()) }
    }

    /// A copy of host memory on the device.
    #[must_use]
    pub fn upload(values: Vec<T>) -> Self {
        Self { data: values, pool: None }
    }

    /// A copy of the contents in host memory.
    #[must_use]
    pub fn download(&self) -> Vec<T> {
        self.data.clone()
    }

    /// The contents as host memory, nothing copied where they are there already.
    #[must_use]
    pub fn into_host(mut self) -> Vec<T> {
        self.pool = None;
        std::mem::take(&mut self.data)
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The buffer from `offset` on as a row-major matrix.
    #[must_use]
    pub fn tile(&self, offset: usize, rows: usize, columns: usize) -> Tile<'_, T> {
        Tile::new(&self.data[offset..offset + rows * columns], rows, columns)
    }

    /// The buffer from `offset` on as a row-major matrix to write into.
    pub fn tile_mut(&mut self, offset: usize, rows: usize, columns: usize) -> TileMut<'_, T> {
        TileMut::new(&mut self.data[offset..offset + rows * columns], rows, columns)
    }

    /// Cuts the buffer, a matrix of `columns` columns, into blocks of `rows` rows (the last one may be shorter).
    pub(crate) fn row_blocks(&mut self, rows: usize, columns: usize) -> Vec<TileMut<'_, T>> {
        self.data
            .chunks_mut((rows * columns).max(1))
            .map(|block| {
                let rows = block.len() / columns.max(1);
                TileMut::new(block, rows, columns)
            })
            .collect()
    }
}

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

    /// The elements in host memory.
    pub fn host(&mut self) -> &mut [T] {
        self.data
    }

    pub(super) fn into_host(self) -> &'a mut [T] {
        self.data
    }
}
