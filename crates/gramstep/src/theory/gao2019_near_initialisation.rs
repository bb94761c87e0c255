//! Adversarial training stays near its start (gao2019): the way does not grow with the width.
//!
//! ```text
//! ‖W − W₀‖_F at a robust fit stays of the size of R*;    in the paper's scale, ‖W − W₀‖_F/√m falls like m^{−1/2}
//! ```

use super::certificate::{Assumption, Certificate, Check, Relation};
use super::ground::{Ground, Progress};
use super::network::{Trial, descent, lost};
use super::picture::{Mark, Picture, Role, by_x};
use super::robust::{ROUNDS, RobustSetting, inner, scaled_network};
use super::statistics::{largest, mean, smallest};
use super::{Claim, Effort};
use crate::attack::AdversarialTraining;
use crate::error::Result;
use crate::loss::HingeLoss;
use crate::optim::Batch;

/// L_A at which training ends.
const FITTED: f64 = 0.01;
/// The ball of the theorem, in units of R*.
const BALL: f64 = 1.5;

/// The claim `gao2019-near-initialisation`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RobustNeighbourhood {
    /// Points and attacker.
    pub setting: RobustSetting,
    /// m, ascending.
    pub widths: Vec<usize>,
    /// Most steps of gradient descent.
    pub steps: usize,
    /// η in units of n/λ_max(G₀).
    pub relative_rate: f64,
    /// Whether the output is divided by m in place of the theorem's √m: nothing stays near its start then.
    pub mean_field: bool,
}

impl RobustNeighbourhood {
    /// The setting of an effort.
    #[must_use]
    pub fn new(effort: Effort) -> Self {
        let widths = match effort {
            Effort::Quick => vec![128, 256, 512, 1024],
            Effort::Full => vec![128, 256, 512, 1024, 2048, 4096],
        };
        Self { setting: RobustSetting::default(), widths, steps: 300, relative_rate: 0.5, mean_field: false }
    }
}

struct Run {
    width: usize,
    /// ‖W − W₀‖_F at the end.
    distance: f64,
    /// L_A there.
    loss: f64,
    /// R*
    norm: f64,
    /// 1 or 0
    exists: f64,
}

impl Claim for RobustNeighbourhood {
    fn name(&self) -> &'static str {
        "gao2019-near-initialisation"
    }

    fn source(&self) -> &'static str {
        "gao2019"
    }

    fn statement(&self) -> &'static str {
        "Adversarial training ends near its start: the way to a robust network does not grow with the width."
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
                let scale = if self.mean_field { 1.0 / (width as f64).sqrt() } else { 1.0 };
                let trial = scaled_network(points.clone(), width, true, scale, seed, &ground.device)?;
                let nothing = Run { width, distance: f64::NAN, loss: f64::NAN, norm: f64::NAN, exists: f64::NAN };
                runs.push(lost(self.run(trial, width))?.unwrap_or(nothing));
                progress.advance(width as f64);
            }
        }
        Ok(self.judge(ground, widths, (off_sphere, separation), &runs))
    }
}

impl RobustNeighbourhood {
    fn run(&self, mut trial: Trial, width: usize) -> Result<Run> {
        let fit = self.setting.fit(&trial, ROUNDS)?;
        let most = trial.spectrum()?.values.last().copied().unwrap_or(1.0);
        let mut optimizer = descent(self.relative_rate / most, trial.points.samples())?;
        let mut training = AdversarialTraining::new(inner(), self.setting.threat()?);
        let points = trial.points.clone();
        let batch = Batch::new(&points.inputs, &points.targets).with_loss(&HingeLoss);
        let mut loss = f64::INFINITY;
        for _ in 0..self.steps {
            let before = trial.model.theta();
            loss = training.step(&mut optimizer, &mut trial.model, &batch)?.robust_loss;
            if loss <= FITTED {
                // The loss is the one before the step.
                trial.model.set_theta(&before)?;
                break;
            }
        }
        Ok(Run { width, distance: trial.distance(), loss, norm: fit.norm, exists: f64::from(u8::from(fit.converged)) })
    }

    fn judge(
        &self,
        ground: &Ground,
        widths: &[usize],
        (off_sphere, separation): (f64, f64),
        runs: &[Run],
    ) -> Certificate {
        let widest = widths.last().copied().unwrap_or(0);
        let exists = mean(runs.iter().map(|run| run.exists));
        let distances: Vec<(f64, f64)> = runs.iter().map(|run| (run.width as f64, run.distance)).collect();
        let scaled: Vec<(f64, f64)> = distances.iter().map(|&(m, distance)| (m, distance / m.sqrt())).collect();
        let ratio = largest(runs.iter().map(|run| run.distance / run.norm));
        let mut certificate = Certificate::new(self.name(), self.source(), self.statement())
            .tried(
                &ground.seeds,
                format!(
                    "{}; quadratic relu, labels ±1, ℓ2 radius {}, gradient descent until the hinge loss is below 0.01",
                    ground.describe(self.setting.samples, self.setting.inputs, widths),
                    self.setting.radius
                ),
            )
            .assume(Assumption::on_the_sphere(off_sphere))
            .assume(Assumption::balls_apart(separation))
            .assume(Assumption::new(
                "a robust fit of the linearised network exists: share of runs",
                exists,
                Relation::AtLeast,
                1.0,
            ))
            .constant("distance at the widest network, mean", {
                mean(runs.iter().filter(|run| run.width == widest).map(|run| run.distance))
            })
            .check(
                Check::new(
                    "loss under attack at the end",
                    largest(runs.iter().map(|run| run.loss)),
                    Relation::AtMost,
                    0.0,
                )
                .within(FITTED),
            )
            .check(Check::new("distance over R*, every run", ratio, Relation::AtMost, BALL));
        if widths.len() > 1 {
            certificate = certificate.check(Check::exponent("distance/√m: exponent of the width", &scaled, -0.5));
        }
        let norms =
            widths.iter().map(|&m| (m as f64, mean(runs.iter().filter(|run| run.width == m).map(|run| run.norm))));
        certificate
            .picture(
                Picture::new("How far adversarial training goes", "hidden units", "‖W − W₀‖")
                    .log_log()
                    .curve("measured, one point a seed", Role::Measured, Mark::Points, distances)
                    .curve("predicted R*, mean", Role::Predicted, Mark::Line, by_x(norms))
                    .say("A robust network is no farther away in a wide network than in a narrow one."),
            )
            .picture(
                Picture::falling(
                    "The same in the paper's scale".to_owned(),
                    ["hidden units", "‖W − W₀‖ / √width"],
                    &scaled,
                )
                .say("Each unit has to move less, the more of them there are."),
            )
            .say(format!(
                "At every width from {} to {widest}, adversarial training went at most {ratio:.2} times as far as the \
                 shortest way to a robust fit of the linearised network.",
                widths.first().copied().unwrap_or(0)
            ))
    }
}
