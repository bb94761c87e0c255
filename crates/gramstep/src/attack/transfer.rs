//! How well perturbations made for one model work on another.

use super::{Attack, Attacked, Candidates, Problem, ThreatModel};
use crate::error::Result;
use crate::model::Differentiable;
use crate::scalar::Scalar;
use crate::view::Matrix;

/// The transfer matrix: entry (i, j) is the share of samples for which the criterion is met on model j by the
/// perturbation that was made for model i. Row i of the second result is that attack.
///
/// # Errors
/// Those of the attack.
pub fn transfer<T: Scalar>(
    attack: &(impl Attack<T> + ?Sized),
    models: &[&dyn Differentiable<T>],
    problem: &Problem<'_, T>,
    threat: &ThreatModel,
) -> Result<(Matrix<f64>, Vec<Attacked<T>>)> {
    let attacked: Vec<_> =
        models.iter().map(|&model| attack.run(&problem.with_model(model), threat)).collect::<Result<_>>()?;
    let mut errors = Matrix::zeros(models.len(), models.len());
    for (i, source) in attacked.iter().enumerate() {
        let candidates = Candidates(source.inputs.clone());
        for (j, &model) in models.iter().enumerate() {
            errors[(i, j)] = candidates.error(&problem.with_model(model))?;
        }
    }
    Ok((errors, attacked))
}
