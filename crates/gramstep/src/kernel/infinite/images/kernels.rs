//! What pairs of images are after the last stage: pairs of points.

use std::ops::Range;

use super::cells::LANES;
use super::points::{Head, ImagePoints};
use super::walk::{Between, Work};
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
    let mut work = Work::new(program);
    let mut heads = Vec::with_capacity(each);
    for panel in ranges(rows, IMAGE_PANEL) {
        let ours: Vec<_> = ranges(panel.clone(), each)
            .flat_map(|block| {
                let side = x.side(&block);
                (0..block.len()).map(move |lane| side.lane(lane))
            })
            .collect();
        let end = if lower { columns.end.min(panel.end) } else { columns.end };
        for cell in ranges(columns.start..end, each) {
            let theirs = y.side(&cell);
            for (i, ours) in panel.clone().zip(&ours) {
                if lower && i < cell.start {
                    continue;
                }
                Between::<T, false> { program, x: ours, y: &theirs }.run(&mut work);
                heads.clear();
                heads.extend(cell.clone().enumerate().map(|(at, j)| x.head(i, y, j, &work, at)));
                take(i, cell.clone(), &heads);
            }
        }
    }
}

fn ranges(whole: Range<usize>, length: usize) -> impl Iterator<Item = Range<usize>> {
    let Range { start, end } = whole;
    (start..end).step_by(length).map(move |start| start..(start + length).min(end))
}
