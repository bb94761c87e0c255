//! Gram-Gauss-Newton: θ ← θ − η Jᵀ(G + λI)⁻¹r, full batch and mini-batch alike (cai2019).
//!
//! A step is a direction (`direction.rs`, of the system in `system.rs`), at a damping (`damping.rs`), of a length and
//! taken or tried (`search.rs` here).

pub(super) mod config;
mod rows;
mod search;
mod spread;

pub use config::GramGaussNewtonConfig;
pub use rows::Rows;

use super::direction::Direction;
use super::state::{START, fits, widen};
use super::system::System;
use super::{Batch, Damping, Factors, Optimizer, OptimizerState, StepInfo};
use crate::communicator::agree;
use crate::device::{Buffer, Operations};
use crate::error::Result;
use crate::loss::LinearisedLoss;
use crate::model::Model;
use crate::scalar::Scalar;
use crate::solve::{Solver, norm};
use crate::tangent::JointFeatures;
use crate::view::Matrix;

/// The Gram-Gauss-Newton optimiser.
///
/// With r the residual (z of a general loss), J̃ = BᵀJ S^½, k = κ + λ, the anchor m = (λμφ + κθ)/k (μφ for κ = 0) and π
/// the product of the μ of all updates of φ, this one included (μᵗ where it stays), a step solves
///
/// ```text
/// φ ← m + J̃ᵀ(J̃J̃ᵀ + kI)⁻¹(z − J̃m),    θ ← θ − η φ/√(1 − π²)
/// ```
///
/// which is θ − ηJᵀ(G + λI)⁻¹r for κ = μ = 0. With one row a sample the last factor is 1 − π in place of 1/√(1 − π²): first
/// steps of full length had left networks of ten classes at the loss of chance. Where damping adapts it is 1, and a try that
/// fails forgets φ: only without it does a step become a descent, and short, as λ grows. Differs from the paper: damping is relative to the mean diagonal of G
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
    /// From outside.
    factors: Factors,
    step: u64,
    /// F of adaptive damping.
    level: f64,
    momentum: Option<Momentum<T>>,
}

/// How a batch will be solved.
///
/// ```
/// use gramstep::optim::{GramGaussNewton, GramGaussNewtonConfig};
/// use gramstep::{Activation, Model, solve::Solver};
/// let small = Model::<f64>::mlp(&[3, 1], Activation::Relu).build()?;
/// let plan = GramGaussNewton::new(GramGaussNewtonConfig::default())?.plan(&small, 100);
/// assert_eq!((plan.solver, plan.size), (Solver::Primal, 4));
/// # Ok::<(), gramstep::Error>(())
/// ```
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

/// What a step knows of its batch beside the system, over all processes.
pub(super) struct Before {
    /// Σ w ℓ.
    pub(super) objective: f64,
    /// The loss as people see it.
    pub(super) reported: f64,
    /// The most that the step may change the outputs.
    reach: Option<f64>,
}

/// φ of SPRING.
#[derive(Clone, Debug)]
pub(super) struct Momentum<T> {
    phi: Buffer<T>,
    /// π, the product of the μ of all updates of φ: the weight that its start at 0 still has.
    start: f64,
}

impl<T: Scalar> GramGaussNewton<T> {
    /// An optimiser at rest.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if a setting is out of range.
    pub fn new(config: GramGaussNewtonConfig) -> Result<Self> {
        config.check()?;
        Ok(Self { config, factors: Factors::default(), step: 0, level: config.damping.first_level(), momentum: None })
    }

    /// μ of the next step.
    fn momentum(&self) -> f64 {
        self.factors.momentum(self.config.momentum)
    }

    /// The damping of the next step.
    fn damping(&self) -> Damping {
        match self.config.damping {
            Damping::Relative(damping) => Damping::Relative(damping * self.factors.damping),
            Damping::Absolute(damping) => Damping::Absolute(damping * self.factors.damping),
            adaptive @ Damping::Adaptive(_) => adaptive,
        }
    }

    /// Changes κ from the next step on.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if it is not a number of at least 0.
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
        let trainable = model.trainable();
        let solver = self.config.solver(rows, &trainable);
        let trainable = trainable.iter().map(ExactSizeIterator::len).sum();
        let size = if solver == Solver::Primal { trainable } else { rows };
        Plan { solver, size, bytes: solver.bytes(rows, trainable) }
    }

    /// The features of a batch, its loss to second order, and that loss.
    fn linearise<'c>(
        &self,
        model: &Model<T>,
        batch: &Batch<'c, T>,
    ) -> Result<(JointFeatures<'c, T>, LinearisedLoss, Before)> {
        let communicator = batch.communicator();
        let targets = agree(communicator, batch.check(model))?;
        let rows = self.config.rows;
        let tangent = rows.tangent(model, batch, &targets, self.config.memory_budget);
        let tangent = JointFeatures::new(communicator, tangent, self.config.memory_budget)?;
        let f: Matrix<f64> = tangent.own().predictions().cast();
        let loss = batch.evaluate(&f, &targets)?;
        let linear = agree(communicator, rows.linearise(batch, &f, &targets))?.gather(communicator)?;
        let fixed = matches!(self.config.damping, Damping::Relative(_) | Damping::Absolute(_));
        let of_loss = batch.loss_function().reach().filter(|_| fixed && rows == Rows::Exact);
        let reach = self.config.max_output_change.or(of_loss);
        Ok((tangent, linear, Before { objective: loss.objective, reported: loss.reported, reach }))
    }

    /// The system of a batch, and what is known of it beside.
    fn system<'c>(&self, model: &Model<T>, batch: &Batch<'c, T>) -> Result<(System<'c, T>, Before)> {
        let (tangent, linear, before) = self.linearise(model, batch)?;
        let GramGaussNewtonConfig { ridge, memory_budget, conjugate_gradient, .. } = self.config;
        let least = self.damping().least(self.level, ridge);
        let solver = self.plan(model, tangent.samples()).solver;
        let system = System::new(tangent, linear, solver, &model.trainable(), least, memory_budget)?;
        Ok((system.with_iterative(conjugate_gradient), before))
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
        // In memory of the steps before: every span is written, the frozen ones with 0.
        let mut anchor = Buffer::lent(&model.network().memory, p);
        for span in model.spans() {
            let (at, length) = (span.offset, span.len());
            let of_theta = (ridge > 0.0).then(|| (of_theta, model.theta_buffer()));
            let of_phi = self.momentum.as_ref().map(|momentum| (of_phi * self.momentum(), &momentum.phi));
            let mut beta = T::ZERO;
            for (factor, from) in of_theta.into_iter().chain(of_phi).filter(|_| span.weight > 0.0) {
                operations.axpby(anchor.tile_mut(at, 1, length), beta, T::from_f64(factor), from.tile(at, 1, length));
                beta = T::ONE;
            }
            if beta == T::ZERO {
                anchor.tile_mut(at, 1, length).fill(T::ZERO);
            }
        }
        Some(anchor)
    }

    /// φ at damping λ.
    fn direction(&self, model: &Model<T>, system: &System<'_, T>, damping: f64) -> Result<Direction<T>> {
        Direction::solve(system, self.anchor(model, damping), self.config.ridge + damping)
    }

    /// η of this step: the schedule's, corrected for the start of the momentum, cut to the largest step norm and
    /// the largest change of the outputs.
    fn length(&self, system: &System<'_, T>, direction: &mut Direction<T>, reach: Option<f64>) -> Result<f64> {
        let mut length =
            self.config.learning_rate * self.config.schedule.factor(self.step) * self.factors.learning_rate;
        if self.config.momentum > 0.0 && !matches!(self.config.damping, Damping::Adaptive(_)) {
            length *= self.begun();
        }
        if let Some(cap) = self.config.max_step_norm {
            let step = direction.norm(system)?;
            if step * length > cap {
                length = cap / step;
            }
        }
        if let Some(cap) = reach {
            let change = norm(&direction.output_change(system)?) / (system.samples() as f64).sqrt();
            if change * length > cap {
                length = cap / change;
            }
        }
        Ok(length)
    }

    /// The factor on η while the momentum begins: the length of φ grows by 1/√(1 − μ²) until then.
    fn begun(&self) -> f64 {
        let start = self.start();
        match self.config.rows {
            Rows::Exact => 1.0 / (1.0 - start * start).sqrt(),
            // Outputs turn beside the one row too, most of all at the start, and the system knows nothing of that.
            Rows::One | Rows::OneByCurvature => 1.0 - start,
        }
    }

    /// π after this step.
    fn start(&self) -> f64 {
        self.momentum() * self.momentum.as_ref().map_or(1.0, |momentum| momentum.start)
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

    /// Keeps φ of a step that was taken, where there is momentum.
    fn remember(&mut self, system: &System<'_, T>, direction: Direction<T>) -> Result<()> {
        if self.config.momentum > 0.0 {
            let start = self.start();
            self.momentum = Some(Momentum { phi: direction.into_vector(system)?, start });
        }
        Ok(())
    }
}

impl<T: Scalar> Optimizer<T> for GramGaussNewton<T> {
    fn name(&self) -> &'static str {
        "gram-gauss-newton"
    }

    fn set_factors(&mut self, factors: Factors) {
        self.factors = factors;
    }

    fn step(&mut self, model: &mut Model<T>, batch: &Batch<'_, T>) -> Result<StepInfo> {
        fits(self.momentum.as_ref().map(|momentum| &momentum.phi), "momentum", model)?;
        let (system, before) = self.system(model, batch)?;
        let info = match self.config.damping {
            Damping::Adaptive(rule) => self.searched_step(model, batch, &system, &before, rule)?,
            Damping::Relative(_) | Damping::Absolute(_) => self.fixed_step(model, &system, &before)?,
        };
        self.step += 1;
        Ok(info)
    }

    fn state(&self) -> OptimizerState {
        let start = self.momentum.iter().map(|momentum| (START.to_owned(), momentum.start));
        OptimizerState {
            optimizer: Optimizer::<T>::name(self).to_owned(),
            step: self.step,
            counts: Vec::new(),
            numbers: std::iter::once(("adaptive".to_owned(), self.level)).chain(start).collect(),
            vectors: self.momentum.iter().map(|momentum| ("momentum".to_owned(), widen(&momentum.phi))).collect(),
        }
    }

    fn restore(&mut self, state: OptimizerState) -> Result<()> {
        state.expect(Optimizer::<T>::name(self))?;
        self.step = state.step;
        self.level = state.number("adaptive").unwrap_or(self.level);
        let start = state.start(self.config.momentum);
        self.momentum = state.vector("momentum").map(|phi| Momentum { phi, start });
        Ok(())
    }
}
