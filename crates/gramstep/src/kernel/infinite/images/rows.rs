//! What is done to a row of a plane once its windows are summed, while it is in the first-level cache.

use super::cells::LANES;
use super::geometry::{Grid, Offset, Region};
use super::maps::{Map, Pair};
use super::program::Convolution;
use super::table::Table;
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

/// Pixel j of a row of x.
#[inline(always)]
pub(super) fn pixel<T, const WIDE: bool>(row: &[T], j: usize) -> &[T] {
    let each = if WIDE { LANES } else { 1 };
    &row[j * each..][..each]
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
    /// `read` gives the gap and Θ of a lane of a pixel.
    fn end<L: Fn(usize) -> (T, T)>(
        &self,
        row: usize,
        gap: &mut [[T; LANES]],
        theta: &mut [[T; LANES]],
        read: impl Fn(usize) -> L,
    );
}

/// Writes a row; `make` gives the gap and Θ of a lane of a pixel. One loop over lanes does everything to a pixel, and writes
/// into arrays of its own: then nothing that it reads can be what it writes, and it is vector code without a question, as
/// long as all closures of it are inlined.
#[inline(always)]
fn write<T: Scalar, L: Fn(usize) -> (T, T)>(
    gap: &mut [[T; LANES]],
    theta: &mut [[T; LANES]],
    make: impl Fn(usize) -> L,
) {
    for (j, (gap, theta)) in gap.iter_mut().zip(theta).enumerate() {
        let make = make(j);
        let mut made = [[T::ZERO; LANES]; 2];
        #[expect(clippy::needless_range_loop, reason = "vector code as it stands")]
        for lane in 0..LANES {
            let (gap, theta) = make(lane);
            made[0][lane] = gap;
            made[1][lane] = theta;
        }
        [*gap, *theta] = made;
    }
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

    /// Θ of a pair, that of its windows and K given.
    #[inline(always)]
    pub(super) fn of(self, covariance: T, theta: T) -> T {
        self.ratio.mul_add(covariance, theta + self.shift)
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
        let width = gap.len();
        let (x, y) = self.place.rows(row.cast_signed(), 0, width, self.halves);
        let y = &cells(y)[..width];
        let trained = self.trained;
        write(
            gap,
            theta,
            #[inline(always)]
            |j| {
                let (read, x, y) = (read(j), pixel::<T, WIDE>(x, j), &y[j]);
                #[inline(always)]
                move |lane| {
                    let (gap, theta) = read(lane);
                    let covariance = of_x::<T, WIDE>(x, lane) + y[lane] - gap;
                    (gap, trained.of(covariance, theta))
                }
            },
        );
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
        let width = gap.len();
        let rows = |tables| self.place.rows(row.cast_signed(), 0, width, tables);
        let ((xr, yr), (xh, yh)) = (rows(self.roots), rows(self.after));
        let (yr, yh) = (&cells(yr)[..width], &cells(yh)[..width]);
        let (trained, map) = (self.trained, self.map);
        write(
            gap,
            theta,
            #[inline(always)]
            |j| {
                let (read, yr, yh) = (read(j), &yr[j], &yh[j]);
                let (xr, xh) = (pixel::<T, WIDE>(xr, j), pixel::<T, WIDE>(xh, j));
                #[inline(always)]
                move |lane| {
                    let (gap, theta) = read(lane);
                    let after = of_x::<T, WIDE>(xh, lane) + yh[lane];
                    let pair = Pair::new(of_x::<T, WIDE>(xr, lane), yr[lane], gap, after);
                    let (after, slope) = map.map(pair);
                    (after, trained.of(pair.covariance(), theta) * slope)
                }
            },
        );
    }
}
