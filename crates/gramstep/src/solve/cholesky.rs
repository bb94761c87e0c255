//! Cholesky factorisation G + λI = L Lᵀ, by `faer`: sequential for small systems, on all threads for large ones.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{MatMut, MatRef, Par, Spec};

use crate::scalar::Scalar;
use crate::view::Matrix;

/// Size from which a factorisation gains from a second thread.
const WORTH_THREADS: usize = 256;

/// The lower triangular factor L, column-major.
#[derive(Debug)]
pub(crate) struct Cholesky<T = f64> {
    factor: Vec<T>,
    size: usize,
    threads: usize,
}

fn parallelism(size: usize, threads: usize) -> Par {
    if size >= WORTH_THREADS && threads > 1 { Par::rayon(threads) } else { Par::Seq }
}

impl<T: Scalar> Cholesky<T> {
    /// `None` if a pivot is not positive, or so small that what is left of it is rounding.
    pub(crate) fn factor(matrix: &Matrix<T>, damping: T, threads: usize) -> Option<Self> {
        let size = matrix.rows();
        let mut factor = lower_by_columns(matrix);
        factor.iter_mut().step_by(size + 1).for_each(|pivot| *pivot += damping);
        let target = MatMut::from_column_major_slice_mut(&mut factor, size, size);
        let par = parallelism(size, threads);
        let scratch = llt::factor::cholesky_in_place_scratch::<T>(size, par, Spec::default());
        let mut memory = MemBuffer::try_new(scratch).ok()?;
        let stack = MemStack::new(&mut memory);
        llt::factor::cholesky_in_place(target, llt::factor::LltRegularization::default(), par, stack, Spec::default())
            .ok()?;
        let factor = Self { factor, size, threads };
        let (smallest, largest) = factor.pivots();
        let trusted = smallest.is_finite() && smallest > largest * T::EPSILON.to_f64() * size as f64;
        (trusted || size == 0).then_some(factor)
    }

    /// Smallest and largest squared pivot.
    pub(crate) fn pivots(&self) -> (f64, f64) {
        let squares = self.diagonal().map(|pivot| pivot * pivot);
        squares.fold((f64::INFINITY, 0.0), |(low, high), square| {
            // A NaN pivot makes the smallest one NaN, which is noticed.
            (if square < low || square.is_nan() { square } else { low }, f64::max(high, square))
        })
    }

    /// log|L Lᵀ|.
    pub(crate) fn log_determinant(&self) -> f64 {
        2.0 * self.diagonal().map(f64::ln).sum::<f64>()
    }

    fn diagonal(&self) -> impl Iterator<Item = f64> {
        self.factor.iter().step_by(self.size + 1).map(|pivot| pivot.to_f64())
    }

    fn lower(&self) -> MatRef<'_, T> {
        MatRef::from_column_major_slice(&self.factor, self.size, self.size)
    }

    /// L x.
    pub(crate) fn multiply(&self, x: &[T]) -> Vec<T> {
        let mut out = vec![T::ZERO; self.size];
        for (j, &xj) in x.iter().enumerate() {
            let column = &self.factor[j * self.size..(j + 1) * self.size];
            out[j..].iter_mut().zip(&column[j..]).for_each(|(out, &l)| *out += l * xj);
        }
        out
    }

    /// (L Lᵀ)⁻¹b for every vector of `rhs`, one after the other, in place.
    pub(crate) fn solve_in_place(&self, rhs: &mut [T]) {
        self.half_solve_in_place(rhs);
        let par = parallelism(self.size, self.threads);
        solve_upper_triangular_in_place(self.lower().transpose(), vectors(rhs, self.size), par);
    }

    /// L⁻¹b for every vector of `rhs`, one after the other, in place.
    pub(crate) fn half_solve_in_place(&self, rhs: &mut [T]) {
        let par = parallelism(self.size, self.threads);
        solve_lower_triangular_in_place(self.lower(), vectors(rhs, self.size), par);
    }

    pub(crate) fn solve(&self, rhs: &[T]) -> Vec<T> {
        let mut solution = rhs.to_vec();
        self.solve_in_place(&mut solution);
        solution
    }

    /// (L Lᵀ)⁻¹, of which the lower triangle is filled; none if there is not the memory for it.
    pub(crate) fn inverse(&self) -> Option<Matrix<T>> {
        let mut inverse = Matrix::zeros(self.size, self.size);
        let par = parallelism(self.size, self.threads);
        let mut memory = MemBuffer::try_new(llt::inverse::inverse_scratch::<T>(self.size, par)).ok()?;
        let out = MatMut::from_row_major_slice_mut(inverse.as_mut_slice(), self.size, self.size);
        llt::inverse::inverse(out, self.lower(), par, MemStack::new(&mut memory));
        Some(inverse)
    }
}

/// The lower triangle of a square matrix by columns, zeros above it, in squares of one line of cache a row: element by
/// element it takes longer than the factorisation of a few hundred rows.
fn lower_by_columns<T: Scalar>(matrix: &Matrix<T>) -> Vec<T> {
    const SIDE: usize = 8;
    let size = matrix.rows();
    let mut out = vec![T::ZERO; size * size];
    for left in (0..size).step_by(SIDE) {
        for top in (left..size).step_by(SIDE) {
            for i in top..(top + SIDE).min(size) {
                let row = &matrix.row(i)[left..(left + SIDE).min(i + 1)];
                out[left * size + i..].iter_mut().step_by(size).zip(row).for_each(|(out, &value)| *out = value);
            }
        }
    }
    out
}

/// Vectors of a length, one after the other, as columns.
fn vectors<T>(values: &mut [T], length: usize) -> MatMut<'_, T> {
    let count = values.len() / length.max(1);
    MatMut::from_column_major_slice_mut(values, length, count)
}

/// G x from the lower triangle of a row-major G.
pub(super) fn symmetric_product(matrix: &Matrix<f64>, x: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; x.len()];
    for i in 0..x.len() {
        let row = &matrix.row(i)[..i];
        let xi = x[i];
        let mut sum = matrix[(i, i)] * xi;
        crate::device::vectorized(
            #[inline(always)]
            || {
                let mut sums = [0.0; 8];
                let (head, tail) = row.as_chunks::<8>();
                let (x_head, x_tail) = x[..i].as_chunks::<8>();
                let (out_head, out_tail) = out[..i].as_chunks_mut::<8>();
                for ((g, x), o) in head.iter().zip(x_head).zip(out_head) {
                    for lane in 0..8 {
                        sums[lane] = g[lane].mul_add(x[lane], sums[lane]);
                        o[lane] = g[lane].mul_add(xi, o[lane]);
                    }
                }
                for ((g, x), o) in tail.iter().zip(x_tail).zip(out_tail) {
                    sum += g * x;
                    *o += g * xi;
                }
                for lane in sums {
                    sum += lane;
                }
            },
        );
        out[i] += sum;
    }
    out
}
