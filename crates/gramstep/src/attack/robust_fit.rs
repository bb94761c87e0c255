//! The parameters nearest to the start at which the linearised network is right on whole balls around the data.

use super::non_negative::non_negative;
use super::{Attack, Criterion, Margin, Problem, ThreatModel};
use crate::error::{Result, check_extent};
use crate::kernel::LinearisedModel;
use crate::model::Model;
use crate::tangent::TangentFeatures;
use crate::view::Matrix;

/// Settings of [`robust_fit`] and [`robust_optimum`](super::robust_optimum).
///
/// ```
/// use gramstep::attack::RobustFitConfig;
/// let mut config = RobustFitConfig::default();
/// config.rounds = 5;
/// assert!(config.tolerance > 0.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RobustFitConfig {
    /// Rounds of attack and solve.
    pub rounds: usize,
    /// How much of the margin 1 the worst attacked point may miss; of an optimum, how far its loss may be from its bound.
    pub tolerance: f64,
}

impl Default for RobustFitConfig {
    fn default() -> Self {
        Self { rounds: 40, tolerance: 1e-2 }
    }
}

/// A robust fit of the linearised network.
///
/// ```
/// use gramstep::attack::{Pgd, RobustFitConfig, ThreatModel, robust_fit};
/// use gramstep::{Activation, Matrix, Model};
/// let model = Model::<f64>::mlp(&[1, 64, 1], Activation::Tanh).seed(1).build()?;
/// let (x, y) = (Matrix::from_vec(2, 1, vec![-1.0, 1.0])?, Matrix::from_vec(2, 1, vec![-1.0, 1.0])?);
/// let fit = robust_fit(&model, &x, &y, &ThreatModel::l2(0.2)?, &Pgd::new(20), RobustFitConfig::default())?;
/// assert!(fit.converged && fit.direction.len() == model.parameter_count());
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RobustFit {
    /// Δ = θ − θ₀, p.
    pub direction: Vec<f64>,
    /// ‖Δ‖ over trainable parameters: R*, a lower bound of what any robust fit within this attack's reach needs.
    pub norm: f64,
    /// The smallest y·f_lin that the last attack found, 1 where it is exact.
    pub margin: f64,
    /// Constraints gathered.
    pub constraints: usize,
    /// Rounds taken.
    pub rounds: usize,
    /// Whether the attack found no violation beyond the tolerance.
    pub converged: bool,
}

/// The Δ of least norm with y·(f(θ₀, x) + J(x)Δ) ≥ 1 for all x in the balls around the samples, by cutting planes:
/// solve for the points gathered so far, attack f_lin, add the points that miss the margin.
///
/// x: n×d, y: n×1 of ±1, one output. The robust fit of gao2019 exists if this converges with a Δ that does not grow
/// with the width. Where balls of different labels overlap there is none, and Δ grows until the rounds are spent.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if the model has several outputs, those of the attack,
/// [`Error::Conflict`](crate::Error::Conflict) if no Δ meets the gathered constraints, [`Error::Solve`](crate::Error::Solve)
/// if none was found.
pub fn robust_fit(
    model: &Model<f64>,
    x: &Matrix<f64>,
    y: &Matrix<f64>,
    threat: &ThreatModel,
    attack: &dyn Attack<f64>,
    config: RobustFitConfig,
) -> Result<RobustFit> {
    check_extent("outputs of a robust fit", 1, model.outputs())?;
    let (d, n) = (x.columns(), x.rows());
    let (mut points, mut signs) = (x.as_slice().to_vec(), y.as_slice().to_vec());
    let mut fitted = LinearisedModel::new(model.clone());
    let (mut margin, mut round) = (f64::NEG_INFINITY, 0);
    let mut constraints = 0;
    while round < config.rounds {
        let gathered = Matrix::from_vec(signs.len(), d, points.clone())?;
        fitted.set_displacement(least_norm(model, &gathered, &signs)?)?;
        round += 1;
        constraints = signs.len();
        let problem = Problem::new(&fitted, x, y).with_goal(&Margin).with_criterion(Criterion::None);
        let attacked = attack.run(&problem, threat)?;
        margin = attacked.samples.iter().map(|sample| -sample.after).fold(f64::INFINITY, f64::min);
        if margin >= 1.0 - config.tolerance {
            break;
        }
        for i in (0..n).filter(|&i| -attacked.samples[i].after < 1.0 - 0.5 * config.tolerance) {
            points.extend_from_slice(attacked.inputs.row(i));
            signs.push(y[(i, 0)]);
        }
    }
    let norm = fitted.displacement().iter().map(|v| v * v).sum::<f64>().sqrt();
    let converged = margin >= 1.0 - config.tolerance;
    let direction = fitted.displacement().to_vec();
    Ok(RobustFit { direction, norm, margin, constraints, rounds: round, converged })
}

/// min ½‖Δ‖² with y_i(f_i + J_iΔ) ≥ 1, by its dual min_{α ≥ 0} ½ αᵀHα − bᵀα. Δ = Jᵀ(α ∘ y).
fn least_norm(model: &Model<f64>, x: &Matrix<f64>, y: &[f64]) -> Result<Vec<f64>> {
    let tangent = model.tangent(x)?;
    let (h, b) = linear_constraints(&tangent, y);
    let multipliers = non_negative(&h, &b)?;
    tangent.vjp(&multipliers.iter().zip(y).map(|(alpha, y)| alpha * y).collect::<Vec<_>>())
}

/// H = y yᵀ ∘ G and b = 1 − y f of the constraints y_i(f_i + J_iΔ) ≥ 1.
pub(super) fn linear_constraints(tangent: &TangentFeatures<f64>, y: &[f64]) -> (Matrix<f64>, Vec<f64>) {
    let gram = tangent.gram();
    let short = (0..y.len()).map(|i| 1.0 - y[i] * tangent.predictions()[(i, 0)]).collect();
    (Matrix::from_fn(y.len(), y.len(), |i, j| y[i] * y[j] * gram[(i, j)]), short)
}
