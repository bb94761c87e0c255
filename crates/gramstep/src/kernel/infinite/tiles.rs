//! A kernel of infinite width, tile by tile.

use std::ops::Range;

use super::points::InfinitePoints;
use crate::error::Result;
use crate::kernel::{KernelTiles, Which};
use crate::scalar::Scalar;
use crate::view::Matrix;

/// One kernel of infinite width between two prepared sets of points.
#[derive(Clone, Copy, Debug)]
pub struct InfiniteTiles<'a, T> {
    /// Points of the rows.
    pub rows: &'a InfinitePoints<T>,
    /// Points of the columns.
    pub columns: &'a InfinitePoints<T>,
    /// Which kernel.
    pub which: Which,
}

impl<T: Scalar> KernelTiles<T> for InfiniteTiles<'_, T> {
    fn samples(&self) -> (usize, usize) {
        (self.rows.samples(), self.columns.samples())
    }

    fn tile(&self, rows: Range<usize>, columns: Range<usize>) -> Result<Matrix<T>> {
        self.rows.tile(rows, self.columns, columns, self.which)
    }
}
