//! Overparameterised networks fit random labels to zero training error (zhang2017).
//!
//! ```text
//! x_i uniform on the sphere, y_i = ±1 at random, p = m·d > n:    sign f(θ_T, x_i) = y_i for all i
//! ```
//!
//! Both optimisers have to reach it: gradient descent with η = 1/λ_max(G₀), and full-batch Gram-Gauss-Newton. How many
//! steps gradient descent needs is predicted from G₀ alone. The same network on the same inputs with true labels, the side
//! of a hyperplane, is right on most test points, and wrong on half of them with random ones: nothing but the labels
//! tells apart what generalises.

use super::certificate::{Assumption, Certificate, Check, Relation};
use super::frozen::Frozen;
use super::ground::{Ground, Labels, Points, Progress};
use super::network::{Trial, descent, gram_gauss_newton, lost};
use super::picture::{Mark, Picture, Role};
use super::statistics::{largest, mean, smallest};
use super::{Claim, Effort};
use crate::device::Device;
use crate::error::Result;
use crate::model::Activation;
use crate::optim::Optimizer;
use crate::solve::{dot, norm};
use crate::view::Matrix;

/// ‖f − y‖/‖y‖ at which labels count as fitted to the number.
const FITTED: f64 = 1e-3;
/// What the steps to zero error and to the labels may miss of their prediction, relative.
const STEPS_TOLERANCE: f64 = 0.3;
/// The largest share of gradient descent's steps that Gram-Gauss-Newton may need.
const SHORTER: f64 = 0.25;
/// Test points, and the largest share of them that is wrong with true labels.
const TESTS: usize = 1000;
const LEARNED: f64 = 0.35;
/// What the share of wrong test points with random labels may miss of ½: three standard errors.
const CHANCE: f64 = 0.05;
/// Most steps of Gram-Gauss-Newton.
const SECOND_ORDER_STEPS: usize = 20;

/// The claim `zhang2017-random-labels`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RandomLabels {
    /// n, ascending.
    pub samples: Vec<usize>,
    /// d
    pub inputs: usize,
    /// m
    pub width: usize,
    /// Most steps of gradient descent.
    pub steps: usize,
}

impl RandomLabels {
    /// The setting of an effort.
    #[must_use]
    pub fn new(effort: Effort) -> Self {
        let (samples, inputs, width) = match effort {
            Effort::Quick => (vec![50, 100, 200, 400], 50, 2048),
            Effort::Full => (vec![100, 200, 500, 1000], 100, 1024),
        };
        Self { samples, inputs, width, steps: 2000 }
    }
}

/// Steps to zero training error and to the labels themselves; not a number if not reached.
#[derive(Clone, Copy)]
struct Steps {
    error: f64,
    fitted: f64,
    /// Training error at the end.
    end: f64,
}

struct Run {
    samples: usize,
    parameters: usize,
    invertible: f64,
    descent: Steps,
    predicted: Steps,
    second_order: Steps,
    /// With true labels.
    learned: Steps,
    /// Shares of test points whose true label is missed by what was learned from random and from true labels.
    test: [f64; 2],
}

impl Claim for RandomLabels {
    fn name(&self) -> &'static str {
        "zhang2017-random-labels"
    }

    fn source(&self) -> &'static str {
        "zhang2017"
    }

    fn statement(&self) -> &'static str {
        "A network with more parameters than samples fits labels that are pure chance to zero training error."
    }

    fn certify(&self, ground: &Ground, tell: &mut dyn FnMut(f64)) -> Result<Certificate> {
        ground.check()?;
        let width = ground.widths.as_deref().and_then(|widths| widths.last().copied()).unwrap_or(self.width);
        let given = ground.data.as_ref().map(|data| vec![data.samples()]);
        let sizes = given.as_deref().unwrap_or(&self.samples);
        let mut progress = Progress::new(tell, (sizes.iter().sum::<usize>() * ground.seeds.len()) as f64);
        let mut runs = Vec::new();
        for &seed in &ground.seeds {
            for &samples in sizes {
                let mut points = ground.points(seed, samples, self.inputs, Labels::Signs);
                if let Some(data) = &ground.data {
                    // The inputs are the user's, the labels are chance.
                    points.targets = Points::sphere(seed, data.samples(), 2, Labels::Gaussian).targets;
                    points.targets.as_mut_slice().iter_mut().for_each(|y| *y = y.signum());
                }
                runs.push(self.run(points, width, seed, &ground.device)?);
                progress.advance(samples as f64);
            }
        }
        Ok(self.judge(ground, width, sizes, &runs))
    }
}

impl RandomLabels {
    fn run(&self, points: Points, width: usize, seed: u64, device: &Device) -> Result<Run> {
        let start = Trial::two_layer(points, width, Activation::Relu, seed, device)?;
        let (spectrum, n) = (start.spectrum()?, start.points.samples());
        let rate = 1.0 / spectrum.values.last().copied().unwrap_or(1.0);
        let labels = start.points.targets.as_slice();
        let mut frozen = Frozen::new(start.gram()?, start.residual()?);
        let predicted = count(labels, self.steps, || {
            let now = frozen.residual.clone();
            frozen.descend(rate);
            Ok(now)
        })?;
        let descend = |start: &Trial| follow(start, &mut descent(rate, n)?, self.steps);
        let (descent, by_chance) = descend(&start)?;
        let d = start.points.inputs.columns();
        let across = Points::sphere(seed, 1, d, Labels::Gaussian).inputs;
        let side = |x: &[f64]| if dot(x, across.row(0)) < 0.0 { -1.0 } else { 1.0 };
        let mut with_truth = start.clone();
        with_truth.points.targets = Matrix::from_fn(n, 1, |i, _| side(start.points.inputs.row(i)));
        let (learned, by_truth) = descend(&with_truth)?;
        let test = Ground::test_points(seed, TESTS, d);
        let missed = |trial: &Trial| -> Result<f64> {
            let Some(f) = lost(trial.model.predict(&test))? else { return Ok(f64::NAN) };
            let wrong = (0..TESTS).filter(|&i| f[(i, 0)] * side(test.row(i)) <= 0.0).count();
            Ok(wrong as f64 / TESTS as f64)
        };
        Ok(Run {
            samples: n,
            parameters: width * start.points.inputs.columns(),
            invertible: spectrum.values[0] / spectrum.rounding(),
            descent,
            predicted,
            second_order: follow(&start, &mut gram_gauss_newton(0.0)?, SECOND_ORDER_STEPS)?.0,
            learned,
            test: [missed(&by_chance)?, missed(&by_truth)?],
        })
    }

    fn judge(&self, ground: &Ground, width: usize, sizes: &[usize], runs: &[Run]) -> Certificate {
        let most = sizes.iter().copied().max().unwrap_or(0);
        let ends = |of: fn(&Run) -> Steps| largest(runs.iter().map(|run| of(run).end));
        let at_most = |value: fn(&Run) -> f64| at_most_of(runs, most, value);
        let ratio = largest(runs.iter().map(|run| run.second_order.fitted / run.descent.fitted));
        let steps = largest(runs.iter().map(|run| run.second_order.fitted));
        let missed = |which: usize| at_most_of(runs, most, |run| run.test[which]);
        let of_prediction = |what: &str, of: fn(&Steps) -> f64| {
            let steps = |run: fn(&Run) -> Steps| at_most_of(runs, most, move |it| of(&run(it)));
            let ratio = steps(|run| run.descent) / steps(|run| run.predicted);
            let name = format!("steps of gradient descent to {what} over their prediction from G₀, largest n, means");
            Check::new(name, ratio, Relation::Near, 1.0).within(STEPS_TOLERANCE)
        };
        let (d, list) = (ground.data.as_ref().map_or(self.inputs, |data| data.inputs.columns()), sizes.iter());
        let certificate = Certificate::new(self.name(), self.source(), self.statement())
            .tried(
                &ground.seeds,
                format!(
                    "n = {} points with labels ±1 at random, d = {d}, width {width}, relu",
                    list.map(usize::to_string).collect::<Vec<_>>().join(", ")
                ),
            )
            .assume(Assumption::new(
                "overparameterised: p/n",
                smallest(runs.iter().map(|run| run.parameters as f64 / run.samples as f64)),
                Relation::AtLeast,
                1.0,
            ))
            .assume(Assumption::new(
                "no two inputs alike: λ_min(G₀) over its rounding",
                smallest(runs.iter().map(|run| run.invertible)),
                Relation::AtLeast,
                1.0,
            ))
            .constant("steps of gradient descent to zero error, largest n, mean", at_most(|run| run.descent.error))
            .constant("the same, predicted by G₀", at_most(|run| run.predicted.error))
            .constant(
                "steps of Gram-Gauss-Newton to zero error, largest n, mean",
                at_most(|run| run.second_order.error),
            )
            .constant("steps of gradient descent to ‖f − y‖ ≤ ‖y‖/1000", at_most(|run| run.descent.fitted))
            .constant("steps of Gram-Gauss-Newton to the same", at_most(|run| run.second_order.fitted))
            .check(Check::new("training error of gradient descent", ends(|run| run.descent), Relation::AtMost, 0.0))
            .check(Check::new(
                "training error of Gram-Gauss-Newton",
                ends(|run| run.second_order),
                Relation::AtMost,
                0.0,
            ))
            .check(Check::new("steps of Gram-Gauss-Newton over gradient descent's", ratio, Relation::AtMost, SHORTER))
            .check(Check::new("training error with true labels", ends(|run| run.learned), Relation::AtMost, 0.0))
            .check(of_prediction("zero error", |steps| steps.error))
            .check(of_prediction("the labels themselves", |steps| steps.fitted))
            .check(Check::new("test error with random labels", missed(0), Relation::Near, 0.5).within(CHANCE))
            .check(Check::new("test error with true labels, largest n", missed(1), Relation::AtMost, LEARNED));
        draw(certificate, runs).say(format!(
            "All {most} random labels were fitted. Gradient descent had every sign right after {:.0} steps on average and \
             every label to 1 in 1000 after {:.0}, Gram-Gauss-Newton after {:.0} and at most {steps:.0}. On new points the \
             network is wrong on {:.0} %, as chance is; trained on true labels, on {:.0} %.",
            at_most(|run| run.descent.error),
            at_most(|run| run.descent.fitted),
            at_most(|run| run.second_order.error),
            100.0 * missed(0),
            100.0 * missed(1)
        ))
    }
}

/// The mean over the runs with n samples.
fn at_most_of(runs: &[Run], n: usize, value: impl Fn(&Run) -> f64) -> f64 {
    mean(runs.iter().filter(|run| run.samples == n).map(value))
}

fn draw(certificate: Certificate, runs: &[Run]) -> Certificate {
    let by_size = |value: fn(&Run) -> f64| runs.iter().map(|run| (run.samples as f64, value(run))).collect::<Vec<_>>();
    let means = |value: fn(&Run) -> f64| {
        let mut sizes: Vec<usize> = runs.iter().map(|run| run.samples).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let of = move |n| mean(runs.iter().filter(|run| run.samples == n).map(value));
        sizes.into_iter().map(|n| (n as f64, of(n))).collect::<Vec<_>>()
    };
    certificate
        .picture(
            Picture::new("Steps to zero training error", "samples", "steps")
                .log_log()
                .curve("measured, gradient descent", Role::Measured, Mark::Points, by_size(|run| run.descent.error))
                .curve("predicted from the kernel", Role::Predicted, Mark::Line, means(|run| run.predicted.error))
                .curve("Gram-Gauss-Newton", Role::Control, Mark::Points, by_size(|run| run.second_order.error))
                .say("From these steps on, every random label is on the right side."),
        )
        .picture(
            Picture::new("Steps to the labels themselves, to 1 in 1000", "samples", "steps")
                .log_log()
                .curve("measured, gradient descent", Role::Measured, Mark::Points, by_size(|run| run.descent.fitted))
                .curve("predicted from the kernel", Role::Predicted, Mark::Line, means(|run| run.predicted.fitted))
                .curve("Gram-Gauss-Newton", Role::Control, Mark::Points, by_size(|run| run.second_order.fitted))
                .say("The more samples, the longer gradient descent takes; Gram-Gauss-Newton stays at a few steps."),
        )
}

/// Counts steps of a series of residuals.
fn count(labels: &[f64], most: usize, mut next: impl FnMut() -> Result<Vec<f64>>) -> Result<Steps> {
    let mut steps = Steps { error: f64::NAN, fitted: f64::NAN, end: f64::NAN };
    for step in 0..=most {
        let Some(residual) = lost(next())? else { return Ok(Steps { end: f64::NAN, ..steps }) };
        let wrong = residual.iter().zip(labels).filter(|(r, y)| (*r + *y) * *y <= 0.0).count();
        steps.end = wrong as f64 / labels.len() as f64;
        if wrong == 0 && steps.error.is_nan() {
            steps.error = step as f64;
        }
        if norm(&residual) <= FITTED * norm(labels) {
            steps.fitted = step as f64;
            break;
        }
    }
    Ok(steps)
}

/// The steps of an optimiser, and where it ended.
fn follow(start: &Trial, optimizer: &mut dyn Optimizer<f64>, most: usize) -> Result<(Steps, Trial)> {
    let mut trial = start.clone();
    let steps = count(start.points.targets.as_slice(), most, || {
        let now = trial.residual()?;
        trial.step(optimizer)?;
        Ok(now)
    })?;
    Ok((steps, trial))
}
