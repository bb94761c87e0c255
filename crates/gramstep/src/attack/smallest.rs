//! The smallest perturbation that succeeds, and robust error against radius.

use super::method::run_with_radii;
use super::search::at_least_one;
use super::{Attack, Attacked, Criterion, Problem, ThreatModel};
use crate::error::{Error, Result, check_setting};
use crate::scalar::Scalar;

/// For every sample the smallest perturbation that meets the criterion, by bisection over the radius.
///
/// The bracket of a sample is (largest radius at which the attack failed, size of the smallest perturbation found):
/// an attack that succeeds may end well inside its ball. What is found is an upper bound of the true distance,
/// as good as the attack.
///
/// ```
/// use gramstep::attack::{Criterion, Pgd, Problem, Shift, SmallestPerturbation, ThreatModel};
/// use gramstep::{Activation, Matrix, Model};
/// let line = Model::<f64>::mlp(&[1, 1], Activation::Identity).build()?;
/// let (x, y) = (Matrix::zeros(1, 1), Matrix::zeros(1, 1));
/// let up = Shift::up(0);
/// let problem = Problem::new(&line, &x, &y).with_goal(&up).with_criterion(Criterion::Moved(0.3));
/// let smallest = SmallestPerturbation::new(30).run(&Pgd::default(), &problem, &ThreatModel::linf(100.0)?)?;
/// assert!((smallest.samples[0].size - 0.3 / line.theta()[0].abs()).abs() < 1e-6);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SmallestPerturbation {
    /// Halvings of the bracket, ≥ 1.
    pub bisections: usize,
}

impl Default for SmallestPerturbation {
    fn default() -> Self {
        Self { bisections: 10 }
    }
}

impl SmallestPerturbation {
    /// A search with a number of halvings.
    #[must_use]
    pub fn new(bisections: usize) -> Self {
        Self { bisections }
    }

    /// Attacks every sample at radii up to that of the threat model. A sample that holds out there keeps `found` =
    /// false; one that meets the criterion by itself has size 0.
    ///
    /// # Errors
    /// Those of the attack; [`Error::Conflict`] if the criterion is [`Criterion::None`], which
    /// nothing meets.
    pub fn run<T: Scalar>(
        &self,
        attack: &(impl Attack<T> + ?Sized),
        problem: &Problem<'_, T>,
        threat: &ThreatModel,
    ) -> Result<Attacked<T>> {
        at_least_one("bisections", self.bisections)?;
        if problem.criterion == Criterion::None {
            let reason = "the criterion `none` is met by no perturbation".to_owned();
            return Err(Error::Conflict { what: "smallest perturbation", reason });
        }
        let n = problem.samples();
        // Radius 0 decides about the samples that need no attack.
        let mut best = run_with_radii(attack, problem, threat, &vec![0.0; n])?;
        let mut radii: Vec<f64> = best.samples.iter().map(|s| if s.found { 0.0 } else { threat.radius() }).collect();
        let mut failed_at = vec![0.0; n];
        for _ in 0..=self.bisections {
            let attacked = run_with_radii(attack, problem, threat, &radii)?;
            for row in (0..n).filter(|&row| radii[row] > 0.0) {
                let sample = attacked.samples[row];
                let better = !best.samples[row].found || sample.size < best.samples[row].size;
                if sample.found && better {
                    best.samples[row] = sample;
                    best.inputs.row_mut(row).copy_from_slice(attacked.inputs.row(row));
                } else {
                    failed_at[row] = radii[row];
                }
            }
            for (row, radius) in radii.iter_mut().enumerate() {
                let open = best.samples[row].found && best.samples[row].size > failed_at[row];
                *radius = if open { 0.5 * (failed_at[row] + best.samples[row].size) } else { 0.0 };
            }
        }
        Ok(best)
    }
}

/// The attack at each of some radii: robust error and mean value of the goal against radius.
///
/// What was found at a smaller radius is allowed at a larger one and competes there, so neither falls.
///
/// # Errors
/// Those of the attack; [`Error::Setting`] if the radii are not ascending.
pub fn error_against_radius<T: Scalar>(
    attack: &(impl Attack<T> + ?Sized),
    problem: &Problem<'_, T>,
    threat: &ThreatModel,
    radii: &[f64],
) -> Result<Vec<RadiusPoint>> {
    check_setting(radii.is_sorted(), "radii", &format!("{radii:?}"), "ascending")?;
    let mut curve = Vec::with_capacity(radii.len());
    let mut best: Option<Attacked<T>> = None;
    for &radius in radii {
        let mut attacked = attack.run(problem, &threat.clone().with_radius(radius)?)?;
        if let Some(smaller) = &best {
            for (now, before) in attacked.samples.iter_mut().zip(&smaller.samples) {
                if before.rank() > now.rank() {
                    *now = *before;
                }
            }
        }
        curve.push(RadiusPoint { radius, error: attacked.error(), value: attacked.after() });
        best = Some(attacked);
    }
    Ok(curve)
}

/// One point of [`error_against_radius`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RadiusPoint {
    /// ε
    pub radius: f64,
    /// Share of samples for which the criterion is met within the radius.
    pub error: f64,
    /// Mean of the goal's value at the best points.
    pub value: f64,
}
