//! Training with a kernel that does not move: what a method would do to the residual if G stayed G₀.
//!
//! ```text
//! gradient descent     r ← r − ηGr
//! a batch B of steps   r ← r − G[:,B] G[B,B]⁻¹ r_B        (block Gauss–Seidel)
//! ```

use std::ops::Range;

use crate::error::Result;
use crate::solve::{Damped, Solver, dot, norm};
use crate::view::Matrix;

/// A residual under a constant kernel.
#[derive(Clone, Debug)]
pub(super) struct Frozen {
    gram: Matrix<f64>,
    pub(super) residual: Vec<f64>,
}

impl Frozen {
    pub(super) fn new(gram: Matrix<f64>, residual: Vec<f64>) -> Self {
        Self { gram, residual }
    }

    pub(super) fn descend(&mut self, learning_rate: f64) {
        let change: Vec<f64> = (0..self.residual.len()).map(|i| dot(self.gram.row(i), &self.residual)).collect();
        for (r, change) in self.residual.iter_mut().zip(change) {
            *r -= learning_rate * change;
        }
    }

    /// An undamped Gram-Gauss-Newton step on some rows.
    pub(super) fn solve_block(&mut self, rows: Range<usize>) -> Result<()> {
        let block = Matrix::from_fn(rows.len(), rows.len(), |i, j| self.gram[(rows.start + i, rows.start + j)]);
        let (c, _) = Damped::factor(&block, 0.0, 1)?.solve(&self.residual[rows.clone()], Solver::Dual)?;
        for (i, r) in self.residual.iter_mut().enumerate() {
            *r -= dot(&self.gram.row(i)[rows.clone()], &c);
        }
        Ok(())
    }

    /// One pass over all rows in blocks of `size`.
    pub(super) fn epoch(&mut self, size: usize) -> Result<()> {
        blocks(self.residual.len(), size).try_for_each(|rows| self.solve_block(rows))
    }

    /// The factor by which a pass over the blocks shrinks the residual in the long run: the spectral radius of the
    /// iteration, by the power method.
    pub(super) fn epoch_factor(mut self, size: usize) -> Result<f64> {
        const SETTLE: usize = 400;
        const MEASURE: usize = 100;
        let mut logarithms = 0.0;
        for pass in 0..SETTLE + MEASURE {
            self.epoch(size)?;
            let length = norm(&self.residual);
            if length == 0.0 {
                return Ok(0.0);
            }
            self.residual.iter_mut().for_each(|r| *r /= length);
            if pass >= SETTLE {
                logarithms += length.ln();
            }
        }
        Ok((logarithms / MEASURE as f64).exp())
    }
}

/// 0..n in pieces of at most `size`.
pub(super) fn blocks(n: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n).step_by(size.max(1)).map(move |start| start..(start + size.max(1)).min(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frozen() -> Frozen {
        let gram = Matrix::from_vec(3, 3, vec![4.0, 1.0, 0.5, 1.0, 3.0, 1.0, 0.5, 1.0, 2.0]).unwrap();
        Frozen::new(gram, vec![1.0, -2.0, 0.5])
    }

    #[test]
    fn one_block_of_all_rows_is_exact_and_a_block_clears_its_own_rows() {
        let mut whole = frozen();
        whole.epoch(3).unwrap();
        // Rounding: a few ε times |G||c|.
        assert!(norm(&whole.residual) < 1e-14);
        let mut part = frozen();
        part.solve_block(1..3).unwrap();
        assert!(norm(&part.residual[1..]) < 1e-14);
        // By hand: c = (−0.9, 0.7).
        assert!((part.residual[0] - 1.55).abs() < 1e-14);
    }

    #[test]
    fn the_factor_of_an_epoch_is_the_gauss_seidel_radius() {
        // Two unknowns: the iteration matrix of Gauss–Seidel has the eigenvalues 0 and b²/(ac).
        let gram = Matrix::from_vec(2, 2, vec![4.0, 1.0, 1.0, 2.0]).unwrap();
        let factor = Frozen::new(gram, vec![1.0, 0.3]).epoch_factor(1).unwrap();
        assert!((factor - 1.0 / 8.0).abs() < 1e-12, "{factor}");
    }

    #[test]
    fn descent_is_the_closed_form() {
        use crate::kernel::{Dynamics, Time};
        let mut frozen = frozen();
        let start = Matrix::from_vec(3, 1, frozen.residual.clone()).unwrap();
        let dynamics = Dynamics::new(&frozen.gram, &start, &Matrix::zeros(3, 1), 1).unwrap();
        (0..7).for_each(|_| frozen.descend(0.1));
        let closed = dynamics.outputs(Time::Descent { learning_rate: 0.1, momentum: 0.0, steps: 7 }).unwrap();
        assert!(frozen.residual.iter().zip(closed.as_slice()).all(|(a, b)| (a - b).abs() < 1e-14));
    }
}
