//! What an attack did to a batch.

use super::criterion::Criterion;
use crate::view::Matrix;

/// What an attack did to one sample.
///
/// ```
/// use gramstep::attack::{Attack, Criterion, Fgsm, Problem, Shift, ThreatModel};
/// use gramstep::{Activation, Matrix, Model};
/// let model = Model::<f64>::mlp(&[2, 16, 1], Activation::Tanh).seed(7).build()?;
/// let (x, y) = (Matrix::from_vec(2, 2, vec![0.1, -0.4, 0.8, 0.3])?, Matrix::zeros(2, 1));
/// let up = Shift::up(0);
/// let problem = Problem::new(&model, &x, &y).with_goal(&up).with_criterion(Criterion::Moved(0.05));
/// let attacked = Fgsm.run(&problem, &ThreatModel::l2(0.1)?)?;
/// let first = attacked.samples[0];
/// assert!(first.size <= 0.1 + 1e-12 && first.after >= first.before);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SampleOutcome {
    /// Whether its best point meets the criterion.
    pub found: bool,
    /// ‖(x − x₀) ⊘ s‖ of that point, in the norm of the threat model.
    pub size: f64,
    /// The goal's value at the sample itself.
    pub before: f64,
    /// The goal's value at the best point.
    pub after: f64,
    /// Evaluations of the model, after that of the sample itself, up to the best point.
    pub steps: usize,
}

impl SampleOutcome {
    /// What the best point is chosen by: meeting the criterion first, then the goal's value.
    pub(super) fn rank(&self) -> (bool, f64) {
        (self.found, self.after)
    }
}

/// What an attack did to a batch.
///
/// ```
/// use gramstep::attack::{Attack, Criterion, Fgsm, Problem, Shift, ThreatModel};
/// use gramstep::{Activation, Matrix, Model};
/// let model = Model::<f64>::mlp(&[2, 16, 1], Activation::Tanh).seed(7).build()?;
/// let (x, y) = (Matrix::from_vec(2, 2, vec![0.1, -0.4, 0.8, 0.3])?, Matrix::zeros(2, 1));
/// let up = Shift::up(0);
/// let problem = Problem::new(&model, &x, &y).with_goal(&up).with_criterion(Criterion::Moved(0.05));
/// let attacked = Fgsm.run(&problem, &ThreatModel::l2(0.1)?)?;
/// assert_eq!((attacked.inputs.rows(), attacked.samples.len()), (2, 2));
/// assert!(attacked.after() >= attacked.before() && (0.0..=1.0).contains(&attacked.error()));
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Attacked<T> {
    /// The best points, n×d; the sample itself where nothing better was found.
    pub inputs: Matrix<T>,
    /// One outcome for each sample.
    pub samples: Vec<SampleOutcome>,
    /// When a perturbation counted as found.
    pub criterion: Criterion,
}

impl<T> Attacked<T> {
    /// Share of the samples for which the criterion was met: the robust error. Not a number without a criterion
    /// ([`Criterion::None`]) or samples: nothing was counted then.
    #[must_use]
    pub fn error(&self) -> f64 {
        if self.criterion == Criterion::None || self.samples.is_empty() {
            return f64::NAN;
        }
        self.mean(|sample| f64::from(u8::from(sample.found)))
    }

    /// Mean of the goal's value before the attack.
    #[must_use]
    pub fn before(&self) -> f64 {
        self.mean(|sample| sample.before)
    }

    /// Mean of the goal's value after the attack.
    #[must_use]
    pub fn after(&self) -> f64 {
        self.mean(|sample| sample.after)
    }

    fn mean(&self, value: impl Fn(&SampleOutcome) -> f64) -> f64 {
        self.samples.iter().map(value).sum::<f64>() / self.samples.len().max(1) as f64
    }
}
