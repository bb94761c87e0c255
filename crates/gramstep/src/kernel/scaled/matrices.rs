//! Matrices of a kernel, and sums over all pairs of points, by panels of rows side by side and runs of columns in cache.

use std::ops::Range;

use super::pairs::{Pairs, RUN};
use crate::device::{Device, Operations};
use crate::scalar::Scalar;
use crate::tangent::mirror;
use crate::view::Matrix;

/// Rows of a panel.
const PANEL: usize = 64;
/// Values of a pair that its derivatives cost, about.
const SLOPES: f64 = 3.0;

/// The runs of `range`.
fn runs(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(RUN).map(move |start| start..(start + RUN).min(end))
}

/// Rows of a panel: enough panels for all threads.
fn panel(rows: usize, device: &Device) -> usize {
    rows.div_ceil(4 * device.threads()).clamp(1, PANEL)
}

/// K of one set of points, symmetric to the bit.
pub(super) fn symmetric<T: Scalar>(pairs: &dyn Pairs<T>, device: &Device) -> Matrix<T> {
    let n = pairs.points().0.rows();
    let mut matrix = Matrix::zeros(n, n);
    let (panel, cost) = (panel(n, device), 0.5 * pairs.cost() * (n * n) as f64);
    // The last panels are the longest: they go first.
    let mut items: Vec<_> = matrix.as_mut_slice().chunks_mut((panel * n).max(1)).enumerate().collect();
    items.reverse();
    device.for_each(cost, items, |_: &dyn Operations<T>, (at, rows)| {
        let first = at * panel;
        for run in runs(0..first + rows.len() / n) {
            for (i, row) in (first..).zip(rows.chunks_exact_mut(n)) {
                let stop = run.end.min(i + 1);
                if run.start < stop {
                    pairs.values(i, run.start..stop, &mut row[run.start..stop]);
                }
            }
        }
    });
    device.enter(cost, |threads| mirror(matrix.as_mut_slice(), n, 0..n, threads));
    matrix
}

/// K between two sets of points.
pub(super) fn rectangle<T: Scalar>(pairs: &dyn Pairs<T>, device: &Device) -> Matrix<T> {
    let (m, n) = (pairs.points().0.rows(), pairs.points().1.rows());
    let mut matrix = Matrix::zeros(m, n);
    let (panel, cost) = (panel(m, device), pairs.cost() * (m * n) as f64);
    let items: Vec<_> = matrix.as_mut_slice().chunks_mut((panel * n).max(1)).enumerate().collect();
    device.for_each(cost, items, |_: &dyn Operations<T>, (at, rows)| {
        for run in runs(0..n) {
            for (i, row) in (at * panel..).zip(rows.chunks_exact_mut(n)) {
                pairs.values(i, run.clone(), &mut row[run.clone()]);
            }
        }
    });
    matrix
}

/// Σ_{i,k} M_ik ∂K_ik/∂p of one set of points for every parameter p, M symmetric; `row` writes M_ik for a run of k ≤ i.
pub(super) fn parameter_slopes(
    pairs: &dyn Pairs<f64>,
    row: impl Fn(usize, Range<usize>, &mut [f64]) + Sync,
    device: &Device,
) -> Vec<f64> {
    let (n, parameters) = (pairs.points().0.rows(), pairs.parameters());
    let (panel, cost) = (panel(n, device), 0.5 * SLOPES * pairs.cost() * (n * n) as f64);
    let mut parts = vec![0.0; n.div_ceil(panel) * parameters];
    let mut items: Vec<_> = parts.chunks_mut(parameters.max(1)).enumerate().collect();
    items.reverse();
    device.for_each(cost, items, |_: &dyn Operations<f64>, (at, part)| {
        let rows = at * panel..(at * panel + panel).min(n);
        let (mut m, mut work) = ([0.0; RUN], Vec::new());
        for run in runs(0..rows.end) {
            for i in rows.clone().filter(|&i| i >= run.start) {
                let run = run.start..run.end.min(i + 1);
                let m = &mut m[..run.len()];
                row(i, run.clone(), m);
                // Every pair below the diagonal stands for its mirror image too.
                let doubled = if run.end == i + 1 { run.len() - 1 } else { run.len() };
                m[..doubled].iter_mut().for_each(|m| *m *= 2.0);
                pairs.add_parameter_slopes(i, run, m, &mut work, part);
            }
        }
    });
    let mut sum = vec![0.0; parameters];
    for part in parts.chunks_exact(parameters.max(1)) {
        sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    sum
}

/// Σ_k ⟨u_i, c_k⟩ ∂K(a_i, b_k)/∂a_ij in the coordinates a_ij, m×d.
pub(super) fn input_slopes<T: Scalar>(
    pairs: &dyn Pairs<T>,
    (u, c): (&Matrix<T>, &Matrix<T>),
    d: usize,
    device: &Device,
) -> Matrix<T> {
    let (m, n) = (pairs.points().0.rows(), pairs.points().1.rows());
    let mut slopes = Matrix::zeros(m, d);
    let (panel, cost) = (panel(m, device), SLOPES * pairs.cost() * (m * n) as f64);
    let items: Vec<_> = slopes.as_mut_slice().chunks_mut((panel * d).max(1)).enumerate().collect();
    device.for_each(cost, items, |_: &dyn Operations<T>, (at, rows)| {
        let (mut weights, mut work) = ([T::ZERO; RUN], Vec::new());
        for run in runs(0..n) {
            for (i, row) in (at * panel..).zip(rows.chunks_exact_mut(d)) {
                let weights = &mut weights[..run.len()];
                for (weight, k) in weights.iter_mut().zip(run.clone()) {
                    *weight = u.row(i).iter().zip(c.row(k)).map(|(&u, &c)| u * c).sum();
                }
                pairs.add_input_slopes(i, run.clone(), weights, &mut work, row);
            }
        }
    });
    slopes
}
