//! Which models have outputs in the units of their targets up to mean and scale.

use crate::data::{Preprocessing, Targets};
use crate::error::{Result, conflict};

/// Refuses a model whose outputs are logarithms, quantiles or counts, where goals and criteria are to be in the target's
/// own units.
///
/// # Errors
/// [`Error::Conflict`](crate::Error::Conflict) with what the model learned.
pub fn check_measurable(preprocessing: &Preprocessing) -> Result<()> {
    check_one_classification(&preprocessing.targets)?;
    let Targets::Regression { loss, .. } = &preprocessing.targets else { return Ok(()) };
    let learned = if preprocessing.targets.is_logarithm() {
        "target-transform log".to_owned()
    } else if loss.has_residuals() {
        return Ok(());
    } else {
        format!("loss {loss}")
    };
    Err(conflict("attack", format!("--{learned}"), "an attack is judged by errors in the target's own units"))
}

/// Refuses a model of several labels.
///
/// # Errors
/// [`Error::Conflict`](crate::Error::Conflict) that counts them.
pub(super) fn check_one_classification(targets: &Targets) -> Result<()> {
    let Targets::MultiLabel { columns, .. } = targets else { return Ok(()) };
    let reason = "an attack is on one classification: train a model of one of them";
    Err(conflict("attack", format!("the {} targets of a classification", columns.len()), reason))
}
