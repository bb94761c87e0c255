//! The judgement of networks where no rows are set aside: every training row is left out once, of each network's
//! linearisation, as it is of ridge regression beside them.

use gramstep::kernel::leave_one_out;
use gramstep::model::Average;
use gramstep::{Matrix, Scalar};

use crate::data::{Dataset, FULL_BATCH_ROWS, Problem, Targets};
use crate::error::Result;
use crate::outcome::HeldOut;
use crate::outcome::event::Observer;
use crate::settings::Settings;

/// Fewer rows are no judges.
const FEWEST: usize = 3;

/// What the training rows are predicted without themselves; none where validation rows judge, or none can be left out,
/// which is said.
pub(super) fn of<T: Scalar>(
    problem: &Problem<T>,
    networks: &Average<T>,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<Option<HeldOut<T>>> {
    if problem.validation.is_some() {
        return Ok(None);
    }
    let Dataset { inputs, targets, weights, .. } = &problem.train;
    let (n, k) = (targets.rows(), targets.columns());
    let squared = matches!(&problem.preprocessing.targets, Targets::Regression { loss, .. } if loss.is_squared());
    let plain = squared && settings.adversarial.is_none() && problem.preprocessing.inputs.geometry().is_none();
    if n < FEWEST || !plain || n * k > FULL_BATCH_ROWS {
        let rows = "no rows judge the model, which may have learnt noise by heart";
        observer.note(&format!("{rows}: --validation 0.1 sets some aside"))?;
        return Ok(None);
    }
    let mut outputs = Matrix::<f64>::zeros(n, k);
    for member in networks.members() {
        let own = leave_one_out(member, inputs, targets, weights.as_deref())?;
        outputs.as_mut_slice().iter_mut().zip(own.as_slice()).for_each(|(sum, f)| *sum += f);
    }
    let networks = networks.members().len() as f64;
    outputs.as_mut_slice().iter_mut().for_each(|sum| *sum /= networks);
    let each: Vec<usize> = (0..n).collect();
    Ok(Some(HeldOut { outputs, rows: problem.train.clone(), places: each.clone(), fold_of: each, sets: None }))
}
