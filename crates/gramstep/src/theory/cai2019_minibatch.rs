//! Mini-batch Gram-Gauss-Newton with cyclic batches converges linearly, an epoch at a time (cai2019).
//!
//! ```text
//! frozen kernel:   r ← r − G[:,B] G[B,B]⁻¹ r_B  for B = B₁, B₂, …      (block Gauss–Seidel)
//! ‖r after an epoch‖ / ‖r before‖ → ρ < 1, the spectral radius of one pass
//! ```
//!
//! It is not quadratic: a batch that is solved spoils the ones before. The prediction is the same pass on G₀ alone.

use super::certificate::{Assumption, Certificate, Check, Relation};
use super::frozen::{Frozen, blocks};
use super::ground::{Ground, Labels, Points, Progress};
use super::network::{Trial, gram_gauss_newton, lost};
use super::picture::{Mark, Picture, Role, by_x, numbered};
use super::statistics::{farthest_from_one, largest, mean, slope, smallest};
use super::{Claim, Effort};
use crate::device::Device;
use crate::error::Result;
use crate::model::Activation;
use crate::optim::{Batch, Optimizer};
use crate::solve::norm;

/// A run ends when the error has shrunk by this.
const SHRUNK: f64 = 1e-9;
/// What the logarithm of the factor of an epoch may miss of its prediction, relative, at the widest network.
const RATE_TOLERANCE: f64 = 0.1;
/// Orders within this of 1 are linear: halfway to quadratic at most.
const ORDER_TOLERANCE: f64 = 0.25;

/// The claim `cai2019-minibatch`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MinibatchRate {
    /// n
    pub samples: usize,
    /// d
    pub inputs: usize,
    /// Batches of an epoch.
    pub batches: usize,
    /// m, ascending.
    pub widths: Vec<usize>,
    /// φ
    pub activation: Activation,
    /// Most epochs.
    pub epochs: usize,
}

impl MinibatchRate {
    /// The setting of an effort.
    #[must_use]
    pub fn new(effort: Effort) -> Self {
        let (samples, inputs, widths) = match effort {
            Effort::Quick => (20, 10, vec![256, 1024, 4096]),
            Effort::Full => (100, 50, vec![256, 1024, 4096, 16384]),
        };
        Self { samples, inputs, batches: 4, widths, activation: Activation::Softplus, epochs: 60 }
    }

    fn batch_size(&self, samples: usize) -> usize {
        samples.div_ceil(self.batches.max(1))
    }
}

struct Run {
    width: usize,
    /// ‖r‖ at the ends of epochs.
    measured: Vec<f64>,
    /// The same under the kernel of the start.
    predicted: Vec<f64>,
    /// λ_min(G₀) over its rounding.
    invertible: f64,
    /// ρ
    radius: f64,
}

/// The mean logarithm of the factor of an epoch over the second half of a run.
fn late_rate(residuals: &[f64]) -> f64 {
    let half = residuals.len() / 2;
    let epochs = (residuals.len() - 1 - half) as f64;
    (residuals[residuals.len() - 1] / residuals[half]).ln() / epochs
}

impl Run {
    /// Measured over predicted logarithm of the factor.
    fn rate_ratio(&self) -> f64 {
        late_rate(&self.measured) / late_rate(&self.predicted)
    }

    /// The slope of log‖r after‖ over log‖r before‖: 1 for linear convergence, 2 for quadratic.
    fn order(&self) -> f64 {
        let pairs: Vec<(f64, f64)> = self.measured.windows(2).map(|pair| (pair[0].ln(), pair[1].ln())).collect();
        slope(&pairs).value
    }
}

impl Claim for MinibatchRate {
    fn name(&self) -> &'static str {
        "cai2019-minibatch"
    }

    fn source(&self) -> &'static str {
        "cai2019"
    }

    fn statement(&self) -> &'static str {
        "Gram-Gauss-Newton on cyclic mini-batches shrinks the error by a constant factor an epoch, that of block \
         Gauss–Seidel on the kernel of the start."
    }

    fn certify(&self, ground: &Ground, tell: &mut dyn FnMut(f64)) -> Result<Certificate> {
        ground.check()?;
        let widths = ground.widths(&self.widths);
        let mut progress = Progress::new(tell, (widths.iter().sum::<usize>() * ground.seeds.len()) as f64);
        let (mut runs, mut off_sphere) = (Vec::new(), 0.0);
        for &seed in &ground.seeds {
            let points = ground.points(seed, self.samples, self.inputs, Labels::Gaussian);
            off_sphere = largest([off_sphere, points.off_sphere()]);
            for &width in widths {
                runs.push(self.run(points.clone(), width, seed, &ground.device)?);
                progress.advance(width as f64);
            }
        }
        Ok(self.judge(ground, widths, off_sphere, &runs))
    }
}

/// A pass over all batches; ‖r‖ at its end.
fn epoch(trial: &mut Trial, batches: &[Points], optimizer: &mut dyn Optimizer<f64>) -> Result<f64> {
    for batch in batches {
        optimizer.step(&mut trial.model, &Batch::new(&batch.inputs, &batch.targets))?;
    }
    Ok(norm(&trial.residual()?))
}

impl MinibatchRate {
    fn run(&self, points: Points, width: usize, seed: u64, device: &Device) -> Result<Run> {
        let (n, size) = (points.samples(), self.batch_size(points.samples()));
        let mut trial = Trial::two_layer(points, width, self.activation, seed, device)?;
        let spectrum = trial.spectrum()?;
        let start = trial.residual()?;
        let mut frozen = Frozen::new(trial.gram()?, start.clone());
        let radius = frozen.clone().epoch_factor(size)?;
        let mut run = Run {
            width,
            measured: vec![norm(&start)],
            predicted: vec![norm(&start)],
            invertible: spectrum.values[0] / spectrum.rounding(),
            radius,
        };
        let batches: Vec<Points> = blocks(n, size)
            .map(|rows| {
                let rows: Vec<usize> = rows.collect();
                let points = &trial.points;
                Points { inputs: points.inputs.select_rows(&rows), targets: points.targets.select_rows(&rows) }
            })
            .collect();
        let mut optimizer = gram_gauss_newton(0.0)?;
        for _ in 0..self.epochs {
            let end = lost(epoch(&mut trial, &batches, &mut optimizer))?.unwrap_or(f64::NAN);
            frozen.epoch(size)?;
            run.measured.push(end);
            run.predicted.push(norm(&frozen.residual));
            if end.is_nan() || end <= SHRUNK * run.measured[0] {
                break;
            }
        }
        Ok(run)
    }

    fn judge(&self, ground: &Ground, widths: &[usize], off_sphere: f64, runs: &[Run]) -> Certificate {
        let widest = widths.last().copied().unwrap_or(0);
        let of_widest = || runs.iter().filter(|run| run.width == widest);
        let ratio = farthest_from_one(of_widest().map(Run::rate_ratio));
        let order = mean(of_widest().map(Run::order));
        let factor = |residuals: fn(&Run) -> &Vec<f64>| mean(of_widest().map(|run| late_rate(residuals(run)).exp()));
        let (measured, predicted) = (factor(|run| &run.measured), factor(|run| &run.predicted));
        let radius = largest(runs.iter().map(|run| run.radius));
        let certificate = Certificate::new(self.name(), self.source(), self.statement())
            .tried(
                &ground.seeds,
                format!(
                    "{}; {}; {} batches in the same order every epoch, no damping",
                    ground.describe(self.samples, self.inputs, widths),
                    self.activation,
                    self.batches
                ),
            )
            .assume(Assumption::on_the_sphere(off_sphere))
            .assume(Assumption::smooth(self.activation.curvature_bound().unwrap_or(f64::INFINITY)))
            .assume(Assumption::new(
                "G₀ is invertible: λ_min over its rounding",
                smallest(runs.iter().map(|run| run.invertible)),
                Relation::AtLeast,
                1.0,
            ))
            .constant("ρ, largest factor of an epoch in the long run on G₀", radius)
            .constant("factor of an epoch, late in the run, predicted", predicted)
            .constant("the same, measured", measured)
            .check(
                Check::new("log factor of an epoch over its prediction, widest network", ratio, Relation::Near, 1.0)
                    .within(RATE_TOLERANCE),
            )
            .check(Check::new("order of convergence an epoch", order, Relation::Near, 1.0).within(ORDER_TOLERANCE));
        self.draw(certificate, widths, runs).say(format!(
            "Late in the run an epoch multiplies the error by {measured:.3}; block Gauss–Seidel on the kernel of the start \
             predicts {predicted:.3}. The fitted order is {order:.2}, where 1 is linear and 2 quadratic."
        ))
    }

    fn draw(&self, mut certificate: Certificate, widths: &[usize], runs: &[Run]) -> Certificate {
        for &width in [widths.first(), widths.last()].into_iter().flatten() {
            let Some(run) = runs.iter().find(|run| run.width == width) else { continue };
            certificate = certificate.picture(
                Picture::new(format!("Error over epochs, {width} hidden units"), "epoch", "error ‖f − y‖")
                    .log_y()
                    .curve("measured", Role::Measured, Mark::Line, numbered(&run.measured))
                    .curve(
                        "predicted by the kernel of the start",
                        Role::Predicted,
                        Mark::Line,
                        numbered(&run.predicted),
                    )
                    .say("A straight line is a constant factor an epoch; the wider the network, the closer the two."),
            );
            if widths.len() == 1 {
                break;
            }
        }
        let factors = runs.iter().map(|run| (late_rate(&run.predicted).exp(), late_rate(&run.measured).exp()));
        let diagonal = by_x(runs.iter().map(|run| late_rate(&run.predicted).exp()).map(|rate| (rate, rate)));
        certificate.picture(
            Picture::new(
                format!("Factor of an epoch, all widths, {} batches", self.batches),
                "predicted factor",
                "measured factor",
            )
            .curve("measured, one point a seed and width", Role::Measured, Mark::Points, factors)
            .curve("as predicted", Role::Predicted, Mark::Line, diagonal)
            .say("On the line, the network does what its kernel at the start says."),
        )
    }
}
