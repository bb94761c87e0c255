//! Opaque device memory.

use std::sync::Arc;

use super::memory::Pool;
use super::tile::{Tile, TileMut};
use crate::scalar::Scalar;

/// Memory of a device. Its contents are reached through operations, [`Buffer::upload`] and [`Buffer::download`].
#[derive(Debug)]
pub struct Buffer<T> {
    data: Vec<T>,
    /// Where the contents begin: at a cache line, of lent memory.
    start: usize,
    /// Where the memory goes in the end.
    pool: Option<Arc<Pool<T>>>,
}

impl<T: Clone> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Self { data: self.data[self.start..].to_vec(), start: 0, pool: None }
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
        Self { data: vec![T::ZERO; length], start: 0, pool: None }
    }

    /// `length` numbers of any value, in memory that goes back to `pool`.
    pub(crate) fn lent(pool: &Arc<Pool<T>>, length: usize) -> Self {
        let (data, start) = pool.take(length);
        Self { data, start, pool: Some(pool.clone()) }
    }

    /// A copy of host memory on the device.
    #[must_use]
    pub fn upload(values: Vec<T>) -> Self {
        Self { data: values, start: 0, pool: None }
    }

    /// A copy of a row-major tile.
    #[must_use]
    pub fn copy(tile: Tile<'_, T>) -> Self {
        Self::upload(tile.host().to_vec())
    }

    /// A copy of the contents in host memory.
    #[must_use]
    pub fn download(&self) -> Vec<T> {
        self.data[self.start..].to_vec()
    }

    /// The contents as host memory, nothing copied where they are there already and lie at its start.
    #[must_use]
    pub fn into_host(mut self) -> Vec<T> {
        self.pool = None;
        let mut data = std::mem::take(&mut self.data);
        data.drain(..self.start);
        data
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len() - self.start
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The buffer from `offset` on as a row-major matrix.
    #[must_use]
    pub fn tile(&self, offset: usize, rows: usize, columns: usize) -> Tile<'_, T> {
        Tile::new(&self.data[self.start + offset..][..rows * columns], rows, columns)
    }

    /// The buffer from `offset` on as a row-major matrix to write into.
    pub fn tile_mut(&mut self, offset: usize, rows: usize, columns: usize) -> TileMut<'_, T> {
        TileMut::new(&mut self.data[self.start + offset..][..rows * columns], rows, columns)
    }

    /// Cuts the buffer, a matrix of `columns` columns, into blocks of `rows` rows (the last one may be shorter).
    pub(crate) fn row_blocks(&mut self, rows: usize, columns: usize) -> Vec<TileMut<'_, T>> {
        self.data[self.start..]
            .chunks_mut((rows * columns).max(1))
            .map(|block| {
                let rows = block.len() / columns.max(1);
                TileMut::new(block, rows, columns)
            })
            .collect()
    }
}
