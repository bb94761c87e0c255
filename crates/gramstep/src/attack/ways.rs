//! The ways to meet a criterion, each a goal that rises steadily until it is met, and how far each is at first order.

use super::classes::{Margin, Overtake, Targeted, class};
use super::criterion::Criterion;
use super::goal::{Goal, Reach, Shift};
use super::problem::Problem;
use super::threat_model::{Norm, ThreatModel};
use crate::device::Tile;
use crate::error::Result;
use crate::model::InputPass;
use crate::scalar::Scalar;

/// The ways of a criterion: past every rival of the right class, every output up and down, or one that holds the whole.
#[derive(Debug)]
pub(super) struct Ways {
    criterion: Criterion,
    goals: Vec<Box<dyn Goal>>,
}

/// A way of one sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// Which of [`Ways`].
    pub(super) number: usize,
    /// gap/‖∇ₓ goal‖ in the dual norm: the size of the perturbation that meets the criterion if the model is linear and
    /// there is no box. Infinite where the gradient vanishes.
    pub(super) distance: f64,
}

impl Ways {
    /// Those of a criterion for k outputs; none for [`Criterion::None`].
    pub(super) fn new(criterion: Criterion, outputs: usize) -> Self {
        let boxed = |goal: &dyn Fn(usize) -> Box<dyn Goal>| (0..outputs).map(goal).collect();
        let goals: Vec<Box<dyn Goal>> = match criterion {
            Criterion::None => Vec::new(),
            Criterion::Misclassified if outputs == 1 => vec![Box::new(Margin)],
            Criterion::Misclassified => boxed(&|a| Box::new(Overtake(a))),
            Criterion::Classified => vec![Box::new(Targeted)],
            Criterion::Moved(_) | Criterion::Wrong(_) => {
                let both = (0..outputs).flat_map(|a| [Shift::up(a), Shift::down(a)]);
                both.map(|shift| Box::new(shift) as Box<dyn Goal>).collect()
            }
            Criterion::Reached(_) => vec![Box::new(Reach)],
        };
        Self { criterion, goals }
    }

    /// The goal of a way.
    pub(super) fn goal(&self, number: usize) -> &dyn Goal {
        self.goals[number].as_ref()
    }

    /// What the goal of a way has to gain until the criterion is met; none if the way leads nowhere.
    fn gap(&self, number: usize, f: &[f64], y: &[f64]) -> Option<f64> {
        let value = self.goal(number).value(f, y);
        match self.criterion {
            Criterion::None => None,
            Criterion::Misclassified if f.len() > 1 && class(y) == number => None,
            Criterion::Misclassified | Criterion::Classified => Some(-value),
            Criterion::Moved(by) => Some(by),
            Criterion::Wrong(by) => {
                Some(by + if number.is_multiple_of(2) { y[number / 2] } else { -y[number / 2] } - value)
            }
            // To first order ½r² falls by r times the way of r.
            Criterion::Reached(within) => {
                let miss = (-2.0 * value).sqrt();
                Some(miss * (miss - within))
            }
        }
    }

    /// The ways of every sample, the nearest first.
    pub(super) fn of<T: Scalar>(&self, problem: &Problem<'_, T>, threat: &ThreatModel) -> Result<Vec<Vec<Way>>> {
        let targets = problem.check()?;
        let (model, d, k) = (problem.model, problem.model.inputs().max(1), problem.model.outputs());
        let (scales, x, rows) = (threat.scales(d)?, problem.inputs.to_vec(), model.tile_samples(problem.samples()));
        let (mut pass, mut f) = (InputPass::default(), vec![0.0; k]);
        let mut ways = vec![Vec::new(); problem.samples()];
        for number in 0..self.goals.len() {
            for (at, tile) in x.chunks(rows * d).enumerate() {
                let first = at * rows;
                let (mut g, mut gaps) = (vec![0.0; k], vec![None; tile.len() / d]);
                let mut cotangent = |row: usize, outputs: &[T], u: &mut [T]| {
                    f.iter_mut().zip(outputs).for_each(|(f, output)| *f = output.to_f64());
                    gaps[row] = self.gap(number, &f, targets.row(first + row));
                    self.goal(number).gradient(&f, targets.row(first + row), &mut g);
                    u.iter_mut().zip(&g).for_each(|(u, &g)| *u = T::from_f64(g));
                };
                let operations = model.device().operations::<T>();
                problem.pull_back(&operations, Tile::new(tile, tile.len() / d, d), &mut cotangent, &mut pass)?;
                for (row, (gap, g)) in gaps.into_iter().zip(pass.gradient.chunks_exact(d)).enumerate() {
                    let mut own = scales.clone();
                    threat.gaps_of(&tile[row * d..(row + 1) * d]).for_each(|column| own[column] = 0.0);
                    let slope = dual_norm(threat.norm(), g, &own);
                    let distance = |gap: f64| if slope > 0.0 { gap.max(0.0) / slope } else { f64::INFINITY };
                    ways[first + row].extend(gap.map(|gap| Way { number, distance: distance(gap) }));
                }
            }
        }
        for ways in &mut ways {
            ways.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        }
        Ok(ways)
    }
}

/// max ⟨g, δ⟩ over ‖δ ⊘ s‖ ≤ 1.
fn dual_norm<T: Scalar>(norm: Norm, g: &[T], scales: &[f64]) -> f64 {
    let scaled = g.iter().zip(scales).map(|(g, s)| (g.to_f64() * s).abs());
    match norm {
        Norm::Linf => scaled.sum(),
        Norm::L2 => scaled.map(|g| g * g).sum::<f64>().sqrt(),
    }
}
