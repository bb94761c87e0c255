//! Points in the coordinates in which a kernel is a function of distance or angle alone.

use std::ops::Range;

use crate::scalar::Scalar;
use crate::view::MatrixView;

/// Points column by column: u_ij = √w_j·x_ij, or unit vectors and lengths.
#[derive(Clone, Debug)]
pub(super) struct Points<T> {
    columns: Vec<T>,
    rows: usize,
    /// |u_i|; empty unless the columns are those of unit vectors.
    lengths: Vec<T>,
}

impl<T: Scalar> Points<T> {
    /// √w_j·x_ij.
    pub(super) fn scaled(x: MatrixView<'_, T>, weights: &[f64]) -> Self {
        let mut columns = Vec::with_capacity(x.rows() * weights.len());
        for (j, weight) in weights.iter().enumerate() {
            let scale = T::from_f64(weight.sqrt());
            columns.extend((0..x.rows()).map(|i| scale * x.get(i, j)));
        }
        Self { columns, rows: x.rows(), lengths: Vec::new() }
    }

    /// (√w_1·x_i1, …, √w_d·x_id, √b), as a direction and a length; no direction where the length is 0.
    pub(super) fn directions(x: MatrixView<'_, T>, weights: &[f64], bias: f64) -> Self {
        let mut points = Self::scaled(x, weights);
        points.columns.resize(points.columns.len() + x.rows(), T::from_f64(bias.sqrt()));
        let mut lengths = vec![T::ZERO; x.rows()];
        for column in points.columns.chunks_exact(x.rows().max(1)) {
            lengths.iter_mut().zip(column).for_each(|(length, &u)| *length = u.mul_add(u, *length));
        }
        for length in &mut lengths {
            *length = length.sqrt();
        }
        for column in points.columns.chunks_exact_mut(x.rows().max(1)) {
            for (u, &length) in column.iter_mut().zip(&lengths) {
                *u = if length > T::ZERO { *u / length } else { T::ZERO };
            }
        }
        Self { lengths, ..points }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Number of coordinates.
    pub(super) fn width(&self) -> usize {
        self.columns.len() / self.rows.max(1)
    }

    /// Coordinate j of point i.
    #[inline(always)]
    pub(super) fn at(&self, i: usize, j: usize) -> T {
        self.columns[j * self.rows + i]
    }

    /// Coordinate j of a run of points.
    #[inline(always)]
    pub(super) fn run(&self, j: usize, run: &Range<usize>) -> &[T] {
        &self.columns[j * self.rows + run.start..j * self.rows + run.end]
    }

    /// |u_i| of directions.
    pub(super) fn lengths(&self) -> &[T] {
        &self.lengths
    }

    /// Σ_j (a_ij − b_kj)² for a run of points b_k; into `out`.
    #[inline(always)]
    pub(super) fn squares(&self, i: usize, other: &Self, run: &Range<usize>, out: &mut [T]) {
        out.fill(T::ZERO);
        for j in 0..self.width() {
            let a = self.at(i, j);
            for (out, &b) in out.iter_mut().zip(other.run(j, run)) {
                let difference = a - b;
                *out = difference.mul_add(difference, *out);
            }
        }
    }
}

/// Σ f(x_k, y_k), in eight partial sums that are combined in a fixed order.
#[inline(always)]
pub(super) fn sum<T: Scalar>(x: &[T], y: &[T], f: impl Fn(T, T) -> T) -> T {
    let mut sums = [T::ZERO; 8];
    let (head, tail) = x.as_chunks::<8>();
    let (other, rest) = y.as_chunks::<8>();
    for (x, y) in head.iter().zip(other) {
        for lane in 0..8 {
            sums[lane] += f(x[lane], y[lane]);
        }
    }
    let mut total: T = tail.iter().zip(rest).map(|(&x, &y)| f(x, y)).sum();
    for sum in sums {
        total += sum;
    }
    total
}
