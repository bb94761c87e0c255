//! What an attack is: it proposes points, and is run on a batch tile by tile.

use super::outcome::{Attacked, SampleOutcome};
use super::plateau;
use super::problem::Problem;
use super::region::Region;
use super::search::Search;
use super::threat_model::ThreatModel;
use crate::error::Result;
use crate::scalar::Scalar;
use crate::view::Matrix;

/// An attack: it proposes points, the [`Search`] keeps the best.
///
/// Its settings are plain fields. A result does not depend on what else is in the batch, apart from rounding of
/// products whose shape does.
///
/// ```
/// use gramstep::attack::{Attack, Criterion, Problem, Search, Shift, ThreatModel};
/// use gramstep::{Activation, Matrix, Model, Result};
///
/// /// The best of a number of random points.
/// struct Dice(usize);
///
/// impl Attack<f64> for Dice {
///     fn name(&self) -> &'static str {
///         "dice"
///     }
///     fn check(&self) -> Result<()> {
///         Ok(())
///     }
///     fn evaluations(&self) -> usize {
///         self.0
///     }
///     fn starts_at_the_sample(&self) -> bool {
///         false
///     }
///     fn search(&self, search: &mut Search<'_, f64>) -> Result<()> {
///         let mut x = search.clean().to_vec();
///         for throw in 0..self.0 {
///             search.draw(1, throw, &mut x);
///             search.evaluate(&x)?;
///         }
///         Ok(())
///     }
/// }
///
/// let model = Model::<f64>::mlp(&[2, 16, 1], Activation::Tanh).seed(7).build()?;
/// let (x, y) = (Matrix::from_vec(2, 2, vec![0.1, -0.4, 0.8, 0.3])?, Matrix::zeros(2, 1));
/// let up = Shift::up(0);
/// let problem = Problem::new(&model, &x, &y).with_goal(&up).with_criterion(Criterion::Moved(0.05));
/// let attacked = Dice(10).run(&problem, &ThreatModel::linf(0.1)?)?;
/// assert!(attacked.samples.iter().all(|sample| sample.after >= sample.before));
/// # Ok::<(), gramstep::Error>(())
/// ```
pub trait Attack<T: Scalar>: Sync {
    /// Its name, as a user writes it.
    fn name(&self) -> &'static str;

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if one is out of range.
    fn check(&self) -> Result<()>;

    /// Number of evaluations of each sample, about.
    fn evaluations(&self) -> usize;

    /// Whether the first gradient is wanted at the sample itself; then it is there when the search begins.
    fn starts_at_the_sample(&self) -> bool;

    /// Whether it makes a single step, along the gradient of the goal itself.
    fn makes_one_step(&self) -> bool {
        false
    }

    /// Looks for good points for a tile of samples. The samples themselves have been evaluated.
    ///
    /// # Errors
    /// Those of the model.
    fn search(&self, search: &mut Search<'_, T>) -> Result<()>;

    /// Attacks every sample.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape), [`Error::Target`](crate::Error::Target) or
    /// [`Error::OutsideBox`](crate::Error::OutsideBox) if samples, targets, goal and threat do not fit together,
    /// [`Error::Setting`](crate::Error::Setting) if a setting is out of range,
    /// [`Error::NonFinite`](crate::Error::NonFinite) if the model's outputs or gradients are not finite.
    fn run(&self, problem: &Problem<'_, T>, threat: &ThreatModel) -> Result<Attacked<T>> {
        run_with_radii(self, problem, threat, &vec![threat.radius(); problem.samples()])
    }
}

/// One tile of a batch.
struct Work<'b, T> {
    first: usize,
    points: &'b mut [T],
    outcome: Result<Vec<SampleOutcome>>,
}

/// Runs an attack on all samples, tile by tile, side by side, with a radius for each sample.
pub(super) fn run_with_radii<T: Scalar>(
    attack: &(impl Attack<T> + ?Sized),
    problem: &Problem<'_, T>,
    threat: &ThreatModel,
    radii: &[f64],
) -> Result<Attacked<T>> {
    attack.check()?;
    let targets = problem.check()?;
    let (n, d, k) = (problem.samples(), problem.model.inputs(), problem.model.outputs());
    let inputs = problem.inputs.to_vec();
    let mut points = inputs.clone();
    let rows = problem.model.tile_samples(n);
    let tiles = points.chunks_mut((rows * d).max(1)).enumerate();
    let mut works: Vec<_> =
        tiles.map(|(at, points)| Work { first: at * rows, points, outcome: Ok(Vec::new()) }).collect();
    let cost = problem.model.cost() * (n * attack.evaluations()) as f64;
    problem.model.device().for_each(cost, works.iter_mut().collect(), |operations, work: &mut Work<'_, T>| {
        let centre = &inputs[work.first * d..][..work.points.len()];
        let targets = &targets.as_slice()[work.first * k..][..work.points.len() / d.max(1) * k];
        work.outcome = Region::new(threat, radii, centre, d, work.first).and_then(|region| {
            let (fixed, ascent) = (region.is_fixed(), (attack.starts_at_the_sample(), attack.makes_one_step()));
            let of_tile = (work.first, targets);
            let mut search = Search::start(problem, operations, region, of_tile, &mut *work.points, ascent)?;
            if !fixed {
                plateau::leave(&mut search)?;
                attack.search(&mut search)?;
            }
            Ok(search.finish())
        });
    });
    let mut samples = Vec::with_capacity(n);
    for work in works {
        samples.extend(work.outcome?);
    }
    Ok(Attacked { inputs: Matrix::from_vec(n, d, points)?, samples, criterion: problem.criterion })
}
