//! The smallest perturbation that succeeds.

use super::candidates::predict;
use super::method::run_with_radii;
use super::search::at_least_one;
use super::ways::{Way, Ways};
use super::{Attack, Attacked, Criterion, Goal, Problem, ThreatModel};
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::view::Matrix;

/// For every sample the smallest perturbation that meets the criterion.
///
/// The attack goes the nearest ways to the criterion one after the other, whatever the problem's goal is: past each of
/// some rivals of the right class, each output up or down. On each way the radius starts at the distance that the model
/// would have if it were linear, grows until the attack succeeds, and is bisected between the largest radius that failed
/// and the size that was found. On a linear model that is the exact distance; in general an upper bound of the true one,
/// as good as the attack.
///
/// ```
/// use gramstep::attack::{Criterion, Pgd, Problem, SmallestPerturbation, ThreatModel};
/// use gramstep::{Activation, Matrix, Model};
/// let line = Model::<f64>::mlp(&[1, 1], Activation::Identity).build()?;
/// let (x, y) = (Matrix::zeros(1, 1), Matrix::zeros(1, 1));
/// let problem = Problem::new(&line, &x, &y).with_criterion(Criterion::Moved(0.3));
/// let smallest = SmallestPerturbation::new(30).run(&Pgd::default(), &problem, &ThreatModel::linf(100.0)?)?;
/// assert!((smallest.samples[0].size - 0.3 / line.theta()[0].abs()).abs() < 1e-6);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SmallestPerturbation {
    /// Halvings of the bracket, ≥ 1.
    pub bisections: usize,
    /// The most ways that are tried for each sample, nearest first, ≥ 1 (croce2020 takes 9 target classes).
    pub ways: usize,
}

/// How much beyond the linear distance the first attack goes, and what a further way has to save.
const BEYOND: f64 = 1.02;
/// Factor by which a radius that was too small grows.
const GROWTH: f64 = 4.0;
/// The smallest share of the radius at which the first attack is made.
const LEAST_SHARE: f64 = 1e-6;

impl Default for SmallestPerturbation {
    fn default() -> Self {
        Self { bisections: 10, ways: 9 }
    }
}

impl SmallestPerturbation {
    /// A search with a number of halvings.
    #[must_use]
    pub fn new(bisections: usize) -> Self {
        Self { bisections, ..Self::default() }
    }

    /// The same search with at most this number of ways for each sample.
    #[must_use]
    pub fn with_ways(mut self, ways: usize) -> Self {
        self.ways = ways;
        self
    }

    /// Attacks every sample at radii up to that of the threat model. A sample that holds out there keeps `found` =
    /// false; one that meets the criterion by itself has size 0. `before` and `after` are values of the problem's goal.
    ///
    /// # Errors
    /// Those of the attack; [`Error::Conflict`] if the criterion is [`Criterion::None`], which
    /// nothing meets.
    pub fn run<T: Scalar>(
        &self,
        attack: &(impl Attack<T> + ?Sized),
        problem: &Problem<'_, T>,
        threat: &ThreatModel,
    ) -> Result<Attacked<T>> {
        at_least_one("bisections", self.bisections)?;
        at_least_one("ways", self.ways)?;
        if problem.criterion == Criterion::None {
            let reason = "the criterion `none` is met by no perturbation".to_owned();
            return Err(Error::Conflict { what: "smallest perturbation", reason });
        }
        // Radius 0 decides about the samples that need no attack.
        let mut best = run_with_radii(attack, problem, threat, &vec![0.0; problem.samples()])?;
        let ways = Ways::new(problem.criterion, problem.model.outputs());
        let of_samples = ways.of(problem, threat)?;
        for at in 0..self.ways {
            let open = |row: &usize| best.samples[*row].size > 0.0 || !best.samples[*row].found;
            let brackets: Vec<_> = (0..problem.samples())
                .filter(open)
                .filter_map(|row| Some(Bracket::new(row, of_samples[row].get(at)?, &best, threat)))
                .collect();
            if brackets.is_empty() {
                break;
            }
            self.narrow(attack, (problem, &ways), threat, brackets, &mut best)?;
        }
        let f = predict(problem, best.inputs.as_slice())?;
        let targets = problem.check()?;
        for (row, sample) in best.samples.iter_mut().enumerate() {
            sample.after = problem.goal(row).value(f.row(row), targets.row(row));
        }
        Ok(best)
    }

    /// Attacks samples at radii that close in on the smallest one that succeeds.
    fn narrow<T: Scalar>(
        &self,
        attack: &(impl Attack<T> + ?Sized),
        (problem, ways): (&Problem<'_, T>, &Ways),
        threat: &ThreatModel,
        mut brackets: Vec<Bracket>,
        best: &mut Attacked<T>,
    ) -> Result<()> {
        while !brackets.is_empty() {
            let picked = Picked::new(problem, ways, &brackets);
            let radii: Vec<f64> = brackets.iter().map(|bracket| bracket.radius).collect();
            let attacked = run_with_radii(attack, &picked.problem(problem), threat, &radii)?;
            let outcomes = attacked.samples.iter().enumerate();
            for (bracket, (at, sample)) in brackets.iter_mut().zip(outcomes) {
                let kept = &mut best.samples[bracket.row];
                if sample.found && (!kept.found || sample.size < kept.size) {
                    (kept.found, kept.size, kept.steps) = (true, sample.size, sample.steps);
                    best.inputs.row_mut(bracket.row).copy_from_slice(attacked.inputs.row(at));
                }
                bracket.close(sample.found.then_some(sample.size), self.bisections);
            }
            brackets.retain(|bracket| bracket.radius > 0.0);
        }
        Ok(())
    }
}

/// Where the smallest perturbation of a sample on one way lies.
#[derive(Clone, Copy, Debug)]
struct Bracket {
    row: usize,
    way: usize,
    /// The largest radius at which the attack failed.
    failed: f64,
    /// Size of the smallest perturbation that was found on this way.
    found: Option<f64>,
    /// Beyond this there is nothing to gain.
    most: f64,
    /// Where to attack next; 0 if there is nothing left to do.
    radius: f64,
    halvings: usize,
}

impl Bracket {
    fn new<T>(row: usize, way: &Way, best: &Attacked<T>, threat: &ThreatModel) -> Self {
        let (sample, allowed) = (&best.samples[row], threat.radius());
        let most = if sample.found { sample.size / BEYOND } else { allowed };
        let radius = (BEYOND * way.distance).clamp(LEAST_SHARE * allowed, allowed).min(most);
        Self { row, way: way.number, failed: 0.0, found: None, most, radius, halvings: 0 }
    }

    /// Draws the conclusion of an attack at its radius.
    fn close(&mut self, found: Option<f64>, halvings: usize) {
        match found {
            Some(size) => self.found = Some(self.found.map_or(size, |before| before.min(size))),
            None => self.failed = self.radius,
        }
        self.radius = match self.found {
            Some(size) if size > self.failed && self.halvings < halvings => {
                self.halvings += 1;
                0.5 * (self.failed + size)
            }
            None if self.failed < self.most => (GROWTH * self.failed).min(self.most),
            _ => 0.0,
        };
    }
}

/// The samples of some brackets, each with the goal of its way.
struct Picked<'a, T> {
    inputs: Matrix<T>,
    targets: Matrix<T>,
    numbers: Vec<u64>,
    goals: Vec<&'a dyn Goal>,
}

impl<'a, T: Scalar> Picked<'a, T> {
    fn new(problem: &Problem<'_, T>, ways: &'a Ways, brackets: &[Bracket]) -> Self {
        let of = |from: crate::view::MatrixView<'_, T>| {
            Matrix::from_fn(brackets.len(), from.columns(), |i, j| from.get(brackets[i].row, j))
        };
        Self {
            inputs: of(problem.inputs),
            targets: of(problem.targets),
            numbers: brackets.iter().map(|bracket| problem.number(bracket.row)).collect(),
            goals: brackets.iter().map(|bracket| ways.goal(bracket.way)).collect(),
        }
    }

    fn problem<'b>(&'b self, of: &Problem<'b, T>) -> Problem<'b, T> {
        of.about(&self.inputs, &self.targets).with_numbers(&self.numbers).with_goals(&self.goals)
    }
}
