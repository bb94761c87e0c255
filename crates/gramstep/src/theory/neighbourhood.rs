//! Training ends near where it began, and a global optimum lies there (du2019, cai2019, gao2019).
//!
//! ```text
//! R = √(r₀ᵀG₀⁻¹r₀), the norm of the minimum-norm interpolant of the linearised network
//! ‖θ_∞ − θ₀‖ → R as the width grows,    ‖θ_∞ − θ₀‖/‖θ₀‖ falls like m^{−1/2}
//! ```

use super::certificate::{Assumption, Certificate, Check, Relation};
use super::ground::{Ground, Labels, Points, Progress};
use super::network::{Trial, descent, gram_gauss_newton, lost};
use super::picture::{Mark, Picture, Role};
use super::statistics::{farthest_from_one, largest, mean, smallest};
use super::{Claim, Effort};
use crate::device::Device;
use crate::error::Result;
use crate::model::Activation;
use crate::solve::{dot, norm};

/// ‖f − y‖/‖y‖ of a global optimum.
const OPTIMUM: f64 = 1e-6;
/// Most steps of Gram-Gauss-Newton.
const SECOND_ORDER_STEPS: usize = 30;
/// What the distance of the optimum may miss of R at the widest network.
const DISTANCE_TOLERANCE: f64 = 0.1;

/// The claim `neighbourhood`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Neighbourhood {
    /// n
    pub samples: usize,
    /// d
    pub inputs: usize,
    /// m, ascending.
    pub widths: Vec<usize>,
    /// φ
    pub activation: Activation,
    /// Steps of gradient descent.
    pub steps: usize,
}

impl Neighbourhood {
    /// The setting of an effort.
    #[must_use]
    pub fn new(effort: Effort) -> Self {
        let (samples, inputs, widths) = match effort {
            Effort::Quick => (20, 10, vec![64, 256, 1024, 4096]),
            Effort::Full => (100, 50, vec![64, 256, 1024, 4096, 16384]),
        };
        Self { samples, inputs, widths, activation: Activation::Relu, steps: 300 }
    }
}

struct Run {
    width: usize,
    invertible: f64,
    /// R
    radius: f64,
    /// ‖θ₀‖
    start: f64,
    /// ‖θ − θ₀‖ at the optimum that Gram-Gauss-Newton found.
    optimum: f64,
    /// ‖f − y‖/‖y‖ there.
    residual: f64,
    /// ‖θ − θ₀‖ of gradient descent.
    descended: f64,
}

impl Claim for Neighbourhood {
    fn name(&self) -> &'static str {
        "neighbourhood"
    }

    fn source(&self) -> &'static str {
        "cai2019"
    }

    fn statement(&self) -> &'static str {
        "A global optimum lies at the distance √(r₀ᵀG₀⁻¹r₀) of the start, which does not grow with the width: compared \
         with the size of the parameters, training moves less and less."
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

impl Neighbourhood {
    fn run(&self, points: Points, width: usize, seed: u64, device: &Device) -> Result<Run> {
        let start = Trial::two_layer(points, width, self.activation, seed, device)?;
        let (spectrum, residual) = (start.spectrum()?, start.residual()?);
        let labels = norm(start.points.targets.as_slice());
        let mut run = Run {
            width,
            invertible: spectrum.values[0] / spectrum.rounding(),
            radius: dot(&residual, &spectrum.solve(0.0, &residual)).sqrt(),
            start: start.start_norm(),
            optimum: f64::NAN,
            residual: f64::NAN,
            descended: f64::NAN,
        };
        if let Some((distance, residual)) = lost(optimum(start.clone(), labels))? {
            (run.optimum, run.residual) = (distance, residual);
        }
        let rate = 1.0 / spectrum.values.last().copied().unwrap_or(1.0);
        run.descended = lost(self.descended(start, rate))?.unwrap_or(f64::NAN);
        Ok(run)
    }

    fn descended(&self, mut trial: Trial, rate: f64) -> Result<f64> {
        let mut optimizer = descent(rate, trial.points.samples())?;
        for _ in 0..self.steps {
            trial.step(&mut optimizer)?;
        }
        Ok(trial.distance())
    }

    fn judge(&self, ground: &Ground, widths: &[usize], off_sphere: f64, runs: &[Run]) -> Certificate {
        let widest = widths.last().copied().unwrap_or(0);
        let of_widest = || runs.iter().filter(|run| run.width == widest);
        let ratio = farthest_from_one(of_widest().map(|run| run.optimum / run.radius));
        let relative: Vec<(f64, f64)> = runs.iter().map(|run| (run.width as f64, run.optimum / run.start)).collect();
        let mut certificate = Certificate::new(self.name(), self.source(), self.statement())
            .tried(
                &ground.seeds,
                format!(
                    "{}; {}; Gram-Gauss-Newton to the optimum, {} steps of gradient descent beside it",
                    ground.describe(self.samples, self.inputs, widths),
                    self.activation,
                    self.steps
                ),
            )
            .assume(Assumption::on_the_sphere(off_sphere))
            .assume(Assumption::new(
                "G₀ is invertible: λ_min over its rounding, every width",
                smallest(runs.iter().map(|run| run.invertible)),
                Relation::AtLeast,
                1.0,
            ))
            .constant("R, distance predicted, widest network, mean", mean(of_widest().map(|run| run.radius)))
            .constant("distance of the optimum, widest network, mean", mean(of_widest().map(|run| run.optimum)))
            .constant("‖θ₀‖, widest network, mean", mean(of_widest().map(|run| run.start)))
            .check(Check::new(
                "the end is a global optimum: ‖f − y‖/‖y‖, widest network",
                largest(of_widest().map(|run| run.residual)),
                Relation::AtMost,
                OPTIMUM,
            ))
            .check(
                Check::new("distance of the optimum over R, widest network", ratio, Relation::Near, 1.0)
                    .within(DISTANCE_TOLERANCE),
            )
            .check(
                Check::new(
                    "distance of gradient descent over R, widest network",
                    largest(of_widest().map(|run| run.descended / run.radius)),
                    Relation::AtMost,
                    1.0,
                )
                .within(DISTANCE_TOLERANCE),
            );
        if widths.len() > 1 {
            certificate = certificate.check(Check::exponent("‖θ − θ₀‖/‖θ₀‖: exponent of the width", &relative, -0.5));
        }
        let share = 100.0 * mean(of_widest().map(|run| run.optimum / run.start));
        draw(certificate, widths, runs, &relative).say(format!(
            "With {widest} hidden units a global optimum was found {:.2} away from the start on average, where {:.2} was \
             predicted: {share:.1} % of the length of the parameter vector.",
            mean(of_widest().map(|run| run.optimum)),
            mean(of_widest().map(|run| run.radius)),
        ))
    }
}

/// Distance and relative residual where Gram-Gauss-Newton ends.
fn optimum(mut trial: Trial, labels: f64) -> Result<(f64, f64)> {
    let mut optimizer = gram_gauss_newton(0.0)?;
    let mut residual = f64::INFINITY;
    for _ in 0..SECOND_ORDER_STEPS {
        if residual <= OPTIMUM {
            break;
        }
        trial.step(&mut optimizer)?;
        residual = norm(&trial.residual()?) / labels;
    }
    Ok((trial.distance(), residual))
}

fn draw(certificate: Certificate, widths: &[usize], runs: &[Run], relative: &[(f64, f64)]) -> Certificate {
    let by_width = |value: fn(&Run) -> f64| runs.iter().map(|run| (run.width as f64, value(run))).collect::<Vec<_>>();
    let radius =
        widths.iter().map(|&m| (m as f64, mean(runs.iter().filter(|run| run.width == m).map(|run| run.radius))));
    certificate
        .picture(
            Picture::new("How far a global optimum is", "hidden units", "‖θ − θ₀‖")
                .log_log()
                .curve(
                    "measured, Gram-Gauss-Newton, a point a seed",
                    Role::Measured,
                    Mark::Points,
                    by_width(|run| run.optimum),
                )
                .curve("predicted R, mean", Role::Predicted, Mark::Line, radius)
                .curve("gradient descent, so far", Role::Control, Mark::Points, by_width(|run| run.descended))
                .say("The distance to a perfect fit does not grow with the network."),
        )
        .picture(
            Picture::falling(
                "The same as a share of the parameters".to_owned(),
                ["hidden units", "‖θ − θ₀‖ / ‖θ₀‖"],
                relative,
            )
            .say("Seen from the size of the whole parameter vector, a wide network hardly moves."),
        )
}
