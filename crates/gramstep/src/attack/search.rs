//! The engine of all attacks: evaluates points of a tile, hands out gradients, keeps the best point of every sample.

use super::outcome::SampleOutcome;
use super::problem::Problem;
use super::region::Region;
use super::way_out::WayOut;
use crate::device::{Operations, Tile};
use crate::error::{Result, check_setting};
use crate::model::InputPass;
use crate::random::{Purpose, stream};
use crate::scalar::Scalar;

/// The search of one attack on a tile of samples.
///
/// Every point that is evaluated competes for the best of its sample: one that meets the criterion beats one that
/// does not, then the larger value of the goal. The clean sample is the first to compete, so an attack never does worse
/// than no attack. An attack only chooses points.
///
/// Nothing stands still on a plateau. Where the goal rests at the sample itself, as the squared loss does at f = y, every
/// output is tried up and down first; where the gradient with respect to x vanishes, a step leads to a
/// random point of the region.
///
/// ```
/// use gramstep::attack::{Attack, Criterion, Fgsm, Problem, Shift, ThreatModel};
/// use gramstep::{Activation, Matrix, Model};
/// let model = Model::<f64>::mlp(&[2, 16, 1], Activation::Tanh).seed(7).build()?;
/// let (x, y) = (Matrix::from_vec(2, 2, vec![0.1, -0.4, 0.8, 0.3])?, Matrix::zeros(2, 1));
/// let up = Shift::up(0);
/// let problem = Problem::new(&model, &x, &y).with_goal(&up).with_criterion(Criterion::Moved(0.05));
/// // An attack is run by its own `search`; see `Attack` for one that is written by hand.
/// assert!(Fgsm.run(&problem, &ThreatModel::linf(0.1)?)?.samples.iter().all(|sample| sample.steps > 0));
/// # Ok::<(), gramstep::Error>(())
/// ```
pub struct Search<'a, T> {
    problem: &'a Problem<'a, T>,
    operations: &'a dyn Operations<T>,
    region: Region<'a, T>,
    /// Whether a single step follows: it takes the gradient of the goal, several steps its `ascent`.
    one_step: bool,
    /// Row of the batch that row 0 of the tile is.
    first: usize,
    /// Targets, n×k.
    targets: &'a [f64],
    /// f(x₀), n×k.
    clean: Vec<f64>,
    pass: InputPass<T>,
    values: Vec<f64>,
    met: Vec<bool>,
    best: Vec<SampleOutcome>,
    /// The best points, n×d.
    points: &'a mut [T],
    /// Evaluations of every sample so far.
    evaluations: Vec<usize>,
    /// Where the goal rests at the sample: what to do about it.
    ways_out: Vec<WayOut>,
    /// Outputs of one sample, in f64.
    row: Vec<f64>,
    row_gradient: Vec<f64>,
}

impl<'a, T: Scalar> Search<'a, T> {
    /// The search on a tile whose targets and points begin with those of `region`'s first sample: the samples themselves
    /// are evaluated, with their gradients where `ascending`.
    pub(super) fn start(
        problem: &'a Problem<'a, T>,
        operations: &'a dyn Operations<T>,
        region: Region<'a, T>,
        (first, targets): (usize, &'a [f64]),
        points: &'a mut [T],
        (ascending, one_step): (bool, bool),
    ) -> Result<Self> {
        let (k, centre, samples) = (problem.model.outputs(), region.centre(), region.samples());
        let mut search = Self {
            problem,
            operations,
            region,
            one_step,
            first,
            targets,
            clean: vec![0.0; samples * k],
            pass: InputPass::default(),
            values: vec![0.0; samples],
            met: vec![false; samples],
            best: vec![SampleOutcome::default(); samples],
            points,
            evaluations: vec![0; samples],
            ways_out: vec![WayOut::NotNeeded; samples],
            row: vec![0.0; k],
            row_gradient: vec![0.0; k],
        };
        if ascending {
            search.ascend(centre)?;
        } else {
            search.evaluate(centre)?;
        }
        Ok(search)
    }

    /// What became of every sample; the best points are in their place.
    pub(super) fn finish(self) -> Vec<SampleOutcome> {
        let (d, Self { region, mut best, points, .. }) = (self.inputs(), self);
        for (row, (best, x)) in best.iter_mut().zip(points.chunks_exact(d.max(1))).enumerate() {
            best.size = region.size(row, x);
        }
        best
    }

    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.best.len()
    }

    /// d
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.problem.model.inputs()
    }

    /// The samples themselves, n×d.
    #[must_use]
    pub fn clean(&self) -> &'a [T] {
        self.region.centre()
    }

    /// Rows of the batch that these samples are.
    #[must_use]
    pub fn rows(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.samples()
    }

    /// The goal's value at the points that were evaluated last.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Whether those points meet the criterion.
    #[must_use]
    pub fn met(&self) -> &[bool] {
        &self.met
    }

    /// ∂(goal)/∂x up to a positive factor a sample, at the points that were given to [`ascend`](Self::ascend) last, n×d.
    #[must_use]
    pub fn gradient(&self) -> &[T] {
        &self.pass.gradient
    }

    /// Random points of the regions, n×d, from the streams (seed, number of the sample, `restart`).
    pub fn draw(&self, seed: u64, restart: usize, x: &mut [T]) {
        for (row, x) in x.chunks_exact_mut(self.inputs().max(1)).enumerate() {
            let number = self.problem.number(self.first + row);
            self.region.draw(row, &mut stream(seed, Purpose::Perturbation, number, restart as u64), x);
        }
    }

    /// Replaces points by the nearest ones that are allowed.
    pub fn project(&self, x: &mut [T]) {
        self.region.project(x);
    }

    /// Moves points by the steepest step of a length α for each, in units of the radius, and projects them; to a random
    /// point of the region where the gradient is 0.
    pub fn step(&self, x: &mut [T], gradient: &[T], lengths: &[f64]) {
        self.region.step(x, gradient, lengths);
        let d = self.inputs().max(1);
        for (row, (x, g)) in x.chunks_exact_mut(d).zip(gradient.chunks_exact(d)).enumerate() {
            if lengths[row] > 0.0 && self.region.is_flat(row, g) {
                let number = self.problem.number(self.first + row);
                let draw = WITHOUT_GRADIENT | self.evaluations[row] as u64;
                self.region.draw(row, &mut stream(0, Purpose::Perturbation, number, draw), x);
            }
        }
    }

    /// Moves points along the gradient found last.
    pub(super) fn step_along(&self, x: &mut [T], lengths: &[f64]) {
        self.step(x, &self.pass.gradient, lengths);
    }

    /// Evaluates points, n×d, and lets them compete.
    ///
    /// # Errors
    /// [`Error::NonFinite`](crate::Error::NonFinite) if the model's outputs are not finite,
    /// [`Error::Interrupted`](crate::Error::Interrupted) once the problem's flag is set.
    pub fn evaluate(&mut self, x: &[T]) -> Result<()> {
        self.evaluate_some(x, |_| true)
    }

    /// Evaluates all points and lets those of some samples compete.
    pub(super) fn evaluate_some(&mut self, x: &[T], competes: impl Fn(usize) -> bool) -> Result<()> {
        let x = self.region.settled(x);
        let tile = Tile::new(&x, self.best.len(), self.problem.model.inputs());
        self.problem.evaluate(self.operations, tile, &mut self.pass)?;
        self.compete(&x, competes);
        Ok(())
    }

    /// Evaluates points with their gradients, n×d, and lets them compete.
    ///
    /// # Errors
    /// [`Error::NonFinite`](crate::Error::NonFinite) if the model's outputs or gradients are not finite,
    /// [`Error::Interrupted`](crate::Error::Interrupted) once the problem's flag is set.
    pub fn ascend(&mut self, x: &[T]) -> Result<()> {
        let x = self.region.settled(x);
        let (problem, first, one_step) = (self.problem, self.first, self.one_step);
        let k = problem.model.outputs();
        let (targets, wide, g) = (self.targets, &mut self.row, &mut self.row_gradient);
        let ways_out = &mut self.ways_out;
        let mut cotangent = |row: usize, f: &[T], u: &mut [T]| {
            wide.iter_mut().zip(f).for_each(|(wide, f)| *wide = f.to_f64());
            let (goal, y) = (problem.goal(first + row), &targets[row * k..(row + 1) * k]);
            if one_step {
                goal.gradient(wide, y, g);
            } else {
                goal.ascent(wide, y, g);
            }
            let size = g.iter().fold(0.0, |most: f64, g| most.max(g.abs()));
            if size == 0.0 || goal.rests(wide, y, T::EPSILON.to_f64()) {
                ways_out[row].take(g);
            } else if !REPRESENTED.contains(&size) {
                for g in g.iter_mut() {
                    *g /= size;
                }
            }
            u.iter_mut().zip(g.iter()).for_each(|(u, &g)| *u = T::from_f64(g));
        };
        let tile = Tile::new(&x, self.best.len(), problem.model.inputs());
        problem.pull_back(self.operations, tile, &mut cotangent, &mut self.pass)?;
        self.compete(&x, |_| true);
        Ok(())
    }

    /// ∂f_output/∂x of the samples themselves into [`gradient`](Self::gradient); nothing competes.
    pub(super) fn slope(&mut self, output: usize) -> Result<()> {
        let mut cotangent = |_: usize, _: &[T], u: &mut [T]| {
            u.fill(T::ZERO);
            u[output] = T::ONE;
        };
        let tile = Tile::new(self.region.centre(), self.best.len(), self.problem.model.inputs());
        self.problem.pull_back(self.operations, tile, &mut cotangent, &mut self.pass)
    }

    /// What each sample does where its goal rests.
    pub(super) fn ways_out(&mut self) -> &mut [WayOut] {
        &mut self.ways_out
    }

    /// k
    pub(super) fn outputs(&self) -> usize {
        self.problem.model.outputs()
    }

    fn compete(&mut self, x: &[T], competes: impl Fn(usize) -> bool) {
        let (d, k) = (self.problem.model.inputs(), self.problem.model.outputs());
        for row in (0..self.best.len()).filter(|&row| competes(row)) {
            let f = &self.pass.outputs[row * k..(row + 1) * k];
            self.row.iter_mut().zip(f).for_each(|(wide, f)| *wide = f.to_f64());
            let start = self.evaluations[row] == 0;
            if start {
                self.clean[row * k..(row + 1) * k].copy_from_slice(&self.row);
            }
            let y = &self.targets[row * k..(row + 1) * k];
            let value = self.problem.goal(self.first + row).value(&self.row, y);
            let met = self.problem.criterion.met(&self.clean[row * k..(row + 1) * k], &self.row, y);
            (self.values[row], self.met[row]) = (value, met);
            let best = &mut self.best[row];
            if start {
                *best = SampleOutcome { found: met, size: 0.0, before: value, after: value, steps: 0 };
            } else if (met, value) > best.rank() {
                (best.found, best.after, best.steps) = (met, value, self.evaluations[row]);
                self.points[row * d..(row + 1) * d].copy_from_slice(&x[row * d..(row + 1) * d]);
            }
            self.evaluations[row] += 1;
        }
    }
}

/// Sizes of a goal's gradient that every number type carries through a network; others are brought to 1.
const REPRESENTED: std::ops::Range<f64> = 1e-20..1e20;
/// Marks the random streams of points drawn where the gradient is 0.
const WITHOUT_GRADIENT: u64 = 1 << 63;

/// The settings that attacks share.
pub(super) fn at_least_one(name: &'static str, value: usize) -> Result<()> {
    check_setting(value > 0, name, &value, "at least 1")
}
