//! The least loss under attack that the linearised network reaches in a ball around the start, with a bound from below.

use super::non_negative::non_negative;
use super::robust_fit::{RobustFitConfig, linear_constraints};
use super::{Attack, Criterion, Margin, Problem, ThreatModel};
use crate::error::{Result, check_extent, check_positive};
use crate::kernel::LinearisedModel;
use crate::model::Model;
use crate::solve::{dot, norm};
use crate::view::Matrix;

/// The best robust parameters of a ball, for the linearised network and the squared hinge loss.
///
/// ```
/// use gramstep::attack::{Pgd, RobustFitConfig, ThreatModel, robust_optimum};
/// use gramstep::{Activation, Matrix, Model};
/// let model = Model::<f64>::mlp(&[1, 16, 1], Activation::Tanh).seed(1).build()?;
/// let (x, y) = (Matrix::from_vec(2, 1, vec![-1.0, 1.0])?, Matrix::from_vec(2, 1, vec![-1.0, 1.0])?);
/// let (threat, config) = (ThreatModel::l2(0.2)?, RobustFitConfig::default());
/// let optimum = robust_optimum(&model, &x, &y, &threat, &Pgd::new(10), 0.2, config)?;
/// assert!(optimum.least <= optimum.loss);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RobustOptimum {
    /// Δ = θ − θ₀ with ‖Δ‖ ≤ R, p.
    pub direction: Vec<f64>,
    /// mean max(0, 1 − y·f_lin)² at Δ on the points that the last attack found.
    pub loss: f64,
    /// A loss that no Δ of the ball falls below under any attack within the threat model.
    pub least: f64,
    /// Points gathered.
    pub constraints: usize,
    /// Rounds taken.
    pub rounds: usize,
}

/// What C may change by in a round.
const LARGEST_CHANGE: f64 = 10.0;
/// By how much an attacked point must be worse than those gathered to join them.
const WORSE: f64 = 1e-4;

/// min over ‖Δ‖ ≤ R of the mean over samples of max over their balls of max(0, 1 − y·f_lin)², f_lin = f(θ₀, x) + J(x)Δ, by
/// cutting planes: solve for the points gathered so far, attack f_lin, add the points that are worse.
///
/// ```text
/// v(C) = min ½‖Δ‖² + ½C Σ_i ξ_i²  with  y_j(f_j + J_jΔ) ≥ 1 − ξ_i for all points j gathered of sample i
///      = max_{α ≥ 0} bᵀα − ½αᵀ(H + E/C)α,   H = y yᵀ ∘ G,  b = 1 − y f,  E_jj′ = 1 where j and j′ are of one sample
/// ‖Δ‖ ≤ R:   mean_i ξ_i² ≥ (2/Cn)·(v(C) − ½R²)   for every C > 0
/// ```
///
/// C is moved towards ‖Δ‖ = R, where the last line is tight; any α ≥ 0 gives a bound. x: n×d, y: n×1 of ±1, one output.
/// It ends when `loss` is within the tolerance of `least`, or the rounds are spent.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) if R is not finite and > 0, [`Error::Shape`](crate::Error::Shape) if the
/// model has several outputs, those of the attack, [`Error::Solve`](crate::Error::Solve).
///
/// ```
/// use gramstep::attack::{Pgd, RobustFitConfig, ThreatModel, robust_optimum};
/// use gramstep::{Activation, Matrix, Model};
/// let model = Model::<f64>::mlp(&[1, 32, 1], Activation::Tanh).seed(1).build()?;
/// let (x, y) = (Matrix::from_vec(2, 1, vec![-1.0, 1.0])?, Matrix::from_vec(2, 1, vec![-1.0, 1.0])?);
/// let threat = ThreatModel::l2(0.2)?;
/// let within = |radius| robust_optimum(&model, &x, &y, &threat, &Pgd::new(20), radius, RobustFitConfig::default());
/// let (near, far) = (within(0.1)?, within(0.5)?);
/// assert!(near.least <= near.loss && near.loss - near.least < 0.02);
/// assert!(far.loss < near.least);
/// # Ok::<(), gramstep::Error>(())
/// ```
pub fn robust_optimum(
    model: &Model<f64>,
    x: &Matrix<f64>,
    y: &Matrix<f64>,
    threat: &ThreatModel,
    attack: &dyn Attack<f64>,
    radius: f64,
    config: RobustFitConfig,
) -> Result<RobustOptimum> {
    check_extent("outputs of a robust optimum", 1, model.outputs())?;
    check_positive("radius of the parameter ball", radius)?;
    let (d, n) = (x.columns(), x.rows());
    let (mut points, mut signs) = (x.as_slice().to_vec(), y.as_slice().to_vec());
    let mut samples: Vec<usize> = (0..n).collect();
    let mut fitted = LinearisedModel::new(model.clone());
    let start = vec![0.0; model.parameter_count()];
    let mut best = RobustOptimum { direction: start, loss: f64::INFINITY, least: 0.0, constraints: 0, rounds: 0 };
    let mut softness = None;
    while best.rounds < config.rounds && best.loss - best.least > config.tolerance {
        best.rounds += 1;
        best.constraints = signs.len();
        let gathered = Matrix::from_vec(signs.len(), d, points.clone())?;
        let tangent = model.tangent(&gathered)?;
        let (h, b) = linear_constraints(&tangent, &signs);
        let c = *softness.get_or_insert_with(|| signs.len() as f64 / (0..signs.len()).map(|i| h[(i, i)]).sum::<f64>());
        let softened = Matrix::from_fn(signs.len(), signs.len(), |i, j| {
            h[(i, j)] + if samples[i] == samples[j] { 1.0 / c } else { 0.0 }
        });
        let alpha = non_negative(&softened, &b)?;
        let value = dot(&b, &alpha) - 0.5 * dot(&alpha, &times(&softened, &alpha));
        best.least = best.least.max(2.0 / (c * n as f64) * (value - 0.5 * radius * radius));

        let mut direction = tangent.vjp(&alpha.iter().zip(&signs).map(|(alpha, y)| alpha * y).collect::<Vec<_>>())?;
        let length = norm(&direction);
        let share = if length > radius { radius / length } else { 1.0 };
        for v in &mut direction {
            *v *= share;
        }
        fitted.set_displacement(direction)?;
        let problem = Problem::new(&fitted, x, y).with_goal(&Margin).with_criterion(Criterion::None);
        let attacked = attack.run(&problem, threat)?;
        let margins: Vec<f64> = attacked.samples.iter().map(|sample| -sample.after).collect();
        let loss = margins.iter().map(|margin| (1.0 - margin).max(0.0).powi(2)).sum::<f64>() / n as f64;
        if loss < best.loss {
            best.loss = loss;
            best.direction = fitted.displacement().to_vec();
        }

        let mut worst = vec![1.0_f64; n];
        for (j, change) in times(&h, &alpha).into_iter().enumerate() {
            worst[samples[j]] = worst[samples[j]].min(1.0 - b[j] + share * change);
        }
        for i in (0..n).filter(|&i| margins[i] < worst[i] - WORSE) {
            points.extend_from_slice(attacked.inputs.row(i));
            signs.push(y[(i, 0)]);
            samples.push(i);
        }
        // ‖Δ‖ grows about like √C where the ball is small, more slowly where it is large.
        let change = (radius / length).powi(2).clamp(1.0 / LARGEST_CHANGE, LARGEST_CHANGE);
        softness = Some(c * change);
    }
    Ok(best)
}

fn times(matrix: &Matrix<f64>, v: &[f64]) -> Vec<f64> {
    (0..matrix.rows()).map(|i| dot(matrix.row(i), v)).collect()
}
