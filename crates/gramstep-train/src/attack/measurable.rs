//! Which models can be attacked in the units of their data.

use crate::data::{Preprocessing, Targets};
use crate::error::{Result, conflict};

/// Refuses a model whose inputs or targets have no unit that an attack could be measured in; columns that no attack moves
/// are named by `frozen`.
///
/// # Errors
/// For columns with far outliers, which the networks see bent, for logarithms, quantiles, counts and several labels.
pub fn check_measurable(preprocessing: &Preprocessing, frozen: &[String]) -> Result<()> {
    let bent = preprocessing.inputs.bent();
    if let Some(column) = bent.iter().find(|column| frozen.iter().all(|name| name != *column)) {
        let reason = format!(
            "it has far outliers, which the networks see bent, so that no radius is one: train with --input-bounds none, or \
             leave it as it is with --freeze {column}"
        );
        return Err(conflict("attack", format!("column `{column}`"), reason));
    }
    match &preprocessing.targets {
        Targets::Regression { loss, .. } if preprocessing.targets.is_logarithm() || !loss.has_residuals() => {
            let what = if preprocessing.targets.is_logarithm() {
                "target-transform log".to_owned()
            } else {
                format!("loss {loss}")
            };
            Err(conflict("attack", format!("--{what}"), "an attack is judged by errors in the target's own units"))
        }
        Targets::MultiLabel { columns, .. } => {
            let reason = "an attack is on one classification: train a model of one of them";
            Err(conflict("attack", format!("the {} targets of a classification", columns.len()), reason))
        }
        _ => Ok(()),
    }
}
