//! The p×p system J̃ᵀJ̃ of a step, over trainable parameters alone.

use std::ops::Range;

use crate::device::{Tile, TileMut, WriteMode, for_each_chunk};
use crate::error::Result;
use crate::loss::LinearisedLoss;
use crate::scalar::Scalar;
use crate::solve::{Damped, SolveInfo, Solver};
use crate::tangent::JointFeatures;
use crate::view::Matrix;

/// J̃ᵀJ̃ in the coordinates S^{−½}θ of trainable parameters, ready to be solved at any damping.
#[derive(Debug)]
pub(super) struct Primal {
    /// Lower triangle.
    matrix: Matrix<f64>,
    /// Where trainable parameters lie in θ, in order.
    trainable: Vec<Range<usize>>,
    /// √s of each trainable parameter.
    roots: Vec<f64>,
    parameters: usize,
}

impl Primal {
    pub(super) fn new<T: Scalar>(
        tangent: &JointFeatures<'_, T>,
        linear: &LinearisedLoss,
        trainable: &[Range<usize>],
    ) -> Result<Self> {
        let roots = tangent.own().root_weights();
        let mut matrix = matrix(tangent, linear, trainable);
        tangent.sum(matrix.as_mut_slice())?;
        Ok(Self {
            matrix,
            trainable: trainable.to_vec(),
            roots: trainable.iter().flat_map(|run| &roots[run.clone()]).copied().collect(),
            parameters: tangent.parameter_count(),
        })
    }

    /// Number of equations.
    pub(super) fn size(&self) -> usize {
        self.matrix.rows()
    }

    pub(super) fn trace(&self) -> f64 {
        trace(&self.matrix)
    }

    /// S^½(J̃ᵀJ̃ + kI)⁻¹S^{−½} of a pulled right-hand side S^½J̃ᵀ rhs, p; frozen parameters do not move.
    pub(super) fn solve(&self, pulled: &[f64], damping: f64, threads: usize) -> Result<(Vec<f64>, SolveInfo)> {
        let gathered = self.trainable.iter().flat_map(|run| &pulled[run.clone()]);
        let rhs: Vec<f64> = gathered.zip(&self.roots).map(|(value, root)| value / root).collect();
        let (solution, info) = Damped::factor(&self.matrix, damping, threads)?.solve(&rhs, Solver::Primal)?;
        let mut scaled = solution.iter().zip(&self.roots).map(|(value, root)| value * root);
        let mut step = vec![0.0; self.parameters];
        for run in &self.trainable {
            step[run.clone()].iter_mut().zip(&mut scaled).for_each(|(step, value)| *step = value);
        }
        Ok((step, info))
    }
}

/// J̃ᵀJ̃ (lower triangle) of this process's samples, from a few rows of J̃ at a time, in f64.
fn matrix<T: Scalar>(joint: &JointFeatures<'_, T>, linear: &LinearisedLoss, trainable: &[Range<usize>]) -> Matrix<f64> {
    const PANEL: usize = 128;
    const FEWEST_ROWS: usize = 256;
    let p = trainable.iter().map(ExactSizeIterator::len).sum::<usize>();
    let mut matrix = Matrix::zeros(p, p);
    let (tangent, first) = (joint.own(), joint.own_samples().start);
    // Rows of J̃ at a time: 1 MiB, since larger blocks would be fresh pages at every step; but not few, since each block goes
    // over the whole matrix.
    let rows = ((1 << 20) / (8 * p).max(1)).max(FEWEST_ROWS);
    let chunk = (rows / tangent.outputs().max(1)).clamp(1, tangent.samples().max(1));
    let device = tangent.device();
    for start in (0..tangent.samples()).step_by(chunk) {
        let samples = start..(start + chunk).min(tangent.samples());
        let mut rows: Matrix<f64> = tangent.trainable_rows(samples.clone(), trainable).into_f64();
        linear.transform_jacobian(first + samples.start, &mut rows);
        let transposed = transpose(&rows);
        let work = (rows.rows() * p) as f64 * p as f64 / 2.0;
        let mut panels: Vec<_> = matrix.as_mut_slice().chunks_mut((PANEL * p).max(1)).enumerate().collect();
        panels.reverse();
        device.enter(work, |_| {
            device.for_each(work, panels, |operations, (at, out): (usize, &mut [f64])| {
                let (first, height) = (at * PANEL, out.len() / p);
                let width = first + height;
                let mut product = vec![0.0; height * width];
                let a = Tile::new(
                    &transposed.as_slice()[first * rows.rows()..][..height * rows.rows()],
                    height,
                    rows.rows(),
                );
                let b = Tile::new(&transposed.as_slice()[..width * rows.rows()], width, rows.rows());
                operations.product(TileMut::new(&mut product, height, width), WriteMode::Replace, 1.0, a, b.t());
                for (out, product) in out.chunks_exact_mut(p).zip(product.chunks_exact(width)) {
                    out.iter_mut().zip(product).for_each(|(out, v)| *out += v);
                }
            });
        });
    }
    matrix
}

fn transpose(matrix: &Matrix<f64>) -> Matrix<f64> {
    let mut out = Matrix::zeros(matrix.columns(), matrix.rows());
    let rows = matrix.rows();
    for_each_chunk(1, out.as_mut_slice(), rows, |j, line| {
        line.iter_mut().enumerate().for_each(|(i, v)| *v = matrix[(i, j)]);
    });
    out
}

/// Sum of the diagonal.
pub(super) fn trace(matrix: &Matrix<f64>) -> f64 {
    (0..matrix.rows()).map(|i| matrix[(i, i)]).sum()
}
