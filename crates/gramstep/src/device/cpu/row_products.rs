//! α A Aᵀ of a few long rows, up to the diagonal: gradients of samples, of which G is made.
//!
//! A general product packs its operands before it multiplies, a quarter of the time here: rows are long and each is met by
//! few others. Vectors along the rows need no packing. A block of R rows meets C rows of the same stretch in registers, the C
//! rows stay in the first cache while all R pass, and every stretch is summed by itself, which rounds less than one long sum.
//! Single precision; the product of `product.rs` does the rest, and is its twin.
//!
//! Everything is `inline(always)` and without closures: what is not inlined is compiled for the baseline.

#![allow(clippy::needless_range_loop, reason = "several arrays are read at one index, as the formula has it")]

use std::any::TypeId;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::threads::CpuOperations;
use crate::scalar::Scalar;

/// The most rows: more of them do not stay in the second cache for a stretch that is worth it, and are packed instead.
const MOST: usize = 256;
/// Shorter rows are not worth it.
const FEWEST: usize = 256;
/// Numbers of a stretch of all rows, half a megabyte.
const NEAR: usize = 1 << 17;
/// The longest stretch: C rows of it leave room in the first cache.
const STRETCH: usize = 1024;
/// What stretches are multiples of, vectors of every unit.
const GRAIN: usize = 16;

/// Whether this form does it.
pub(super) fn fits<T: Scalar>(rows: usize, length: usize) -> bool {
    TypeId::of::<T>() == TypeId::of::<f32>() && rows <= MOST && length >= FEWEST
}

/// out += α A Aᵀ at and below the diagonal. a: n×length, out: n×n. Threads share out the rows of the triangle, so that a
/// product is the same for any number of them.
pub(super) fn add(operations: &CpuOperations, out: &mut [f32], alpha: f32, a: &[f32], n: usize) {
    let length = a.len() / n.max(1);
    let threads = operations.threads_for(n * n * length / 2).max(1);
    operations.scratch(n * n, |sums: &mut [f32]| {
        sums.fill(0.0);
        let (mut pieces, mut left) = (Vec::with_capacity(threads), &mut *sums);
        let mut start = 0;
        for thread in 1..=threads {
            // Triangles of equal area.
            let end = (n * n * thread / threads).isqrt();
            let (own, rest) = std::mem::take(&mut left).split_at_mut((end - start) * n);
            pieces.push(Share { a, n, length, rows: start..end, sums: own });
            (start, left) = (end, rest);
        }
        operations.pieces(threads, pieces, |share| pulp::Arch::new().dispatch(share));
        for i in 0..n {
            let line = out[i * n..][..=i].iter_mut();
            line.zip(&sums[i * n..]).for_each(|(out, &sum)| *out += alpha * sum);
        }
    });
}

/// What one thread does: the products of some rows with all up to themselves.
struct Share<'a> {
    a: &'a [f32],
    n: usize,
    length: usize,
    rows: Range<usize>,
    /// A line of n numbers for each of the rows.
    sums: &'a mut [f32],
}

impl WithSimd for Share<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 {
            self.run::<S, 4, 6>(simd);
        } else {
            self.run::<S, 3, 4>(simd);
        }
    }
}

impl<'a> Share<'a> {
    #[inline(always)]
    fn run<S: Simd, const R: usize, const C: usize>(mut self, simd: S) {
        let stretch = (NEAR / self.n).min(STRETCH) / GRAIN * GRAIN;
        let Range { start, end } = self.rows;
        for from in (0..self.length).step_by(stretch) {
            let columns = from..(from + stretch).min(self.length);
            for j in (0..end).step_by(C) {
                let others = self.rows::<S, C>(j, &columns);
                // The first block that reaches the diagonal.
                let above = j.saturating_sub(start) / R * R;
                for i in (start + above..end).step_by(R) {
                    let sums = products::<S, R, C>(simd, &self.rows::<S, R>(i, &columns), &others);
                    self.take(&sums, i, j);
                }
            }
            self.rest::<S>(&columns);
        }
    }

    /// A stretch of some rows from `first` on, in whole vectors. Beyond this thread's last row that one again.
    #[inline(always)]
    fn rows<S: Simd, const R: usize>(&self, first: usize, columns: &Range<usize>) -> [&'a [S::f32s]; R] {
        let mut rows: [&[S::f32s]; R] = [&[]; R];
        for r in 0..R {
            rows[r] = S::as_simd_f32s(self.row((first + r).min(self.rows.end - 1), columns)).0;
        }
        rows
    }

    #[inline(always)]
    fn row(&self, row: usize, columns: &Range<usize>) -> &'a [f32] {
        &self.a[row * self.length..][columns.start..columns.end]
    }

    /// Adds the products of a block whose first row and column are these.
    #[inline(always)]
    fn take<const R: usize, const C: usize>(&mut self, block: &[[f32; C]; R], i: usize, j: usize) {
        for r in 0..R.min(self.rows.end - i) {
            let line = &mut self.sums[(i + r - self.rows.start) * self.n..][..self.n];
            for c in 0..C.min(self.rows.end - j) {
                line[j + c] += block[r][c];
            }
        }
    }

    /// What no whole vector has.
    #[inline(always)]
    fn rest<S: Simd>(&mut self, columns: &Range<usize>) {
        let left = columns.len() % S::F32_LANES;
        let columns = columns.end - left..columns.end;
        if left > 0 {
            for i in self.rows.clone() {
                for j in 0..=i {
                    let mut sum = 0.0;
                    for (x, y) in self.row(i, &columns).iter().zip(self.row(j, &columns)) {
                        sum += x * y;
                    }
                    self.sums[(i - self.rows.start) * self.n + j] += sum;
                }
            }
        }
    }
}

/// The products of R rows with C others, all of one length.
#[inline(always)]
fn products<S: Simd, const R: usize, const C: usize>(
    simd: S,
    rows: &[&[S::f32s]; R],
    others: &[&[S::f32s]; C],
) -> [[f32; C]; R] {
    let length = rows[0].len();
    let (mut a, mut b) = (*rows, *others);
    for r in 0..R {
        a[r] = &a[r][..length];
    }
    for c in 0..C {
        b[c] = &b[c][..length];
    }
    let mut sums = [[simd.splat_f32s(0.0); C]; R];
    for t in 0..length {
        for r in 0..R {
            for c in 0..C {
                sums[r][c] = simd.mul_add_e_f32s(a[r][t], b[c][t], sums[r][c]);
            }
        }
    }
    let mut out = [[0.0; C]; R];
    for r in 0..R {
        for c in 0..C {
            out[r][c] = simd.reduce_sum_f32s(sums[r][c]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;
    use crate::device::Device;
    use crate::device::operations::Operations;
    use crate::device::tile::{Tile, TileMut};
    use crate::random::{Purpose, stream};

    #[test]
    fn products_are_those_of_exact_sums_on_any_number_of_threads_and_leave_what_is_above_the_diagonal() {
        let mut generator = stream(1, Purpose::Data, 0, 0);
        for (n, length) in [(1, 256), (2, 300), (5, 257), (7, 1025), (31, 2048), (128, 1100), (129, 511), (256, 272)] {
            let a: Vec<f32> = (0..n * length).map(|_| generator.random_range(-1.0..1.0)).collect();
            let exact = |i: usize, j: usize| {
                let (x, y) = (&a[i * length..][..length], &a[j * length..][..length]);
                x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>()
            };
            let mut first = Vec::new();
            for threads in [1, 2, 3] {
                let operations = Device::cpu(threads).operations::<f32>();
                assert!(operations.has_row_products(n, length));
                let mut out = vec![7.0; n * n];
                operations.add_row_products(TileMut::new(&mut out, n, n), 0.5, Tile::new(&a, n, length));
                if threads == 1 {
                    first.clone_from(&out);
                }
                assert!(out.iter().zip(&first).all(|(x, y)| x.to_bits() == y.to_bits()), "n {n}, {threads} threads");
                for i in 0..n {
                    for j in 0..n {
                        let expected = if j > i { 7.0 } else { 7.0 + 0.5 * exact(i, j) };
                        let off = (f64::from(out[i * n + j]) - expected).abs();
                        // Some ten roundings of a sum of `length` squares.
                        assert!(
                            off < 1e-6 * length as f64,
                            "n {n}, length {length}, {threads} threads, ({i}, {j}): {off}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn other_numbers_and_many_or_short_rows_have_no_form() {
        assert!(fits::<f32>(MOST, FEWEST) && !fits::<f64>(MOST, FEWEST));
        assert!(!fits::<f32>(MOST + 1, FEWEST) && !fits::<f32>(MOST, FEWEST - 1));
    }
}
