//! Columns of the inputs set into columns of zeros: slices, concatenations, more channels.

use std::ops::Range;

use super::{Call, Layer};
use crate::device::{Tile, TileMut, WriteMode};
use crate::scalar::Scalar;

/// Where the columns of one input go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Columns of the input as a matrix.
    pub width: usize,
    /// Those of them that are taken.
    pub columns: Range<usize>,
    /// The first column of the result that they become.
    pub to: usize,
}

/// A matrix of zeros into which columns of the inputs are set. A sample is seen as a matrix of `rows` rows: the pixels
/// of an image, whose columns are channels, or one row for a vector.
#[derive(Clone, Debug)]
pub struct Embed {
    rows: usize,
    width: usize,
    placements: Vec<Placement>,
}

impl Embed {
    /// Samples become rows×width; one placement for each input.
    #[must_use]
    pub fn new(rows: usize, width: usize, placements: Vec<Placement>) -> Self {
        Self { rows, width, placements }
    }

    /// The values `range` of a vector of `length`.
    #[must_use]
    pub fn slice(length: usize, range: Range<usize>) -> Self {
        Self::new(1, range.len(), vec![Placement { width: length, columns: range, to: 0 }])
    }

    /// Vectors of these lengths, one after the other.
    #[must_use]
    pub fn concatenation(lengths: &[usize]) -> Self {
        let mut to = 0;
        let placements = lengths.iter().map(|&width| {
            to += width;
            Placement { width, columns: 0..width, to: to - width }
        });
        let placements = placements.collect();
        Self::new(1, to, placements)
    }
}

impl<T: Scalar> Layer<T> for Embed {
    fn output_len(&self) -> usize {
        self.rows * self.width
    }

    fn forward(&self, call: &Call<'_, T>, inputs: &[Tile<'_, T>], mut out: TileMut<'_, T>, _: bool, mode: WriteMode) {
        if mode == WriteMode::Replace {
            out.host().fill(T::ZERO);
        }
        let mut out = out.reshape(self.width);
        for (input, placement) in inputs.iter().zip(&self.placements) {
            let x = input.reshape(placement.width);
            call.operations.copy_columns(out.reborrow(), mode, placement.to, x, placement.columns.clone());
        }
    }

    fn backward(
        &self,
        call: &Call<'_, T>,
        _: &[Tile<'_, T>],
        which: usize,
        delta: Tile<'_, T>,
        mut into: TileMut<'_, T>,
        mode: WriteMode,
    ) {
        if mode == WriteMode::Replace {
            into.host().fill(T::ZERO);
        }
        let placement = &self.placements[which];
        let into = into.reshape(placement.width);
        let columns = placement.to..placement.to + placement.columns.len();
        call.operations.copy_columns(into, mode, placement.columns.start, delta.reshape(self.width), columns);
    }
}
