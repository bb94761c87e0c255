//! Adversarial training: every step looks at the attacked batch.

use super::ball::{LayerDistance, ParameterBall};
use super::{Attack, Attacked, Criterion, LargestLoss, Problem, ThreatModel};
use crate::communicator::agree;
use crate::error::Result;
use crate::model::Model;
use crate::optim::{Batch, Optimizer, StepInfo};
use crate::scalar::Scalar;

/// Adversarial training (madry2018, gao2019), one step being
///
/// ```text
/// 1  x̃_i = A(θ, x_i)             the inner attack, for the largest loss
/// 2  θ ← step on (x̃, y)          any optimiser; x̃ is held constant in the gradient
/// 3  θ ← P_B(R)(θ)               radial projection, layer by layer, if there is a ball
/// ```
///
/// Gram-Gauss-Newton as the outer step needs a loss that leaves satisfied samples alone, such as
/// [`SquaredHingeLoss`](crate::loss::SquaredHingeLoss): with the plain squared loss and η = 1 it oscillates.
///
/// ```
/// use gramstep::attack::{AdversarialTraining, Pgd, ThreatModel};
/// use gramstep::loss::SquaredHingeLoss;
/// use gramstep::optim::{Batch, GramGaussNewton, GramGaussNewtonConfig};
/// use gramstep::{Activation, Matrix, Model};
/// let mut model = Model::<f64>::mlp(&[1, 64, 1], Activation::Relu).seed(1).build()?;
/// let x = Matrix::from_vec(4, 1, vec![-1.0, -0.4, 0.4, 1.0])?;
/// let y = Matrix::from_vec(4, 1, vec![1.0, -1.0, 1.0, -1.0])?;
/// let mut training = AdversarialTraining::new(Pgd::new(5), ThreatModel::linf(0.1)?);
/// let mut optimizer = GramGaussNewton::new(GramGaussNewtonConfig::default())?;
/// let batch = Batch::new(&x, &y).with_loss(&SquaredHingeLoss);
/// let first = training.step(&mut optimizer, &mut model, &batch)?;
/// for _ in 0..20 {
///     training.step(&mut optimizer, &mut model, &batch)?;
/// }
/// assert!(training.robust_loss(&model, &batch)? < 0.1 * first.robust_loss);
/// # Ok::<(), gramstep::Error>(())
/// ```
pub struct AdversarialTraining<T> {
    attack: Box<dyn Attack<T> + Send>,
    threat: ThreatModel,
    ball: Option<ParameterBall<T>>,
    step: u64,
    warm_up: u64,
}

/// What a step of adversarial training did.
///
/// ```
/// use gramstep::attack::{AdversarialTraining, Fgsm, ThreatModel};
/// use gramstep::optim::{Batch, Sgd, SgdConfig};
/// use gramstep::{Activation, Matrix, Model};
/// let mut model = Model::<f64>::mlp(&[1, 8, 1], Activation::Tanh).build()?;
/// let x = Matrix::from_vec(2, 1, vec![-1.0, 1.0])?;
/// let mut training = AdversarialTraining::new(Fgsm, ThreatModel::linf(0.1)?);
/// let step = training.step(&mut Sgd::new(SgdConfig::default())?, &mut model, &Batch::new(&x, &x))?;
/// assert!(step.robust_loss >= step.clean_loss && step.distances.is_empty());
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AdversarialStep {
    /// Loss of the batch itself before the step.
    pub clean_loss: f64,
    /// Loss of the attacked batch before the step: L_A(θ).
    pub robust_loss: f64,
    /// What the optimiser did.
    pub step: StepInfo,
    /// Distance of each layer from its initial value after the step, if there is a ball (of any radius).
    pub distances: Vec<LayerDistance>,
}

impl<T: Scalar> AdversarialTraining<T> {
    /// Training against an attack within a threat model.
    #[must_use]
    pub fn new(attack: impl Attack<T> + Send + 'static, threat: ThreatModel) -> Self {
        Self { attack: Box::new(attack), threat, ball: None, step: 0, warm_up: 0 }
    }

    /// The same training with every step projected on a ball.
    #[must_use]
    pub fn within(mut self, ball: ParameterBall<T>) -> Self {
        self.ball = Some(ball);
        self
    }

    /// The same training with a radius that rises in proportion over the first steps: networks that cannot yet tell
    /// samples apart learn nothing against a large one.
    #[must_use]
    pub fn with_warm_up(mut self, steps: u64) -> Self {
        self.warm_up = steps;
        self
    }

    /// The threat model of the next step.
    ///
    /// # Errors
    /// None: a share of a valid radius is valid.
    pub fn threat(&self) -> Result<ThreatModel> {
        let share = if self.step < self.warm_up { (self.step + 1) as f64 / self.warm_up as f64 } else { 1.0 };
        self.threat.clone().with_radius(share * self.threat.radius())
    }

    /// Continues after a number of steps: random starts depend on it.
    pub fn set_step(&mut self, step: u64) {
        self.step = step;
    }

    /// The inner attack on a batch: its inputs replaced by those of largest loss.
    ///
    /// The random start of a sample depends on (seed of the attack, row of the batch over all processes, step).
    ///
    /// # Errors
    /// Those of the attack.
    pub fn attack(&self, model: &Model<T>, batch: &Batch<'_, T>) -> Result<Attacked<T>> {
        let goal = LargestLoss(batch.loss_function());
        let first = batch.first_sample()?;
        let numbers: Vec<u64> = (first..first + batch.samples() as u64).map(|row| row ^ (self.step << 32)).collect();
        let problem = Problem::new(model, batch.inputs(), batch.targets()).with_goal(&goal);
        let problem = problem.with_criterion(Criterion::None).with_numbers(&numbers);
        agree(batch.communicator(), self.threat().and_then(|threat| self.attack.run(&problem, &threat)))
    }

    /// The loss of the attacked batch, in the units that people see.
    ///
    /// # Errors
    /// Those of the attack.
    pub fn robust_loss(&self, model: &Model<T>, batch: &Batch<'_, T>) -> Result<f64> {
        let attacked = self.attack(model, batch)?;
        batch.with_inputs(&attacked.inputs).loss(model)
    }

    /// One step of training.
    ///
    /// # Errors
    /// Those of the attack and of the optimiser; the model is left as it was.
    pub fn step(
        &mut self,
        optimizer: &mut dyn Optimizer<T>,
        model: &mut Model<T>,
        batch: &Batch<'_, T>,
    ) -> Result<AdversarialStep> {
        let attacked = self.attack(model, batch)?;
        let clean_loss = batch.loss(model)?;
        let step = optimizer.step(model, &batch.with_inputs(&attacked.inputs))?;
        let distances = match &self.ball {
            Some(ball) => ball.project(model)?,
            None => Vec::new(),
        };
        self.step += 1;
        Ok(AdversarialStep { clean_loss, robust_loss: step.loss, step, distances })
    }
}
