//! Matrix products. `faer`'s kernels are called on one thread each; the result is cut into as many pieces as there
//! are threads, along its longer side, so that every thread reads one operand whole and its share of the other.
//! The cut depends on shapes and thread count only: same bits every time.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use super::super::operations::WriteMode;
use super::super::tile::{Tile, TileMut};
use super::threads::CpuOperations;
use crate::scalar::Scalar;

/// Multiplications below which a product stays on one thread (about 40 µs).
const WORTH_SPLITTING: usize = 2_000_000;
/// Pieces are multiples of this many rows or columns, a vector register of `f32`.
const GRAIN: usize = 16;

fn matrix_ref<'a, T: Scalar>(tile: &Tile<'a, T>) -> MatRef<'a, T> {
    let (data, row_stride, column_stride) = tile.parts();
    if column_stride == 1 {
        MatRef::from_row_major_slice_with_stride(data, tile.rows(), tile.columns(), row_stride)
    } else {
        MatRef::from_column_major_slice_with_stride(data, tile.rows(), tile.columns(), column_stride)
    }
}

fn matrix_mut<T: Scalar>(tile: TileMut<'_, T>) -> MatMut<'_, T> {
    let (rows, columns) = (tile.rows(), tile.columns());
    MatMut::from_row_major_slice_mut(tile.into_host(), rows, columns)
}

/// faer's word for `mode`.
pub(super) fn accumulate(mode: WriteMode) -> Accum {
    match mode {
        WriteMode::Replace => Accum::Replace,
        WriteMode::Accumulate => Accum::Add,
    }
}

pub(super) fn product<T: Scalar>(
    operations: &CpuOperations,
    out: TileMut<'_, T>,
    mode: WriteMode,
    alpha: T,
    a: Tile<'_, T>,
    b: Tile<'_, T>,
) {
    assert_eq!((a.rows(), b.columns()), (out.rows(), out.columns()), "shape of a product");
    assert_eq!(a.columns(), b.rows(), "inner dimension of a product");
    let work = a.rows() * a.columns() * b.columns();
    let accumulate = accumulate(mode);
    let (out, a, b) = (matrix_mut(out), matrix_ref(&a), matrix_ref(&b));
    let pieces = if work < WORTH_SPLITTING { 1 } else { operations.threads };
    if pieces == 1 {
        matmul(out, accumulate, a, b, alpha, Par::Seq);
    } else {
        operations.cpu.install(|| split(out, accumulate, alpha, a, b, pieces));
    }
}

/// Halves the longer side of the result until every piece is one thread's.
fn split<T: Scalar>(
    out: MatMut<'_, T>,
    accumulate: Accum,
    alpha: T,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    pieces: usize,
) {
    let (rows, columns) = (out.nrows(), out.ncols());
    if pieces == 1 || rows.max(columns) < 2 * GRAIN {
        return matmul(out, accumulate, a, b, alpha, Par::Seq);
    }
    let (left, right) = (pieces / 2, pieces - pieces / 2);
    let cut = |length: usize| (length * left / pieces).next_multiple_of(GRAIN).min(length);
    if columns >= rows {
        let at = cut(columns);
        let ((out_left, out_right), (b_left, b_right)) = (out.split_at_col_mut(at), b.split_at_col(at));
        rayon::join(
            || split(out_left, accumulate, alpha, a, b_left, left),
            || split(out_right, accumulate, alpha, a, b_right, right),
        );
    } else {
        let at = cut(rows);
        let ((out_top, out_bottom), (a_top, a_bottom)) = (out.split_at_row_mut(at), a.split_at_row(at));
        rayon::join(
            || split(out_top, accumulate, alpha, a_top, b, left),
            || split(out_bottom, accumulate, alpha, a_bottom, b, right),
        );
    }
}
