//! A large output scale with a centred output makes any network lazy, at any width (chizat2019).
//!
//! ```text
//! f = α(h(θ, x) − h(θ₀, x)):    ‖f − f_lin‖/‖f − f₀‖  and  ‖G_t − G₀‖/‖G₀‖  fall at least like 1/α
//! θ_lin = θ₀ + J₀ᵀG₀⁻¹(f_T − f₀) of the linearisation, known before training:    both are there what they are at θ_T
//! ```
//!
//! Smooth activations do so, as the paper proves. ReLU has no such theorem; it falls like α^{−1/2}. Taylor's bounds with
//! sup |φ″| are met fifty times over and would test nothing, so the constants are those at θ_lin. An output that is 0 because
//! two equal copies are subtracted would hide the rate: their terms of second order cancel, and all falls like 1/α².

use super::certificate::{Assumption, Certificate, Check, Relation};
use super::ground::{Ground, Labels, Progress};
use super::lazy::{Foretold, LAZY, Lazy, MEASURES, foretold, train};
use super::network::Trial;
use super::picture::Picture;
use super::statistics::{farthest_from_one, largest, mean, smallest};
use super::{Claim, Effort};
use crate::error::Result;
use crate::model::{Activation, Specification};
use crate::solve::norm;

/// The claim `chizat2019-scale`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LazyScale {
    /// n
    pub samples: usize,
    /// d
    pub inputs: usize,
    /// m, the same for all scales.
    pub width: usize,
    /// α, ascending.
    pub scales: Vec<f64>,
    /// φ
    pub activations: Vec<Activation>,
    /// Steps of gradient descent.
    pub steps: usize,
    /// Whether its output at the start is taken off.
    pub centred: bool,
}

impl LazyScale {
    /// The setting of an effort.
    #[must_use]
    pub fn new(effort: Effort) -> Self {
        let (samples, inputs, width) = match effort {
            Effort::Quick => (20, 10, 256),
            Effort::Full => (100, 50, 1024),
        };
        Self {
            samples,
            inputs,
            width,
            scales: vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0],
            activations: vec![Activation::Relu, Activation::Softplus],
            steps: 200,
            centred: true,
        }
    }
}

struct Run {
    activation: Activation,
    scale: f64,
    /// ‖f₀‖/‖y‖ of the centred output f.
    start: f64,
    lazy: Lazy,
    foretold: Foretold,
}

/// What the error and the drift at the largest α may miss of what is foretold.
const FORETOLD_TOLERANCE: f64 = 0.1;

/// The exponent of α that an activation must reach.
fn promised(activation: Activation) -> f64 {
    if activation.curvature_bound().is_some() { -1.0 } else { -0.5 }
}

/// ‖f₀‖/‖y‖, f the output less what was added to the targets y.
fn start(trial: &Trial, targets: &[f64]) -> Result<f64> {
    let centred: Vec<f64> = trial.residual()?.iter().zip(targets).map(|(r, y)| r + y).collect();
    Ok(norm(&centred) / norm(targets))
}

/// Test points.
const TESTS: usize = 50;

impl Claim for LazyScale {
    fn name(&self) -> &'static str {
        "chizat2019-scale"
    }

    fn source(&self) -> &'static str {
        "chizat2019"
    }

    fn statement(&self) -> &'static str {
        "A network whose output starts at 0 and is multiplied by a large α trains like its linearisation: the \
         difference and the drift of the kernel fall at least like 1/α for smooth activations, to what the linearisation \
         foretells, and like 1/√α for relu."
    }

    fn certify(&self, ground: &Ground, tell: &mut dyn FnMut(f64)) -> Result<Certificate> {
        ground.check()?;
        let width = ground.widths.as_deref().and_then(|widths| widths.last().copied()).unwrap_or(self.width);
        let work = self.scales.len() * self.activations.len() * ground.seeds.len();
        let mut progress = Progress::new(tell, work as f64);
        let (mut runs, mut off_sphere) = (Vec::new(), 0.0);
        for &seed in &ground.seeds {
            let points = ground.points(seed, self.samples, self.inputs, Labels::Gaussian);
            off_sphere = largest([off_sphere, points.off_sphere()]);
            let test = Ground::test_points(seed, TESTS, points.inputs.columns());
            for &activation in &self.activations {
                for &scale in &self.scales {
                    let specification = Specification::two_layer(points.inputs.columns(), width, activation);
                    let specification = specification.with_output_scale(scale);
                    let trial = Trial::new(points.clone(), specification, seed, &ground.device)?;
                    let trial = if self.centred { trial.centred()? } else { trial };
                    let start = start(&trial, points.targets.as_slice())?;
                    let foretold = foretold(&trial, self.steps, 1.0)?;
                    let lazy = train(trial, &test, self.steps, 1.0)?;
                    runs.push(Run { activation, scale, start, lazy, foretold });
                    progress.advance(1.0);
                }
            }
        }
        Ok(self.judge(ground, width, off_sphere, &runs))
    }
}

impl LazyScale {
    fn judge(&self, ground: &Ground, width: usize, off_sphere: f64, runs: &[Run]) -> Certificate {
        let strongest = largest(self.scales.iter().copied());
        let at_strongest = |value: fn(&Lazy) -> f64| {
            mean(runs.iter().filter(|run| run.scale == strongest).map(|run| value(&run.lazy)))
        };
        let mut certificate = Certificate::new(self.name(), self.source(), self.statement())
            .tried(
                &ground.seeds,
                format!(
                    "{}; {}; {} steps of gradient descent with η = 1/λ_max(G₀), α from {} to {strongest}",
                    ground.describe(self.samples, self.inputs, &[width]),
                    self.activations.iter().map(|a| a.name()).collect::<Vec<_>>().join(", "),
                    self.steps,
                    smallest(self.scales.iter().copied())
                ),
            )
            .assume(Assumption::on_the_sphere(off_sphere))
            .assume(Assumption::centred(largest(runs.iter().map(|run| run.start))))
            .assume(Assumption::new(
                "G₀ is invertible: λ_min over its rounding",
                smallest(runs.iter().map(|run| run.lazy.invertible)),
                Relation::AtLeast,
                1.0,
            ))
            .constant("‖f − f_lin‖/‖f − f₀‖ at the largest α, mean", at_strongest(|lazy| lazy.linearisation))
            .constant("‖G_t − G₀‖/‖G₀‖ at the largest α, mean", at_strongest(|lazy| lazy.drift));
        for &activation in &self.activations {
            let own = || runs.iter().filter(move |run| run.activation == activation);
            for measure in MEASURES {
                let points: Vec<(f64, f64)> = own().map(|run| (run.scale, (measure.of)(&run.lazy))).collect();
                let name = format!("{}, {activation}: exponent of α", measure.name);
                let check = Check::exponent(name, &points, promised(activation));
                let title = format!("{}, {activation}, {width} hidden units", measure.name);
                let axes = ["output scale α", measure.axis];
                let picture = Picture::of_exponent(title, axes, &points, promised(activation));
                certificate = certificate
                    .check(check)
                    .picture(picture.say("The same network, scaled up, moves less and less; it need not be wide."));
            }
        }
        let drift = largest(runs.iter().filter(|run| run.scale == strongest).map(|run| run.lazy.drift));
        let smooth = || runs.iter().filter(|run| run.scale == strongest && run.activation.curvature_bound().is_some());
        if smooth().next().is_some() {
            let error = farthest_from_one(smooth().map(|run| run.lazy.linearisation / run.foretold.linearisation));
            let moved = farthest_from_one(smooth().map(|run| run.lazy.drift / run.foretold.drift));
            for (what, ratio) in [("linearisation error", error), ("kernel drift", moved)] {
                let name = format!("{what} over what the linearisation foretells, smooth, largest α");
                certificate =
                    certificate.check(Check::new(name, ratio, Relation::Near, 1.0).within(FORETOLD_TOLERANCE));
            }
        }
        certificate.check(Check::new("kernel drift, largest α", drift, Relation::AtMost, LAZY)).say(format!(
            "At α = {strongest} a network of {width} hidden units differs from its linearisation by {:.2} % of what it \
             learned, and its kernel has moved by {:.2} %, on average.",
            100.0 * at_strongest(|lazy| lazy.linearisation),
            100.0 * at_strongest(|lazy| lazy.drift)
        ))
    }
}
