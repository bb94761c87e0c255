//! The methods of solving a step's system, and what a solve tells.

use serde::{Deserialize, Serialize};

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
