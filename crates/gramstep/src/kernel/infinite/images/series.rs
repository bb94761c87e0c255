//! Activations without closed form, for pairs of pixels: Hermite series whose coefficients belong to the pixels,
//!
//! ```text
//! (v + v′)/2 − E[φφ] = ½ Σ (c_k − c_k′)² + Σ c_k c_k′ (1 − ρᵏ),    E[φ′φ′] = Σ s_k s_k′ ρᵏ
//! ```
//!
//! with 1 − ρᵏ by sums of numbers ≥ 0, so that pixels that are alike keep their digits. How many terms an image has is its own
//! affair, and what comes after them is 0: no bit depends on the images beside it.

use super::super::dual::Coefficients;
use super::cells::{LANES, Spare};
use super::geometry::Grid;
use super::maps::Pair;
use super::program::Program;
use super::rows::{Place, RowEnd, Tables, Trained, cells, of_x, pixel};
use super::table::Table;
use crate::scalar::Scalar;

/// c_k and s_k of every pixel, of one image or a cell of them.
#[derive(Debug)]
pub(super) struct Terms<T> {
    values: Table<T>,
    slopes: Table<T>,
    /// The number of terms, those that vanish included.
    count: usize,
}

impl<T: Scalar> Terms<T> {
    /// Of a cell of images, one set of coefficients each.
    pub(super) fn of(grid: Grid, program: &Program, images: &[Coefficients<T>], spare: &mut Spare<T>) -> Self {
        let degrees = images.iter().flat_map(Coefficients::expansions).flat_map(|of| of.terms().map(|(k, _)| k + 1));
        let count = degrees.max().unwrap_or(0);
        let mut table = |which: usize| {
            let mut coefficients = vec![T::ZERO; grid.pixels() * count * LANES];
            for (lane, image) in images.iter().enumerate() {
                for (k, values) in image.expansions()[which].terms() {
                    for (cell, &value) in coefficients.chunks_exact_mut(count * LANES).zip(values) {
                        cell[k * LANES + lane] = value;
                    }
                }
            }
            Table::of_pixels(grid, program, &coefficients, count * LANES, spare)
        };
        Self { values: table(0), slopes: table(1), count }
    }

    /// Of one image of the cell.
    pub(super) fn lane(&self, lane: usize, spare: &mut Spare<T>) -> Self {
        Self { values: self.values.lane(lane, spare), slopes: self.slopes.lane(lane, spare), count: self.count }
    }

    pub(super) fn keep(self, spare: &mut Spare<T>) {
        self.values.keep(spare);
        self.slopes.keep(spare);
    }
}

/// A series, after a convolution or by itself.
pub(super) struct Expanded<'a, T, const WIDE: bool> {
    pub(super) trained: Trained<T>,
    pub(super) place: Place,
    /// √v of x and x′ in front of it.
    pub(super) roots: Tables<'a, T>,
    pub(super) terms: (&'a Terms<T>, &'a Terms<T>),
}

impl<T: Scalar, const WIDE: bool> RowEnd<T> for Expanded<'_, T, WIDE> {
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
        let (ours, theirs) = self.terms;
        let (xr, yr) = rows(self.roots);
        let ((xc, yc), (xs, ys)) = (rows((&ours.values, &theirs.values)), rows((&ours.slopes, &theirs.slopes)));
        let (yr, yc, ys) = (cells(yr), cells(yc), cells(ys));
        let (both, each) = (ours.count.min(theirs.count), if WIDE { LANES } else { 1 });
        let half = T::from_f64(0.5);
        for (j, (gap, theta)) in gap.iter_mut().zip(theta).enumerate() {
            let read = read(j);
            let xr = pixel::<T, WIDE>(xr, j);
            let (xc, xs) = (&xc[j * ours.count * each..], &xs[j * ours.count * each..]);
            let (yc, ys) = (&yc[j * theirs.count..], &ys[j * theirs.count..]);
            // 1 − ρ, and ρᵏ and 1 − ρᵏ.
            let (mut deficit, mut power, mut missing) = ([T::ZERO; LANES], [T::ONE; LANES], [T::ZERO; LANES]);
            let (mut sums, mut slopes, mut trained) = ([T::ZERO; LANES], [T::ZERO; LANES], [T::ZERO; LANES]);
            for lane in 0..LANES {
                let (gap, theta) = read(lane);
                let pair = Pair::new(of_x::<T, WIDE>(xr, lane), yr[j][lane], gap, T::ZERO);
                deficit[lane] = pair.bounded_deficit();
                trained[lane] = self.trained.of(pair.covariance(), theta);
            }
            for k in 0..both {
                let (c, s, d, t) = (pixel::<T, WIDE>(xc, k), pixel::<T, WIDE>(xs, k), &yc[k], &ys[k]);
                for lane in 0..LANES {
                    let (c, s) = (of_x::<T, WIDE>(c, lane), of_x::<T, WIDE>(s, lane));
                    let apart = c - d[lane];
                    sums[lane] += (half * apart).mul_add(apart, c * d[lane] * missing[lane]);
                    slopes[lane] = (s * t[lane]).mul_add(power[lane], slopes[lane]);
                    missing[lane] = power[lane].mul_add(deficit[lane], missing[lane]);
                    power[lane] *= T::ONE - deficit[lane];
                }
            }
            for k in both..ours.count {
                let c = pixel::<T, WIDE>(xc, k);
                for (lane, sum) in sums.iter_mut().enumerate() {
                    let c = of_x::<T, WIDE>(c, lane);
                    *sum = (half * c).mul_add(c, *sum);
                }
            }
            for d in &yc[both..theirs.count.max(both)] {
                for (sum, &d) in sums.iter_mut().zip(d) {
                    *sum = (half * d).mul_add(d, *sum);
                }
            }
            for lane in 0..LANES {
                slopes[lane] *= trained[lane];
            }
            (*gap, *theta) = (sums, slopes);
        }
    }
}
