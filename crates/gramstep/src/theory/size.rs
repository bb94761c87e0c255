//! With more parameters than samples the n×n system is the small one: memory and time of both solves.
//!
//! ```text
//! (JᵀJ + λI)⁻¹Jᵀ = Jᵀ(JJᵀ + λI)⁻¹:    the same step from a p×p or from an n×n matrix
//! memory of p×p over n×n  (p/n)²,    time of a factorisation (p/n)³, of making the matrix p/n
//! ```
//!
//! Time and memory are measured by a [`Meter`] that the caller brings: this crate has no clock.

use super::certificate::{Assumption, Certificate, Check, Relation};
use super::ground::{Ground, Labels, Points, Progress};
use super::network::Trial;
use super::picture::{Mark, Picture, Role, by_x};
use super::statistics::{exponent, largest, mean, smallest};
use super::{Claim, Effort};
use crate::error::Result;
use crate::model::Activation;
use crate::optim::{Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer};
use crate::solve::{Solver, norm};

/// What a piece of work cost.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs)]
pub struct Cost {
    /// Time.
    pub seconds: f64,
    /// Memory beyond what there was before, if it can be told.
    pub bytes: Option<f64>,
}

/// Measures what a piece of work costs.
///
/// ```
/// use std::time::Instant;
/// use gramstep::theory::{Cost, Meter};
///
/// /// Seconds by the clock.
/// struct Clock;
///
/// impl Meter for Clock {
///     fn measure(&self, work: &mut dyn FnMut()) -> Cost {
///         let start = Instant::now();
///         work();
///         Cost { seconds: start.elapsed().as_secs_f64(), bytes: None }
///     }
/// }
///
/// assert!(Clock.measure(&mut || {}).seconds < 1.0);
/// ```
pub trait Meter: Sync {
    /// Does the work once and measures it.
    fn measure(&self, work: &mut dyn FnMut()) -> Cost;
}

/// λ in units of the mean diagonal of G: the same for both solves.
const DAMPING: f64 = 1e-3;
/// Between two steps that are the same but for rounding, relative to their length.
const SAME_STEP: f64 = 1e-6;
/// Bytes.
const MEGABYTE: f64 = 1e6;
/// Runs of which the fastest counts.
const REPEATS: usize = 3;
/// What the exponent of the ratio of times may exceed 3: clocks are not exact.
const EXPONENT_TOLERANCE: f64 = 0.25;
/// p/n from which the n×n solve has to be the faster one: at 1 both are alike, up to what surrounds them.
const CLEARLY_MORE: f64 = 4.0;

/// The claim `size`.
pub struct SolveSize<'a> {
    /// n
    pub samples: usize,
    /// d
    pub inputs: usize,
    /// p/n, ascending.
    pub ratios: Vec<f64>,
    /// Who measures.
    pub meter: &'a dyn Meter,
}

impl<'a> SolveSize<'a> {
    /// The setting of an effort.
    #[must_use]
    pub fn new(effort: Effort, meter: &'a dyn Meter) -> Self {
        let samples = match effort {
            Effort::Quick => 192,
            Effort::Full => 512,
        };
        Self { samples, inputs: 16, ratios: vec![0.5, 1.0, 2.0, 4.0, 8.0, 12.0], meter }
    }
}

struct Run {
    /// p
    parameters: usize,
    /// p/n
    ratio: f64,
    small: Cost,
    large: Cost,
    /// Relative difference of the two steps.
    apart: f64,
}

impl Run {
    fn time_ratio(&self) -> f64 {
        self.large.seconds / self.small.seconds
    }
}

impl Claim for SolveSize<'_> {
    fn name(&self) -> &'static str {
        "size"
    }

    fn source(&self) -> &'static str {
        "cai2019"
    }

    fn statement(&self) -> &'static str {
        "With p parameters and n samples the same step follows from an n×n instead of a p×p matrix: (p/n)² times less \
         memory, and between p/n and (p/n)³ times less time."
    }

    fn certify(&self, ground: &Ground, tell: &mut dyn FnMut(f64)) -> Result<Certificate> {
        ground.check()?;
        let cost = |ratio: f64| (1.0 + ratio).powi(3);
        let work: f64 = self.ratios.iter().map(|&ratio| cost(ratio)).sum();
        let mut progress = Progress::new(tell, work * ground.seeds.len() as f64);
        let mut runs = Vec::new();
        for &seed in &ground.seeds {
            let points = ground.points(seed, self.samples, self.inputs, Labels::Gaussian);
            for &ratio in &self.ratios {
                runs.push(self.run(&points, ratio, seed, ground)?);
                progress.advance(cost(ratio));
            }
        }
        Ok(self.judge(ground, &runs))
    }
}

impl SolveSize<'_> {
    fn run(&self, points: &Points, ratio: f64, seed: u64, ground: &Ground) -> Result<Run> {
        let (n, d) = (points.samples(), points.inputs.columns());
        #[allow(clippy::cast_sign_loss)] // positive
        let width = ((ratio * n as f64 / d as f64).round() as usize).max(1);
        let start = Trial::two_layer(points.clone(), width, Activation::Softplus, seed, &ground.device)?;
        let (small, by_rows) = self.step(&start, Solver::Dual)?;
        let (large, by_columns) = self.step(&start, Solver::Primal)?;
        let apart: Vec<f64> = by_rows.iter().zip(&by_columns).map(|(a, b)| a - b).collect();
        let (parameters, ratio) = (width * d, (width * d) as f64 / n as f64);
        Ok(Run { parameters, ratio, small, large, apart: norm(&apart) / norm(&by_rows) })
    }

    /// The cost of a step by one of the solves, the fastest of several, and the step.
    fn step(&self, start: &Trial, solver: Solver) -> Result<(Cost, Vec<f64>)> {
        let mut config = GramGaussNewtonConfig::default().with_damping(Damping::Relative(DAMPING));
        config.solver = Some(solver);
        let (mut cost, mut displacement) = (Cost { seconds: f64::INFINITY, bytes: None }, Vec::new());
        for _ in 0..REPEATS {
            let mut trial = start.clone();
            let mut optimizer: GramGaussNewton<f64> = GramGaussNewton::new(config)?;
            let mut result = Ok(());
            let now = self.meter.measure(&mut || {
                let batch = crate::optim::Batch::new(&start.points.inputs, &start.points.targets);
                result = optimizer.step(&mut trial.model, &batch).map(|_| ());
            });
            result?;
            cost.seconds = cost.seconds.min(now.seconds);
            // The first run of a size takes fresh memory, later ones use it again.
            cost.bytes = now.bytes.map(|bytes| bytes.max(cost.bytes.unwrap_or(0.0)));
            displacement = trial.displacement();
        }
        Ok((cost, displacement))
    }

    fn judge(&self, ground: &Ground, runs: &[Run]) -> Certificate {
        let n = ground.data.as_ref().map_or(self.samples, super::Points::samples);
        let more = || runs.iter().filter(|run| run.ratio >= CLEARLY_MORE);
        let most = largest(runs.iter().map(|run| run.ratio));
        let of_most = || runs.iter().filter(|run| run.ratio == most);
        // Bytes of the matrix and its factor.
        let planned = |solver: Solver| mean(of_most().map(|run| solver.bytes(n, run.parameters) as f64));
        let times = more().map(|run| (run.ratio, run.time_ratio())).collect::<Vec<_>>();
        let certificate = Certificate::new(self.name(), self.source(), self.statement())
            .tried(
                &ground.seeds,
                format!(
                    "n = {n}, p/n from {} to {most:.1}, softplus; one damped step by both solves",
                    smallest(runs.iter().map(|run| run.ratio))
                ),
            )
            .assume(Assumption::new("more parameters than samples: largest p/n", most, Relation::AtLeast, CLEARLY_MORE))
            .constant(
                "seconds of a step by the n×n matrix, largest p/n, mean",
                mean(of_most().map(|run| run.small.seconds)),
            )
            .constant(
                "seconds of a step by the p×p matrix, largest p/n, mean",
                mean(of_most().map(|run| run.large.seconds)),
            )
            .constant("bytes of the n×n matrix and its factor", planned(Solver::Dual))
            .constant("bytes of the p×p matrix and its factor, largest p/n", planned(Solver::Primal))
            .check(Check::new(
                "difference of the two steps, relative",
                largest(runs.iter().map(|run| run.apart)),
                Relation::AtMost,
                SAME_STEP,
            ))
            .check(Check::new(
                "time of p×p over n×n, smallest for p ≥ 4n",
                smallest(more().map(Run::time_ratio)),
                Relation::AtLeast,
                1.0,
            ))
            .check(Check::new(
                "exponent of p/n in the ratio of times, p ≥ 4n",
                exponent(&times).value,
                Relation::AtLeast,
                1.0,
            ))
            .check(
                Check::new(
                    "the same exponent, which no factorisation takes beyond 3",
                    exponent(&times).value,
                    Relation::AtMost,
                    3.0,
                )
                .within(EXPONENT_TOLERANCE),
            );
        let certificate = match measured_bytes(of_most()) {
            Some((small, large)) => certificate
                .constant("bytes of a step by the n×n matrix, measured", small)
                .constant("bytes of a step by the p×p matrix, measured", large)
                .check(Check::new(
                    "measured bytes of p×p over its matrix and factor",
                    large / planned(Solver::Primal),
                    Relation::AtLeast,
                    0.5,
                ))
                .check(Check::new("measured bytes of n×n over those of p×p", small / large, Relation::AtMost, 1.0)),
            None => certificate,
        };
        let words = format!(
            "With {most:.0} parameters a sample, a step by the p×p matrix took {:.0} times as long as the same step by \
             the n×n matrix, and its matrix holds {:.0} times as many numbers.",
            mean(of_most().map(Run::time_ratio)),
            most * most
        );
        draw(certificate, runs).say(words)
    }
}

/// Mean bytes of the steps by both solves, where they could be measured.
fn measured_bytes<'a>(runs: impl Iterator<Item = &'a Run> + Clone) -> Option<(f64, f64)> {
    let small: Option<Vec<f64>> = runs.clone().map(|run| run.small.bytes).collect();
    let large: Option<Vec<f64>> = runs.map(|run| run.large.bytes).collect();
    Some((mean(small?), mean(large?)))
}

fn draw(certificate: Certificate, runs: &[Run]) -> Certificate {
    let over = |value: fn(&Run) -> f64| runs.iter().map(|run| (run.ratio, value(run))).collect::<Vec<_>>();
    let ratios = || runs.iter().map(|run| run.ratio);
    let certificate = certificate
        .picture(
            Picture::new("Time of a step", "parameters / samples", "seconds")
                .log_log()
                .curve("measured, p×p matrix", Role::Measured, Mark::Points, over(|run| run.large.seconds))
                .curve("n×n matrix", Role::Control, Mark::Points, over(|run| run.small.seconds))
                .say("Both make the same step. The more parameters, the more the small matrix saves."),
        )
        .picture(
            Picture::new("How much longer the large matrix takes", "parameters / samples", "time p×p / time n×n")
                .log_log()
                .curve("measured, one point a seed", Role::Measured, Mark::Points, over(Run::time_ratio))
                .curve(
                    "predicted at least p/n",
                    Role::Predicted,
                    Mark::Line,
                    by_x(ratios().map(|ratio| (ratio, ratio))),
                )
                .say("To the right of 1 the n×n matrix wins; the slope of the points is that of the line or steeper."),
        );
    let bytes = |value: fn(&Run) -> Option<f64>| {
        runs.iter().filter_map(|run| Some((run.ratio, value(run)? / MEGABYTE))).collect::<Vec<_>>()
    };
    let (small, large) = (bytes(|run| run.small.bytes), bytes(|run| run.large.bytes));
    if large.is_empty() {
        return certificate;
    }
    let matrix = runs.iter().map(|run| (run.ratio, Solver::Primal.bytes(0, run.parameters) as f64 / MEGABYTE));
    certificate.picture(
        Picture::new("Memory of a step", "parameters / samples", "megabytes")
            .log_log()
            .curve("measured, p×p matrix", Role::Measured, Mark::Points, large)
            .curve("predicted, p×p matrix and its factor", Role::Predicted, Mark::Line, by_x(matrix))
            .curve("n×n matrix", Role::Control, Mark::Points, small)
            .say("The large matrix grows with the square of the parameters, the small one not at all."),
    )
}
