//! Cholesky factorisation G + λI = L Lᵀ, by `faer`: sequential for small systems, on all threads for large ones.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{MatMut, MatRef, Spec};

use super::among::among;
use crate::scalar::Scalar;
use crate::view::Matrix;

/// Size from which a factorisation gains from a second thread.
const WORTH_THREADS: usize = 256;

/// The lower triangular factor L, column-major.
#[derive(Debug)]
pub(crate) struct Cholesky<T = f64> {
    factor: Vec<T>,
    size: usize,
    /// Those worth waking for it.
    threads: usize,
}

impl<T: Scalar> Cholesky<T> {
    /// `None` if a pivot is not positive, or so small that what is left of it is rounding.
    ///
    /// A squared pivot is its own entry of the diagonal less a sum of squares, and its rounding errors are relative to that
    /// entry: they come to less than √n·ε of it, and eight times that is asked for. What other rows are scaled by changes
    /// none of this.
    pub(crate) fn factor(matrix: &Matrix<T>, damping: T, threads: usize) -> Option<Self> {
        let size = matrix.rows();
        let threads = if size >= WORTH_THREADS { threads } else { 1 };
        let mut factor = lower_by_columns(matrix);
        factor.iter_mut().step_by(size + 1).for_each(|pivot| *pivot += damping);
        among(threads, |par| {
            let target = MatMut::from_column_major_slice_mut(&mut factor, size, size);
            let scratch = llt::factor::cholesky_in_place_scratch::<T>(size, par, Spec::default());
            let mut memory = MemBuffer::try_new(scratch).ok()?;
            let (stack, exact) = (MemStack::new(&mut memory), llt::factor::LltRegularization::default());
            llt::factor::cholesky_in_place(target, exact, par, stack, Spec::default()).ok()
        })?;
        let factor = Self { factor, size, threads };
        let limit = T::EPSILON.to_f64() * (size as f64).min(8.0 * (size as f64).sqrt());
        let own = |i: usize| (matrix[(i, i)] + damping).to_f64();
        // One that is not a number is above nothing.
        let trusted = factor.diagonal().enumerate().all(|(i, pivot)| pivot * pivot > limit * own(i));
        trusted.then_some(factor)
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
        among(self.threads, |par| {
            solve_lower_triangular_in_place(self.lower(), vectors(rhs, self.size), par);
            solve_upper_triangular_in_place(self.lower().transpose(), vectors(rhs, self.size), par);
        });
    }

    /// L⁻¹b for every vector of `rhs`, one after the other, in place.
    pub(crate) fn half_solve_in_place(&self, rhs: &mut [T]) {
        among(self.threads, |par| solve_lower_triangular_in_place(self.lower(), vectors(rhs, self.size), par));
    }

    pub(crate) fn solve(&self, rhs: &[T]) -> Vec<T> {
        let mut solution = rhs.to_vec();
        self.solve_in_place(&mut solution);
        solution
    }

    /// (L Lᵀ)⁻¹, of which the lower triangle is filled; none if there is not the memory for it.
    pub(crate) fn inverse(&self) -> Option<Matrix<T>> {
        let mut inverse = Matrix::zeros(self.size, self.size);
        among(self.threads, |par| {
            let mut memory = MemBuffer::try_new(llt::inverse::inverse_scratch::<T>(self.size, par)).ok()?;
            let out = MatMut::from_row_major_slice_mut(inverse.as_mut_slice(), self.size, self.size);
            llt::inverse::inverse(out, self.lower(), par, MemStack::new(&mut memory));
            Some(())
        })?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// exp(−|x − x′|²) of close points, and noise of this variance in units of every row's own.
    fn kernel<T: Scalar>(n: usize, noise: f64, root: impl Fn(usize) -> f64) -> Matrix<T> {
        let entry = |i: usize, j: usize| (-((i as f64 - j as f64) / n as f64).powi(2)).exp();
        Matrix::from_fn(n, n, |i, j| T::from_f64(root(i) * root(j) * (entry(i, j) + if i == j { noise } else { 0.0 })))
    }

    #[test]
    fn the_scales_of_rows_decide_nothing() {
        let roots = |i: usize| [1.0 / 256.0, 1.0 / 16.0, 1.0, 16.0, 256.0][i % 5];
        for noise in [1e-2, 1e-4, 1e-12, 0.0] {
            let of = |n: usize| {
                let (plain, scaled) = (kernel::<f32>(n, noise, |_| 1.0), kernel::<f32>(n, noise, roots));
                (Cholesky::factor(&plain, 0.0, 1).is_some(), Cholesky::factor(&scaled, 0.0, 1).is_some())
            };
            for n in [1, 40, 300] {
                let (plain, scaled) = of(n);
                assert_eq!(plain, scaled, "{n} rows, noise {noise}");
                assert_eq!(plain, n == 1 || noise >= 1e-4, "{n} rows, noise {noise}");
            }
        }
    }

    #[test]
    fn rows_of_any_weight_are_factored_in_single_precision() {
        // κ/w with κ = 0.01 and w from 0.001 to 50.
        let n = 1000;
        let weight = |i: usize| match i {
            3 => 1e-3,
            _ if i.is_multiple_of(7) => 50.0,
            _ => 1.0,
        };
        let mut single = kernel::<f32>(n, 0.0, |_| 1.0);
        (0..n).for_each(|i| single[(i, i)] += f32::from_f64(0.01 / weight(i)));
        let double: Matrix<f64> = single.cast();
        let (single, double) = (Cholesky::factor(&single, 0.0, 1), Cholesky::factor(&double, 0.0, 1).unwrap());
        let single = single.expect("pivots above their rounding");
        let (smallest, largest) = single.pivots();
        assert!(
            smallest < largest * n as f64 * f64::from(f32::EPSILON),
            "rounding beside the largest, and not their own"
        );
        for (i, (a, b)) in single.diagonal().zip(double.diagonal()).enumerate() {
            assert!((a / b - 1.0).abs() < 0.01, "pivot {i}: {a}, in double precision {b}");
        }
        assert!((single.log_determinant() / double.log_determinant() - 1.0).abs() < 1e-4);
    }

    #[test]
    fn what_is_singular_to_rounding_or_indefinite_is_refused() {
        let of =
            |values: [f64; 4]| Cholesky::factor(&Matrix::from_vec(2, 2, values.to_vec()).unwrap(), 0.0, 1).is_some();
        assert!(of([1.0, 0.5, 0.5, 1.0]) && of([1.0, 0.0, 0.0, 1e-30]) && of([1e-30, 0.0, 0.0, 1.0]));
        // The second pivot is what rounding left of 10¹⁶.
        assert!(!of([1.0, 1e8, 1e8, 1e16 + 2.0]));
        for values in [[1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 2.0, 1.0], [0.0; 4], [f64::NAN, 0.0, 0.0, 1.0]] {
            assert!(!of(values), "{values:?}");
        }
        assert!(Cholesky::factor(&Matrix::<f64>::zeros(0, 0), 0.0, 1).is_some());
    }
}
