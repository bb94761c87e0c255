//! Gradient descent on a wide two-layer ReLU network converges linearly (du2019, theorem 4.1).
//!
//! ```text
//! f(x) = m^{−1/2} Σ_r a_r max(w_r·x, 0),  a_r = ±1 fixed,  w_r ~ N(0, I),  ‖x_i‖ = 1
//! λ₀ = λ_min(H∞),  H∞_ij = ρ(π − arccos ρ)/2π,  ρ = x_i·x_j
//! λ_min(G_k) ≥ λ₀/2,    ‖r_k‖² ≤ (1 − ηλ₀/2)ᵏ ‖r₀‖²
//! ‖w_r(k) − w_r(0)‖ ≤ (η‖X‖/√m) Σ_{j<k} ‖(I − ½ηH∞)ʲ r₀‖ ≤ 4√n‖r₀‖/(√m λ₀)
//! ```
//!
//! The theorem asks for m = Ω(n⁶/(λ₀⁴δ³)) and η = O(λ₀/n²). Both are shown and neither decides. What it promises is
//! checked: the kernel keeps half of its smallest eigenvalue, from which the rate follows, and the units hardly move. A
//! step moves a unit by at most η‖X‖‖r‖/√m with the spectral norm ‖X‖; the sum over the residuals that half of H∞ would
//! leave is the paper's bound without its two crude steps, ‖X‖ ≤ √n and every component as slow as the slowest.

use super::certificate::{Assumption, Certificate, Check, Relation};
use super::frozen::Frozen;
use super::ground::{Ground, Labels, Points, Progress};
use super::network::{Trial, descent, infinite_gram, lost};
use super::picture::{Mark, Picture, Role, by_x};
use super::statistics::{exponent, largest, mean, smallest};
use super::{Claim, Effort};
use crate::error::Result;
use crate::model::Activation;
use crate::optim::Optimizer;
use crate::solve::{Eigen, dot, eigen, norm};
use crate::view::Matrix;

/// Failure probability that the width of the theorem is stated for.
const DELTA: f64 = 0.1;
/// What the exponents of flips and movement may miss of −½: narrow networks are not yet in the limit.
const EXPONENT_TOLERANCE: f64 = 0.1;
/// Places of a run at which G is decomposed.
const PLACES: usize = 5;

/// The claim `du2019`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LinearRate {
    /// n
    pub samples: usize,
    /// d
    pub inputs: usize,
    /// m, ascending.
    pub widths: Vec<usize>,
    /// Steps of gradient descent.
    pub steps: usize,
    /// η in units of 1/λ_max(H∞).
    pub relative_rate: f64,
}

impl LinearRate {
    /// The setting of an effort; the full one is that of the paper, n = d = 1000.
    #[must_use]
    pub fn new(effort: Effort) -> Self {
        let (samples, widths) = match effort {
            Effort::Quick => (200, vec![500, 1000, 2000, 4000]),
            Effort::Full => (1000, vec![1000, 2000, 5000]),
        };
        Self { samples, inputs: samples, widths, steps: 100, relative_rate: 1.0 }
    }
}

/// What one run of gradient descent showed.
struct Run {
    width: usize,
    /// 1 − ηλ₀/2
    factor: f64,
    /// ‖r_k‖²/‖r₀‖², k = 0..=steps.
    errors: Vec<f64>,
    /// min λ_min(G_t)/λ₀ over the places looked at.
    path: f64,
    /// max η·λ_max(G_t)
    stability: f64,
    flipped: f64,
    movement: f64,
    movement_bound: f64,
    /// 4√n‖r₀‖/(√m λ₀)
    paper_bound: f64,
}

/// What the infinitely wide network says of some points.
struct Limit {
    gram: Matrix<f64>,
    spectrum: Eigen,
    /// ‖X‖
    inputs: f64,
}

impl Limit {
    fn new(points: &Points, ground: &Ground) -> Result<Self> {
        let (gram, x) = (infinite_gram(points, Activation::Relu, &ground.device)?, &points.inputs);
        let products = Matrix::from_fn(x.rows(), x.rows(), |i, j| dot(x.row(i), x.row(j)));
        let threads = ground.device.threads();
        let largest = |matrix: &Matrix<f64>| Ok::<_, crate::Error>(eigen(matrix, threads)?.values.pop().unwrap_or(0.0));
        Ok(Self { spectrum: eigen(&gram, threads)?, gram, inputs: largest(&products)?.sqrt() })
    }

    fn smallest(&self) -> f64 {
        self.spectrum.values[0]
    }

    fn largest(&self) -> f64 {
        self.spectrum.values.last().copied().unwrap_or(0.0)
    }

    /// Σ_k ‖(I − ½ηH∞)ᵏ r₀‖ over a number of steps.
    fn way(&self, rate: f64, start: Vec<f64>, steps: usize) -> f64 {
        let mut frozen = Frozen::new(self.gram.clone(), start);
        let lengths = (0..steps).map(|_| {
            let length = norm(&frozen.residual);
            frozen.descend(0.5 * rate);
            length
        });
        lengths.sum()
    }
}

impl Run {
    fn bound(&self, step: usize) -> f64 {
        self.factor.powi(i32::try_from(step).unwrap_or(i32::MAX))
    }

    /// max_k measured/bound; k = 0 is 1 on both sides.
    fn largest_ratio(&self) -> f64 {
        largest((1..self.errors.len()).map(|k| self.errors[k] / self.bound(k)))
    }
}

impl Claim for LinearRate {
    fn name(&self) -> &'static str {
        "du2019"
    }

    fn source(&self) -> &'static str {
        "du2019"
    }

    fn statement(&self) -> &'static str {
        "Gradient descent on a wide two-layer ReLU network shrinks the squared error at least as fast as \
         (1 − ηλ₀/2)^k, and its units hardly move."
    }

    fn certify(&self, ground: &Ground, tell: &mut dyn FnMut(f64)) -> Result<Certificate> {
        ground.check()?;
        let widths = ground.widths(&self.widths);
        let work = widths.iter().sum::<usize>() * ground.seeds.len();
        let mut progress = Progress::new(tell, work as f64);
        let (mut runs, mut limits, mut off_sphere) = (Vec::new(), Vec::new(), 0.0_f64);
        let mut samples = self.samples;
        for &seed in &ground.seeds {
            let points = ground.points(seed, self.samples, self.inputs, Labels::Gaussian);
            samples = points.samples();
            off_sphere = largest([off_sphere, points.off_sphere()]);
            let limit = Limit::new(&points, ground)?;
            for &width in widths {
                let trial = Trial::two_layer(points.clone(), width, Activation::Relu, seed, &ground.device)?;
                runs.push(self.run(trial, width, &limit)?);
                progress.advance(width as f64);
            }
            limits.push(limit);
        }
        Ok(self.judge(ground, widths, samples, off_sphere, &limits, &runs))
    }
}

impl LinearRate {
    fn run(&self, mut trial: Trial, width: usize, limit: &Limit) -> Result<Run> {
        let lambda = limit.smallest();
        let rate = self.relative_rate / limit.largest();
        let n = trial.points.samples();
        let mut optimizer = descent(rate, n)?;
        let before = trial.patterns()?;
        let residual = trial.residual()?;
        let start = norm(&residual);
        let root = (width as f64).sqrt();
        let mut run = Run {
            width,
            factor: 1.0 - 0.5 * rate * lambda,
            errors: Vec::with_capacity(self.steps + 1),
            path: f64::INFINITY,
            stability: 0.0,
            flipped: f64::NAN,
            movement: f64::NAN,
            movement_bound: rate * limit.inputs / root * limit.way(rate, residual, self.steps),
            paper_bound: 4.0 * (n as f64).sqrt() * start / (root * lambda),
        };
        if lost(self.descend(&mut run, &mut trial, &mut optimizer, (rate, start, lambda)))?.is_none() {
            run.errors.push(f64::NAN);
            run.path = f64::NAN;
            return Ok(run);
        }
        let after = trial.patterns()?;
        let flips = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        run.flipped = flips as f64 / before.len() as f64;
        run.movement = trial.largest_movement();
        Ok(run)
    }

    fn descend(
        &self,
        run: &mut Run,
        trial: &mut Trial,
        optimizer: &mut dyn Optimizer<f64>,
        (rate, start, lambda): (f64, f64, f64),
    ) -> Result<()> {
        let n = trial.points.samples() as f64;
        let apart = self.steps.div_ceil(PLACES).max(1);
        for step in 0..=self.steps {
            if step % apart == 0 || step == self.steps {
                let spectrum = trial.spectrum()?;
                run.path = smallest([run.path, spectrum.values[0] / lambda]);
                run.stability = largest([run.stability, rate * spectrum.values.last().copied().unwrap_or(0.0)]);
            }
            if step < self.steps {
                // The loss before the step is the mean of r².
                run.errors.push(trial.step(optimizer)?.loss * n / (start * start));
            }
        }
        run.errors.push((norm(&trial.residual()?) / start).powi(2));
        Ok(())
    }

    fn judge(
        &self,
        ground: &Ground,
        widths: &[usize],
        samples: usize,
        off_sphere: f64,
        limits: &[Limit],
        runs: &[Run],
    ) -> Certificate {
        let n = samples as f64;
        let lambda = smallest(limits.iter().map(Limit::smallest));
        let rounding = largest(limits.iter().map(|limit| limit.spectrum.rounding()));
        let most = mean(limits.iter().map(Limit::largest));
        let (rate, widest) = (self.relative_rate / most, widths.last().copied().unwrap_or(0));
        let asked = n.powi(6) / (lambda.max(0.0).powi(4) * DELTA.powi(3));
        let ratio = largest(runs.iter().map(Run::largest_ratio));
        let path = smallest(runs.iter().map(|run| run.path));
        let moved = largest(runs.iter().map(|run| run.movement / run.movement_bound));
        let by_width =
            |value: fn(&Run) -> f64| runs.iter().map(|run| (run.width as f64, value(run))).collect::<Vec<_>>();
        let (flips, movements) = (by_width(|run| run.flipped), by_width(|run| run.movement));
        let mut certificate = Certificate::new(self.name(), self.source(), self.statement())
            .tried(
                &ground.seeds,
                format!(
                    "{}; {} steps of gradient descent with η = {}/λ_max(H∞)",
                    ground.describe(self.samples, self.inputs, widths),
                    self.steps,
                    self.relative_rate
                ),
            )
            .assume(Assumption::on_the_sphere(off_sphere))
            .assume(Assumption::new("no two inputs parallel: λ₀ above rounding", lambda, Relation::AtLeast, rounding))
            .assume(Assumption::new(
                "the step is stable: η·λ_max(G) on the way",
                largest(runs.iter().map(|run| run.stability)),
                Relation::AtMost,
                2.0,
            ))
            .assume(Assumption::new("width n⁶/(λ₀⁴δ³), δ = 0.1", widest as f64, Relation::AtLeast, asked).asymptotic())
            .assume(Assumption::new("step length λ₀/n²", rate, Relation::AtMost, lambda / (n * n)).asymptotic())
            .constant("λ₀, smallest eigenvalue of H∞", mean(limits.iter().map(Limit::smallest)))
            .constant("η, step length", rate)
            .constant("1 − ηλ₀/2, predicted factor of a step", mean(runs.iter().map(|run| run.factor)))
            .constant(
                "largest movement over the paper's own bound 4√n‖r₀‖/(√m λ₀)",
                largest(runs.iter().map(|run| run.movement / run.paper_bound)),
            )
            .check(Check::new("the kernel stays: λ_min(G)/λ₀ on the way", path, Relation::AtLeast, 0.5))
            .check(Check::new("squared error over its bound, every step", ratio, Relation::AtMost, 1.0))
            .check(Check::new("largest movement of a unit over its bound", moved, Relation::AtMost, 1.0));
        if widths.len() > 1 {
            for (what, points) in [("flipped activations", &flips), ("largest movement", &movements)] {
                let name = format!("{what}: exponent of the width");
                let check = Check::new(name, exponent(points).value, Relation::AtMost, -0.5);
                certificate = certificate.check(check.within(EXPONENT_TOLERANCE));
            }
        }
        let words = format!(
            "At every width, step and seed of {} steps the squared error stayed below {:.0} % of the predicted ceiling, \
             λ_min of the kernel above {:.0} % of λ₀, where the proof needs half, and no unit moved by more than {:.0} % \
             of the bound that follows. The theorem as it is written asks for {asked:.0e} hidden units; the widest here \
             had {widest}.",
            self.steps,
            100.0 * ratio,
            100.0 * path,
            100.0 * moved
        );
        draw(certificate, runs, &flips, &movements).say(words)
    }
}

fn draw(mut certificate: Certificate, runs: &[Run], flips: &[(f64, f64)], movements: &[(f64, f64)]) -> Certificate {
    let narrow_and_wide = [runs.iter().min_by_key(|run| run.width), runs.iter().rev().max_by_key(|run| run.width)];
    let mut shown = 0;
    for run in narrow_and_wide.into_iter().flatten() {
        if shown == run.width {
            continue;
        }
        shown = run.width;
        let steps =
            |value: &dyn Fn(usize) -> f64| (0..run.errors.len()).map(|k| (k as f64, value(k))).collect::<Vec<_>>();
        let picture = Picture::new(
            format!("Error of gradient descent, {} hidden units", run.width),
            "step",
            "squared error / first",
        );
        certificate = certificate.picture(
            picture
                .log_y()
                .curve("measured", Role::Measured, Mark::Line, steps(&|k| run.errors[k]))
                .curve("predicted ceiling", Role::Predicted, Mark::Line, steps(&|k| run.bound(k)))
                .say("The error has to stay below the ceiling at every step."),
        );
    }
    let bounds: Vec<(f64, f64)> = runs.iter().map(|run| (run.width as f64, run.movement_bound)).collect();
    certificate
        .picture(
            Picture::falling(
                "Activations that change sides".to_owned(),
                ["hidden units", "share of all activations"],
                flips,
            )
            .say("The wider the network, the fewer units switch on or off for a sample in training."),
        )
        .picture(
            Picture::new("How far the fastest unit moves", "hidden units", "largest ‖w − w(0)‖")
                .log_log()
                .curve("measured, one point a seed", Role::Measured, Mark::Points, movements.iter().copied())
                .curve("predicted ceiling", Role::Predicted, Mark::Line, by_x(bounds))
                .say("No unit may go farther than the ceiling, and both fall with the width."),
        )
}
