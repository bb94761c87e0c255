//! Robust error against radius.

use super::{Attack, Attacked, Problem, ThreatModel};
use crate::error::{Result, check_setting};
use crate::scalar::Scalar;

/// The attack at each of some radii: robust error and mean value of the goal against radius.
///
/// What was found at a smaller radius is allowed at a larger one and competes there, so neither falls.
///
/// # Errors
/// Those of the attack; [`Error::Setting`](crate::Error::Setting) if the radii are not ascending.
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
///
/// ```
/// use gramstep::attack::{Criterion, Pgd, Problem, Shift, ThreatModel, error_against_radius};
/// use gramstep::{Activation, Matrix, Model};
/// let model = Model::<f64>::mlp(&[2, 16, 1], Activation::Tanh).seed(7).build()?;
/// let (x, y) = (Matrix::from_vec(2, 2, vec![0.1, -0.4, 0.8, 0.3])?, Matrix::zeros(2, 1));
/// let up = Shift::up(0);
/// let problem = Problem::new(&model, &x, &y).with_goal(&up).with_criterion(Criterion::Moved(0.05));
/// let curve = error_against_radius(&Pgd::new(5), &problem, &ThreatModel::linf(0.0)?, &[0.0, 0.05, 0.2])?;
/// assert!(curve[0].error == 0.0 && curve[2].radius == 0.2);
/// assert!(curve.windows(2).all(|pair| pair[0].value <= pair[1].value));
/// # Ok::<(), gramstep::Error>(())
/// ```
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
