//! A kernel of infinite width, tile by tile.

use std::ops::Range;

use super::points::InfinitePoints;
use crate::error::Result;
use crate::kernel::{KernelTiles, Which};
use crate::scalar::Scalar;
use crate::view::Matrix;

/// One kernel of infinite width between two prepared sets of points.
///
/// ```
/// use gramstep::kernel::{InfiniteKernel, InfiniteTiles, KernelTiles, Which};
/// use gramstep::{Activation, Device, Matrix};
/// let kernel = InfiniteKernel::mlp(1, Activation::Relu, 2.0, 0.0)?;
/// let points = kernel.points(&Matrix::from_fn(4, 2, |i, j| (1 + i + 3 * j) as f64), &Device::cpu(1))?;
/// let tiles = InfiniteTiles { rows: &points, columns: &points, which: Which::Nngp };
/// let gram = points.gram(Which::Nngp);
/// assert!((tiles.tile(1..3, 0..1)?[(0, 0)] / gram[(1, 0)] - 1.0).abs() < 1e-12);
/// # Ok::<(), gramstep::Error>(())
/// ```
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
