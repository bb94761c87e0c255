//! Gram-Gauss-Newton: θ ← θ − η Jᵀ(G + λI)⁻¹r, full batch and mini-batch alike (cai2019).

mod config;
mod primal;
mod rows;
mod spread;
mod system;

pub use config::GramGaussNewtonConfig;
pub use rows::Rows;

use self::system::{Direction, System};
use super::batch::LossValue;
use super::state::{fits, widen};
use super::{AdaptiveDamping, Batch, Damping, Optimizer, OptimizerState, StepInfo};
use crate::communicator::agree;
use crate::device::{Buffer, Operations};
use crate::error::{Error, Result};
use crate::loss::Linearization;
use crate::model::Model;
use crate::scalar::Scalar;
use crate::solve::{SolveInfo, Solver, dot, norm};
use crate::tangent::JointFeatures;
use crate::view::Matrix;

/// The Gram-Gauss-Newton optimiser.
///
/// With r the residual (z of a general loss), J̃ = BᵀJ S^½, k = κ + λ, the anchor m = (λμφ + κθ)/k (μφ for κ = 0) and t
/// the number of updates of φ, this one included, a step solves
///
/// ```text
/// φ ← m + J̃ᵀ(J̃J̃ᵀ + kI)⁻¹(z − J̃m),    θ ← θ − η φ/√(1 − μ²ᵗ)
/// ```
///
/// which is θ − ηJᵀ(G + λI)⁻¹r for κ = μ = 0. Differs from the paper: damping is relative to the mean diagonal of G
/// by default, and the smaller of the nk×nk and the p×p system is solved.
///
/// ```
/// use gramstep::optim::{Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer};
/// use gramstep::{Activation, Matrix, Model};
/// let mut model = Model::<f64>::mlp(&[1, 64, 1], Activation::Softplus).seed(3).build()?;
/// let x = Matrix::from_vec(4, 1, vec![-1.0, -0.3, 0.4, 1.0])?;
/// let y = Matrix::from_vec(4, 1, vec![1.0, -1.0, 0.5, 2.0])?;
/// let config = GramGaussNewtonConfig::default().with_damping(Damping::Absolute(1e-9));
/// let mut optimizer = GramGaussNewton::new(config)?;
/// for _ in 0..20 {
///     optimizer.step(&mut model, &Batch::new(&x, &y))?;
/// }
/// assert!(Batch::new(&x, &y).loss(&model)? < 1e-8);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GramGaussNewton<T> {
    config: GramGaussNewtonConfig,
    step: u64,
    /// F of adaptive damping.
    adaptive: f64,
    /// φ of SPRING.
    momentum: Option<Buffer<T>>,
    /// How often φ was updated, rejected steps apart: a whole number.
    updates: f64,
}

/// How a batch will be solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// Method.
    pub solver: Solver,
    /// Equations of the system: one a residual (n·k, or n with one row a sample), or one a trainable parameter if they are fewer.
    pub size: usize,
    /// Bytes of the dense matrix and its factor; a step whose bytes exceed the memory budget is refused.
    pub bytes: usize,
}

/// A tried step: φ, and what led to it.
struct Proposal {
    direction: Direction,
    /// J̃φ, where the solve tells it without a product.
    image: Option<Vec<f64>>,
    /// λ, without κ.
    damping: f64,
    solve: SolveInfo,
}

/// What a step knows of its batch, over all processes.
struct Problem<'c, T> {
    tangent: JointFeatures<'c, T>,
    linear: Linearization,
    /// Σ w ℓ before the step.
    objective: f64,
    /// The loss before the step as people see it.
    reported: f64,
    /// The most that the step may change the outputs.
    reach: Option<f64>,
}

impl<T: Scalar> GramGaussNewton<T> {
    /// An optimiser at rest.
    ///
    /// # Errors
    /// [`Error::Setting`] if a setting is out of range.
    pub fn new(config: GramGaussNewtonConfig) -> Result<Self> {
        config.check()?;
        let adaptive = match config.damping {
            Damping::Adaptive(adaptive) => adaptive.initial,
            Damping::Relative(_) | Damping::Absolute(_) => 0.0,
        };
        Ok(Self { config, step: 0, adaptive, momentum: None, updates: 0.0 })
    }

    /// Changes κ from the next step on.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is not a number of at least 0.
    pub fn set_ridge(&mut self, ridge: f64) -> Result<()> {
        let config = self.config.with_ridge(ridge);
        config.check()?;
        self.config = config;
        Ok(())
    }

    /// The method by which a batch of `samples` samples will be solved, and the bytes of its dense matrix.
    ///
    /// ```
    /// use gramstep::optim::{GramGaussNewton, GramGaussNewtonConfig};
    /// use gramstep::{Activation, Model, solve::Solver};
    /// let model = Model::<f64>::mlp(&[3, 64, 2], Activation::Relu).build()?;
    /// let plan = GramGaussNewton::new(GramGaussNewtonConfig::default())?.plan(&model, 100);
    /// assert_eq!((plan.solver, plan.size, plan.bytes), (Solver::Dual, 200, 200 * 200 * 16));
    /// # Ok::<(), gramstep::Error>(())
    /// ```
    #[must_use]
    pub fn plan(&self, model: &Model<T>, samples: usize) -> Plan {
        let rows = samples * self.config.rows.per_sample(model.outputs());
        let trainable = model.trainable().iter().map(ExactSizeIterator::len).sum();
        let choose = || Solver::choose(rows, trainable, self.config.memory_budget);
        let solver = self.config.solver.unwrap_or_else(choose);
        let size = if solver == Solver::Primal { trainable } else { rows };
        Plan { solver, size, bytes: solver.bytes(rows, trainable) }
    }

    fn problem<'c>(&self, model: &Model<T>, batch: &Batch<'c, T>) -> Result<Problem<'c, T>> {
        let communicator = batch.communicator();
        let targets = agree(communicator, batch.check(model))?;
        let rows = self.config.rows;
        let tangent = rows.tangent(model, batch, &targets);
        let tangent = JointFeatures::new(communicator, tangent, self.config.memory_budget)?;
        let f: Matrix<f64> = tangent.own().predictions().cast();
        let loss = batch.evaluate(&f, &targets)?;
        let linear = agree(communicator, rows.linearize(batch, &f, &targets))?.gather(communicator)?;
        let fixed = matches!(self.config.damping, Damping::Relative(_) | Damping::Absolute(_));
        let of_loss = batch.loss_function().reach().filter(|_| fixed && rows == Rows::Exact);
        let reach = self.config.max_output_change.or(of_loss);
        Ok(Problem { tangent, linear, objective: loss.objective, reported: loss.reported, reach })
    }

    /// The batch's loss with the parameters as they are now, over all processes.
    fn evaluate(model: &Model<T>, batch: &Batch<'_, T>) -> Result<LossValue> {
        let outputs = match model.predict(batch.inputs()) {
            Err(Error::NonFinite { .. }) => Ok(None),
            outputs => outputs.map(Some),
        };
        let outputs = batch.check(model).and_then(|targets| Ok((outputs?, targets)));
        match agree(batch.communicator(), outputs)? {
            (Some(outputs), targets) => batch.evaluate(&outputs.cast(), &targets),
            (None, _) => batch.infinite(),
        }
    }

    /// The anchor m = (λμφ + κθ)/k of trainable spans, μφ for κ = 0 and any λ; `None` if it is 0.
    fn anchor(&self, model: &Model<T>, damping: f64) -> Option<Buffer<T>> {
        let (ridge, total) = (self.config.ridge, self.config.ridge + damping);
        if ridge == 0.0 && self.momentum.is_none() {
            return None;
        }
        let (of_theta, of_phi) = if ridge == 0.0 { (0.0, 1.0) } else { (ridge / total, damping / total) };
        let p = model.parameter_count();
        let operations = model.device().operations::<T>();
        let mut anchor = Buffer::zeros(p);
        for span in model.spans().iter().filter(|span| span.weight > 0.0) {
            let mut add = |factor: f64, from: &Buffer<T>| {
                let (out, from) = (anchor.tile_mut(span.offset, 1, span.len()), from.tile(span.offset, 1, span.len()));
                operations.axpby(out, T::ONE, T::from_f64(factor), from);
            };
            if ridge > 0.0 {
                add(of_theta, model.theta_buffer());
            }
            if let Some(momentum) = &self.momentum {
                add(of_phi * self.config.momentum, momentum);
            }
        }
        Some(anchor)
    }

    /// Solves for φ at damping λ.
    fn propose(
        &self,
        model: &Model<T>,
        problem: &Problem<'_, T>,
        system: &System<'_, '_, T>,
        damping: f64,
    ) -> Result<Proposal> {
        let anchor = self.anchor(model, damping);
        let mut rhs = problem.linear.z.clone();
        if let Some(anchor) = &anchor {
            let image = problem.linear.apply_transpose(widen(&problem.tangent.jvp_buffer(anchor)?));
            rhs.iter_mut().zip(image).for_each(|(r, image)| *r -= image);
        }
        let (direction, solve) = system.solve(&rhs, self.config.ridge + damping)?;
        // J̃φ = J̃m + J̃J̃ᵀc with J̃J̃ᵀc = z − J̃m − kc.
        let image = match &direction {
            Direction::Rows(c) if solve.solver == Solver::Dual && !solve.repaired => {
                Some(problem.linear.z.iter().zip(c).map(|(z, c)| z - solve.damping * c).collect())
            }
            _ => None,
        };
        let direction = match anchor {
            None => direction,
            Some(mut anchor) => {
                system.add_direction(&direction, T::ONE, &mut anchor)?;
                Direction::Parameters(widen(&anchor))
            }
        };
        Ok(Proposal { direction, image, damping, solve })
    }

    /// Whether the smallest damping of a step, ridge included, is below `limit` relative to G's mean diagonal.
    fn damps_less_than(&self, limit: f64, tangent: &JointFeatures<'_, T>) -> Result<bool> {
        let (relative, absolute) = match self.config.damping {
            Damping::Relative(relative) => (relative, 0.0),
            Damping::Absolute(absolute) => (0.0, absolute),
            Damping::Adaptive(_) => (self.adaptive, 0.0),
        };
        let absolute = absolute + self.config.ridge;
        if absolute == 0.0 || relative >= limit {
            return Ok(relative < limit);
        }
        Ok(relative + absolute / system::mean(&tangent.diagonal()?) < limit)
    }

    /// η of this step: the schedule's, corrected for the start of the momentum, cut to the largest step norm and
    /// the largest change of the outputs.
    fn length(&self, system: &System<'_, '_, T>, proposal: &Proposal, reach: Option<f64>) -> Result<f64> {
        let mut length = self.config.learning_rate * self.config.schedule.factor(self.step);
        if self.config.momentum > 0.0 {
            let power = self.config.momentum.powf(2.0 * (self.updates + 1.0));
            length /= (1.0 - power).sqrt();
        }
        if let Some(cap) = self.config.max_step_norm {
            let step = system.norm(&proposal.direction)?;
            if step * length > cap {
                length = cap / step;
            }
        }
        if let Some(cap) = reach {
            let change = norm(&system.output_change(&proposal.direction)?) / (system.samples() as f64).sqrt();
            if change * length > cap {
                length = cap / change;
            }
        }
        Ok(length)
    }

    fn fixed_step(
        &mut self,
        model: &mut Model<T>,
        problem: &Problem<'_, T>,
        system: &System<'_, '_, T>,
    ) -> Result<StepInfo> {
        let mean = system.mean_diagonal();
        let damping = match self.config.damping {
            Damping::Relative(relative) => relative * mean,
            Damping::Absolute(absolute) => absolute,
            Damping::Adaptive(_) => self.adaptive * mean,
        };
        let proposal = self.propose(model, problem, system, damping)?;
        let length = self.length(system, &proposal, problem.reach)?;
        let momentum = self.momentum_after(system, &proposal.direction)?;
        system.add_direction(&proposal.direction, T::from_f64(-length), model.theta_buffer_mut())?;
        self.remember(momentum);
        Ok(StepInfo {
            loss: problem.reported,
            loss_after: None,
            learning_rate: length,
            damping: relative(proposal.damping, mean),
            gain_ratio: None,
            accepted: true,
            solve: Some(proposal.solve),
        })
    }

    /// Tries steps at rising damping until the loss falls.
    fn adaptive_step(
        &mut self,
        model: &mut Model<T>,
        batch: &Batch<'_, T>,
        problem: &Problem<'_, T>,
        system: &System<'_, '_, T>,
        settings: AdaptiveDamping,
    ) -> Result<StepInfo> {
        let mean = system.mean_diagonal();
        let before = problem.objective + self.penalty(model);
        let start = model.theta_buffer().clone();
        loop {
            let used = self.adaptive;
            let proposal = match self.propose(model, problem, system, used * mean) {
                Err(Error::Solve { .. }) if used < settings.ceiling => {
                    self.adaptive = (used * settings.raise).clamp(settings.floor, settings.ceiling);
                    continue;
                }
                proposal => proposal?,
            };
            let length = self.length(system, &proposal, problem.reach)?;
            let mut theta = start.clone();
            system.add_direction(&proposal.direction, T::from_f64(-length), &mut theta)?;
            let moved = match &proposal.image {
                Some(image) => image.clone(),
                None => system.image(&proposal.direction)?,
            };
            let momentum = self.momentum_after(system, &proposal.direction)?;
            *model.theta_buffer_mut() = theta;
            let LossValue { objective, reported } = match Self::evaluate(model, batch) {
                Ok(loss) => loss,
                Err(error) => {
                    *model.theta_buffer_mut() = start;
                    return Err(error);
                }
            };
            let penalty = self.penalty(model);
            let (z, actual) = (&problem.linear.z, before - objective - penalty);
            // The model of the loss: ½‖z − ηJ̃φ‖² in place of ½‖z‖².
            let predicted = length * dot(z, &moved) - 0.5 * length * length * dot(&moved, &moved)
                + (before - problem.objective - penalty);
            let noise = 8.0 * T::EPSILON.to_f64() * before.abs();
            let gain = actual / predicted;
            let converged = predicted.abs() <= noise && actual >= -noise;
            let accepted = objective.is_finite() && (converged || (actual > 0.0 && predicted > 0.0));
            if !converged {
                let factor = match (accepted, gain) {
                    (false, _) => settings.raise,
                    (true, gain) if gain < 0.25 => settings.raise,
                    (true, gain) if gain > 0.75 => settings.lower,
                    (true, _) => 1.0,
                };
                self.adaptive = (self.adaptive * factor).clamp(settings.floor, settings.ceiling);
            }
            let given_up = !accepted && used >= settings.ceiling;
            if !accepted {
                *model.theta_buffer_mut() = start.clone();
            }
            if accepted || given_up {
                if accepted {
                    self.remember(momentum);
                }
                return Ok(StepInfo {
                    loss: problem.reported,
                    loss_after: Some(if accepted { reported } else { problem.reported }),
                    learning_rate: length,
                    damping: relative(proposal.damping, mean),
                    gain_ratio: (!converged).then_some(gain).filter(|gain| gain.is_finite()),
                    accepted,
                    solve: Some(proposal.solve),
                });
            }
        }
    }

    /// ½κ·θᵀS⁻¹θ of trainable spans.
    fn penalty(&self, model: &Model<T>) -> f64 {
        if self.config.ridge == 0.0 {
            return 0.0;
        }
        let squares = model.spans().iter().filter(|span| span.weight > 0.0).map(|span| {
            let values = model.theta_buffer().tile(span.offset, 1, span.len());
            let squares: f64 = values.host().iter().map(|v| v.to_f64() * v.to_f64()).sum();
            squares / span.weight
        });
        0.5 * self.config.ridge * squares.sum::<f64>()
    }

    /// φ, where there is momentum.
    fn momentum_after(&self, system: &System<'_, '_, T>, direction: &Direction) -> Result<Option<Buffer<T>>> {
        (self.config.momentum > 0.0).then(|| system.in_parameters(direction)).transpose()
    }

    /// Keeps φ of a step that was taken.
    fn remember(&mut self, momentum: Option<Buffer<T>>) {
        if momentum.is_some() {
            self.momentum = momentum;
            self.updates += 1.0;
        }
    }
}

fn relative(damping: f64, mean_diagonal: f64) -> Option<f64> {
    (mean_diagonal > 0.0).then(|| damping / mean_diagonal)
}

impl<T: Scalar> Optimizer<T> for GramGaussNewton<T> {
    fn name(&self) -> &'static str {
        "gram-gauss-newton"
    }

    fn step(&mut self, model: &mut Model<T>, batch: &Batch<'_, T>) -> Result<StepInfo> {
        fits(self.momentum.as_ref(), "momentum", model)?;
        let problem = self.problem(model, batch)?;
        let solver = self.plan(model, problem.tangent.samples()).solver;
        let damps_less = |limit| self.damps_less_than(limit, &problem.tangent);
        let budget = self.config.memory_budget;
        let system = System::new(&problem.tangent, &problem.linear, solver, &model.trainable(), damps_less, budget)?
            .with_iterative(self.config.conjugate_gradient);
        let info = match self.config.damping {
            Damping::Adaptive(settings) => self.adaptive_step(model, batch, &problem, &system, settings)?,
            Damping::Relative(_) | Damping::Absolute(_) => self.fixed_step(model, &problem, &system)?,
        };
        self.step += 1;
        Ok(info)
    }

    fn state(&self) -> OptimizerState {
        OptimizerState {
            optimizer: Optimizer::<T>::name(self).to_owned(),
            step: self.step,
            numbers: vec![("adaptive".to_owned(), self.adaptive), ("updates".to_owned(), self.updates)],
            vectors: self.momentum.iter().map(|phi| ("momentum".to_owned(), widen(phi))).collect(),
        }
    }

    fn restore(&mut self, state: OptimizerState) -> Result<()> {
        state.expect(Optimizer::<T>::name(self))?;
        self.step = state.step;
        self.adaptive = state.number("adaptive").unwrap_or(self.adaptive);
        self.momentum = state.vector("momentum");
        // States of before updates were counted took every step for one.
        let updates = || state.number("updates").unwrap_or(state.step as f64);
        self.updates = if self.momentum.is_some() { updates() } else { 0.0 };
        Ok(())
    }
}
