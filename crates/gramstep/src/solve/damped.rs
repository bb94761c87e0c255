//! A dense system at a damping.

use super::cholesky::{Cholesky, symmetric_product};
use super::eigen::{Eigen, eigen};
use super::solver::{SolveInfo, Solver};
use super::vector::norm;
use crate::error::{Result, check_extent, check_not_negative};
use crate::view::Matrix;

/// A symmetric positive semi-definite matrix with a damping, ready to solve: Cholesky where it succeeds, else an
/// eigen-decomposition with its negative eigenvalues clipped to 0.
#[derive(Debug)]
pub struct Damped<'a> {
    matrix: &'a Matrix<f64>,
    damping: f64,
    method: Method,
}

#[derive(Debug)]
enum Method {
    Cholesky(Cholesky),
    Eigen(Eigen),
}

impl<'a> Damped<'a> {
    /// Factors `matrix` + `damping`·I. Only the lower triangle is read.
    ///
    /// # Errors
    /// [`Error::Solve`](crate::Error::Solve) if the matrix is not finite or neither factorisation succeeds,
    /// [`Error::Setting`](crate::Error::Setting) if the damping is negative or not finite.
    pub fn factor(matrix: &'a Matrix<f64>, damping: f64, threads: usize) -> Result<Self> {
        check_not_negative("damping", damping)?;
        // What is rounding beside the largest direction is a direction of none, whatever its own scale.
        let spans = |factor: &Cholesky| {
            let (smallest, largest) = factor.pivots();
            smallest > largest * f64::EPSILON * matrix.rows() as f64
        };
        let method = match Cholesky::factor(matrix, damping, threads) {
            Some(factor) if spans(&factor) => Method::Cholesky(factor),
            _ => Method::Eigen(eigen(matrix, threads)?),
        };
        Ok(Self { matrix, damping, method })
    }

    /// The solution c of (G + λI) c = r, the one of least norm where the system is singular.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if r has the wrong length.
    pub fn solve(&self, rhs: &[f64], solver: Solver) -> Result<(Vec<f64>, SolveInfo)> {
        let size = self.matrix.rows();
        check_extent("right-hand side", size, rhs.len())?;
        let mut info = SolveInfo {
            solver,
            size,
            damping: self.damping,
            residual: 0.0,
            smallest: 0.0,
            largest: 0.0,
            rank: None,
            iterations: 0,
            repaired: false,
        };
        let solution = match &self.method {
            Method::Cholesky(factor) => {
                (info.smallest, info.largest) = factor.pivots();
                factor.solve(rhs)
            }
            Method::Eigen(eigen) => {
                info.smallest = eigen.values.first().copied().unwrap_or(0.0);
                info.largest = eigen.values.last().copied().unwrap_or(0.0);
                info.rank = Some(eigen.rank());
                info.repaired = true;
                eigen.solve(self.damping, rhs)
            }
        };
        info.residual = self.relative_residual(&solution, rhs);
        Ok((solution, info))
    }

    fn relative_residual(&self, solution: &[f64], rhs: &[f64]) -> f64 {
        let mut defect = symmetric_product(self.matrix, solution);
        for ((d, c), r) in defect.iter_mut().zip(solution).zip(rhs) {
            *d += self.damping * c - r;
        }
        let length = norm(rhs);
        if length == 0.0 { 0.0 } else { norm(&defect) / length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direction_that_is_rounding_beside_the_largest_is_left_out() {
        let matrix = Matrix::from_vec(2, 2, vec![1.0, 0.0, 0.0, 1e-30]).unwrap();
        let (solution, info) = Damped::factor(&matrix, 0.0, 1).unwrap().solve(&[2.0, 3.0], Solver::Dual).unwrap();
        assert!(info.repaired && info.rank == Some(1), "{info:?}");
        assert_eq!(solution, [2.0, 0.0]);
    }
}
