//! Settings of a Gram-Gauss-Newton optimiser.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::rows::Rows;
use crate::error::{Result, check_momentum, check_not_negative, check_positive, check_setting};
use crate::optim::{Damping, Schedule};
use crate::solve::{ConjugateGradient, Solver};

/// Settings of [`GramGaussNewton`](super::GramGaussNewton).
///
/// ```
/// use gramstep::optim::{Damping, GramGaussNewton, GramGaussNewtonConfig};
/// let config = GramGaussNewtonConfig::default().with_damping(Damping::Relative(0.1)).with_momentum(0.9);
/// assert!(GramGaussNewton::<f64>::new(config).is_ok());
/// assert!(GramGaussNewton::<f64>::new(config.with_ridge(-1.0)).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct GramGaussNewtonConfig {
    /// η > 0; 1 is the full Gauss–Newton step.
    pub learning_rate: f64,
    /// Factor on η over steps.
    pub schedule: Schedule,
    /// λ on the diagonal of G.
    pub damping: Damping,
    /// κ ≥ 0: weight decay ½κ·θᵀS⁻¹θ beside the summed loss ½Σr², over trainable spans; ½κ‖θ‖² for span weights of 1.
    pub ridge: f64,
    /// μ of SPRING (goldshlager2024), in 0..1; 0 is off.
    pub momentum: f64,
    /// Rows of a sample.
    pub rows: Rows,
    /// Largest Euclidean length of a step.
    pub max_step_norm: Option<f64>,
    /// The most that a step may change the outputs of the batch by its linear model, ηJφ: root mean square over the
    /// samples of the Euclidean norm. Where a loss is curved its quadratic model says nothing of far outputs: the
    /// curvature of a confident mistake is nearly 0, its gradient is not. Where it is not set, steps at a fixed damping have
    /// the loss's own bound, [`Loss::reach`](crate::loss::Loss::reach); infinite is none. With one row a sample it bounds
    /// the change of the residual ρ, and there is none of the loss's own: a step makes ρ no larger than it is.
    pub max_output_change: Option<f64>,
    /// Method of solving; chosen from sizes and memory where it is not set.
    pub solver: Option<Solver>,
    /// When conjugate gradients stop. Products of the model's type carry rounding, so the tolerance is never taken
    /// below 8ε of that type.
    pub conjugate_gradient: ConjugateGradient,
    /// Bytes that the matrices of a dense solve may occupy.
    pub memory_budget: usize,
}

impl Default for GramGaussNewtonConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1.0,
            schedule: Schedule::Constant,
            damping: Damping::default(),
            ridge: 0.0,
            momentum: 0.0,
            rows: Rows::Exact,
            max_step_norm: None,
            max_output_change: None,
            solver: None,
            conjugate_gradient: ConjugateGradient::to_tolerance(1e-12),
            memory_budget: 4 << 30,
        }
    }
}

impl GramGaussNewtonConfig {
    /// The same settings with another damping.
    #[must_use]
    pub fn with_damping(mut self, damping: Damping) -> Self {
        self.damping = damping;
        self
    }

    /// The same settings with another learning rate.
    #[must_use]
    pub fn with_learning_rate(mut self, learning_rate: f64) -> Self {
        self.learning_rate = learning_rate;
        self
    }

    /// With a factor on the step length that follows the step.
    #[must_use]
    pub fn with_schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// The same settings with another ridge.
    #[must_use]
    pub fn with_ridge(mut self, ridge: f64) -> Self {
        self.ridge = ridge;
        self
    }

    /// The same settings with SPRING momentum.
    #[must_use]
    pub fn with_momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// The same settings with other rows of a sample.
    #[must_use]
    pub fn with_rows(mut self, rows: Rows) -> Self {
        self.rows = rows;
        self
    }

    /// The same settings with a bound on the change of the outputs.
    #[must_use]
    pub fn with_max_output_change(mut self, change: f64) -> Self {
        self.max_output_change = Some(change);
        self
    }

    /// The method for this number of rows of J, with trainable parameters at these places.
    pub(in crate::optim) fn solver(&self, rows: usize, trainable: &[Range<usize>]) -> Solver {
        let trainable = trainable.iter().map(ExactSizeIterator::len).sum();
        self.solver.unwrap_or_else(|| Solver::choose(rows, trainable, self.memory_budget))
    }

    pub(in crate::optim) fn check(&self) -> Result<()> {
        check_positive("learning rate", self.learning_rate)?;
        check_not_negative("ridge", self.ridge)?;
        check_momentum("momentum", self.momentum)?;
        if let Some(norm) = self.max_step_norm {
            check_setting(norm > 0.0, "largest step norm", &norm, "> 0")?;
        }
        if let Some(change) = self.max_output_change {
            check_setting(change > 0.0, "largest change of the outputs", &change, "> 0")?;
        }
        let ConjugateGradient { tolerance, iterations } = self.conjugate_gradient;
        let range = "above 0, below 1";
        check_setting(tolerance > 0.0 && tolerance < 1.0, "conjugate-gradient tolerance", &tolerance, range)?;
        check_setting(iterations > 0, "conjugate-gradient iterations", &iterations, "> 0")?;
        self.schedule.check()?;
        self.damping.check()
    }
}
