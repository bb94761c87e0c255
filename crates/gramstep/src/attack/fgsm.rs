//! The fast gradient (sign) method: one full step.

use super::{Attack, Pgd, Search};
use crate::error::Result;
use crate::scalar::Scalar;

/// One steepest step of the length of the radius, from the sample itself (goodfellow2015): x₀ + ε·sign(∇) for ℓ∞,
/// x₀ + ε·∇/‖∇‖ for ℓ2, then the box.
///
/// ```
/// use gramstep::attack::{Attack, Fgsm, Problem, Shift, ThreatModel};
/// use gramstep::{Activation, Matrix, Model};
/// let line = Model::<f64>::mlp(&[1, 1], Activation::Identity).build()?;
/// let (x, y) = (Matrix::zeros(1, 1), Matrix::zeros(1, 1));
/// let up = Shift::up(0);
/// let problem = Problem::new(&line, &x, &y).with_goal(&up).with_criterion(Default::default());
/// let attacked = Fgsm.run(&problem, &ThreatModel::linf(0.5)?)?;
/// assert!((attacked.after() - attacked.before() - 0.5 * line.theta()[0].abs()).abs() < 1e-15);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Fgsm;

impl Fgsm {
    /// The same attack as a special case of projected gradient ascent.
    const AS_PGD: Pgd = Pgd { steps: 1, step_size: 1.0, restarts: 1, random_start: false, momentum: 0.0, seed: 0 };
}

impl<T: Scalar> Attack<T> for Fgsm {
    fn name(&self) -> &'static str {
        "fgsm"
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn evaluations(&self) -> usize {
        Attack::<T>::evaluations(&Self::AS_PGD)
    }

    fn starts_at_the_sample(&self) -> bool {
        true
    }

    fn makes_one_step(&self) -> bool {
        true
    }

    fn search(&self, search: &mut Search<'_, T>) -> Result<()> {
        Self::AS_PGD.search(search)
    }
}
