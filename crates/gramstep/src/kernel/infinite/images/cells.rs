//! Memory in cells of sixteen numbers, aligned to lines of the cache.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use crate::scalar::Scalar;

/// Bytes of a line of the cache, and of the widest vector.
const LINE: usize = 64;

/// Numbers of a cell: pairs of images that are computed side by side. Loops of fewer rounds are not made vector code.
pub(super) const LANES: usize = 16;

/// Numbers that begin at the start of a cache line.
#[derive(Debug)]
pub(super) struct Cells<T> {
    values: Vec<T>,
    start: usize,
    length: usize,
}

impl<T: Scalar> Cells<T> {
    /// `length` zeros.
    pub(super) fn new(length: usize) -> Self {
        Self::within(Vec::new(), length)
    }

    /// `length` zeros, in memory that was used before.
    fn within(mut values: Vec<T>, length: usize) -> Self {
        let slack = LINE / size_of::<T>();
        values.clear();
        values.resize(length + slack, T::ZERO);
        let start = values.as_ptr().align_offset(LINE).min(slack);
        Self { values, start, length }
    }
}

impl<T> Deref for Cells<T> {
    type Target = [T];
    #[inline(always)]
    fn deref(&self) -> &[T] {
        &self.values[self.start..self.start + self.length]
    }
}

impl<T> DerefMut for Cells<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.values[self.start..self.start + self.length]
    }
}

/// Memory that was used before, by its size: fresh memory costs more than what is computed in it, and small tables in large pieces
/// would lie far apart.
#[derive(Debug)]
pub(super) struct Spare<T>(BTreeMap<usize, Vec<Vec<T>>>);

impl<T: Scalar> Spare<T> {
    pub(super) fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// `length` zeros.
    pub(super) fn cells(&mut self, length: usize) -> Cells<T> {
        Cells::within(self.0.get_mut(&length).and_then(Vec::pop).unwrap_or_default(), length)
    }

    pub(super) fn keep(&mut self, cells: Cells<T>) {
        self.0.entry(cells.length).or_default().push(cells.values);
    }
}
