//! Numbers of every pixel, where planes look them up.

use super::cells::{Cells, LANES, Spare};
use super::geometry::Grid;
use super::program::Program;
use crate::device::vectorized;
use crate::scalar::Scalar;

/// One number of every pixel, or a cell of them, with a border of zeros; on a torus the columns stand there twice.
#[derive(Debug)]
pub(super) struct Table<T> {
    values: Cells<T>,
    /// Numbers a pixel: 1, or those of a cell, or so many of either.
    each: usize,
    margin: usize,
    /// Pixels from one row to the next.
    pitch: usize,
}

impl<T: Scalar> Default for Table<T> {
    /// Nothing.
    fn default() -> Self {
        Self { values: Cells::new(0), each: LANES, margin: 0, pitch: 0 }
    }
}

impl<T: Scalar> Table<T> {
    /// Zeros, and how often the columns stand there.
    fn zeros(grid: Grid, program: &Program, each: usize, spare: &mut Spare<T>) -> (Self, usize) {
        let (margin, copies) = (program.table_margin, if program.torus { 2 } else { 1 });
        let pitch = copies * grid.width + 2 * margin;
        let values = spare.cells((grid.height + 2 * margin) * pitch * each);
        (Self { values, each, margin, pitch }, copies)
    }

    /// A number made of each variance, for a cell of images.
    pub(super) fn of(
        grid: Grid,
        program: &Program,
        variances: &[f64],
        spare: &mut Spare<T>,
        value: impl Fn(f64) -> f64,
    ) -> Self {
        let (mut table, copies) = Self::zeros(grid, program, LANES, spare);
        let Self { values, margin, pitch, .. } = &mut table;
        let (margin, pitch, width) = (*margin, *pitch, grid.width * LANES);
        vectorized(
            #[inline(always)]
            || {
                for (row, variances) in variances.chunks_exact(width).enumerate() {
                    let line = &mut values[((row + margin) * pitch + margin) * LANES..][..copies * width];
                    for copy in line.chunks_exact_mut(width) {
                        for (out, &v) in copy.iter_mut().zip(variances) {
                            *out = T::from_f64(value(v));
                        }
                    }
                }
            },
        );
        table
    }

    /// The numbers of every pixel, `each` of them, for a cell of images.
    pub(super) fn of_pixels(grid: Grid, program: &Program, numbers: &[T], each: usize, spare: &mut Spare<T>) -> Self {
        let (mut table, copies) = Self::zeros(grid, program, each, spare);
        let Self { values, margin, pitch, .. } = &mut table;
        let (margin, pitch, width) = (*margin, *pitch, grid.width * each);
        for (row, numbers) in numbers.chunks_exact(width.max(1)).enumerate() {
            let line = &mut values[((row + margin) * pitch + margin) * each..][..copies * width];
            line.chunks_exact_mut(width).for_each(|copy| copy.copy_from_slice(numbers));
        }
        table
    }

    /// `width` pixels of a row; rows and columns may lie in the border.
    #[inline(always)]
    pub(super) fn row(&self, row: isize, column: isize, width: usize) -> &[T] {
        if width == 0 {
            return &[];
        }
        let row = self.margin.wrapping_add_signed(row);
        let column = self.margin.wrapping_add_signed(column);
        &self.values[(row * self.pitch + column) * self.each..][..width * self.each]
    }

    /// The numbers of one image.
    pub(super) fn lane(&self, lane: usize, spare: &mut Spare<T>) -> Self {
        let mut values = spare.cells(self.values.len() / LANES);
        values.iter_mut().zip(self.values.iter().skip(lane).step_by(LANES)).for_each(|(out, &value)| *out = value);
        Self { values, each: self.each / LANES, ..*self }
    }

    /// Its memory, for others.
    pub(super) fn keep(self, spare: &mut Spare<T>) {
        spare.keep(self.values);
    }
}
