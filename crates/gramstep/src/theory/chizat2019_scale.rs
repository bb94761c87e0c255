//! A large output scale with a centred output makes any network lazy, at any width (chizat2019).
//!
//! ```text
//! f = α·h(θ, x),  h(θ₀, ·) = 0:    ‖f − f_lin‖/‖f − f₀‖  and  ‖G_t − G₀‖/‖G₀‖  fall at least like 1/α
//! R = √(yᵀG₀⁻¹y) ∝ 1/α, the way of the linearisation;  B = αβ√(n/m)
//! ‖f − f_lin‖/‖y‖ ≤ ½BR²/‖y‖,    ‖G − G₀‖/‖G₀‖ ≤ (2‖J₀‖ + BR)·BR/‖G₀‖
//! ```
//!
//! Smooth activations do so, as the paper proves, and below the two constants, which are Taylor's for two layers on the
//! sphere: ‖J − J₀‖_F ≤ B‖θ − θ₀‖ with β = sup |φ″|. ReLU has no such theorem; it falls like α^{−1/2}.

use super::certificate::{Assumption, Certificate, Check, Relation};
use super::ground::{Ground, Labels, Progress};
use super::lazy::{LAZY, Lazy, MEASURES, train};
use super::network::Trial;
use super::picture::Picture;
use super::statistics::{largest, mean, smallest};
use super::{Claim, Effort};
use crate::error::Result;
use crate::model::{Activation, Specification};
use crate::solve::{dot, norm};

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
    /// Whether the network starts as f = 0.
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
    lazy: Lazy,
    bounds: Bounds,
}

/// What ‖f − f_lin‖/‖y‖ and ‖G − G₀‖/‖G₀‖ may come to; infinite without a β.
#[derive(Clone, Copy)]
struct Bounds {
    linearisation: f64,
    drift: f64,
}

impl Bounds {
    fn new(trial: &Trial, activation: Activation, scale: f64, width: usize) -> Result<Self> {
        let (y, n) = (trial.points.targets.as_slice(), trial.points.samples() as f64);
        let (gram, spectrum) = (trial.gram()?, trial.spectrum()?);
        let way = dot(y, &spectrum.solve(0.0, y)).sqrt();
        let slope = spectrum.values.last().copied().unwrap_or(0.0).sqrt();
        let beta = activation.curvature_bound().unwrap_or(f64::INFINITY);
        let bend = scale * beta * (n / width as f64).sqrt() * way;
        let (linearisation, drift) = (0.5 * bend * way / norm(y), (2.0 * slope + bend) * bend / norm(gram.as_slice()));
        Ok(Self { linearisation, drift })
    }
}

/// The exponent of α that an activation must reach.
fn promised(activation: Activation) -> f64 {
    if activation.curvature_bound().is_some() { -1.0 } else { -0.5 }
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
         difference and the drift of the kernel fall at least like 1/α for smooth activations, below constants known at \
         the start, and like 1/√α for relu."
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
                    // Two equal copies of half the width.
                    let units = if self.centred { width.div_ceil(2) } else { width };
                    let plain = Specification::two_layer(points.inputs.columns(), units, activation);
                    let plain = plain.with_output_scale(scale);
                    let specification = if self.centred { plain.with_symmetric_start() } else { plain };
                    let trial = Trial::new(points.clone(), specification, seed, &ground.device)?;
                    let bounds = Bounds::new(&trial, activation, scale, if self.centred { 2 * units } else { units })?;
                    let lazy = train(trial, &test, self.steps, 1.0)?;
                    runs.push(Run { activation, scale, lazy, bounds });
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
            .assume(Assumption::centred(largest(runs.iter().map(|run| run.lazy.start))))
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
                let picture = Picture::falling(title, ["output scale α", measure.axis], &points);
                certificate = certificate
                    .check(check)
                    .picture(picture.say("The same network, scaled up, moves less and less; it need not be wide."));
            }
        }
        let drift = largest(runs.iter().filter(|run| run.scale == strongest).map(|run| run.lazy.drift));
        let smooth = || runs.iter().filter(|run| run.activation.curvature_bound().is_some());
        if smooth().next().is_some() {
            let error = largest(smooth().map(|run| run.lazy.linearisation / run.bounds.linearisation));
            let moved = largest(smooth().map(|run| run.lazy.drift / run.bounds.drift));
            certificate = certificate
                .check(Check::new(
                    "linearisation error over its constant/α, smooth, every α",
                    error,
                    Relation::AtMost,
                    1.0,
                ))
                .check(Check::new("kernel drift over its constant/α, smooth, every α", moved, Relation::AtMost, 1.0));
        }
        certificate.check(Check::new("kernel drift, largest α", drift, Relation::AtMost, LAZY)).say(format!(
            "At α = {strongest} a network of {width} hidden units differs from its linearisation by {:.2} % of what it \
             learned.",
            100.0 * at_strongest(|lazy| lazy.linearisation)
        ))
    }
}
