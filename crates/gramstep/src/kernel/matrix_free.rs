//! A kernel regression of which the kernel does not fit in memory.

use super::tiles::{KernelTiles, blocks};
use crate::error::{Error, Result, check_extent};
use crate::scalar::Scalar;
use crate::solve::{ConjugateGradient, SolveInfo, conjugate_gradient};
use crate::view::Matrix;

/// Solves (K + κI) c = y for one output by conjugate gradients, with at most `budget` bytes for the kernel: rows that fit
/// are computed once and kept, the others again for every product.
///
/// # Errors
/// [`Error::Shape`] if y does not fit the kernel, [`Error::Memory`] if not even one point's rows fit, [`Error::Solve`],
/// and those of the kernel.
pub fn solve_matrix_free<T: Scalar>(
    kernel: &dyn KernelTiles<T>,
    y: &[f64],
    ridge: f64,
    budget: usize,
    settings: ConjugateGradient,
) -> Result<(Vec<f64>, SolveInfo)> {
    let ((n, m), k) = (kernel.samples(), kernel.rows_per_sample());
    check_extent("points of a kernel system", n, m)?;
    check_extent("targets of a kernel system", n * k, y.len())?;
    let row = n * k * k * size_of::<T>();
    let fitting = budget / row.max(1);
    if fitting == 0 {
        return Err(Error::Memory { what: "kernel of one point with all others", needed: row, budget });
    }
    // A quarter of the budget for the rows at work, the rest for rows that stay.
    let block = fitting.div_ceil(4).min(n.max(1));
    let mut kept: Vec<(usize, Matrix<T>)> = Vec::new();
    for rows in blocks(n, block)? {
        if (kept.len() + 2) * block > fitting && kept.len() * block < n {
            break;
        }
        kept.push((rows.start, kernel.tile(rows, 0..n)?));
    }
    let stays = kept.iter().map(|(_, tile)| tile.rows() / k).sum::<usize>();
    let product = |x: &[f64]| {
        let mut out = vec![0.0; n * k];
        let mut multiply = |start: usize, tile: &Matrix<T>| {
            for i in 0..tile.rows() {
                out[start * k + i] = tile.row(i).iter().zip(x).map(|(a, b)| a.to_f64() * b).sum();
            }
        };
        for (start, tile) in &kept {
            multiply(*start, tile);
        }
        for rows in blocks(n - stays, block)? {
            let rows = stays + rows.start..stays + rows.end;
            multiply(rows.start, &kernel.tile(rows.clone(), 0..n)?);
        }
        Ok(out)
    };
    conjugate_gradient(product, ridge, y, settings)
}
