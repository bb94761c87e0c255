//! What is attacked: a model, samples, and what the attacker wants of them.

use std::sync::atomic::{AtomicBool, Ordering};

use super::classes::Margin;
use super::criterion::Criterion;
use super::goal::Goal;
use crate::device::{Operations, Tile};
use crate::error::{Error, Result, check_extent, check_positive};
use crate::model::{Cotangent, Differentiable, InputPass};
use crate::scalar::Scalar;
use crate::view::{Matrix, MatrixView};

/// A model and the samples to be attacked.
///
/// Random starts of a sample depend on (seed of the attack, *number of the sample*, restart). The number is the row
/// unless the caller says otherwise, so that a sample keeps its perturbation whatever batch it comes in.
///
/// ```
/// use gramstep::attack::{Attack, Criterion, Pgd, Problem, Shift, ThreatModel};
/// use gramstep::{Activation, Matrix, Model};
/// let model = Model::<f64>::mlp(&[2, 16, 1], Activation::Tanh).seed(7).build()?;
/// let x = Matrix::from_vec(2, 2, vec![0.1, -0.4, 0.8, 0.3])?;
/// let y = Matrix::zeros(2, 1);
/// let up = Shift::up(0);
/// let problem = Problem::new(&model, &x, &y).with_goal(&up).with_criterion(Criterion::Moved(0.05));
/// let attacked = Pgd::default().run(&problem, &ThreatModel::linf(0.1)?)?;
/// assert!(attacked.samples.iter().all(|sample| sample.after >= sample.before && sample.size <= 0.1 + 1e-12));
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Problem<'a, T> {
    pub(super) model: &'a dyn Differentiable<T>,
    pub(super) inputs: MatrixView<'a, T>,
    pub(super) targets: MatrixView<'a, T>,
    goal: &'a dyn Goal,
    /// A goal for each sample, in place of `goal`.
    goals: Option<&'a [&'a dyn Goal]>,
    pub(super) criterion: Criterion,
    numbers: Option<&'a [u64]>,
    stop: Option<&'a AtomicBool>,
}

impl<'a, T: Scalar> Problem<'a, T> {
    /// Inputs (n×d) and targets (n×k) with the margin as goal, found where the class changes: a classifier's attack.
    #[must_use]
    pub fn new(
        model: &'a dyn Differentiable<T>,
        inputs: impl Into<MatrixView<'a, T>>,
        targets: impl Into<MatrixView<'a, T>>,
    ) -> Self {
        let (inputs, targets) = (inputs.into(), targets.into());
        let criterion = Criterion::Misclassified;
        Self { model, inputs, targets, goal: &Margin, goals: None, criterion, numbers: None, stop: None }
    }

    /// The same samples with another goal.
    #[must_use]
    pub fn with_goal(mut self, goal: &'a dyn Goal) -> Self {
        (self.goal, self.goals) = (goal, None);
        self
    }

    /// The same samples, each with a goal of its own.
    #[must_use]
    pub fn with_goals(mut self, goals: &'a [&'a dyn Goal]) -> Self {
        self.goals = Some(goals);
        self
    }

    /// The same samples with another criterion of success.
    #[must_use]
    pub fn with_criterion(mut self, criterion: Criterion) -> Self {
        self.criterion = criterion;
        self
    }

    /// The same samples with numbers of their own for random starts, one each.
    #[must_use]
    pub fn with_numbers(mut self, numbers: &'a [u64]) -> Self {
        self.numbers = Some(numbers);
        self
    }

    /// The same samples with a flag that ends an attack on them before its next evaluation, with
    /// [`Error::Interrupted`].
    #[must_use]
    pub fn with_stop(mut self, stop: &'a AtomicBool) -> Self {
        self.stop = Some(stop);
        self
    }

    /// The same samples for another model.
    #[must_use]
    pub fn with_model(mut self, model: &'a dyn Differentiable<T>) -> Self {
        self.model = model;
        self
    }

    /// The same question about other samples.
    pub(super) fn about(mut self, inputs: &'a Matrix<T>, targets: &'a Matrix<T>) -> Self {
        (self.inputs, self.targets) = (inputs.into(), targets.into());
        self
    }

    /// n
    #[must_use]
    pub fn samples(&self) -> usize {
        self.inputs.rows()
    }

    pub(super) fn goal(&self, row: usize) -> &'a dyn Goal {
        self.goals.map_or(self.goal, |goals| goals[row])
    }

    pub(super) fn number(&self, row: usize) -> u64 {
        self.numbers.map_or(row as u64, |numbers| numbers[row])
    }

    /// f of a tile, unless the flag is set.
    pub(super) fn evaluate(
        &self,
        operations: &dyn Operations<T>,
        x: Tile<'_, T>,
        pass: &mut InputPass<T>,
    ) -> Result<()> {
        self.go_on()?;
        self.model.evaluate(operations, x, pass)
    }

    /// The same with gradients. One that is not finite is an error: no step follows from it, and the sample would seem to
    /// withstand the attack.
    pub(super) fn pull_back(
        &self,
        operations: &dyn Operations<T>,
        x: Tile<'_, T>,
        cotangent: &mut Cotangent<'_, T>,
        pass: &mut InputPass<T>,
    ) -> Result<()> {
        self.go_on()?;
        self.model.pull_back(operations, x, cotangent, pass)?;
        let finite = pass.gradient.iter().all(|value| value.is_finite());
        if finite { Ok(()) } else { Err(Error::NonFinite { what: "gradient of an attacked model", layer: None }) }
    }

    /// An error once the flag is set.
    fn go_on(&self) -> Result<()> {
        if self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Checks shapes and targets; returns the targets.
    pub(super) fn check(&self) -> Result<Matrix<f64>> {
        let (n, d, k) = (self.samples(), self.model.inputs(), self.model.outputs());
        check_extent("columns of the input", d, self.inputs.columns())?;
        check_extent("rows of the targets", n, self.targets.rows())?;
        check_extent("columns of the targets", k, self.targets.columns())?;
        check_extent("sample numbers", n, self.numbers.map_or(n, <[u64]>::len))?;
        check_extent("goals of samples", n, self.goals.map_or(n, <[&dyn Goal]>::len))?;
        let targets = Matrix::from_fn(n, k, |i, a| self.targets.get(i, a).to_f64());
        for i in 0..n {
            let y = targets.row(i);
            let not_finite = y.iter().find(|y| !y.is_finite()).map(|&y| (y, "is not finite"));
            let objection = not_finite.or_else(|| self.goal(i).objection(y)).or_else(|| self.criterion.objection(y));
            if let Some((value, reason)) = objection {
                return Err(Error::Target { loss: self.goal(i).name(), sample: i, value, reason });
            }
        }
        if let Criterion::Moved(by) | Criterion::Wrong(by) | Criterion::Reached(by) = self.criterion {
            check_positive("criterion of an attack", by)?;
        }
        Ok(targets)
    }
}
