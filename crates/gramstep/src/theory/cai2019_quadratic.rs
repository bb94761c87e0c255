//! Full-batch Gram-Gauss-Newton converges quadratically on smooth wide networks (cai2019, theorem 1).
//!
//! ```text
//! f(x) = m^{−1/2} Σ_r a_r φ(w_r·x),  a_r = ±1 fixed,  ‖x_i‖ = 1,  |φ″| ≤ β,  no damping, η = 1
//! ‖r_{t+1}‖ ≤ √n·β/(2√m) · r_tᵀG_t⁻¹r_t ≤ (C/√m)‖r_t‖²
//! constant damping α:  r_{t+1} = α(G_t + α)⁻¹r_t + remainder,  ‖r_{t+1}‖/‖r_t‖ → α/(α + λ_min) from below
//! ```
//!
//! With C = √n·β/(2√m·λ_min) and ε = C‖r‖ that is ε_{t+1} ≤ ε_t²: from where ε < 1 on, every step has at least the order 2
//! in the paper's own unit, log ε_{t+1}/log ε_t ≥ 2. ReLU has no β and no theorem; it is judged in the unit of the largest β
//! beside it and has to fall behind.
//!
//! The first inequality is Taylor's: f(θ + Δ) = f + JΔ + remainder, J Δ = −r, each remainder at most β‖Δ‖²/(2√m), and
//! ‖Δ‖² = rᵀG⁻¹r. It holds at any width; the width makes it a promise of progress.

use super::certificate::{Assumption, Certificate, Check, Relation};
use super::ground::{Ground, Labels, Points, Progress};
use super::network::{Trial, gram_gauss_newton_of_length, lost};
use super::picture::{Mark, Picture, Role, numbered};
use super::statistics::{farthest_from_one, largest, smallest};
use super::{Claim, Effort};
use crate::device::Device;
use crate::error::Result;
use crate::model::Activation;
use crate::optim::Optimizer;
use crate::solve::{dot, norm};

/// Dampings that are tried, in units of λ_min(G₀).
const DAMPINGS: [f64; 5] = [0.2, 0.5, 1.0, 2.0, 4.0];
/// What the factor of a damped step may miss of ‖α(G + α)⁻¹r‖/‖r‖, and by how much it may exceed α/(α + λ_min).
const FACTOR_TOLERANCE: f64 = 1e-3;
/// The factor is measured when the error has shrunk by this.
const SHRUNK: f64 = 1e-10;
/// Most steps of a damped run.
const DAMPED_STEPS: usize = 200;

/// The claim `cai2019-quadratic`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct QuadraticRate {
    /// n
    pub samples: usize,
    /// d
    pub inputs: usize,
    /// m, ascending.
    pub widths: Vec<usize>,
    /// φ; the first is drawn and damped.
    pub activations: Vec<Activation>,
    /// Most undamped steps.
    pub steps: usize,
    /// η of all steps: 1 in the theorem, at any other every step leaves a share of the error.
    pub step_length: f64,
    /// The activation without a theorem that is tried beside the others.
    pub control: Activation,
}

impl QuadraticRate {
    /// The setting of an effort.
    #[must_use]
    pub fn new(effort: Effort) -> Self {
        let (samples, inputs, widths) = match effort {
            Effort::Quick => (20, 10, vec![64, 256, 1024, 4096]),
            Effort::Full => (100, 50, vec![64, 256, 1024, 4096, 16384]),
        };
        let activations = vec![Activation::Softplus, Activation::Tanh, Activation::Sigmoid];
        Self { samples, inputs, widths, activations, steps: 8, step_length: 1.0, control: Activation::Relu }
    }
}

/// One undamped run.
struct Run {
    activation: Activation,
    width: usize,
    /// ‖r_t‖, down to rounding.
    residuals: Vec<f64>,
    /// √n·β/(2√m)·r_tᵀG_t⁻¹r_t, the ceiling of the next residual.
    ceilings: Vec<f64>,
    /// Size of a residual that is rounding.
    floor: f64,
    /// min λ_min(G_t)/rounding
    invertible: f64,
    /// min λ_min(G_t)
    smallest: f64,
    /// nβ²‖r₀‖²/λ_min(G₀)²: the width from which the ceiling promises half the error.
    promised: f64,
}

impl Run {
    /// Looks at the residual and its ceiling and takes a step; whether the residual is rounding.
    fn follow(
        &mut self,
        trial: &mut Trial,
        optimizer: &mut dyn Optimizer<f64>,
        constant: f64,
        beta: f64,
    ) -> Result<bool> {
        let residual = trial.residual()?;
        let size = norm(&residual);
        self.residuals.push(size);
        if size <= self.floor {
            return Ok(true);
        }
        let spectrum = trial.spectrum()?;
        self.invertible = smallest([self.invertible, spectrum.values[0] / spectrum.rounding()]);
        self.smallest = smallest([self.smallest, spectrum.values[0]]);
        if self.ceilings.is_empty() {
            self.promised = trial.points.samples() as f64 * (beta * size / spectrum.values[0]).powi(2);
        }
        self.ceilings.push(constant * dot(&residual, &spectrum.solve(0.0, &residual)));
        trial.step(optimizer)?;
        Ok(false)
    }

    fn ratio(&self) -> f64 {
        largest(
            self.residuals.iter().skip(1).zip(&self.ceilings).map(|(after, ceiling)| after / (ceiling + self.floor)),
        )
    }

    /// log ε_{t+1}/log ε_t of every step with ε_t < 1 that does not end in rounding, ε = √n·β/(2√m·λ_min)·‖r‖.
    fn orders(&self, samples: usize, beta: f64) -> impl Iterator<Item = f64> {
        let unit = (samples as f64).sqrt() * beta / (2.0 * (self.width as f64).sqrt() * self.smallest);
        let steps = self.residuals.windows(2).map(move |pair| (unit * pair[0], unit * pair[1]));
        // A residual that is not a number is a step whose order is none.
        let counts =
            move |(before, after): &(f64, f64)| after.is_nan() || (*before < 1.0 && *after > 10.0 * unit * self.floor);
        steps.filter(counts).map(|(before, after)| after.ln() / before.ln())
    }

    /// ‖r₁‖/‖r₀‖²
    fn first(&self) -> f64 {
        self.residuals.get(1).map_or(f64::NAN, |after| after / self.residuals[0].powi(2))
    }
}

/// One damped run: α/λ_min and the factor of its last step.
struct Damped {
    relative: f64,
    /// ‖r_{t+1}‖/‖r_t‖
    measured: f64,
    /// ‖α(G_t + α)⁻¹r_t‖/‖r_t‖
    predicted: f64,
    /// α/(α + λ_min(G_t))
    limit: f64,
}

impl Claim for QuadraticRate {
    fn name(&self) -> &'static str {
        "cai2019-quadratic"
    }

    fn source(&self) -> &'static str {
        "cai2019"
    }

    fn statement(&self) -> &'static str {
        "A full-batch Gram-Gauss-Newton step on a smooth wide network squares the error, with a constant that falls \
         like 1/√width; with a constant damping α the factor rises to α/(α + λ_min)."
    }

    fn certify(&self, ground: &Ground, tell: &mut dyn FnMut(f64)) -> Result<Certificate> {
        ground.check()?;
        let widths = ground.widths(&self.widths);
        let widest = widths.last().copied().unwrap_or(1);
        let sum: usize = widths.iter().sum();
        let mut progress =
            Progress::new(tell, (ground.seeds.len() * (sum * (self.activations.len() + 1) + 10 * widest)) as f64);
        let (mut runs, mut damped, mut control, mut off_sphere) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
        for &seed in &ground.seeds {
            let points = ground.points(seed, self.samples, self.inputs, Labels::Gaussian);
            off_sphere = largest([off_sphere, points.off_sphere()]);
            for &width in widths {
                for &activation in &self.activations {
                    runs.push(self.run(points.clone(), width, activation, seed, &ground.device)?);
                    progress.advance(width as f64);
                }
                control.push(self.run(points.clone(), width, self.control, seed, &ground.device)?);
                progress.advance(width as f64);
            }
            if let Some(&activation) = self.activations.first() {
                damped.extend(self.damped_runs(&points, widest, activation, seed, &ground.device)?);
            }
            progress.advance(10.0 * widest as f64);
        }
        Ok(self.judge(ground, widths, off_sphere, &runs, &damped, &control))
    }
}

impl QuadraticRate {
    fn run(&self, points: Points, width: usize, activation: Activation, seed: u64, device: &Device) -> Result<Run> {
        let n = points.samples() as f64;
        let beta = activation.curvature_bound().unwrap_or(f64::INFINITY);
        let constant = n.sqrt() * beta / (2.0 * (width as f64).sqrt());
        let mut trial = Trial::two_layer(points, width, activation, seed, device)?;
        let mut optimizer = gram_gauss_newton_of_length(self.step_length, 0.0)?;
        let mut run = Run {
            activation,
            width,
            residuals: Vec::new(),
            ceilings: Vec::new(),
            // f sums m terms of size 1/√m with a relative error of about ε each.
            floor: 16.0 * f64::EPSILON * (n * width as f64).sqrt(),
            invertible: f64::INFINITY,
            smallest: f64::INFINITY,
            promised: f64::NAN,
        };
        for _ in 0..=self.steps {
            let ends = lost(run.follow(&mut trial, &mut optimizer, constant, beta))?.unwrap_or_else(|| {
                run.residuals.push(f64::NAN);
                true
            });
            if ends {
                break;
            }
        }
        Ok(run)
    }

    fn judge(
        &self,
        ground: &Ground,
        widths: &[usize],
        off_sphere: f64,
        runs: &[Run],
        damped: &[Damped],
        control: &[Run],
    ) -> Certificate {
        let bends = largest(self.activations.iter().map(|a| a.curvature_bound().unwrap_or(f64::INFINITY)));
        let widest = widths.last().copied().unwrap_or(0);
        let of_widest = || runs.iter().filter(|run| run.width == widest);
        let ratio = largest(runs.iter().map(Run::ratio));
        let n = ground.data.as_ref().map_or(self.samples, Points::samples);
        let own = |run: &Run| run.activation.curvature_bound().unwrap_or(f64::INFINITY);
        let orders: Vec<f64> = runs.iter().flat_map(|run| run.orders(n, own(run))).collect();
        let of_control: Vec<f64> = control.iter().flat_map(|run| run.orders(n, bends)).collect();
        let (judged, order) = (orders.len().min(of_control.len()), smallest(orders));
        let without = smallest(of_control);
        let promised = largest(of_widest().map(|run| run.promised));
        let mut certificate = Certificate::new(self.name(), self.source(), self.statement())
            .tried(
                &ground.seeds,
                format!(
                    "{}; {}; undamped steps until rounding",
                    ground.describe(self.samples, self.inputs, widths),
                    self.activations.iter().map(|a| a.name()).collect::<Vec<_>>().join(", ")
                ),
            )
            .assume(Assumption::on_the_sphere(off_sphere))
            .assume(Assumption::smooth(bends))
            .assume(Assumption::new(
                "G is invertible: λ_min(G) over its rounding, every step",
                smallest(runs.iter().map(|run| run.invertible)),
                Relation::AtLeast,
                1.0,
            ))
            .assume(Assumption::new(
                "steps with ε < 1 that do not end in rounding, of the activations or of the one without a theorem: fewer",
                judged as f64,
                Relation::AtLeast,
                1.0,
            ))
            .assume(
                Assumption::new(
                    "width nβ²‖r₀‖²/λ_min² that promises half the error",
                    widest as f64,
                    Relation::AtLeast,
                    promised,
                )
                .asymptotic(),
            )
            .constant("β, largest curvature of the activations", bends)
            .check(Check::new("error over its ceiling, every step", ratio, Relation::AtMost, 1.0))
            .check(Check::new(
                "order of a step, log ε_{t+1}/log ε_t with ε = C‖r‖: smallest",
                order,
                Relation::AtLeast,
                2.0,
            ))
            .check(Check::new("the same of the activation without a theorem", without, Relation::AtMost, 2.0));
        if widths.len() > 1 {
            for &activation in &self.activations {
                let own = runs.iter().filter(|run| run.activation == activation);
                let points: Vec<(f64, f64)> = own.map(|run| (run.width as f64, run.first())).collect();
                let name = format!("‖r₁‖/‖r₀‖², {activation}: exponent of the width");
                certificate = certificate.check(Check::exponent(name, &points, -0.5));
            }
        }
        let off = farthest_from_one(damped.iter().map(|run| run.measured / run.predicted));
        let share = largest(damped.iter().map(|run| run.measured / run.limit));
        certificate = certificate
            .check(
                Check::new("factor of a damped step over ‖α(G + α)⁻¹r‖/‖r‖", off, Relation::Near, 1.0)
                    .within(FACTOR_TOLERANCE),
            )
            .check(
                Check::new("factor of a damped step over its limit α/(α + λ_min)", share, Relation::AtMost, 1.0)
                    .within(FACTOR_TOLERANCE),
            );
        let words = format!(
            "The error after a step came to at most {:.0} % of its ceiling. No step had an order below {order:.2}, where \
             1 is linear and 2 quadratic; {}, which has no theorem, fell to {without:.2}. The inequality by itself \
             promises that the first step halves the error only from {promised:.0e} hidden units on; the widest here had \
             {widest}.",
            100.0 * ratio,
            self.control
        );
        self.draw(certificate, widths, runs, damped, control).say(words)
    }

    fn draw(
        &self,
        certificate: Certificate,
        widths: &[usize],
        runs: &[Run],
        damped: &[Damped],
        control: &[Run],
    ) -> Certificate {
        let Some(&shown) = self.activations.first() else { return certificate };
        let middle = widths[widths.len() / 2];
        let mut certificate = certificate;
        let own = || runs.iter().filter(move |run| run.activation == shown);
        let relu = control.iter().find(|run| run.width == middle);
        if let (Some(run), Some(relu)) = (own().find(|run| run.width == middle), relu) {
            // What is compared: the ceiling and the rounding on top of it.
            let ceilings = run.ceilings.iter().enumerate().map(|(t, ceiling)| ((t + 1) as f64, ceiling + run.floor));
            certificate = certificate.picture(
                Picture::new(format!("Error step by step, {middle} hidden units"), "step", "error ‖f − y‖")
                    .log_y()
                    .curve(format!("measured, {shown}"), Role::Measured, Mark::Line, numbered(&run.residuals))
                    .curve("predicted ceiling", Role::Predicted, Mark::Line, ceilings)
                    .curve(
                        format!("{}, which has no theorem", self.control),
                        Role::Control,
                        Mark::Line,
                        numbered(&relu.residuals),
                    )
                    .say("Each step doubles the number of correct digits, until the computer's arithmetic ends it."),
            );
        }
        let first: Vec<(f64, f64)> = own().map(|run| (run.width as f64, run.first())).collect();
        let ceiling = |width: usize| {
            let of = own().filter(|run| run.width == width && !run.ceilings.is_empty());
            (width as f64, largest(of.map(|run| run.ceilings[0] / run.residuals[0].powi(2))))
        };
        // In units of λ the prediction is c/(1 + c).
        let factors = (4..=84).map(|i| f64::from(i) / 20.0).map(|c| (c, c / (1.0 + c)));
        certificate
            .picture(
                Picture::new(format!("Error after the first step, {shown}"), "hidden units", "‖r₁‖ / ‖r₀‖²")
                    .log_log()
                    .curve("measured, one point a seed", Role::Measured, Mark::Points, first)
                    .curve("predicted ceiling", Role::Predicted, Mark::Line, widths.iter().map(|&m| ceiling(m)))
                    .say("The wider the network, the more exact a single step."),
            )
            .picture(
                Picture::new(
                    "What a constant damping costs",
                    "damping / smallest eigenvalue of G",
                    "error after / before a step",
                )
                .curve(
                    "measured, one point a seed",
                    Role::Measured,
                    Mark::Points,
                    damped.iter().map(|run| (run.relative, run.measured)),
                )
                .curve("predicted limit α/(α + λ)", Role::Predicted, Mark::Line, factors)
                .say(
                    "A damping that stays turns the doubling of digits into a factor a step, which rises to its limit \
                      as the slowest part of the error is all that is left.",
                ),
            )
    }
}

impl QuadraticRate {
    fn damped_runs(
        &self,
        points: &Points,
        width: usize,
        activation: Activation,
        seed: u64,
        device: &Device,
    ) -> Result<Vec<Damped>> {
        let start = Trial::two_layer(points.clone(), width, activation, seed, device)?;
        let smallest = start.spectrum()?.values[0];
        let mut runs = Vec::with_capacity(DAMPINGS.len());
        for relative in DAMPINGS {
            let damping = relative * smallest.max(0.0);
            let mut trial = start.clone();
            let mut optimizer = gram_gauss_newton_of_length(self.step_length, damping)?;
            let first = norm(&trial.residual()?);
            let run = lost((|| {
                let mut residual = trial.residual()?;
                for _ in 0..DAMPED_STEPS {
                    if norm(&residual) <= SHRUNK * first {
                        break;
                    }
                    trial.step(&mut optimizer)?;
                    residual = trial.residual()?;
                }
                let (before, spectrum) = (norm(&residual), trial.spectrum()?);
                let predicted = damping * norm(&spectrum.solve(damping, &residual)) / before;
                trial.step(&mut optimizer)?;
                let measured = norm(&trial.residual()?) / before;
                Ok(Damped { relative, measured, predicted, limit: damping / (damping + spectrum.values[0]) })
            })())?;
            let no = f64::NAN;
            runs.push(run.unwrap_or(Damped { relative, measured: no, predicted: no, limit: no }));
        }
        Ok(runs)
    }
}
