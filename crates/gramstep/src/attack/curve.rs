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
