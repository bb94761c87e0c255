//! Scales of a kernel from data.

use super::coordinates::{Coordinates, LEAST_RIDGE, MOST_RIDGE};
use super::kernel::ScaledKernel;
use super::kind::ScaledKind;
use super::objective::{Rows, ScaleObjective};
use crate::device::Device;
use crate::error::{Error, Result, check_extent, check_positive, check_setting};
use crate::random::{Purpose, choice};
use crate::solve::minimise;
use crate::view::Matrix;

/// Iterations with one scale for all columns, before every column has its own.
const TIED_ITERATIONS: usize = 15;

/// How scales are looked for.
///
/// ```
/// use gramstep::kernel::ScaleOptions;
/// let options = ScaleOptions { iterations: 20, ..ScaleOptions::default() };
/// assert!(options.ridge.is_none() && options.start.is_none());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ScaleOptions<'a> {
    /// Most rows that are looked at, chosen by the seed; 1 or more. An evaluation takes O(rows³).
    pub rows: usize,
    /// Most directions that the optimiser searches along.
    pub iterations: usize,
    /// Of the choice of rows.
    pub seed: u64,
    /// Number of threads (0: all that the machine offers).
    pub threads: usize,
    /// What is made best.
    pub objective: ScaleObjective,
    /// κ where it is not to be found, above 0.
    pub ridge: Option<f64>,
    /// The lowest κ where it is found, for weights of mean 1; above 0 and below 30. Scales belong to their κ: a fit that cannot
    /// have so low a one wants others.
    pub least_ridge: f64,
    /// An earlier fit of the same kind and number of columns to begin with.
    pub start: Option<&'a ScaledFit>,
}

impl Default for ScaleOptions<'_> {
    fn default() -> Self {
        Self {
            rows: 1000,
            iterations: 60,
            seed: 0,
            threads: 0,
            objective: ScaleObjective::Evidence,
            ridge: None,
            least_ridge: LEAST_RIDGE,
            start: None,
        }
    }
}

/// A kernel with the scales that were found.
///
/// ```
/// use gramstep::Matrix;
/// use gramstep::kernel::{ScaleOptions, ScaledKind, fit_scales};
/// let x = Matrix::from_fn(20, 1, |i, _| i as f64 / 5.0 - 2.0);
/// let y = Matrix::from_fn(20, 1, |i, _| x[(i, 0)].sin());
/// let fit = fit_scales(ScaledKind::Matern52, &x, &y, None, &ScaleOptions::default(), &|| false)?;
/// assert!(fit.kernel.weights()[0] > 0.0 && fit.ridge < 0.1 && fit.evaluations > 0);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ScaledFit {
    /// The kernel.
    pub kernel: ScaledKernel,
    /// κ, relative to the mean of K(x, x) over the rows, which is 1 for all kinds but `nngp`; in the units of the weights.
    pub ridge: f64,
    /// log p of the targets of the rows that were looked at: y ~ N(0, a·(K + κsW⁻¹)) with the best a of each output.
    /// Outputs that are 0 everywhere, whose evidence is infinite, are left out.
    pub evidence: f64,
    /// How often the objective was evaluated.
    pub evaluations: usize,
}

/// Scales, shares, bias and κ of the largest evidence, or of the least leave-one-out error, with a wide log-normal prior
/// on each; a local optimum near the usual start.
///
/// x: n×d, best standardised: the prior expects length scales of about √d (1.8 for products of columns). y: n×k, less its
/// mean; all outputs share one kernel. Weights count rows as in [`ScaledRegression`](super::ScaledRegression); their unit
/// is that of κ.
///
/// `stop` is asked before every evaluation.
///
/// # Errors
/// [`Error::Shape`] if sizes differ, [`Error::TooFew`] without rows or columns, [`Error::NonFinite`] if an input or target
/// is not finite, [`Error::Setting`] if an option or a weight is outside its range, [`Error::Conflict`] if the start is of
/// another kind, [`Error::Solve`] if not even the start has an evidence, [`Error::Interrupted`] when `stop` says so.
///
/// ```
/// use gramstep::Matrix;
/// use gramstep::kernel::{ScaleOptions, ScaledKind, fit_scales};
/// // The second column says nothing.
/// let x = Matrix::from_fn(40, 2, |i, j| ((i * (7 + 12 * j)) % 40) as f64 / 11.5 - 1.7);
/// let y = Matrix::from_fn(40, 1, |i, _| (2.0 * x[(i, 0)]).sin());
/// let fit = fit_scales(ScaledKind::Rbf, &x, &y, None, &ScaleOptions::default(), &|| false)?;
/// assert!(fit.kernel.weights()[0] > 100.0 * fit.kernel.weights()[1]);
/// # Ok::<(), gramstep::Error>(())
/// ```
pub fn fit_scales(
    kind: ScaledKind,
    x: &Matrix<f64>,
    y: &Matrix<f64>,
    weights: Option<&[f64]>,
    options: &ScaleOptions<'_>,
    stop: &dyn Fn() -> bool,
) -> Result<ScaledFit> {
    check(x, y, weights, options)?;
    let columns = x.columns();
    let unit = weights.map_or(1.0, |weights| weights.iter().map(|weight| weight / weights.len() as f64).sum());
    let chosen = choice(x.rows(), options.rows, options.seed, Purpose::Split, 0);
    let x = x.select_rows(&chosen);
    let column = |a: usize| chosen.iter().map(|&i| y[(i, a)]).collect::<Vec<f64>>();
    let rows = Rows {
        x: &x,
        outputs: (0..y.columns()).map(column).filter(|y| y.iter().any(|&y| y != 0.0)).collect(),
        weights: weights.map(|weights| chosen.iter().map(|&i| weights[i] / unit).collect()),
        device: Device::cpu(options.threads),
    };
    let (ridge, least_ridge) = (options.ridge.map(|ridge| ridge / unit), options.least_ridge);
    let free = Coordinates { kind, columns, tied: false, ridge, least_ridge };
    let mut search = Search { rows: &rows, objective: options.objective, stop, evaluations: 0 };
    let start = match options.start {
        Some(start) => {
            check_start(start, kind, columns)?;
            free.of(&start.kernel, start.ridge / unit)
        }
        None if kind.has_shares() || rows.outputs.is_empty() => free.start(),
        None => {
            let tied = Coordinates { tied: true, ..free };
            let (kernel, ridge) =
                tied.read(&search.least(tied, &tied.start(), TIED_ITERATIONS.min(options.iterations))?)?;
            free.of(&kernel, ridge)
        }
    };
    let theta = if rows.outputs.is_empty() {
        free.bounds().project(&start)
    } else {
        search.least(free, &start, options.iterations)?
    };
    let (kernel, ridge) = free.read(&theta)?;
    let evidence = rows.log_evidence(&kernel, ridge)?.ok_or_else(|| no_evidence(chosen.len()))?;
    Ok(ScaledFit { kernel, ridge: ridge * unit, evidence, evaluations: search.evaluations })
}

fn check(x: &Matrix<f64>, y: &Matrix<f64>, weights: Option<&[f64]>, options: &ScaleOptions<'_>) -> Result<()> {
    check_extent("rows of the targets", x.rows(), y.rows())?;
    for (what, got) in [("rows of the inputs", x.rows()), ("columns of the targets", y.columns())] {
        if got == 0 {
            return Err(Error::TooFew { what, least: 1, got });
        }
    }
    if let Some(weights) = weights {
        check_extent("weights", x.rows(), weights.len())?;
        weights.iter().try_for_each(|&weight| check_positive("sample weight", weight))?;
    }
    check_setting(options.rows > 0, "rows of a fit of scales", &options.rows, "1 or more")?;
    options.ridge.map_or(Ok(()), |ridge| check_positive("ridge", ridge))?;
    let range = options.least_ridge > 0.0 && options.least_ridge < MOST_RIDGE;
    check_setting(range, "the lowest ridge", &options.least_ridge, "above 0 and below 30")?;
    check_finite("inputs of a fit of scales", x)?;
    check_finite("targets of a fit of scales", y)
}

pub(super) fn check_finite(what: &'static str, matrix: &Matrix<f64>) -> Result<()> {
    let finite = matrix.as_slice().iter().all(|value| value.is_finite());
    if finite { Ok(()) } else { Err(Error::NonFinite { what, layer: None }) }
}

fn check_start(start: &ScaledFit, kind: ScaledKind, columns: usize) -> Result<()> {
    check_extent("columns of the start", columns, start.kernel.weights().len())?;
    if start.kernel.kind() == kind {
        return Ok(());
    }
    let reason = format!("it is of the kernel {}, the fit of {kind}", start.kernel.kind());
    Err(Error::Conflict { what: "start of a fit of scales", reason })
}

fn no_evidence(size: usize) -> Error {
    let reason = "the kernel of the rows with its noise has no Cholesky factor".to_owned();
    Error::Solve { solver: "fit of scales", size, reason }
}

struct Search<'a> {
    rows: &'a Rows<'a>,
    objective: ScaleObjective,
    stop: &'a dyn Fn() -> bool,
    evaluations: usize,
}

impl Search<'_> {
    /// θ of the least objective near a start.
    fn least(&mut self, coordinates: Coordinates, start: &[f64], iterations: usize) -> Result<Vec<f64>> {
        let evaluate = |theta: &[f64]| {
            if (self.stop)() {
                return Err(Error::Interrupted);
            }
            self.evaluations += 1;
            objective(self.rows, self.objective, coordinates, theta)
        };
        let least = minimise(evaluate, start, &coordinates.bounds(), iterations)?;
        least.ok_or_else(|| no_evidence(self.rows.x.rows()))
    }
}

/// What is made small, the prior included, and its gradient.
pub(super) fn objective(
    rows: &Rows<'_>,
    objective: ScaleObjective,
    coordinates: Coordinates,
    theta: &[f64],
) -> Result<Option<(f64, Vec<f64>)>> {
    let (kernel, ridge) = coordinates.read(theta)?;
    Ok(rows.judge(&kernel, ridge, objective)?.map(|judgement| {
        let mut gradient = coordinates.gradient(&judgement.kernel, judgement.ridge);
        let value = judgement.value + coordinates.prior(theta, &mut gradient);
        (value, gradient)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(x: &Matrix<f64>, outputs: usize, weighted: bool) -> Rows<'_> {
        let n = x.rows();
        let output = |a: usize| (0..n).map(|i| (2.0 * x[(i, 0)] + a as f64).sin() + 0.3 * x[(i, 1)]).collect();
        Rows {
            x,
            outputs: (0..outputs).map(output).collect(),
            weights: weighted.then(|| (0..n).map(|i| 0.5 + (i % 3) as f64 * 0.5).collect()),
            device: Device::cpu(1),
        }
    }

    #[test]
    fn gradients_are_those_of_the_objectives() {
        // More rows than one run, a copy of a row, a constant column.
        let x = Matrix::from_fn(150, 3, |i, j| match j {
            2 => 0.7,
            _ => (((i % 149) * (7 + 12 * j)) % 61) as f64 / 17.0 - 1.7,
        });
        for kind in ScaledKind::ALL {
            for (judged, tied) in [(ScaleObjective::Evidence, false), (ScaleObjective::LeaveOneOut, false)]
                .into_iter()
                .chain([(ScaleObjective::Evidence, true)])
            {
                let rows = rows(&x, 2, judged == ScaleObjective::LeaveOneOut);
                let coordinates = Coordinates { kind, columns: 3, tied, ridge: None, least_ridge: LEAST_RIDGE };
                let mut theta = coordinates.start();
                theta.iter_mut().zip(0..).for_each(|(theta, j)| *theta += [0.3, -0.8, 0.5, -0.2][j % 4]);
                let at = |theta: &[f64]| objective(&rows, judged, coordinates, theta).unwrap().unwrap();
                let (_, gradient) = at(&theta);
                let largest = gradient.iter().fold(0.0_f64, |largest, g| largest.max(g.abs()));
                for j in 0..theta.len() {
                    let moved = |h: f64| {
                        let mut theta = theta.clone();
                        theta[j] += h;
                        at(&theta).0
                    };
                    let difference = (moved(1e-4) - moved(-1e-4)) / 2e-4;
                    let off = (gradient[j] - difference).abs() / largest;
                    assert!(off < 1e-6, "{kind} {judged:?} {tied} {j}: {} {difference}", gradient[j]);
                }
            }
        }
    }

    #[test]
    fn the_start_lies_inside_the_bounds_and_is_read_back_from_its_kernel() {
        for kind in ScaledKind::ALL {
            for tied in [false, true] {
                let coordinates = Coordinates { kind, columns: 4, tied, ridge: None, least_ridge: LEAST_RIDGE };
                let (start, bounds) = (coordinates.start(), coordinates.bounds());
                assert!(start.len() == bounds.lower.len() && start.len() == bounds.upper.len());
                assert!((0..start.len()).all(|j| bounds.lower[j] < start[j] && start[j] < bounds.upper[j]));
                let (kernel, ridge) = coordinates.read(&start).unwrap();
                let again = coordinates.of(&kernel, ridge);
                assert!(again.iter().zip(&start).all(|(a, b)| (a - b).abs() < 1e-12), "{again:?} {start:?}");
            }
        }
    }
}
