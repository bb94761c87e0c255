//! Memory used again from tile to tile and from step to step: fresh pages cost the operating system about as much time as
//! a convolution takes to fill them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::tile::TileMut;
use crate::scalar::Scalar;

/// Bytes of a cache line. A vector of 512 bits that does not begin at one lies across two.
const LINE: usize = 64;

/// Index of the first number of a block at the start of a line.
fn line_start<T>(block: &[T]) -> usize {
    block.as_ptr().align_offset(LINE).min(LINE / size_of::<T>())
}

/// Blocks of memory that are not in use at the moment. A model has one; it is freed with the model.
#[derive(Debug, Default)]
pub(crate) struct Pool<T>(Mutex<Vec<Vec<T>>>);

impl<T: Scalar> Pool<T> {
    /// A block that ends after `length` numbers of any value, and where they start: at a cache line.
    pub(super) fn take(&self, length: usize) -> (Vec<T>, usize) {
        let mut block = self.take_at_least(length + LINE / size_of::<T>());
        let start = line_start(&block);
        block.truncate(start + length);
        (block, start)
    }

    /// Runs `work` with `length` numbers of any value, from the start of a cache line on.
    pub(crate) fn lend<R>(&self, length: usize, work: impl FnOnce(&mut [T]) -> R) -> R {
        let mut block = self.take_at_least(length + LINE / size_of::<T>());
        let start = line_start(&block);
        let result = work(&mut block[start..start + length]);
        self.give(block);
        result
    }

    /// The smallest block that is free and long enough, or a new one.
    fn take_at_least(&self, length: usize) -> Vec<T> {
        let mut free = self.free();
        let fitting = free.iter().enumerate().filter(|(_, block)| block.capacity() >= length);
        let chosen = fitting.min_by_key(|(_, block)| block.capacity()).map(|(at, _)| at);
        let mut block = chosen.map_or_else(Vec::new, |at| free.swap_remove(at));
        drop(free);
        if block.capacity() < length {
            return vec![T::ZERO; length];
        }
        if block.len() < length {
            block.resize(length, T::ZERO);
        }
        block
    }
}

impl<T> Pool<T> {
    /// Takes a block back.
    pub(super) fn give(&self, block: Vec<T>) {
        self.free().push(block);
    }

    fn free(&self) -> MutexGuard<'_, Vec<Vec<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next `rows`×`columns` numbers of some memory.
pub(crate) fn carve<'m, T: Scalar>(memory: &mut &'m mut [T], rows: usize, columns: usize) -> TileMut<'m, T> {
    let (tile, rest) = std::mem::take(memory).split_at_mut(rows * columns);
    *memory = rest;
    TileMut::new(tile, rows, columns)
}
