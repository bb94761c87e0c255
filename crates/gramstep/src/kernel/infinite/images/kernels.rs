//! What pairs of images are after the last stage: pairs of points.

use std::ops::Range;

use super::cells::LANES;
use super::points::{Head, ImagePoints, Memory};
use super::walk::Between;
use crate::scalar::Scalar;

/// Rows that are prepared once for all columns.
pub(in super::super) const IMAGE_PANEL: usize = 16;

/// The heads of some images with others; `take` is given one row and the heads of its pairs with a cell of columns at a
/// time. `lower`: only columns up to the row are needed.
pub(in super::super) fn heads<T: Scalar>(
    x: &ImagePoints<T>,
    rows: Range<usize>,
    y: &ImagePoints<T>,
    columns: Range<usize>,
    lower: bool,
    mut take: impl FnMut(usize, Range<usize>, &[Head<T>]),
) {
    let each = LANES;
    let program = &*x.program;
    let mut memory = x.memory();
    let Memory { work, spare } = &mut memory;
    let mut heads = Vec::with_capacity(each);
    for panel in ranges(rows, IMAGE_PANEL) {
        let mut ours = Vec::with_capacity(panel.len());
        for block in ranges(panel.clone(), each) {
            let side = x.side(&block, spare);
            ours.extend((0..block.len()).map(|lane| side.lane(lane, spare)));
            side.keep(spare);
        }
        let end = if lower { columns.end.min(panel.end) } else { columns.end };
        for cell in ranges(columns.start..end, each) {
            let theirs = y.side(&cell, spare);
            for (i, ours) in panel.clone().zip(&ours) {
                if lower && i < cell.start {
                    continue;
                }
                Between::<T, false> { program, x: ours, y: &theirs }.run(work);
                heads.clear();
                heads.extend(cell.clone().enumerate().map(|(at, j)| x.head(i, y, j, work, at)));
                take(i, cell.clone(), &heads);
            }
            theirs.keep(spare);
        }
        for side in ours {
            side.keep(spare);
        }
    }
    x.put_back(memory);
}

fn ranges(whole: Range<usize>, length: usize) -> impl Iterator<Item = Range<usize>> {
    let Range { start, end } = whole;
    (start..end).step_by(length).map(move |start| start..(start + length).min(end))
}
