//! Linear systems of the step: (G + λI) c = r, dense or through products alone. Everything here is `f64`, and every
//! solve says what happened.

mod cholesky;
mod conjugate_gradient;
mod eigen;
mod golden_section;

use serde::{Deserialize, Serialize};

pub use conjugate_gradient::{ConjugateGradient, conjugate_gradient};
pub use eigen::{Eigen, eigen};
pub use golden_section::golden_section;

use crate::error::{Result, check_extent, check_not_negative};
use crate::view::Matrix;

/// Which method solved a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Solver {
    /// Cholesky factorisation of the nk×nk matrix G + λI.
    Dual,
    /// Cholesky factorisation of the p×p matrix JᵀJ + λI.
    Primal,
    /// Conjugate gradients on G + λI through jvp ∘ vjp, no matrix.
    ConjugateGradient,
}

impl std::fmt::Display for Solver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Dual => "dual",
            Self::Primal => "primal",
            Self::ConjugateGradient => "conjugate-gradient",
        })
    }
}

impl Solver {
    /// The method for `rows` = n·k residuals and `parameters` = p unknowns: the smaller of the two dense systems if
    /// it fits in `budget` bytes (twice its matrix is needed), conjugate gradients otherwise.
    ///
    /// ```
    /// use gramstep::solve::Solver;
    /// assert_eq!(Solver::choose(100, 5000, 1 << 30), Solver::Dual);
    /// assert_eq!(Solver::choose(5000, 100, 1 << 30), Solver::Primal);
    /// assert_eq!(Solver::choose(50_000, 60_000, 1 << 30), Solver::ConjugateGradient);
    /// ```
    #[must_use]
    pub fn choose(rows: usize, parameters: usize, budget: usize) -> Self {
        let fits = |solver: Self| solver.bytes(rows, parameters) <= budget;
        match (fits(Self::Dual), fits(Self::Primal)) {
            (_, true) if parameters < rows => Self::Primal,
            (true, _) => Self::Dual,
            (_, true) => Self::Primal,
            _ => Self::ConjugateGradient,
        }
    }

    /// Bytes of the dense matrix and its factor for `rows` = n·k residuals and `parameters` = p unknowns, in `f64`:
    /// 16·(nk)² (dual), 16·p² (primal), none for conjugate gradients.
    #[must_use]
    pub fn bytes(self, rows: usize, parameters: usize) -> usize {
        let size = match self {
            Self::Dual => rows,
            Self::Primal => parameters,
            Self::ConjugateGradient => 0,
        };
        size.saturating_mul(size).saturating_mul(2 * size_of::<f64>())
    }
}

/// What a solve did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SolveInfo {
    /// Method.
    pub solver: Solver,
    /// Number of equations.
    pub size: usize,
    /// λ as it was added to the diagonal, in absolute terms.
    pub damping: f64,
    /// ‖(G + λI)c − r‖/‖r‖.
    pub residual: f64,
    /// Smallest squared pivot of the factorisation, or smallest eigenvalue of G where it was repaired.
    pub smallest: f64,
    /// Largest squared pivot, or largest eigenvalue of G.
    pub largest: f64,
    /// Number of eigenvalues above rounding; known after a repair.
    pub rank: Option<usize>,
    /// Iterations of an iterative method.
    pub iterations: usize,
    /// Whether the factorisation failed and a clipped eigen-decomposition took its place.
    pub repaired: bool,
}

impl SolveInfo {
    /// Estimate of the condition number of the system that was solved (a lower bound from pivots).
    #[must_use]
    pub fn condition(&self) -> f64 {
        if self.repaired {
            (self.largest + self.damping) / (self.smallest.max(0.0) + self.damping)
        } else {
            self.largest / self.smallest
        }
    }
}

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
    Cholesky(cholesky::Cholesky),
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
        let method = match cholesky::Cholesky::factor(matrix, damping, threads) {
            Some(factor) => Method::Cholesky(factor),
            None => Method::Eigen(eigen(matrix, threads)?),
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
        let mut defect = cholesky::symmetric_product(self.matrix, solution);
        for ((d, c), r) in defect.iter_mut().zip(solution).zip(rhs) {
            *d += self.damping * c - r;
        }
        let norm = norm(rhs);
        if norm == 0.0 { 0.0 } else { self::norm(&defect) / norm }
    }
}

/// Euclidean norm.
pub(crate) fn norm(values: &[f64]) -> f64 {
    dot(values, values).sqrt()
}

/// Inner product, summed in chunks of fixed size.
pub(crate) fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.chunks(256).zip(y.chunks(256)).map(|(x, y)| x.iter().zip(y).map(|(a, b)| a * b).sum::<f64>()).sum()
}
