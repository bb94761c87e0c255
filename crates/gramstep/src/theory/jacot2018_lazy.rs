//! Wide networks train like their linearisation: the tangent kernel hardly moves (jacot2018).
//!
//! ```text
//! f_lin(θ, x) = f(θ₀, x) + J₀(θ − θ₀),    gradient descent on it: f_t = y + (I − ηG₀)ᵗ(f₀ − y)
//! ‖f − f_lin‖/‖f − f₀‖  and  ‖G_t − G₀‖/‖G₀‖  fall at least like m^{−1/2}, f − f_lin on test points, too
//! ‖Θ̂₀ − Θ∞‖/‖Θ∞‖ ≤ c_L·m^{−1/2} for L hidden layers of m units
//! ```
//!
//! The first line is theorem 2 of the paper, the last its theorem 1: at the start the kernel is that of infinite width up
//! to fluctuations, each entry a mean over m units.

use super::certificate::{Assumption, Certificate, Check, MOST_UNCERTAIN, Relation};
use super::ground::{Ground, Labels, Progress};
use super::lazy::{LAZY, Lazy, MEASURES, train};
use super::limit::{Distance, WEIGHT_VARIANCE, distance};
use super::network::Trial;
use super::picture::{Mark, Picture, Role};
use super::statistics::{exponent, largest, mean, smallest};
use super::{Claim, Effort};
use crate::error::Result;
use crate::model::Activation;

/// The claim `jacot2018-lazy`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LazyWidth {
    /// n
    pub samples: usize,
    /// d
    pub inputs: usize,
    /// m, ascending.
    pub widths: Vec<usize>,
    /// φ
    pub activations: Vec<Activation>,
    /// Steps of gradient descent.
    pub steps: usize,
    /// η in units of 1/λ_max(G₀).
    pub relative_rate: f64,
    /// Numbers of hidden layers L of the networks whose kernels at the start are compared with their limits.
    pub depths: Vec<usize>,
    /// Their numbers of hidden units, ascending, whatever widths are given.
    pub kernel_widths: Vec<usize>,
    /// σ_w² of the limit with which they are compared: that of the networks, 2, in the theorem.
    pub limit_variance: f64,
}

/// What the exponent of ‖Θ̂₀ − Θ∞‖ may miss of −½: deep narrow networks are not yet in the limit.
const EXPONENT_TOLERANCE: f64 = 0.15;
/// The largest ‖Θ̂₀ − Θ∞‖/‖Θ∞‖·√m/L: each layer adds the fluctuation of a mean of m products of Gaussians.
const FLUCTUATION: f64 = 3.0;
/// Test points.
const TESTS: usize = 50;
/// Networks whose kernels are compared, for each seed, depth and width.
const DRAWS: u64 = 8;

impl LazyWidth {
    /// The setting of an effort.
    #[must_use]
    pub fn new(effort: Effort) -> Self {
        let (samples, inputs, widths) = match effort {
            Effort::Quick => (20, 10, vec![64, 256, 1024, 4096]),
            Effort::Full => (100, 50, vec![64, 256, 1024, 4096, 16384]),
        };
        let activations = vec![Activation::Relu, Activation::Softplus];
        let (depths, kernel_widths) = (vec![1, 2, 3], vec![64, 128, 256, 512, 1024]);
        Self {
            samples,
            inputs,
            widths,
            activations,
            steps: 200,
            relative_rate: 1.0,
            depths,
            kernel_widths,
            limit_variance: WEIGHT_VARIANCE,
        }
    }
}

/// A kernel at its start beside its limit.
struct Start {
    depth: usize,
    width: usize,
    distance: Distance,
}

impl Start {
    /// The larger of the two distances, in units of L/√m.
    fn level(&self) -> f64 {
        fluctuation(largest([self.distance.training, self.distance.test]), self.width as f64, self.depth)
    }
}

/// ‖Θ̂₀ − Θ∞‖/‖Θ∞‖·√m/L
fn fluctuation(distance: f64, width: f64, depth: usize) -> f64 {
    distance * width.sqrt() / depth as f64
}

struct Run {
    activation: Activation,
    width: usize,
    lazy: Lazy,
}

impl Claim for LazyWidth {
    fn name(&self) -> &'static str {
        "jacot2018-lazy"
    }

    fn source(&self) -> &'static str {
        "jacot2018"
    }

    fn statement(&self) -> &'static str {
        "A wide network trains like its linearisation at the start: the difference and the drift of the tangent kernel \
         fall at least like 1/√width."
    }

    fn certify(&self, ground: &Ground, tell: &mut dyn FnMut(f64)) -> Result<Certificate> {
        ground.check()?;
        let widths = ground.widths(&self.widths);
        let kernel_widths = &self.kernel_widths;
        let squares: usize = kernel_widths.iter().map(|width| width * self.depths.len()).sum();
        let work = (widths.iter().sum::<usize>() * self.activations.len() + squares) * ground.seeds.len();
        let mut progress = Progress::new(tell, work as f64);
        let (mut runs, mut starts, mut off_sphere) = (Vec::new(), Vec::new(), 0.0);
        for &seed in &ground.seeds {
            let points = ground.points(seed, self.samples, self.inputs, Labels::Gaussian);
            off_sphere = largest([off_sphere, points.off_sphere()]);
            let test = Ground::test_points(seed, TESTS, points.inputs.columns());
            for (&depth, &width) in self.depths.iter().flat_map(|depth| kernel_widths.iter().map(move |w| (depth, w))) {
                let seeds = (0..DRAWS).map(|draw| seed ^ (draw << 32));
                let distance = distance(&points, &test, (depth, width), self.limit_variance, seeds, &ground.device)?;
                starts.push(Start { depth, width, distance });
                progress.advance(width as f64);
            }
            for &width in widths {
                for &activation in &self.activations {
                    let trial = Trial::two_layer(points.clone(), width, activation, seed, &ground.device)?;
                    runs.push(Run { activation, width, lazy: train(trial, &test, self.steps, self.relative_rate)? });
                    progress.advance(width as f64);
                }
            }
        }
        Ok(self.judge(ground, widths, off_sphere, (&runs, &starts)))
    }
}

impl LazyWidth {
    fn judge(
        &self,
        ground: &Ground,
        widths: &[usize],
        off_sphere: f64,
        (runs, starts): (&[Run], &[Start]),
    ) -> Certificate {
        let widest = widths.last().copied().unwrap_or(0);
        let at_widest =
            |value: fn(&Lazy) -> f64| mean(runs.iter().filter(|run| run.width == widest).map(|run| value(&run.lazy)));
        let mut certificate = Certificate::new(self.name(), self.source(), self.statement())
            .tried(
                &ground.seeds,
                format!(
                    "{}; {}; {} steps of gradient descent with η = {}/λ_max(G₀)",
                    ground.describe(self.samples, self.inputs, widths),
                    self.activations.iter().map(|a| a.name()).collect::<Vec<_>>().join(", "),
                    self.steps,
                    self.relative_rate
                ),
            )
            .assume(Assumption::on_the_sphere(off_sphere))
            .assume(Assumption::new("the step is stable: η·λ_max(G₀)", self.relative_rate, Relation::AtMost, 2.0))
            .assume(Assumption::new(
                "G₀ is invertible: λ_min over its rounding, every width",
                smallest(runs.iter().map(|run| run.lazy.invertible)),
                Relation::AtLeast,
                1.0,
            ))
            .assume(Assumption::new("widths to compare", widths.len() as f64, Relation::AtLeast, 2.0))
            .constant("‖f − f_lin‖/‖f − f₀‖ at the widest network, mean", at_widest(|lazy| lazy.linearisation))
            .constant("‖G_t − G₀‖/‖G₀‖ at the widest network, mean", at_widest(|lazy| lazy.drift))
            .constant(
                "‖f_t − f_t of the kernel‖/‖f₀ − y‖ at the widest network, mean",
                at_widest(|lazy| lazy.prediction),
            );
        for &activation in &self.activations {
            for measure in MEASURES {
                let points = by_width(runs, activation, measure.of);
                let name = format!("{}, {activation}: exponent of the width", measure.name);
                certificate = certificate.check(Check::exponent(name, &points, -0.5));
            }
        }
        let words = format!(
            "With {widest} hidden units the trained network differs from its linearisation by {:.1} % of what it \
             learned, and its kernel has moved by {:.1} %, on average. Before training the kernel of networks with {} \
             hidden layers differs from that of infinite width by at most {:.2}·L/√width for L layers.",
            100.0 * at_widest(|lazy| lazy.linearisation),
            100.0 * at_widest(|lazy| lazy.drift),
            self.depths.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
            largest(starts.iter().map(Start::level))
        );
        let drift = largest(runs.iter().filter(|run| run.width == widest).map(|run| run.lazy.drift));
        let certificate = certificate.check(Check::new("Kernel drift, widest network", drift, Relation::AtMost, LAZY));
        self.draw(self.judge_starts(certificate, starts), widths, runs).say(words)
    }

    /// Kernels at the start against their limits, at every depth.
    fn judge_starts(&self, mut certificate: Certificate, starts: &[Start]) -> Certificate {
        for &depth in &self.depths {
            let own = || starts.iter().filter(move |start| start.depth == depth);
            let layers = if depth == 1 { "1 hidden layer".to_owned() } else { format!("{depth} hidden layers") };
            for (what, of) in [
                ("", (|distance| distance.training) as fn(&Distance) -> f64),
                (" on test points", |distance| distance.test),
            ] {
                let points: Vec<(f64, f64)> = own().map(|it| (it.width as f64, of(&it.distance))).collect();
                let fitted = exponent(&points);
                let tolerance = EXPONENT_TOLERANCE.max((2.0 * fitted.error).min(MOST_UNCERTAIN));
                let level = largest(points.iter().map(|&(m, off)| fluctuation(off, m, depth)));
                let name = format!("‖Θ̂₀ − Θ∞‖/‖Θ∞‖{what}, {layers}");
                let title = format!("Tangent kernel at the start{what}, {layers}");
                let picture = Picture::falling(title, ["hidden units", "distance from the limit / limit"], &points);
                certificate = certificate
                    .check(
                        Check::new(format!("{name}: exponent of the width"), fitted.value, Relation::AtMost, -0.5)
                            .within(tolerance),
                    )
                    .check(Check::new(format!("{name} times √m/L, largest"), level, Relation::AtMost, FLUCTUATION))
                    .picture(picture.say("Before training begins the kernel is that of infinite width, up to chance."));
            }
        }
        certificate
    }

    fn draw(&self, mut certificate: Certificate, widths: &[usize], runs: &[Run]) -> Certificate {
        let Some(&shown) = self.activations.first() else { return certificate };
        for &width in [widths.first(), widths.last()].into_iter().flatten() {
            let Some(run) = runs.iter().find(|run| run.width == width && run.activation == shown) else { continue };
            let over =
                |values: &[f64]| run.lazy.times.iter().map(|&t| t as f64).zip(values.to_vec()).collect::<Vec<_>>();
            certificate = certificate.picture(
                Picture::new(format!("Training, {shown}, {width} hidden units"), "step", "error ‖f − y‖")
                    .log_y()
                    .curve("measured, network", Role::Measured, Mark::Line, over(&run.lazy.measured))
                    .curve("predicted, kernel of the start", Role::Predicted, Mark::Line, over(&run.lazy.predicted))
                    .say("The kernel knows the whole course of training before it begins; the wider, the better."),
            );
            if widths.len() < 2 {
                break;
            }
        }
        for &activation in &self.activations {
            for measure in MEASURES {
                let (title, axes) = (format!("{}, {activation}", measure.name), ["hidden units", measure.axis]);
                let picture = Picture::falling(title, axes, &by_width(runs, activation, measure.of));
                certificate =
                    certificate.picture(picture.say("The points have to fall at least as steeply as the line."));
            }
        }
        certificate
    }
}

fn by_width(runs: &[Run], activation: Activation, value: fn(&Lazy) -> f64) -> Vec<(f64, f64)> {
    let own = runs.iter().filter(|run| run.activation == activation);
    own.map(|run| (run.width as f64, value(&run.lazy))).collect()
}
