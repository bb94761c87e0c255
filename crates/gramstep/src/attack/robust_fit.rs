//! The parameters nearest to the start at which the linearised network is right on whole balls around the data.

use super::{Attack, Criterion, Margin, Problem, ThreatModel};
use crate::error::{Error, Result, check_extent};
use crate::kernel::LinearisedModel;
use crate::model::Model;
use crate::solve::{Damped, Solver};
use crate::view::Matrix;

/// Settings of [`robust_fit`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RobustFitConfig {
    /// Rounds of attack and solve.
    pub rounds: usize,
    /// How much of the margin 1 the worst attacked point may miss.
    pub tolerance: f64,
}

impl Default for RobustFitConfig {
    fn default() -> Self {
        Self { rounds: 40, tolerance: 1e-2 }
    }
}

/// A robust fit of the linearised network.
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
/// [`Error::Shape`] if the model has several outputs, those of the attack, [`Error::Solve`] if no Δ meets the gathered
/// constraints.
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

/// Damping of the small systems, relative to their mean diagonal: two gathered points may be one to rounding.
const DAMPING: f64 = 1e-10;
/// Shortfall below which a constraint is met.
const VIOLATION: f64 = 1e-7;
/// Shortfall that the damping leaves where constraints contradict each other: the multipliers α grow until the damping
/// stops them, Hα stays, so that Σ α_i y_i J_i ≈ 0 with Σ α_i b_i > 0, and no Δ meets them all (Farkas' lemma).
const CONTRADICTION: f64 = 1e-3;

/// min ½‖Δ‖² with y_i(f_i + J_iΔ) ≥ 1, by its dual min_{α ≥ 0} ½ αᵀHα − bᵀα, H = y yᵀ ∘ G, b = 1 − y f. Δ = Jᵀ(α ∘ y).
fn least_norm(model: &Model<f64>, x: &Matrix<f64>, y: &[f64]) -> Result<Vec<f64>> {
    let tangent = model.tangent(x)?;
    let gram = tangent.gram();
    let n = y.len();
    let b: Vec<f64> = (0..n).map(|i| 1.0 - y[i] * tangent.predictions()[(i, 0)]).collect();
    let multipliers = non_negative(&Matrix::from_fn(n, n, |i, j| y[i] * y[j] * gram[(i, j)]), &b)?;
    tangent.vjp(&multipliers.iter().zip(y).map(|(alpha, y)| alpha * y).collect::<Vec<_>>())
}

/// min_{α ≥ 0} ½ αᵀHα − bᵀα by active sets (Lawson and Hanson 1974): the constraint that misses most joins the
/// passive set, whose system is solved; multipliers that would turn negative leave it.
fn non_negative(h: &Matrix<f64>, b: &[f64]) -> Result<Vec<f64>> {
    let n = b.len();
    let impossible = || {
        let reason = "no parameters near the start meet the margin on all gathered points".to_owned();
        Error::Solve { solver: "the active-set method", size: n, reason }
    };
    let short =
        |i: usize, alpha: &[f64], passive: &[usize]| b[i] - passive.iter().map(|&j| h[(i, j)] * alpha[j]).sum::<f64>();
    let (mut alpha, mut passive) = (vec![0.0; n], Vec::<usize>::new());
    for _ in 0..10 * n.max(1) {
        let missing = (0..n).filter(|i| !passive.contains(i)).map(|i| (i, short(i, &alpha, &passive)));
        let Some((worst, by)) = missing.reduce(|a, b| if b.1 > a.1 { b } else { a }) else { return Ok(alpha) };
        if by <= VIOLATION {
            return Ok(alpha);
        }
        passive.push(worst);
        loop {
            let wanted = passive_solution(h, b, &passive)?;
            // The share of the way at which the first multiplier reaches 0.
            let ratio = |(at, &j): (usize, &usize)| (wanted[at] <= 0.0).then(|| alpha[j] / (alpha[j] - wanted[at]));
            let share = passive.iter().enumerate().filter_map(ratio).fold(1.0, f64::min);
            for (at, &j) in passive.iter().enumerate() {
                alpha[j] += share * (wanted[at] - alpha[j]);
            }
            if share >= 1.0 {
                break;
            }
            let floor = 1e-14 * alpha.iter().copied().fold(0.0, f64::max);
            passive.retain(|&j| {
                alpha[j] > floor || {
                    alpha[j] = 0.0;
                    false
                }
            });
        }
        if passive.iter().any(|&i| short(i, &alpha, &passive) > CONTRADICTION) {
            return Err(impossible());
        }
    }
    Err(impossible())
}

/// H_PP⁻¹ b_P.
fn passive_solution(h: &Matrix<f64>, b: &[f64], passive: &[usize]) -> Result<Vec<f64>> {
    let size = passive.len();
    let matrix = Matrix::from_fn(size, size, |i, j| h[(passive[i], passive[j])]);
    let mean = (0..size).map(|i| matrix[(i, i)]).sum::<f64>() / size.max(1) as f64;
    let rhs: Vec<f64> = passive.iter().map(|&i| b[i]).collect();
    Ok(Damped::factor(&matrix, DAMPING * mean, 1)?.solve(&rhs, Solver::Dual)?.0)
}
