//! One plane: the gaps and Θ of all pairs of pixels (p, p + d), for a cell of pairs of images.

use super::cells::{Cells, LANES};
use super::geometry::{Offset, Region};
use super::program::Convolution;
use super::rows::{Place, RowEnd, Tables, cells, of_x, pixel, pixels};
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

/// Sums over the rows of windows, and over windows.
#[derive(Debug)]
pub(super) struct Sums<T> {
    gap: Cells<T>,
    theta: Cells<T>,
    gap_windows: Cells<T>,
    theta_windows: Cells<T>,
}

impl<T: Scalar> Sums<T> {
    pub(super) fn new(width: usize) -> Self {
        let row = || Cells::new(width * LANES);
        Self { gap: row(), theta: row(), gap_windows: row(), theta_windows: row() }
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
    pub(super) fn turn<const WIDE: bool>(&mut self, factor: f64, place: Place, halves: Tables<'_, T>) {
        let each = LANES;
        let factor = T::from_f64(factor);
        vectorized_body(
            #[inline(always)]
            || {
                for i in 0..self.region.height {
                    let (gap, theta) = self.row_mut(i);
                    let (x, y) = place.rows(i.cast_signed(), 0, gap.len() / each, halves);
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

    /// Fills the border for a convolution: where one pixel is outside its image K = Θ = 0, and the gap is half the
    /// other's variance.
    pub(super) fn border<const WIDE: bool>(&mut self, place: Place, halves: Tables<'_, T>) {
        let Region { height, width, .. } = self.region;
        let (margin, pitch) = (self.margin, self.pitch());
        let whole = width + 2 * margin;
        vectorized_body(
            #[inline(always)]
            || {
                for i in 0..height + 2 * margin {
                    let row = i.cast_signed() - margin.cast_signed();
                    let (x, y) = place.rows(row, -margin.cast_signed(), whole, halves);
                    let y = cells(y);
                    let gap = self.gap[i * pitch..][..pitch].as_chunks_mut::<LANES>().0;
                    let theta = self.theta[i * pitch..][..pitch].as_chunks_mut::<LANES>().0;
                    let inside = i >= margin && i < margin + height;
                    let middle = if inside { margin..margin + width } else { whole..whole };
                    for columns in [0..middle.start, middle.end..whole] {
                        let targets = gap[columns.clone()].iter_mut().zip(&mut theta[columns.clone()]);
                        for ((gap, theta), j) in targets.zip(columns) {
                            let (x, y) = (pixel::<T, WIDE>(x, j), &y[j]);
                            let mut edge = [T::ZERO; LANES];
                            for lane in 0..LANES {
                                edge[lane] = of_x::<T, WIDE>(x, lane) + y[lane];
                            }
                            *gap = edge;
                            *theta = [T::ZERO; LANES];
                        }
                    }
                }
            },
        );
    }

    /// The border of a torus.
    pub(super) fn wrap(&mut self) {
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

    /// Gaps and Θ of a row as cells.
    #[inline(always)]
    fn cells_mut(&mut self, row: usize) -> (&mut [[T; LANES]], &mut [[T; LANES]]) {
        let (gap, theta) = self.row_mut(row);
        (gap.as_chunks_mut().0, theta.as_chunks_mut().0)
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
        let left = source.margin - columns.low;
        vectorized_body(
            #[inline(always)]
            || {
                for i in 0..self.region.height {
                    let first = i * stride + source.margin - rows.low;
                    add_rows(&mut sums.gap[..pitch], &source.gap[first * pitch..], kernel);
                    add_rows(&mut sums.theta[..pitch], &source.theta[first * pitch..], kernel);
                    let (gap, theta) = self.cells_mut(i);
                    if (kernel, stride) == (3, 1) {
                        let width = gap.len();
                        let (gaps, thetas) = (&cells(&sums.gap)[left..], &cells(&sums.theta)[left..]);
                        let (ga, gb, gc) = (&gaps[..width], &gaps[1..][..width], &gaps[2..][..width]);
                        let (ta, tb, tc) = (&thetas[..width], &thetas[1..][..width], &thetas[2..][..width]);
                        end.end(i, gap, theta, move |j| {
                            let (ga, gb, gc) = (&ga[j], &gb[j], &gc[j]);
                            let (ta, tb, tc) = (&ta[j], &tb[j], &tc[j]);
                            move |lane: usize| {
                                (weight * (ga[lane] + gb[lane] + gc[lane]), weight * (ta[lane] + tb[lane] + tc[lane]))
                            }
                        });
                    } else {
                        let width = gap.len() * LANES;
                        let windows = (left, stride, kernel);
                        add_columns(&mut sums.gap_windows[..width], &sums.gap, windows, weight);
                        add_columns(&mut sums.theta_windows[..width], &sums.theta, windows, weight);
                        let (gaps, thetas) = (cells(&sums.gap_windows), cells(&sums.theta_windows));
                        end.end(i, gap, theta, |j| of_cells(&gaps[j], &thetas[j]));
                    }
                }
            },
        );
    }

    /// An activation by itself, of another plane.
    pub(super) fn activate(&mut self, source: &Self, end: &impl RowEnd<T>) {
        self.shape(source.region, source.offset);
        vectorized_body(
            #[inline(always)]
            || {
                for i in 0..self.region.height {
                    let (gaps, thetas) = source.row(i);
                    let (gaps, thetas) = (cells(gaps), cells(thetas));
                    let (gap, theta) = self.cells_mut(i);
                    end.end(i, gap, theta, |j| of_cells(&gaps[j], &thetas[j]));
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

/// Reads a cell of gaps and one of Θ.
#[inline(always)]
fn of_cells<'a, T: Copy>(gap: &'a [T; LANES], theta: &'a [T; LANES]) -> impl Fn(usize) -> (T, T) + 'a {
    |lane| (gap[lane], theta[lane])
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
