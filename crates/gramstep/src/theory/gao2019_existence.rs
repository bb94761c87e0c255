//! A robust network exists near a wide network's start (gao2019).
//!
//! ```text
//! Δ of least norm with y·f_lin(θ₀ + Δ, x̃) ≥ 1 for all x̃ in the balls around the samples
//! ‖Δ‖ = R* does not grow with the width, and the network itself at θ₀ + 1.1Δ has L_* → 0
//! ```

use super::certificate::{Assumption, Certificate, Check, Relation};
use super::ground::{Ground, Progress};
use super::network::{Trial, lost};
use super::picture::{Mark, Picture, Role};
use super::robust::{ROUNDS, RobustSetting, network};
use super::statistics::{exponent, largest, mean, smallest};
use super::{Claim, Effort};
use crate::error::{Error, Result};
use crate::solve::norm;

/// ε of the theorem: what the robust loss may miss of 0 at the widest network.
const EPSILON: f64 = 0.01;
/// How far the exponent of R* may be from none: it falls to its limit from above.
const GROWTH_TOLERANCE: f64 = 0.15;
/// The network is looked at so far along Δ: beyond the margin, so that what the linearisation leaves out has room.
const LENGTH: f64 = 1.1;

/// The claim `gao2019-existence`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RobustExistence {
    /// Points and attacker.
    pub setting: RobustSetting,
    /// m, ascending.
    pub widths: Vec<usize>,
    /// Whether the network starts as f = 0.
    pub centred: bool,
}

impl RobustExistence {
    /// The setting of an effort.
    #[must_use]
    pub fn new(effort: Effort) -> Self {
        let widths = match effort {
            Effort::Quick => vec![64, 256, 1024],
            Effort::Full => vec![64, 256, 1024, 4096],
        };
        Self { setting: RobustSetting::default(), widths, centred: true }
    }
}

struct Run {
    width: usize,
    /// R*
    norm: f64,
    /// 1 or 0
    exists: f64,
    /// L_* of the network at θ₀ + 1.1Δ.
    loss: f64,
    /// ‖f₀‖/‖y‖
    start: f64,
}

impl Claim for RobustExistence {
    fn name(&self) -> &'static str {
        "gao2019-existence"
    }

    fn source(&self) -> &'static str {
        "gao2019"
    }

    fn statement(&self) -> &'static str {
        "Near the start of a wide network there are parameters that withstand every attack within the radius."
    }

    fn certify(&self, ground: &Ground, tell: &mut dyn FnMut(f64)) -> Result<Certificate> {
        ground.check()?;
        let widths = ground.widths(&self.widths);
        let mut progress = Progress::new(tell, (widths.iter().sum::<usize>() * ground.seeds.len()) as f64);
        let (mut runs, mut off_sphere, mut separation) = (Vec::new(), 0.0, f64::INFINITY);
        for &seed in &ground.seeds {
            let points = self.setting.points(ground, seed)?;
            off_sphere = largest([off_sphere, points.off_sphere()]);
            separation = smallest([separation, self.setting.separation(&points)]);
            for &width in widths {
                let trial = network(points.clone(), width, self.centred, seed, &ground.device)?;
                let nothing = Run { width, norm: f64::NAN, exists: f64::NAN, loss: f64::NAN, start: f64::NAN };
                runs.push(lost(self.run(&trial, width))?.unwrap_or(nothing));
                progress.advance(width as f64);
            }
        }
        Ok(self.judge(ground, widths, (off_sphere, separation), &runs))
    }
}

impl RobustExistence {
    fn run(&self, trial: &Trial, width: usize) -> Result<Run> {
        let start = norm(trial.model.predict(&trial.points.inputs)?.as_slice()) / norm(trial.points.targets.as_slice());
        let fit = match self.setting.fit(trial, ROUNDS) {
            // Gathered points contradict each other: there is no fit, which is a finding and no loss.
            Err(Error::Conflict { .. }) => {
                return Ok(Run { width, norm: f64::NAN, exists: 0.0, loss: f64::NAN, start });
            }
            fit => fit?,
        };
        let loss = self.setting.worst_loss(&trial.moved(&fit.direction, LENGTH)?)?;
        Ok(Run { width, norm: fit.norm, exists: f64::from(u8::from(fit.converged)), loss, start })
    }

    fn judge(
        &self,
        ground: &Ground,
        widths: &[usize],
        (off_sphere, separation): (f64, f64),
        runs: &[Run],
    ) -> Certificate {
        let widest = widths.last().copied().unwrap_or(0);
        let of_widest = || runs.iter().filter(|run| run.width == widest);
        let exists = mean(of_widest().map(|run| run.exists));
        let norms: Vec<(f64, f64)> = runs.iter().map(|run| (run.width as f64, run.norm)).collect();
        let losses: Vec<(f64, f64)> = runs.iter().map(|run| (run.width as f64, run.loss)).collect();
        let loss = largest(of_widest().map(|run| run.loss));
        let start = largest(runs.iter().map(|run| run.start));
        let mut certificate = Certificate::new(self.name(), self.source(), self.statement())
            .tried(
                &ground.seeds,
                format!(
                    "{}; quadratic relu, labels ±1, ℓ2 radius {}, cutting planes on the linearised network",
                    ground.describe(self.setting.samples, self.setting.inputs, widths),
                    self.setting.radius
                ),
            )
            .assume(Assumption::on_the_sphere(off_sphere))
            .assume(Assumption::balls_apart(separation))
            .assume(Assumption::centred(start))
            .constant("R*, length of the way, widest network, mean", mean(of_widest().map(|run| run.norm)))
            .check(Check::new("linearised fit found, share of seeds, widest network", exists, Relation::AtLeast, 1.0))
            .check(
                Check::new("loss of the network under a strong attack, widest network", loss, Relation::AtMost, 0.0)
                    .within(EPSILON),
            );
        if widths.len() > 1 {
            let growth = Check::new("R*: exponent of the width", exponent(&norms).value, Relation::Near, 0.0);
            certificate = certificate.check(growth.within(GROWTH_TOLERANCE));
        }
        let ceiling = widths.iter().map(|&m| (m as f64, EPSILON));
        certificate
            .picture(
                Picture::new(
                    "Loss of the network at the robust fit",
                    "hidden units",
                    "hinge loss under a strong attack",
                )
                .log_x()
                .curve("measured, one point a seed", Role::Measured, Mark::Points, losses)
                .curve("ceiling for the widest", Role::Predicted, Mark::Line, ceiling)
                .say("The fit is made for the linearised network; the wider, the better it suits the network itself."),
            )
            .picture(
                Picture::new("Length of the way to it", "hidden units", "R*")
                    .log_log()
                    .curve("measured, one point a seed", Role::Measured, Mark::Points, norms.iter().copied())
                    .curve("predicted: no growth", Role::Predicted, Mark::Line, {
                        let level = mean(norms.iter().filter(|(m, _)| *m == norms[0].0).map(|(_, norm)| *norm));
                        widths.iter().map(move |&m| (m as f64, level)).collect::<Vec<_>>()
                    })
                    .say("The way to a robust network does not get longer with the width."),
            )
            .say(format!(
                "With {widest} hidden units there are parameters {:.1} away from the start on average at which the \
                 network has a hinge loss of at most {loss:.4} under the strongest attack tried.",
                LENGTH * mean(of_widest().map(|run| run.norm))
            ))
    }
}
