//! What pairs of images are after the last stage: pairs of points.

use std::ops::Range;

use super::cells::LANES;
use super::points::{Head, ImagePoints};
use super::program::Exit;
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
                heads.extend(cell.clone().enumerate().map(|(at, j)| head(x, i, y, j, &work, at)));
                take(i, cell.clone(), &heads);
            }
        }
    }
}

fn ranges(whole: Range<usize>, length: usize) -> impl Iterator<Item = Range<usize>> {
    let Range { start, end } = whole;
    (start..end).step_by(length).map(move |start| start..(start + length).min(end))
}

fn head<T: Scalar>(x: &ImagePoints<T>, i: usize, y: &ImagePoints<T>, j: usize, work: &Work<T>, lane: usize) -> Head<T> {
    let share = x.share();
    let (vi, vj) = (x.variances[i], y.variances[j]);
    let sum = share * work.covariance[lane];
    let side_by_side = x.program.stages.last().is_some_and(|stage| stage.exit == Exit::Flatten);
    let gap = if side_by_side { sum } else { f64::midpoint(vi, vj) - sum };
    let norm = (vi * vj).sqrt();
    let twist = 0.5 * (vi.sqrt() - vj.sqrt()).powi(2);
    let deficit = if norm > 0.0 { ((gap - twist) / norm).clamp(0.0, 2.0) } else { 1.0 };
    Head { deficit: T::from_f64(deficit), theta: T::from_f64(share * work.theta[lane]) }
}
