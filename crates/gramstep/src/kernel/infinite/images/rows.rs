//! What is done to a row of a plane once its windows are summed, while it is in the first-level cache.

use super::cells::LANES;
use super::geometry::{Grid, Offset, Region};
use super::maps::{Map, Pair};
use super::program::Convolution;
use super::tables::Table;
use crate::scalar::Scalar;

/// Where a plane lies in the tables of x and of x′.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) x: (isize, isize),
    pub(super) y: (isize, isize),
    /// Rows after which those of x′ begin again.
    pub(super) period: Option<isize>,
}

impl Place {
    pub(super) fn new(region: Region, offset: Offset, grid: Grid, torus: bool) -> Self {
        let signed = |(row, column): (usize, usize)| (row.cast_signed(), column.cast_signed());
        let period = torus.then_some(grid.height.cast_signed());
        Self { x: signed(region.first), y: signed(region.partner(offset)), period }
    }

    #[inline(always)]
    pub(super) fn rows<T: Scalar>(self, i: isize, j: isize, width: usize, (x, y): Tables<'_, T>) -> (&[T], &[T]) {
        let row = self.y.0 + i;
        let row = self.period.map_or(row, |period| row.rem_euclid(period));
        (x.row(self.x.0 + i, self.x.1 + j, width), y.row(row, self.y.1 + j, width))
    }
}

/// Tables of x and of x′.
pub(super) type Tables<'a, T> = (&'a Table<T>, &'a Table<T>);

/// The pixels of a row of x, each one number or a cell.
#[inline(always)]
pub(super) fn pixels<T: Scalar, const WIDE: bool>(row: &[T]) -> std::slice::ChunksExact<'_, T> {
    row.chunks_exact(if WIDE { LANES } else { 1 })
}

/// The pixels of a row of x′.
#[inline(always)]
pub(super) fn cells<T>(row: &[T]) -> &[[T; LANES]] {
    row.as_chunks().0
}

/// Number `lane` of a pixel of x.
#[inline(always)]
pub(super) fn of_x<T: Copy, const WIDE: bool>(pixel: &[T], lane: usize) -> T {
    if WIDE { pixel[lane] } else { pixel[0] }
}

/// What ends a row.
pub(super) trait RowEnd<T> {
    /// `read` gives the gap and Θ of a lane of a pixel. One loop over lanes does everything to a pixel, and writes into
    /// arrays of its own: then nothing that it reads can be what it writes, and it is vector code without a question.
    fn end<L: Fn(usize) -> (T, T)>(
        &self,
        row: usize,
        gap: &mut [[T; LANES]],
        theta: &mut [[T; LANES]],
        read: impl Fn(usize) -> L,
    );
}

/// Θ ← Θ + ratio·K + shift, which is what a convolution leaves to do.
#[derive(Clone, Copy)]
pub(super) struct Trained<T> {
    ratio: T,
    shift: T,
}

impl<T: Scalar> Trained<T> {
    pub(super) fn new(convolution: &Convolution) -> Self {
        let shift = convolution.ratio.mul_add(-convolution.bias, convolution.bias_tangent);
        Self { ratio: T::from_f64(convolution.ratio), shift: T::from_f64(shift) }
    }

    /// Nothing was done.
    pub(super) fn nothing() -> Self {
        Self { ratio: T::ZERO, shift: T::ZERO }
    }
}

/// A convolution that no activation follows.
pub(super) struct Linear<'a, T, const WIDE: bool> {
    pub(super) trained: Trained<T>,
    pub(super) place: Place,
    pub(super) halves: Tables<'a, T>,
}

impl<T: Scalar, const WIDE: bool> RowEnd<T> for Linear<'_, T, WIDE> {
    #[inline(always)]
    fn end<L: Fn(usize) -> (T, T)>(
        &self,
        row: usize,
        gap: &mut [[T; LANES]],
        theta: &mut [[T; LANES]],
        read: impl Fn(usize) -> L,
    ) {
        let (x, y) = self.place.rows(row.cast_signed(), 0, gap.len(), self.halves);
        let pixels = gap.iter_mut().zip(theta).zip(cells(y).iter().zip(pixels::<T, WIDE>(x)));
        for (j, ((gap, theta), (y, x))) in pixels.enumerate() {
            let read = read(j);
            let mut sums = [[T::ZERO; LANES]; 2];
            for lane in 0..LANES {
                let (gap, theta) = read(lane);
                let covariance = of_x::<T, WIDE>(x, lane) + y[lane] - gap;
                sums[0][lane] = gap;
                sums[1][lane] = theta + self.trained.ratio.mul_add(covariance, self.trained.shift);
            }
            [*gap, *theta] = sums;
        }
    }
}

/// An activation, after a convolution or by itself.
pub(super) struct Activated<'a, T, M, const WIDE: bool> {
    pub(super) trained: Trained<T>,
    pub(super) place: Place,
    /// √v of x and x′ in front of it.
    pub(super) roots: Tables<'a, T>,
    /// v/2 after it, where the map asks for it.
    pub(super) after: Tables<'a, T>,
    pub(super) map: M,
}

impl<T: Scalar, M: Map<T>, const WIDE: bool> RowEnd<T> for Activated<'_, T, M, WIDE> {
    #[inline(always)]
    fn end<L: Fn(usize) -> (T, T)>(
        &self,
        row: usize,
        gap: &mut [[T; LANES]],
        theta: &mut [[T; LANES]],
        read: impl Fn(usize) -> L,
    ) {
        let rows = |tables| self.place.rows(row.cast_signed(), 0, gap.len(), tables);
        let ((xr, yr), (xh, yh)) = (rows(self.roots), rows(self.after));
        let (trained, map) = (self.trained, self.map);
        let others = cells(yr).iter().zip(cells(yh));
        let own = pixels::<T, WIDE>(xr).zip(pixels::<T, WIDE>(xh));
        let pixels = gap.iter_mut().zip(theta).zip(others.zip(own));
        for (j, ((gap, theta), ((yr, yh), (xr, xh)))) in pixels.enumerate() {
            let read = read(j);
            let mut mapped = [[T::ZERO; LANES]; 2];
            for lane in 0..LANES {
                let of = |pixel| of_x::<T, WIDE>(pixel, lane);
                let (gap, theta) = read(lane);
                let pair = Pair::new(of(xr), yr[lane], gap, of(xh) + yh[lane]);
                let (after, slope) = map.map(pair);
                mapped[0][lane] = after;
                mapped[1][lane] = trained.ratio.mul_add(pair.covariance(), theta + trained.shift) * slope;
            }
            [*gap, *theta] = mapped;
        }
    }
}
