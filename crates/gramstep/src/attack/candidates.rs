//! Points that are given.

use super::{Attack, Criterion, Problem, Search};
use crate::device::Tile;
use crate::error::{Error, Result, check_extent};
use crate::model::InputPass;
use crate::scalar::Scalar;
use crate::view::Matrix;

/// Evaluates given points, one for each sample of the batch, after projection on what is allowed: the midpoint between
/// a sample and its opposite twin, or what another attack or model found.
///
/// ```
/// use gramstep::attack::{Attack, Candidates, Criterion, Problem, Shift, ThreatModel};
/// use gramstep::{Activation, Matrix, Model};
/// let model = Model::<f64>::mlp(&[2, 16, 1], Activation::Tanh).seed(7).build()?;
/// let (x, y) = (Matrix::from_vec(2, 2, vec![0.1, -0.4, 0.8, 0.3])?, Matrix::zeros(2, 1));
/// let up = Shift::up(0);
/// let problem = Problem::new(&model, &x, &y).with_goal(&up).with_criterion(Criterion::Moved(0.05));
/// // Points far away are projected on the ball.
/// let tried = Candidates(Matrix::from_vec(2, 2, vec![9.0; 4])?).run(&problem, &ThreatModel::linf(0.1)?)?;
/// assert!(tried.samples.iter().all(|sample| sample.size <= 0.1 + 1e-12));
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Candidates<T>(pub Matrix<T>);

impl<T: Scalar> Candidates<T> {
    /// Share of the samples for which the criterion is met at the candidate itself; unlike [`Attack::run`] the clean
    /// sample does not compete. Not a number without a criterion or samples.
    ///
    /// # Errors
    /// Those of an attack.
    pub fn error(&self, problem: &Problem<'_, T>) -> Result<f64> {
        let targets = problem.check()?;
        let clean = predict(problem, &problem.inputs.to_vec())?;
        let f = predict(problem, self.0.as_slice())?;
        check_extent("rows of the candidates", targets.rows(), f.rows())?;
        let met = (0..f.rows()).filter(|&i| problem.criterion.met(clean.row(i), f.row(i), targets.row(i))).count();
        let counted = problem.criterion != Criterion::None && f.rows() > 0;
        Ok(if counted { met as f64 / f.rows() as f64 } else { f64::NAN })
    }
}

/// Outputs of the problem's model for the rows of x.
pub(super) fn predict<T: Scalar>(problem: &Problem<'_, T>, x: &[T]) -> Result<Matrix<f64>> {
    let (model, d) = (problem.model, problem.model.inputs().max(1));
    let (rows, mut pass, mut outputs) = (model.tile_samples(x.len() / d), InputPass::default(), Vec::new());
    for tile in x.chunks(rows * d) {
        problem.evaluate(&model.device().operations::<T>(), Tile::new(tile, tile.len() / d, d), &mut pass)?;
        outputs.extend(pass.outputs.iter().map(|f| f.to_f64()));
    }
    Matrix::from_vec(x.len() / d, model.outputs(), outputs)
}

impl<T: Scalar> Attack<T> for Candidates<T> {
    fn name(&self) -> &'static str {
        "candidates"
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn evaluations(&self) -> usize {
        1
    }

    fn starts_at_the_sample(&self) -> bool {
        false
    }

    fn search(&self, search: &mut Search<'_, T>) -> Result<()> {
        let (rows, d) = (search.rows(), search.inputs());
        if self.0.rows() < rows.end {
            return Err(Error::TooFew { what: "rows of the candidates", least: rows.end, got: self.0.rows() });
        }
        check_extent("columns of the candidates", d, self.0.columns())?;
        let mut x = self.0.as_slice()[rows.start * d..rows.end * d].to_vec();
        search.project(&mut x);
        search.evaluate(&x)
    }
}
