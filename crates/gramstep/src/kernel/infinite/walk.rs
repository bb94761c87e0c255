//! The way of a run of pairs through the layers: from their correlations, what the layers make of them.

use std::ops::Range;

use super::dual::Tables;
use super::images::Head;
use super::pairs::{Pairs, RUN, Scales};
use super::points::InfinitePoints;
use super::steps::Step;
use crate::device::{Operations, TileMut, WriteMode, vectorized};
use crate::scalar::Scalar;

/// Columns that a panel meets at a time.
pub(super) const STRIPE: usize = 768;
/// Distance of a correlation from ±1 below which it is computed again from the difference of the points.
const NEAR: f64 = 1.0 / 64.0;

/// What a run of pairs is known by before the first layer on vectors.
#[derive(Clone, Copy)]
pub(super) enum Start<'a, T> {
    /// Vectors: their correlations.
    Correlations(&'a [T]),
    /// Images, which became vectors.
    Heads(&'a [Head<T>]),
}

/// Memory of one task.
pub(super) struct Work<T> {
    pub(super) pairs: Pairs<T>,
    saved: Vec<Pairs<T>>,
}

impl<T: Scalar> Work<T> {
    pub(super) fn new() -> Self {
        Self { pairs: Pairs::new(), saved: Vec::new() }
    }
}

impl<T: Scalar> InfinitePoints<T> {
    /// Correlations between some of these points and some others, row by row.
    pub(super) fn correlate(
        &self,
        other: &Self,
        operations: &dyn Operations<T>,
        rows: Range<usize>,
        columns: Range<usize>,
        correlations: &mut Vec<T>,
    ) {
        correlations.resize(rows.len() * columns.len(), T::ZERO);
        operations.product(
            TileMut::new(correlations, rows.len(), columns.len()),
            WriteMode::Replace,
            T::ONE,
            self.directions_of(&rows),
            other.directions_of(&columns).t(),
        );
    }

    /// Takes a run of pairs (i, j) through all layers. `visit` sees every step with its number, the pairs in front of it,
    /// their scales, and what its series knows.
    pub(super) fn walk(
        &self,
        other: &Self,
        i: usize,
        columns: Range<usize>,
        start: Start<'_, T>,
        Work { pairs, saved }: &mut Work<T>,
        mut visit: impl FnMut(usize, &Step, &Pairs<T>, Scales<'_, T>, Option<Tables<'_, T>>),
    ) {
        let scales =
            |state: usize| Scales { row: self.scales[state][i], columns: &other.scales[state][columns.clone()] };
        match start {
            Start::Correlations(correlations) => {
                pairs.start(correlations);
                self.refine(other, i, columns.start, correlations, pairs);
            }
            Start::Heads(heads) => {
                let (u, v, theta) = pairs.slices(heads.len());
                for (((u, v), theta), head) in u.iter_mut().zip(v).zip(theta).zip(heads) {
                    (*u, *v, *theta) = (head.deficit, T::ONE + T::ONE - head.deficit, head.theta);
                }
            }
        }
        saved.clear();
        for (at, step) in self.kernel.steps.iter().enumerate() {
            let tables = self.coefficients[at].as_deref().zip(other.coefficients[at].as_deref());
            let tables = tables.map(|(ours, theirs)| Tables { row: (ours, i), columns: (theirs, columns.start) });
            visit(at, step, pairs, scales(at), tables);
            match step {
                Step::Dense(layer) => pairs.dense(*layer, scales(at), scales(at + 1)),
                Step::Activation(dual) => dual.apply(pairs, scales(at), scales(at + 1), tables),
                Step::Split => saved.push(pairs.clone()),
                Step::Swap { .. } => {
                    if let Some(input) = saved.last_mut() {
                        std::mem::swap(pairs, input);
                    }
                }
                Step::Join { from } => {
                    if let Some(input) = saved.pop() {
                        pairs.join(&input, scales(at), scales(*from), scales(at + 1));
                    }
                }
            }
        }
    }

    /// Correlations near ±1 once more, without cancellation: 1 ∓ ρ = |x̂ ∓ x̂′|²/2.
    fn refine(&self, other: &Self, i: usize, start: usize, correlations: &[T], pairs: &mut Pairs<T>) {
        let near = T::ONE - T::from_f64(NEAR);
        let largest = vectorized(
            #[inline(always)]
            || correlations.iter().fold(T::ZERO, |largest, c| largest.max(c.abs())),
        );
        if largest <= near {
            return;
        }
        let half = T::from_f64(0.5);
        for (at, &c) in correlations.iter().enumerate() {
            if c.abs() > near {
                let x = self.directions_of(&(i..i + 1));
                let y = other.directions_of(&(start + at..start + at + 1));
                let sign = if c > T::ZERO { T::ONE } else { -T::ONE };
                let distance = half * squared_distance(x.host(), y.host(), sign);
                let rest = T::ONE + T::ONE - distance;
                (pairs.u[at], pairs.v[at]) = if c > T::ZERO { (distance, rest) } else { (rest, distance) };
            }
        }
    }
}

/// A stripe of columns in runs, each with its distance from the first column.
pub(super) fn runs(stripe: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> {
    let Range { start, end } = stripe;
    (start..end).step_by(RUN).map(move |left| (left - start, left..(left + RUN).min(end)))
}

/// Σ (x − sign·y)², in sixteen sums.
fn squared_distance<T: Scalar>(x: &[T], y: &[T], sign: T) -> T {
    vectorized(
        #[inline(always)]
        || {
            let mut sums = [T::ZERO; 16];
            for (x, y) in x.chunks(16).zip(y.chunks(16)) {
                for ((sum, &x), &y) in sums.iter_mut().zip(x).zip(y) {
                    let difference = x - sign * y;
                    *sum = difference.mul_add(difference, *sum);
                }
            }
            sums.into_iter().sum()
        },
    )
}
