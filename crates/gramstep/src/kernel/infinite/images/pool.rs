//! Planes between two stages: a pool of t×t pixels adds planes t·D − (t−1) … t·D + (t−1) into plane D.

use super::cells::{Cells, LANES};
use super::geometry::{Grid, Offset, Region};
use super::plane::Plane;
use super::program::{Exit, Program, Stage};
use crate::device::vectorized_body;
use crate::scalar::Scalar;

/// The planes that a stage starts from, without borders: sums of K and of Θ over the windows of the pool before it.
#[derive(Debug)]
pub(super) struct Pooled<T> {
    grid: Grid,
    torus: bool,
    window: usize,
    /// What makes the sums K and Θ of the pool.
    pub(super) factor: f64,
    /// Offsets of rows and of columns, ascending.
    offsets: (Vec<isize>, Vec<isize>),
    /// Where each plane begins.
    starts: Vec<usize>,
    covariance: Cells<T>,
    theta: Cells<T>,
}

impl<T: Scalar> Pooled<T> {
    /// Between a stage that ends in a pool, and the next one.
    pub(super) fn new(program: &Program, before: &Stage, after: &Stage) -> Option<Self> {
        let Exit::Pool { window, sum } = before.exit else { return None };
        let far = |offsets: &[isize], size: usize| {
            let factor = after.factor.cast_signed();
            let far = offsets.iter().map(|d| factor * d).filter(|d| d.unsigned_abs() < size);
            far.collect::<Vec<_>>()
        };
        let offsets = (far(&after.offsets.0, after.start.height), far(&after.offsets.1, after.start.width));
        let mut starts = Vec::with_capacity(offsets.0.len() * offsets.1.len());
        let mut length = 0;
        for &down in &offsets.0 {
            for &right in &offsets.1 {
                starts.push(length);
                let region = Region::new(after.start, (down, right), program.torus);
                length += region.height * region.width * LANES;
            }
        }
        Some(Self {
            grid: after.start,
            torus: program.torus,
            window,
            factor: if sum { 1.0 } else { (window as f64).powi(-4) },
            offsets,
            starts,
            covariance: Cells::new(length),
            theta: Cells::new(length),
        })
    }

    pub(super) fn clear(&mut self) {
        self.covariance.fill(T::ZERO);
        self.theta.fill(T::ZERO);
    }

    /// Where plane D begins, and its region.
    fn find(&self, (down, right): Offset) -> Option<(usize, Region)> {
        let i = self.offsets.0.binary_search(&down).ok()?;
        let j = self.offsets.1.binary_search(&right).ok()?;
        Some((self.starts[i * self.offsets.1.len() + j], Region::new(self.grid, (down, right), self.torus)))
    }

    /// A plane's covariances and Θ, into a plane with borders.
    pub(super) fn load(&self, offset: Offset, plane: &mut Plane<T>) {
        let Some((start, region)) = self.find(offset) else { return };
        plane.shape(region, offset);
        let width = region.width * LANES;
        for i in 0..region.height {
            let from = start + i * width;
            let (covariance, theta) = plane.row_mut(i);
            covariance.copy_from_slice(&self.covariance[from..from + width]);
            theta.copy_from_slice(&self.theta[from..from + width]);
        }
    }

    /// The covariances of equal pixels.
    pub(super) fn diagonal(&self) -> &[T] {
        let (start, region) = self.find((0, 0)).unwrap_or((0, Region { height: 0, width: 0, first: (0, 0) }));
        &self.covariance[start..start + region.height * region.width * LANES]
    }

    /// Adds a plane of covariances to all planes that it has a part in.
    pub(super) fn add(&mut self, fine: &Plane<T>, fine_grid: Grid) {
        let downs = self.parts(fine.offset.0, fine_grid.height, &self.offsets.0);
        let rights = self.parts(fine.offset.1, fine_grid.width, &self.offsets.1);
        for &(down, e) in &downs {
            for &(right, f) in &rights {
                self.add_part(fine, (down, right), (e, f));
            }
        }
    }

    /// Every D with d = t·D + e, |e| < t, and that e.
    fn parts(&self, offset: isize, size: usize, coarse: &[isize]) -> Vec<(isize, isize)> {
        let (window, size) = (self.window.cast_signed(), size.cast_signed());
        let rests = |d: isize| (1 - window..window).map(move |e| (d, e));
        let meets = |&(d, e): &(isize, isize)| {
            let at = window * d + e;
            offset == if self.torus { at.rem_euclid(size) } else { at }
        };
        coarse.iter().flat_map(|&d| rests(d)).filter(meets).collect()
    }

    /// Sums over pixels t·P + u of a window whose partners t·Q + u + e lie in the partner's window.
    fn add_part(&mut self, fine: &Plane<T>, coarse: Offset, (e, f): (isize, isize)) {
        let Some((start, region)) = self.find(coarse) else { return };
        let each = LANES;
        let window = self.window;
        let taps = |e: isize| e.min(0).unsigned_abs()..window - e.max(0).unsigned_abs();
        // Pixel t·P + u of x lies so many rows below the first row of the fine plane.
        let place = |pixel: usize, tap: usize, first: usize| window * pixel + tap - first;
        let width = region.width * each;
        vectorized_body(
            #[inline(always)]
            || {
                for i in 0..region.height {
                    let from = start + i * width;
                    let covariance = &mut self.covariance[from..from + width];
                    let theta = &mut self.theta[from..from + width];
                    for tap in taps(e) {
                        let (covariances, thetas) = fine.row(place(region.first.0 + i, tap, fine.region.first.0));
                        for across in taps(f) {
                            let first = place(region.first.1, across, fine.region.first.1) * each;
                            for (sums, values) in [(&mut *covariance, covariances), (&mut *theta, thetas)] {
                                let values = values[first..].chunks(window * each);
                                for (sum, value) in sums.chunks_exact_mut(each).zip(values) {
                                    for (sum, &value) in sum.iter_mut().zip(&value[..each]) {
                                        *sum += value;
                                    }
                                }
                            }
                        }
                    }
                }
            },
        );
    }
}
