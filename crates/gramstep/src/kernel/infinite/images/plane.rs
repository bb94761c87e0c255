//! One plane: the gaps and Θ of all pairs of pixels (p, p + d), for a cell of pairs of images.

use super::cells::{Cells, LANES};
use super::geometry::{Grid, Offset, Region};
use super::maps::{Map, Pair};
use super::program::Convolution;
use super::tables::{State, Table};
use crate::device::vectorized_body;
use crate::scalar::Scalar;

/// A plane with a border on every side.
#[derive(Debug)]
pub(super) struct Plane<T> {
    gap: Cells<T>,
    theta: Cells<T>,
    margin: usize,
    pub(super) region: Region,
    pub(super) offset: Offset,
}

/// Sums over the rows of windows.
#[derive(Debug)]
pub(super) struct Sums<T> {
    gap: Cells<T>,
    theta: Cells<T>,
}

impl<T: Scalar> Sums<T> {
    pub(super) fn new(width: usize) -> Self {
        Self { gap: Cells::new(width * LANES), theta: Cells::new(width * LANES) }
    }
}

/// Where a plane lies in the tables of x and of x′.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    x: (isize, isize),
    y: (isize, isize),
    /// Rows after which those of x′ begin again.
    period: Option<isize>,
}

impl Place {
    pub(super) fn new(region: Region, offset: Offset, grid: Grid, torus: bool) -> Self {
        let signed = |(row, column): (usize, usize)| (row.cast_signed(), column.cast_signed());
        let period = torus.then_some(grid.height.cast_signed());
        Self { x: signed(region.first), y: signed(region.partner(offset)), period }
    }

    #[inline(always)]
    fn rows<T: Scalar>(self, i: isize, j: isize, width: usize, (x, y): Tables<'_, T>) -> (&[T], &[T]) {
        let row = self.y.0 + i;
        let row = self.period.map_or(row, |period| row.rem_euclid(period));
        (x.row(self.x.0 + i, self.x.1 + j, width), y.row(row, self.y.1 + j, width))
    }
}

/// Tables of x and of x′.
type Tables<'a, T> = (&'a Table<T>, &'a Table<T>);

/// The states of x and of x′ in front of an operation. `WIDE`: x is a cell of images too.
#[derive(Clone, Copy, Debug)]
pub(super) struct States<'a, T, const WIDE: bool> {
    pub(super) x: &'a State<T>,
    pub(super) y: &'a State<T>,
}

impl<'a, T: Scalar, const WIDE: bool> States<'a, T, WIDE> {
    fn halves(self) -> Tables<'a, T> {
        (&self.x.half, &self.y.half)
    }
}

/// The pixels of a row of x, each one number or a cell.
#[inline(always)]
fn pixels<T: Scalar, const WIDE: bool>(row: &[T]) -> std::slice::ChunksExact<'_, T> {
    row.chunks_exact(if WIDE { LANES } else { 1 })
}

/// Number `lane` of a pixel of x.
#[inline(always)]
fn of_x<T: Copy, const WIDE: bool>(pixel: &[T], lane: usize) -> T {
    if WIDE { pixel[lane] } else { pixel[0] }
}

/// What is done to a row of windows before the next one, while it is in the first-level cache.
pub(super) trait RowEnd<T> {
    fn end(&self, row: usize, gap: &mut [T], theta: &mut [T]);
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
    pub(super) states: States<'a, T, WIDE>,
}

impl<T: Scalar, const WIDE: bool> RowEnd<T> for Linear<'_, T, WIDE> {
    #[inline(always)]
    fn end(&self, row: usize, gap: &mut [T], theta: &mut [T]) {
        let each = LANES;
        let (x, y) = self.place.rows(row.cast_signed(), 0, gap.len() / each, self.states.halves());
        let cells = gap.chunks_exact(each).zip(theta.chunks_exact_mut(each)).zip(y.chunks_exact(each));
        for (((gap, theta), y), x) in cells.zip(pixels::<T, WIDE>(x)) {
            for (lane, ((theta, &gap), &y)) in theta.iter_mut().zip(gap).zip(y).enumerate() {
                let covariance = of_x::<T, WIDE>(x, lane) + y - gap;
                *theta += self.trained.ratio.mul_add(covariance, self.trained.shift);
            }
        }
    }
}

/// An activation, after a convolution or by itself.
pub(super) struct Activated<'a, T, M, const WIDE: bool> {
    pub(super) trained: Trained<T>,
    pub(super) place: Place,
    /// √v and 1/√v of x and x′ in front of it.
    pub(super) roots: Tables<'a, T>,
    pub(super) inverses: Tables<'a, T>,
    /// After it.
    pub(super) after: States<'a, T, WIDE>,
    pub(super) map: M,
}

impl<T: Scalar, M: Map<T>, const WIDE: bool> RowEnd<T> for Activated<'_, T, M, WIDE> {
    #[inline(always)]
    fn end(&self, row: usize, gap: &mut [T], theta: &mut [T]) {
        let each = LANES;
        let rows = |tables| self.place.rows(row.cast_signed(), 0, gap.len() / each, tables);
        let ((xr, yr), (xi, yi), (xh, yh)) = (rows(self.roots), rows(self.inverses), rows(self.after.halves()));
        let cells = gap.chunks_exact_mut(each).zip(theta.chunks_exact_mut(each));
        let others = yr.chunks_exact(each).zip(yi.chunks_exact(each)).zip(yh.chunks_exact(each));
        let own = pixels::<T, WIDE>(xr).zip(pixels::<T, WIDE>(xi)).zip(pixels::<T, WIDE>(xh));
        for (((gap, theta), ((yr, yi), yh)), ((xr, xi), xh)) in cells.zip(others).zip(own) {
            let values = gap.iter_mut().zip(theta).zip(yr.iter().zip(yi).zip(yh));
            for (lane, ((gap, theta), ((&rj, &ij), &hj))) in values.enumerate() {
                let of = |pixel| of_x::<T, WIDE>(pixel, lane);
                let pair = Pair { ri: of(xr), rj, inverse: of(xi) * ij, gap: *gap, after: of(xh) + hj };
                let trained = self.trained.ratio.mul_add(pair.covariance(), self.trained.shift) + *theta;
                let (after, slope) = self.map.map(pair);
                *gap = after;
                *theta = trained * slope;
            }
        }
    }
}

impl<T: Scalar> Plane<T> {
    /// Memory for planes of up to `pixels` numbers a cell, border included.
    pub(super) fn new(pixels: usize, margin: usize) -> Self {
        let cells = || Cells::new(pixels * LANES);
        let region = Region { height: 0, width: 0, first: (0, 0) };
        Self { gap: cells(), theta: cells(), margin, region, offset: (0, 0) }
    }

    /// Makes it a plane of this size, its values undefined.
    pub(super) fn shape(&mut self, region: Region, offset: Offset) {
        (self.region, self.offset) = (region, offset);
    }

    pub(super) fn copy_from(&mut self, other: &Self) {
        self.shape(other.region, other.offset);
        let used = other.pitch() * (other.region.height + 2 * other.margin);
        self.gap[..used].copy_from_slice(&other.gap[..used]);
        self.theta[..used].copy_from_slice(&other.theta[..used]);
    }

    /// Numbers from one row to the next.
    #[inline(always)]
    fn pitch(&self) -> usize {
        (self.region.width + 2 * self.margin) * LANES
    }

    #[inline(always)]
    fn row_start(&self, row: usize) -> usize {
        (row + self.margin) * self.pitch() + self.margin * LANES
    }

    /// Gaps and Θ of a row.
    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> (&[T], &[T]) {
        let (start, width) = (self.row_start(row), self.region.width * LANES);
        (&self.gap[start..start + width], &self.theta[start..start + width])
    }

    #[inline(always)]
    pub(super) fn row_mut(&mut self, row: usize) -> (&mut [T], &mut [T]) {
        let (start, width) = (self.row_start(row), self.region.width * LANES);
        (&mut self.gap[start..start + width], &mut self.theta[start..start + width])
    }

    /// Gap ← |x_p − x′_q|²/2C, Θ ← 0.
    pub(super) fn input<const WIDE: bool>(&mut self, x: &[T], y: &[T], channels: usize, place: Place, width: usize) {
        let each = LANES;
        let factor = T::from_f64(0.5 / channels as f64);
        let torus = place.period.is_some();
        let unsigned = |(row, column): (isize, isize)| (row.unsigned_abs(), column.unsigned_abs());
        let (first, partner) = (unsigned(place.x), unsigned(place.y));
        let height = place.period.map_or(usize::MAX, isize::unsigned_abs);
        vectorized_body(
            #[inline(always)]
            || {
                for i in 0..self.region.height {
                    let row = if torus { (partner.0 + i) % height } else { partner.0 + i };
                    let (gap, theta) = self.row_mut(i);
                    theta.fill(T::ZERO);
                    for (j, gap) in gap.chunks_exact_mut(each).enumerate() {
                        let column = if torus { (partner.1 + j) % width } else { partner.1 + j };
                        let of_x = ((first.0 + i) * width + first.1 + j) * channels;
                        let of_y = (row * width + column) * channels;
                        gap.fill(T::ZERO);
                        let step = if WIDE { each } else { 1 };
                        let ours = pixels::<T, WIDE>(&x[of_x * step..][..channels * step]);
                        let theirs = y[of_y * each..][..channels * each].chunks_exact(each);
                        for (ours, theirs) in ours.zip(theirs) {
                            for (lane, (gap, &value)) in gap.iter_mut().zip(theirs).enumerate() {
                                let difference = self::of_x::<T, WIDE>(ours, lane) - value;
                                *gap = difference.mul_add(difference, *gap);
                            }
                        }
                        for value in gap {
                            *value *= factor;
                        }
                    }
                }
            },
        );
    }

    /// Gaps from covariances or back, (v + v′)/2 − ·, after multiplication of both numbers with a factor.
    pub(super) fn turn<const WIDE: bool>(&mut self, factor: f64, place: Place, states: States<'_, T, WIDE>) {
        let each = LANES;
        let factor = T::from_f64(factor);
        vectorized_body(
            #[inline(always)]
            || {
                for i in 0..self.region.height {
                    let (gap, theta) = self.row_mut(i);
                    let (x, y) = place.rows(i.cast_signed(), 0, gap.len() / each, states.halves());
                    let cells = gap.chunks_exact_mut(each).zip(theta.chunks_exact_mut(each));
                    let tables = y.chunks_exact(each).zip(pixels::<T, WIDE>(x));
                    for ((gap, theta), (y, x)) in cells.zip(tables) {
                        for (lane, ((gap, theta), &y)) in gap.iter_mut().zip(theta).zip(y).enumerate() {
                            *gap = of_x::<T, WIDE>(x, lane) + y - factor * *gap;
                            *theta *= factor;
                        }
                    }
                }
            },
        );
    }

    /// Fills the border for a convolution.
    pub(super) fn border<const WIDE: bool>(
        &mut self,
        convolution: &Convolution,
        place: Place,
        states: States<'_, T, WIDE>,
    ) {
        if convolution.torus {
            self.wrap();
        } else if convolution.has_border() {
            let Region { height, width, .. } = self.region;
            let margin = self.margin.cast_signed();
            for i in -margin..height.cast_signed() + margin {
                if i < 0 || i >= height.cast_signed() {
                    self.edge(i, -margin, width + 2 * self.margin, place, states);
                } else {
                    self.edge(i, -margin, self.margin, place, states);
                    self.edge(i, width.cast_signed(), self.margin, place, states);
                }
            }
        }
    }

    /// Part of the border: where one pixel is outside its image K = Θ = 0, and the gap is half the other's variance.
    fn edge<const WIDE: bool>(&mut self, i: isize, j: isize, width: usize, place: Place, states: States<'_, T, WIDE>) {
        let each = LANES;
        let (x, y) = place.rows(i, j, width, states.halves());
        let start = self.margin.wrapping_add_signed(i) * self.pitch() + self.margin.wrapping_add_signed(j) * each;
        let gap = &mut self.gap[start..start + width * each];
        for ((gap, y), x) in gap.chunks_exact_mut(each).zip(y.chunks_exact(each)).zip(pixels::<T, WIDE>(x)) {
            for (lane, (gap, &y)) in gap.iter_mut().zip(y).enumerate() {
                *gap = of_x::<T, WIDE>(x, lane) + y;
            }
        }
        self.theta[start..start + width * each].fill(T::ZERO);
    }

    /// The border of a torus.
    fn wrap(&mut self) {
        let (pitch, margin, each) = (self.pitch(), self.margin, LANES);
        let Region { height, width, .. } = self.region;
        for values in [&mut self.gap, &mut self.theta] {
            for row in margin..margin + height {
                let line = &mut values[row * pitch..][..pitch];
                line.copy_within(width * each..(width + margin) * each, 0);
                line.copy_within(margin * each..2 * margin * each, (margin + width) * each);
            }
            values.copy_within(height * pitch..(height + margin) * pitch, 0);
            values.copy_within(margin * pitch..2 * margin * pitch, (margin + height) * pitch);
        }
    }

    /// The convolution of another plane, whose border is filled, and what is done to its rows.
    pub(super) fn convolve(
        &mut self,
        source: &Self,
        convolution: &Convolution,
        sums: &mut Sums<T>,
        end: &impl RowEnd<T>,
    ) {
        let pitch = source.pitch();
        let Convolution { kernel, stride, rows, columns, .. } = *convolution;
        let weight = T::from_f64(convolution.weight);
        let (gap_sums, theta_sums) = (&mut sums.gap[..pitch], &mut sums.theta[..pitch]);
        vectorized_body(
            #[inline(always)]
            || {
                for i in 0..self.region.height {
                    let first = i * stride + self.margin - rows.low;
                    add_rows(gap_sums, &source.gap[first * pitch..], kernel);
                    add_rows(theta_sums, &source.theta[first * pitch..], kernel);
                    let (gap, theta) = self.row_mut(i);
                    let first = source.margin - columns.low;
                    add_columns(gap, gap_sums, (first, stride, kernel), weight);
                    add_columns(theta, theta_sums, (first, stride, kernel), weight);
                    end.end(i, gap, theta);
                }
            },
        );
    }

    /// An activation by itself.
    pub(super) fn activate(&mut self, end: &impl RowEnd<T>) {
        vectorized_body(
            #[inline(always)]
            || {
                for i in 0..self.region.height {
                    let (gap, theta) = self.row_mut(i);
                    end.end(i, gap, theta);
                }
            },
        );
    }

    /// Every s-th pixel of another plane.
    pub(super) fn every(&mut self, source: &Self, stride: usize, share: f64) {
        let each = LANES;
        let share = T::from_f64(share);
        for i in 0..self.region.height {
            let (gaps, thetas) = source.row(stride * i);
            let (gap, theta) = self.row_mut(i);
            for (target, source) in [(gap, gaps), (theta, thetas)] {
                for (target, source) in target.chunks_exact_mut(each).zip(source.chunks_exact(each).step_by(stride)) {
                    target.iter_mut().zip(source).for_each(|(target, &value)| *target = share * value);
                }
            }
        }
    }

    /// Adds another plane of the same size.
    pub(super) fn add(&mut self, other: &Self) {
        vectorized_body(
            #[inline(always)]
            || {
                for i in 0..self.region.height {
                    let (gaps, thetas) = other.row(i);
                    let (gap, theta) = self.row_mut(i);
                    for ((gap, &a), (theta, &b)) in gap.iter_mut().zip(gaps).zip(theta.iter_mut().zip(thetas)) {
                        *gap += a;
                        *theta += b;
                    }
                }
            },
        );
    }

    /// Adds the sums of both numbers over the plane to two cells.
    pub(super) fn total(&self, gap: &mut [f64], theta: &mut [f64]) {
        let each = LANES;
        let mut row = Cells::new(each);
        for i in 0..self.region.height {
            let (gaps, thetas) = self.row(i);
            for (values, totals) in [(gaps, &mut *gap), (thetas, &mut *theta)] {
                row.fill(T::ZERO);
                for cell in values.chunks_exact(each) {
                    row.iter_mut().zip(cell).for_each(|(sum, &value)| *sum += value);
                }
                totals.iter_mut().zip(row.iter()).for_each(|(total, sum)| *total += sum.to_f64());
            }
        }
    }
}

/// The sum of `kernel` rows, each as long as the result.
#[inline(always)]
fn add_rows<T: Scalar>(sums: &mut [T], rows: &[T], kernel: usize) {
    let pitch = sums.len();
    let row = |at: usize| &rows[at * pitch..(at + 1) * pitch];
    if kernel == 3 {
        for (((sum, &a), &b), &c) in sums.iter_mut().zip(row(0)).zip(row(1)).zip(row(2)) {
            *sum = a + b + c;
        }
        return;
    }
    sums.copy_from_slice(row(0));
    for at in 1..kernel {
        for (sum, &value) in sums.iter_mut().zip(row(at)) {
            *sum += value;
        }
    }
}

/// weight·Σ over `kernel` cells from every stride-th one on.
#[inline(always)]
fn add_columns<T: Scalar>(out: &mut [T], sums: &[T], (first, stride, kernel): (usize, usize, usize), weight: T) {
    let each = LANES;
    let length = out.len();
    if stride == 1 && kernel == 3 {
        let of = |at: usize| &sums[(first + at) * each..][..length];
        for (((out, &a), &b), &c) in out.iter_mut().zip(of(0)).zip(of(1)).zip(of(2)) {
            *out = weight * (a + b + c);
        }
        return;
    }
    for (j, cell) in out.chunks_exact_mut(each).enumerate() {
        cell.fill(T::ZERO);
        for tap in 0..kernel {
            let from = &sums[(first + stride * j + tap) * each..][..each];
            for (out, &value) in cell.iter_mut().zip(from) {
                *out += value;
            }
        }
        for out in cell {
            *out *= weight;
        }
    }
}
