//! Adversarial training near initialisation converges (gao2019): gradient descent on attacked samples, in a ball.
//!
//! ```text
//! θ ← Π_B(R)(θ − η g_t),  g_t the gradient of L at the attacked inputs A_t
//! L_A(θ_t) − L(θ*; A_t) ≤ ⟨g_t, θ_t − θ*⟩                                         almost convex
//! mean_t L_A(θ_t) ≤ mean_t L(θ*; A_t) + ‖θ₀ − θ*‖²/(2ηT) + ½η mean_t ‖g_t‖²        so it converges
//! ```
//!
//! With the step length R/(G√T) for T steps in the ball of radius R, G = √(λ_max(G₀)/n) the largest gradient, that is
//! RG/√T beyond what θ* itself loses: the rate of the paper. Where balls of opposite labels overlap nothing converges
//! below 2k/n ([`twins`](super::twins)).
//!
//! θ* is the robust fit of the linearised network. The loss is the hinge: convex, and 0 is within reach at a fixed
//! radius, which it is not for the squared loss.

use super::certificate::{Assumption, Certificate, Check, Relation};
use super::ground::{Ground, Progress};
use super::network::{Trial, descent};
use super::picture::{Mark, Picture, Role, by_x, numbered};
use super::robust::{ROUNDS, RobustSetting, inner, network};
use super::statistics::{exponent, largest, mean, smallest};
use super::twins::{self, with_twins};
use super::{Claim, Effort};
use crate::attack::{AdversarialTraining, ParameterBall};
use crate::error::Result;
use crate::loss::HingeLoss;
use crate::optim::{Batch, Optimizer};
use crate::solve::dot;

/// ε of the theorem: what the robust loss may miss of 0.
const EPSILON: f64 = 0.01;
/// The same under a stronger attack than the one of training.
const STRONG_EPSILON: f64 = 0.02;
/// What the exponent of T may miss of −½: few steps are not yet in the limit.
const EXPONENT_TOLERANCE: f64 = 0.1;
/// Rounding of an inner product of gradients and ways.
const ROUNDING: f64 = 1e-9;
/// The ball and θ*, in units of R*.
const BALL: f64 = 1.5;
const REFERENCE: f64 = 1.05;

/// The claim `gao2019-convergence`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RobustConvergence {
    /// Points and attacker.
    pub setting: RobustSetting,
    /// m
    pub width: usize,
    /// Steps of gradient descent.
    pub steps: usize,
    /// η in units of n/λ_max(G₀).
    pub relative_rate: f64,
    /// The share of R/(G√T) that the steps of the rate have: 1 in the theorem.
    pub step_share: f64,
    /// Distance of the opposite twins of the control over 2ε: below 1 no network can be right around both.
    pub twins_apart: f64,
    /// T, numbers of steps whose mean losses show the rate, ascending.
    pub horizons: Vec<usize>,
}

impl RobustConvergence {
    /// The setting of an effort.
    #[must_use]
    pub fn new(effort: Effort) -> Self {
        let (width, horizons) = match effort {
            Effort::Quick => (512, vec![30, 100, 300]),
            Effort::Full => (2048, vec![30, 100, 300, 1000]),
        };
        Self {
            setting: RobustSetting::default(),
            width,
            steps: 150,
            relative_rate: 0.5,
            step_share: 1.0,
            twins_apart: 0.5,
            horizons,
        }
    }
}

#[derive(Default)]
struct Run {
    /// Means up to T of L_A, and their bounds.
    means: Vec<f64>,
    bounds: Vec<f64>,
    /// L_A(θ_t)
    losses: Vec<f64>,
    /// max L_A(θ_t) − L(θ*; A_t) − ⟨g_t, θ_t − θ*⟩
    gap: f64,
    /// max ‖W − W₀‖/R before a step is projected on the ball
    distance: f64,
    /// L_* at the end.
    strong: f64,
    /// R*
    norm: f64,
    /// Whether the cutting planes found a robust fit: 1 or 0.
    exists: f64,
    /// Mean L_A over T steps beyond that of θ*, with the step length of T, and RG/√T.
    rate: Vec<(usize, f64, f64)>,
    /// L_* after training on overlapping twins over the least possible.
    overlapping: f64,
}

impl Run {
    /// A run that left the finite numbers: nothing of it was measured.
    fn lost() -> Self {
        let no = f64::NAN;
        Self {
            means: vec![no],
            bounds: vec![no],
            losses: vec![no],
            gap: no,
            distance: no,
            strong: no,
            norm: no,
            exists: no,
            rate: vec![(1, no, no)],
            overlapping: no,
        }
    }
}

impl Claim for RobustConvergence {
    fn name(&self) -> &'static str {
        "gao2019-convergence"
    }

    fn source(&self) -> &'static str {
        "gao2019"
    }

    fn statement(&self) -> &'static str {
        "Adversarial training of a wide network drives the loss under attack to 0 without leaving a small ball around \
         its start."
    }

    fn certify(&self, ground: &Ground, tell: &mut dyn FnMut(f64)) -> Result<Certificate> {
        ground.check()?;
        let width = ground.widths.as_deref().and_then(|widths| widths.last().copied()).unwrap_or(self.width);
        let mut progress = Progress::new(tell, ground.seeds.len() as f64);
        let (mut runs, mut off_sphere, mut separation) = (Vec::new(), 0.0, f64::INFINITY);
        for &seed in &ground.seeds {
            let points = self.setting.points(ground, seed)?;
            off_sphere = largest([off_sphere, points.off_sphere()]);
            separation = smallest([separation, self.setting.separation(&points)]);
            let twins =
                network(with_twins(&self.setting, &points, self.twins_apart), width, true, seed, &ground.device)?;
            let trial = network(points, width, true, seed, &ground.device)?;
            runs.push(super::network::lost(self.run(trial, twins))?.unwrap_or_else(Run::lost));
            progress.advance(1.0);
        }
        Ok(self.judge(ground, width, (off_sphere, separation), &runs))
    }
}

impl RobustConvergence {
    fn run(&self, mut trial: Trial, twins: Trial) -> Result<Run> {
        let fit = self.setting.fit(&trial, ROUNDS)?;
        let reference = trial.moved(&fit.direction, REFERENCE)?;
        let target = reference.model.theta();
        let radius = BALL * fit.norm;
        let ball = ParameterBall::around(&trial.model, radius)?;
        let most = trial.spectrum()?.values.last().copied().unwrap_or(1.0);
        let mut optimizer = descent(self.relative_rate / most, trial.points.samples())?;
        let mut training = AdversarialTraining::new(inner(), self.setting.threat()?);
        let (mut there, mut squares) = (0.0, 0.0);
        let exists = f64::from(u8::from(fit.converged));
        let mut run = Run { gap: f64::NEG_INFINITY, norm: fit.norm, exists, ..Run::default() };
        let steepest = (most / trial.points.samples() as f64).sqrt();
        for &horizon in &self.horizons {
            run.rate.push(self.averaged(&trial, &reference, (REFERENCE * fit.norm, steepest), horizon)?);
        }
        run.overlapping = self.overlapping(twins)?;
        for step in 0..self.steps {
            training.set_step(step as u64);
            let points = trial.points.clone();
            let batch = Batch::new(&points.inputs, &points.targets).with_loss(&HingeLoss);
            let attacked = training.attack(&trial.model, &batch)?;
            let batch = batch.with_inputs(&attacked.inputs);
            let before = trial.model.theta();
            let at_reference = batch.loss(&reference.model)?;
            let info = optimizer.step(&mut trial.model, &batch)?;
            let eta = info.learning_rate;
            let after = trial.model.theta();
            let gradient: Vec<f64> = before.iter().zip(&after).map(|(a, b)| (a - b) / eta).collect();
            let way: Vec<f64> = before.iter().zip(&target).map(|(a, b)| a - b).collect();
            run.gap = largest([run.gap, info.loss - at_reference - dot(&gradient, &way)]);
            run.distance = largest([run.distance, trial.distance() / radius]);
            ball.project(&mut trial.model)?;
            run.losses.push(info.loss);
            there += at_reference;
            squares += dot(&gradient, &gradient);
            let count = (step + 1) as f64;
            run.means.push(mean(run.losses.iter().copied()));
            let way = (REFERENCE * fit.norm).powi(2) / (2.0 * eta * count);
            run.bounds.push(there / count + way + 0.5 * eta * squares / count);
        }
        run.strong = self.setting.worst_loss(&trial)?;
        Ok(run)
    }

    /// T, the mean of L_A(θ_t) − L(θ*; A_t) over T steps of length R/(G√T) in the ball of radius R, and RG/√T.
    fn averaged(
        &self,
        start: &Trial,
        reference: &Trial,
        (radius, steepest): (f64, f64),
        horizon: usize,
    ) -> Result<(usize, f64, f64)> {
        let mut trial = start.clone();
        let (root, n) = ((horizon as f64).sqrt(), trial.points.samples());
        let mut optimizer = descent(self.step_share * radius / (steepest * root) / n as f64, n)?;
        let ball = ParameterBall::around(&trial.model, radius)?;
        let mut training = AdversarialTraining::new(inner(), self.setting.threat()?);
        let points = trial.points.clone();
        let batch = Batch::new(&points.inputs, &points.targets).with_loss(&HingeLoss);
        let mut sum = 0.0;
        for step in 0..horizon {
            training.set_step(step as u64);
            let attacked = training.attack(&trial.model, &batch)?;
            let batch = batch.with_inputs(&attacked.inputs);
            sum += optimizer.step(&mut trial.model, &batch)?.loss - batch.loss(&reference.model)?;
            ball.project(&mut trial.model)?;
        }
        Ok((horizon, sum / horizon as f64, radius * steepest / root))
    }

    /// L_* over 2k/n after adversarial training on k pairs of overlapping twins, free of any ball.
    fn overlapping(&self, mut trial: Trial) -> Result<f64> {
        let most = trial.spectrum()?.values.last().copied().unwrap_or(1.0);
        let mut optimizer = descent(self.relative_rate / most, trial.points.samples())?;
        let mut training = AdversarialTraining::new(inner(), self.setting.threat()?);
        let points = trial.points.clone();
        let batch = Batch::new(&points.inputs, &points.targets).with_loss(&HingeLoss);
        for _ in 0..self.steps {
            training.step(&mut optimizer, &mut trial.model, &batch)?;
        }
        Ok(twins::worst_loss(&self.setting, &trial)? / twins::least_loss(&points))
    }

    fn judge(&self, ground: &Ground, width: usize, (off_sphere, separation): (f64, f64), runs: &[Run]) -> Certificate {
        let exists = mean(runs.iter().map(|run| run.exists));
        let rates = || runs.iter().flat_map(|run| run.rate.iter());
        let averaged = largest(rates().map(|(_, mean, bound)| mean / bound));
        let falling: Vec<(f64, f64)> = rates().map(|&(steps, mean, _)| (steps as f64, mean)).collect();
        let rate = exponent(&falling).value;
        let lowest = largest(runs.iter().map(|run| smallest(run.losses.iter().copied())));
        let first = |run: &Run| run.losses.iter().position(|&loss| loss <= EPSILON).map_or(f64::NAN, |t| t as f64);
        let steps = largest(runs.iter().map(first));
        let mut certificate = Certificate::new(self.name(), self.source(), self.statement())
            .tried(
                &ground.seeds,
                format!(
                    "{}; quadratic relu, labels ±1, ℓ2 radius {}, {} steps of gradient descent on the hinge loss",
                    ground.describe(self.setting.samples, self.setting.inputs, &[width]),
                    self.setting.radius,
                    self.steps
                ),
            )
            .assume(Assumption::on_the_sphere(off_sphere))
            .assume(Assumption::balls_apart(separation))
            .assume(Assumption::new(
                "a robust fit of the linearised network exists: share of seeds",
                exists,
                Relation::AtLeast,
                1.0,
            ))
            .constant("R*, length of the way to the robust fit, mean", mean(runs.iter().map(|run| run.norm)))
            .constant("steps to a loss under attack of 0.01, worst seed", steps)
            .check(
                Check::new(
                    "almost convex: largest violation",
                    largest(runs.iter().map(|run| run.gap)),
                    Relation::AtMost,
                    0.0,
                )
                .within(ROUNDING),
            )
            .check(Check::new("mean loss beyond that of θ* over RG/√T, every T", averaged, Relation::AtMost, 1.0))
            .check(
                Check::new("exponent of T in that mean loss", rate, Relation::AtMost, -0.5).within(EXPONENT_TOLERANCE),
            )
            .check(
                Check::new(
                    "control, overlapping twins: loss under attack over the least possible 2k/n",
                    smallest(runs.iter().map(|run| run.overlapping)),
                    Relation::AtLeast,
                    1.0,
                )
                .within(ROUNDING),
            )
            .check(Check::new("lowest loss under attack, worst seed", lowest, Relation::AtMost, 0.0).within(EPSILON))
            .check(
                Check::new(
                    "loss under a strong attack at the end",
                    largest(runs.iter().map(|run| run.strong)),
                    Relation::AtMost,
                    0.0,
                )
                .within(STRONG_EPSILON),
            )
            .check(
                Check::new(
                    "distance over the radius of the ball before projection",
                    largest(runs.iter().map(|run| run.distance)),
                    Relation::AtMost,
                    1.0,
                )
                .within(ROUNDING),
            );
        if let Some(run) = runs.first() {
            let from_one = |values: &[f64]| numbered(values).into_iter().map(|(t, v)| (t + 1.0, v)).collect::<Vec<_>>();
            certificate = certificate.picture(
                Picture::new("Loss under attack in adversarial training", "steps", "mean hinge loss so far")
                    .log_log()
                    .curve("measured", Role::Measured, Mark::Line, from_one(&run.means))
                    .curve("predicted ceiling", Role::Predicted, Mark::Line, from_one(&run.bounds))
                    .say("Averaged over training, the loss on attacked inputs stays below the ceiling and falls with it."),
            );
        }
        let bounds = by_x(rates().map(|&(steps, _, bound)| (steps as f64, bound)));
        certificate
            .picture(
                Picture::new("Mean loss over T steps of the length of T", "T", "mean hinge loss beyond that of θ*")
                    .log_log()
                    .curve("measured, one point a seed", Role::Measured, Mark::Points, falling)
                    .curve("predicted ceiling RG/√T", Role::Predicted, Mark::Line, bounds)
                    .say("Four times as many steps halve the mean loss under attack."),
            )
            .say(format!(
                "After at most {steps:.0} steps the loss under attack was below 0.01 in every seed, and at the end at most \
                 {:.4} under a stronger attack. The mean over T steps fell like T^{rate:.2}. Where balls of opposite labels \
                 overlap, no network gets below a loss that is known, and training ended at no less than {:.2} times it.",
                largest(runs.iter().map(|run| run.strong)),
                smallest(runs.iter().map(|run| run.overlapping))
            ))
    }
}
