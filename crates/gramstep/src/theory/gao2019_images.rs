//! Adversarial training on images falls to the loss of the best robust network in the ball (gao2019).
//!
//! ```text
//! B = {θ : ‖W − W₀‖_F ≤ R},  R a share of R*, the way to a robust fit: in B the loss under attack cannot be 0
//! θ* = the robust optimum in B of the linearised network, whose loss is convex in θ
//! θ ← Π_B(θ − η g_t):    min_t L_A(θ_t) ≤ L_*(θ*) + ε
//! ```
//!
//! The least loss of the linearised network lies between a bound by duality and its loss at θ* ([`robust_optimum`]). A wide
//! network does no better than its linearisation; narrow ones may, and did. An epoch is a step on all images. The loss is the squared hinge, which is smooth, so that gradient
//! descent arrives; in the ball it is Lipschitz, as the theorem asks.

use super::certificate::{Assumption, Certificate, Check, Relation};
use super::glyphs::threes_and_eights;
use super::ground::{Ground, Points, Progress};
use super::network::{Trial, descent, lost};
use super::picture::{Mark, Picture, Role, numbered};
use super::robust::{ROUNDS, RobustSetting, inner, network};
use super::statistics::{largest, mean, smallest};
use super::{Claim, Effort};
use crate::attack::{AdversarialTraining, ParameterBall, Pgd, RobustFitConfig, ThreatModel, robust_optimum};
use crate::error::Result;
use crate::loss::SquaredHingeLoss;
use crate::optim::Batch;

/// ε of the theorem: what the loss under attack may miss of that of the best robust network.
const EPSILON: f64 = 0.01;
/// How well the least loss of the linearised network has to be known.
const BRACKET: f64 = 5e-3;
/// Rounds of cutting planes for it.
const OPTIMUM_ROUNDS: usize = 40;

/// The claim `gao2019-images`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RobustImages {
    /// Images, half of them of each label.
    pub samples: usize,
    /// Pixels of a side.
    pub side: usize,
    /// ε of the attack, ℓ2; images have length 1.
    pub radius: f64,
    /// m, ascending.
    pub widths: Vec<usize>,
    /// Epochs.
    pub epochs: usize,
    /// η in units of 1/λ_max(G₀).
    pub relative_rate: f64,
    /// Radius of the ball over R* of the widest network.
    pub ball: f64,
    /// Rounds of cutting planes in which the best robust network of the ball is found.
    pub rounds: usize,
}

impl RobustImages {
    /// The setting of an effort.
    #[must_use]
    pub fn new(effort: Effort) -> Self {
        let (samples, side, widths) = match effort {
            Effort::Quick => (30, 10, vec![64, 256, 1024]),
            Effort::Full => (60, 14, vec![64, 256, 1024, 4096]),
        };
        let (epochs, rounds) = (150, OPTIMUM_ROUNDS);
        Self { samples, side, radius: 0.15, widths, epochs, relative_rate: 1.0, ball: 0.6, rounds }
    }

    fn setting(&self) -> RobustSetting {
        RobustSetting { samples: self.samples, inputs: self.side * self.side, radius: self.radius }
    }

    /// The images of a seed, or `samples` of the given points, as many of one label as of the other where possible.
    fn points(&self, ground: &Ground, seed: u64) -> Result<Points> {
        if ground.data.is_none() {
            return Ok(threes_and_eights(seed, self.samples, self.side));
        }
        let all = self.setting().points(ground, seed)?;
        let signs = all.targets.as_slice();
        let with = |sign: f64| (0..all.samples()).filter(move |&i| signs[i] == sign).take(self.samples / 2);
        let mut kept: Vec<usize> = with(1.0).chain(with(-1.0)).collect();
        kept.sort_unstable();
        Points::new(all.inputs.select_rows(&kept), all.targets.select_rows(&kept))
    }
}

/// What the images of all seeds are like.
struct Images {
    samples: usize,
    pixels: usize,
    off_sphere: f64,
    /// Least distance between labels over 2ε.
    separation: f64,
    /// R* of the widest network, mean.
    way: f64,
}

/// What a seed and a width gave.
struct Run {
    width: usize,
    /// Bounds of the least loss under attack in the ball, of the linearised network.
    least: [f64; 2],
    /// L_*(θ*) of the network itself at the best parameters of its linearisation.
    best: f64,
    /// L_A(θ_t), epoch by epoch.
    losses: Vec<f64>,
    /// L_* at the end.
    strong: f64,
    /// L_* at the end of the same training on the images as they are.
    unattacked: f64,
}

impl Run {
    /// A run that left the finite numbers.
    fn lost(width: usize) -> Self {
        let no = f64::NAN;
        Self { width, least: [no, no], best: no, losses: vec![no], strong: no, unattacked: no }
    }

    fn lowest(&self) -> f64 {
        smallest(self.losses.iter().copied())
    }
}

impl Claim for RobustImages {
    fn name(&self) -> &'static str {
        "gao2019-images"
    }

    fn source(&self) -> &'static str {
        "gao2019"
    }

    fn statement(&self) -> &'static str {
        "In a ball around the start that is too small for a loss of 0, adversarial training on images drives the loss \
         under attack to that of the best robust network of the ball."
    }

    fn certify(&self, ground: &Ground, tell: &mut dyn FnMut(f64)) -> Result<Certificate> {
        ground.check()?;
        let widths = ground.widths(&self.widths);
        let mut progress = Progress::new(tell, (widths.iter().sum::<usize>() * ground.seeds.len()) as f64);
        let (mut runs, mut ways) = (Vec::new(), Vec::new());
        let mut images = Images { samples: 0, pixels: 0, off_sphere: 0.0, separation: f64::INFINITY, way: f64::NAN };
        for &seed in &ground.seeds {
            let points = self.points(ground, seed)?;
            (images.samples, images.pixels) = (points.samples(), points.inputs.columns());
            images.off_sphere = largest([images.off_sphere, points.off_sphere()]);
            images.separation = smallest([images.separation, self.setting().separation(&points)]);
            let trial = |width| network(points.clone(), width, true, seed, &ground.device);
            let widest = trial(widths.last().copied().unwrap_or(1))?;
            let way = lost(self.setting().fit(&widest, ROUNDS))?.map_or(f64::NAN, |fit| fit.norm);
            ways.push(way);
            for &width in widths {
                let run = if way.is_finite() { lost(self.run(&trial(width)?, width, self.ball * way))? } else { None };
                runs.push(run.unwrap_or_else(|| Run::lost(width)));
                progress.advance(width as f64);
            }
        }
        images.way = mean(ways);
        Ok(self.judge(ground, widths, &images, &runs))
    }
}

impl RobustImages {
    fn run(&self, start: &Trial, width: usize, radius: f64) -> Result<Run> {
        let (setting, points) = (self.setting(), &start.points);
        let attack = Pgd::new(30).with_restarts(1);
        let config = RobustFitConfig { rounds: self.rounds, tolerance: 0.5 * BRACKET };
        let found =
            robust_optimum(&start.model, &points.inputs, &points.targets, &setting.threat()?, &attack, radius, config)?;
        let star = start.moved(&found.direction, 1.0)?;
        let (trained, losses) = self.trained(start.clone(), setting.threat()?, radius)?;
        let (unattacked, _) = self.trained(start.clone(), ThreatModel::l2(0.0)?, radius)?;
        let worst = |trial: &Trial| Ok(mean(setting.worst_hinges(trial)?.map(|hinge| hinge * hinge)));
        Ok(Run {
            width,
            least: [found.least, found.loss],
            best: worst(&star)?,
            losses,
            strong: worst(&trained)?,
            unattacked: worst(&unattacked)?,
        })
    }

    /// The network after all epochs, and L_A of each.
    fn trained(&self, mut trial: Trial, threat: ThreatModel, radius: f64) -> Result<(Trial, Vec<f64>)> {
        let most = trial.spectrum()?.values.last().copied().unwrap_or(1.0);
        let points = trial.points.clone();
        let mut optimizer = descent(self.relative_rate / most, points.samples())?;
        let ball = ParameterBall::around(&trial.model, radius)?;
        let mut training = AdversarialTraining::new(inner(), threat).within(ball);
        let batch = Batch::new(&points.inputs, &points.targets).with_loss(&SquaredHingeLoss);
        let mut losses = Vec::with_capacity(self.epochs);
        for _ in 0..self.epochs {
            losses.push(training.step(&mut optimizer, &mut trial.model, &batch)?.robust_loss);
        }
        Ok((trial, losses))
    }

    fn judge(&self, ground: &Ground, widths: &[usize], images: &Images, runs: &[Run]) -> Certificate {
        let widest = widths.last().copied().unwrap_or(0);
        let of = |width: usize| runs.iter().filter(move |run| run.width == width);
        let worst = |value: fn(&Run) -> f64| largest(runs.iter().map(value));
        let worst_widest = |value: fn(&Run) -> f64| largest(of(widest).map(value));
        let drawn = ground.data.is_none();
        let mut certificate = Certificate::new(self.name(), self.source(), self.statement())
            .tried(
                &ground.seeds,
                format!(
                    "{}; {}quadratic relu, labels ±1, ℓ2 radius {}, ball of {} R*, {} epochs of gradient descent on the \
                     squared hinge loss",
                    ground.describe_some(images.samples, images.pixels, widths),
                    if drawn { "drawn threes and eights; " } else { "" },
                    self.radius,
                    self.ball,
                    self.epochs
                ),
            )
            .assume(Assumption::on_the_sphere(images.off_sphere))
            .assume(Assumption::balls_apart(images.separation))
            .constant("R, radius of the ball, mean", self.ball * images.way);
        for &width in widths {
            certificate = certificate
                .constant(
                    &format!("least loss under attack in the ball, linearised network, width {width}, mean"),
                    mean(of(width).map(|run| run.least[1])),
                )
                .constant(
                    &format!("lowest loss under attack in training, width {width}, mean"),
                    mean(of(width).map(Run::lowest)),
                );
        }
        let certificate = certificate
            .check(
                Check::new(
                    "least loss of the linearised network in the ball: distance of its bounds, every width",
                    worst(|run| run.least[1] - run.least[0]),
                    Relation::AtMost,
                    0.0,
                )
                .within(BRACKET),
            )
            .check(
                Check::new(
                    "lowest loss under attack less that of the network at θ*, every width",
                    worst(|run| run.lowest() - run.best),
                    Relation::AtMost,
                    0.0,
                )
                .within(EPSILON),
            )
            .check(
                Check::new(
                    "the same at the end under a strong attack, widest network",
                    worst_widest(|run| run.strong - run.best),
                    Relation::AtMost,
                    0.0,
                )
                .within(EPSILON),
            )
            .check(
                Check::new(
                    "no lower than the linearised network can be: its lower bound less the loss at the end, widest network",
                    worst_widest(|run| run.least[0] - run.strong),
                    Relation::AtMost,
                    0.0,
                )
                .within(EPSILON),
            )
            .check(Check::new(
                "control, trained without attack: loss under attack beyond that at θ*, widest network",
                smallest(of(widest).map(|run| run.unattacked - run.best)),
                Relation::AtLeast,
                EPSILON,
            ));
        let level = |width: usize| mean(of(width).map(|run| run.best));
        let each = |value: &dyn Fn(usize) -> f64| {
            widths.iter().map(|&width| format!("{:.3}", value(width))).collect::<Vec<_>>().join(", ")
        };
        let sentence = format!(
            "With {} hidden units adversarial training on {} brought the loss under attack down to {}. In the same \
             ball the networks at the robust optimum of their linearisation lose {}. Trained without attack the widest \
             loses {:.3} under it.",
            widths.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
            if drawn { "drawn images" } else { "the given points" },
            each(&|width| mean(of(width).map(Run::lowest))),
            each(&level),
            mean(of(widest).map(|run| run.unattacked)),
        );
        draw(certificate, widths, runs).say(sentence)
    }
}

/// The first seed: the loss under attack by epochs at every width, above what the best network of the ball loses.
fn draw(certificate: Certificate, widths: &[usize], runs: &[Run]) -> Certificate {
    let mut picture = Picture::new("Adversarial training in a ball, by width", "epoch", "loss under attack").log_y();
    for run in runs.iter().take(widths.len()) {
        let last = run.losses.len().saturating_sub(1) as f64;
        let name = format!("width {}", run.width);
        picture = picture.curve(name, Role::Measured, Mark::Line, numbered(&run.losses)).curve(
            format!("width {}, robust optimum", run.width),
            Role::Predicted,
            Mark::Line,
            [(0.0, run.best), (last, run.best)],
        );
    }
    certificate.picture(picture.say("At every width the loss falls to that of the robust optimum in the ball."))
}
