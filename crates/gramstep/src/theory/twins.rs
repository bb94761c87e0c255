//! The control of robust training: samples of opposite labels so near that no network can be right around both.
//!
//! ```text
//! k pairs x, x′ with labels 1, −1 and ‖x − x′‖ ≤ 2ε:    L_*(θ) ≥ 2k·ℓ(0)/n for every θ,  ℓ(0) = 1 of the hinge
//! ```
//!
//! The midpoint is within the reach of both, and (1 − f)₊ + (1 + f)₊ ≥ 2 there. The loss on the samples themselves has no
//! such floor.

use super::ground::Points;
use super::network::Trial;
use super::robust::RobustSetting;
use crate::attack::{Attack, Candidates, Criterion, LargestLoss, Pgd, Problem, Strongest};
use crate::error::Result;
use crate::loss::HingeLoss;
use crate::solve::{dot, norm};

/// Pairs of opposite twins.
pub(super) const PAIRS: usize = 2;

/// The points with the first pairs of rows (2i, 2i + 1) made opposite twins on the sphere, at `apart` times 2ε.
pub(super) fn with_twins(setting: &RobustSetting, points: &Points, apart: f64) -> Points {
    let mut twins = points.clone();
    for pair in 0..PAIRS.min(points.samples() / 2) {
        let (first, second) = (2 * pair, 2 * pair + 1);
        let (a, b) = (points.inputs.row(first).to_vec(), points.inputs.row(second).to_vec());
        let along = dot(&a, &b) / dot(&a, &a);
        let across: Vec<f64> = a.iter().zip(&b).map(|(a, b)| b - along * a).collect();
        let (angle, length) = (2.0 * (apart * setting.radius).min(1.0).asin(), norm(&across));
        let turned = a.iter().zip(&across).map(|(a, c)| angle.cos() * a + angle.sin() * c / length);
        twins.inputs.row_mut(second).copy_from_slice(&turned.collect::<Vec<_>>());
        (twins.targets[(first, 0)], twins.targets[(second, 0)]) = (1.0, -1.0);
    }
    twins
}

/// 2k/n
pub(super) fn least_loss(points: &Points) -> f64 {
    2.0 * PAIRS.min(points.samples() / 2) as f64 / points.samples() as f64
}

/// L_* under a strong attack that knows the midpoints.
pub(super) fn worst_loss(setting: &RobustSetting, trial: &Trial) -> Result<f64> {
    let points = &trial.points;
    let mut middle = points.inputs.clone();
    for row in 0..2 * PAIRS.min(points.samples() / 2) {
        let twin = points.inputs.row(row ^ 1);
        for (x, twin) in middle.row_mut(row).iter_mut().zip(twin) {
            *x = 0.5 * (*x + twin);
        }
    }
    let goal = LargestLoss(&HingeLoss);
    let problem = Problem::new(&trial.model, &points.inputs, &points.targets).with_goal(&goal);
    let attack = Strongest::new(vec![Box::new(Candidates(middle)), Box::new(Pgd::new(60).with_step_size(0.1))]);
    Ok(attack.run(&problem.with_criterion(Criterion::None), &setting.threat()?)?.after())
}

#[cfg(test)]
mod tests {
    use super::super::ground::Labels;
    use super::*;

    #[test]
    fn twins_lie_on_the_sphere_within_reach_of_one_point_and_bear_opposite_labels() {
        let setting = RobustSetting::default();
        let points = with_twins(&setting, &Points::sphere(3, 10, 5, Labels::Signs), 0.5);
        assert!(points.off_sphere() < 1e-12 && (least_loss(&points) - 0.4).abs() < 1e-15);
        for pair in 0..PAIRS {
            let (a, b) = (points.inputs.row(2 * pair), points.inputs.row(2 * pair + 1));
            let apart = norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>());
            assert!((apart - setting.radius).abs() < 1e-12, "{apart}");
            assert_eq!(points.targets[(2 * pair, 0)] * points.targets[(2 * pair + 1, 0)], -1.0);
        }
    }
}
