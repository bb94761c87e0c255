//! The setting of the claims on adversarial training (gao2019): two layers, quadratic ReLU, fixed signs, f(θ₀, ·) = 0.

use super::ground::{Ground, Labels, Points};
use super::network::Trial;
use super::statistics::{mean, smallest};
use crate::attack::{
    Attack, Criterion, LargestLoss, Pgd, Problem, RobustFit, RobustFitConfig, ThreatModel, robust_fit,
};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::loss::HingeLoss;
use crate::model::{Activation, Specification};
use crate::solve::norm;
use crate::view::Matrix;

/// Rounds of cutting planes in which a robust fit is found where there is one; about ten are usual.
pub(super) const ROUNDS: usize = 20;
/// Synthetic points are at least so far apart.
const APART: f64 = 0.6;
/// Candidates drawn for each point.
const DRAWS: usize = 200;

/// Points, labels ±1, and what an attacker may do to them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RobustSetting {
    /// n
    pub samples: usize,
    /// d
    pub inputs: usize,
    /// ε, ℓ2.
    pub radius: f64,
}

impl Default for RobustSetting {
    fn default() -> Self {
        Self { samples: 20, inputs: 10, radius: 0.2 }
    }
}

impl RobustSetting {
    /// The points of a seed: drawn on the sphere, each far from those before it, or the given ones with the signs of
    /// their targets.
    pub(super) fn points(&self, ground: &Ground, seed: u64) -> Result<Points> {
        if let Some(data) = &ground.data {
            let sign = |y: f64| if y < 0.0 { -1.0 } else { 1.0 };
            let targets = Matrix::from_fn(data.samples(), 1, |i, _| sign(data.targets[(i, 0)]));
            return Points::new(data.inputs.clone(), targets);
        }
        let drawn = Points::sphere(seed, DRAWS * self.samples, self.inputs, Labels::Signs);
        let mut kept: Vec<usize> = Vec::new();
        for i in 0..drawn.samples() {
            if kept.len() < self.samples && kept.iter().all(|&j| distance(&drawn.inputs, i, j) >= APART) {
                kept.push(i);
            }
        }
        if kept.len() < self.samples {
            let what = "points of the sphere that are far apart";
            return Err(Error::TooFew { what, least: self.samples, got: kept.len() });
        }
        // Balanced labels, whichever were kept.
        let targets = Matrix::from_fn(self.samples, 1, |i, _| if i % 2 == 0 { 1.0 } else { -1.0 });
        Points::new(drawn.inputs.select_rows(&kept), targets)
    }

    pub(super) fn threat(&self) -> Result<ThreatModel> {
        ThreatModel::l2(self.radius)
    }

    /// The parameters nearest to the start at which the linearised network is right on whole balls, within some rounds.
    pub(super) fn fit(&self, trial: &Trial, rounds: usize) -> Result<RobustFit> {
        let (x, y) = (&trial.points.inputs, &trial.points.targets);
        let attack = Pgd::new(30).with_restarts(2);
        let config = RobustFitConfig { rounds, ..RobustFitConfig::default() };
        robust_fit(&trial.model, x, y, &self.threat()?, &attack, config)
    }

    /// L_*: the hinge loss under a strong attack.
    pub(super) fn worst_loss(&self, trial: &Trial) -> Result<f64> {
        Ok(mean(self.worst_hinges(trial)?))
    }

    /// The hinge loss of every sample under a strong attack.
    pub(super) fn worst_hinges(&self, trial: &Trial) -> Result<impl Iterator<Item = f64>> {
        let goal = LargestLoss(&HingeLoss);
        let problem = Problem::new(&trial.model, &trial.points.inputs, &trial.points.targets);
        let problem = problem.with_goal(&goal).with_criterion(Criterion::None);
        let strong = Pgd::new(60).with_step_size(0.1).with_restarts(5).with_seed(9);
        Ok(strong.run(&problem, &self.threat()?)?.samples.into_iter().map(|sample| sample.after))
    }

    /// The smallest distance between points of different labels over 2ε: above 1 their balls do not meet.
    pub(super) fn separation(&self, points: &Points) -> f64 {
        let n = points.samples();
        let pairs = (0..n).flat_map(|i| (0..i).map(move |j| (i, j)));
        let opposite = pairs.filter(|&(i, j)| points.targets[(i, 0)] * points.targets[(j, 0)] < 0.0);
        smallest(opposite.map(|(i, j)| distance(&points.inputs, i, j))) / (2.0 * self.radius)
    }
}

/// m hidden units in two equal copies, or in one that does not start at 0.
pub(super) fn network(points: Points, width: usize, centred: bool, seed: u64, device: &Device) -> Result<Trial> {
    scaled_network(points, width, centred, 1.0, seed, device)
}

/// The same with its output multiplied by a scale.
pub(super) fn scaled_network(
    points: Points,
    width: usize,
    centred: bool,
    scale: f64,
    seed: u64,
    device: &Device,
) -> Result<Trial> {
    let d = points.inputs.columns();
    let specification = if centred {
        Specification::two_layer(d, width.div_ceil(2), Activation::SquaredRelu).with_symmetric_start()
    } else {
        Specification::two_layer(d, width, Activation::SquaredRelu)
    };
    Trial::new(points, specification.with_output_scale(scale), seed, device)
}

/// The inner attack of training.
pub(super) fn inner() -> Pgd {
    Pgd::new(10)
}

fn distance(x: &Matrix<f64>, i: usize, j: usize) -> f64 {
    norm(&x.row(i).iter().zip(x.row(j)).map(|(a, b)| a - b).collect::<Vec<_>>())
}
