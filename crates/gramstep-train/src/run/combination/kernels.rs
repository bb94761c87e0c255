//! Kernel regressions as candidates of a combination: each fitted, and what it says of rows that it has not seen.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gramstep::kernel::{Ridge, ScaleOptions, ScaledFit, ScaledKind, ScaledRegression, fit_scales};
use gramstep::{Device, Error as CoreError, Matrix};

use super::rows::{Rows, all_but};
use crate::data::{Dataset, Task};
use crate::error::{Error, Result};
use crate::predictor::{KernelModel, KernelPart, Part, PartModel, View, inverse_temperature};

/// With fewer rows, or fewer a column than these, scales are fitted anew without each fold: else the weights believe
/// them too much.
const SURE: (usize, usize) = (500, 20);
/// The kernel that has nothing to fit but κ, and the rows of which it is decomposed at most.
pub(super) const INFINITE: &str = "ntk:depth=3:relu";
pub(super) const MOST_DECOMPOSED: usize = 4000;
/// The cubes of rows that a processor decomposes in a second, about.
const CUBES_PER_SECOND: f64 = 5e9;
/// But not without each single row.
pub(super) const MOST_FITS: usize = 20;

/// What was tried, or none where it has no solution, where there is not the memory, or where it was ended: a candidate
/// less, and not the end of a run.
pub(super) fn unless_impossible<T>(tried: Result<Option<T>>) -> Result<Option<T>> {
    match tried {
        Err(
            Error::Memory { .. }
            | Error::Core(
                CoreError::Interrupted | CoreError::Solve { .. } | CoreError::Memory { .. } | CoreError::TooFew { .. },
            ),
        ) => Ok(None),
        tried => tried,
    }
}

/// A kernel regression and what it says of rows that it has not seen.
pub(super) struct Tried {
    /// With weight 1.
    pub(super) part: Part,
    /// Of the places of all folds, one fold after the other.
    pub(super) outputs: Matrix<f64>,
    pub(super) kind: ScaledKind,
}

/// How kernels are fitted.
pub(super) struct Fitting<'a> {
    pub(super) rows: &'a Rows,
    pub(super) task: Task,
    pub(super) seed: u64,
    pub(super) threads: usize,
    pub(super) stop: &'a AtomicBool,
    pub(super) until: Option<Instant>,
    /// Whether the rows of a fold have to be left out together.
    pub(super) apart: bool,
    /// Whether something was left out for want of time.
    pub(super) ended: Cell<bool>,
}

impl Fitting<'_> {
    /// Whether user or time ended the work.
    pub(super) fn is_over(&self) -> bool {
        let over = self.stop.load(Ordering::Relaxed) || self.until.is_some_and(|until| Instant::now() >= until);
        self.ended.set(self.ended.get() || over);
        over
    }

    /// None if it was ended before it was done, or if it has no solution.
    pub(super) fn try_kernel(&self, kind: ScaledKind, view: &View) -> Result<Option<Tried>> {
        unless_impossible(self.kernel(kind, view))
    }

    fn kernel(&self, kind: ScaledKind, view: &View) -> Result<Option<Tried>> {
        let Rows { all, folds, .. } = self.rows;
        let x = view.apply(&all.inputs);
        let rows = Dataset::new(x, self.aims(&all.targets))?.with_weights(all.weights.clone())?;
        let Some(scales) = self.scales(kind, &rows, ScaleOptions::default())? else { return Ok(None) };
        let (n, d) = (rows.rows(), rows.inputs.columns());
        let regression = self.regression(&scales, &rows)?;
        let parts = if folds.len() <= MOST_FITS && (n < SURE.0 || n < SURE.1 * d) {
            let mut parts = Vec::with_capacity(folds.len());
            for fold in folds {
                let rest = rows.select(&all_but(n, fold));
                // From the start that rows without a fit have: scales of all rows would tell of those that are left out.
                let Some(own) = self.scales(kind, &rest, ScaleOptions::default())? else { return Ok(None) };
                parts.push(self.regression(&own, &rest)?.predict(&rows.inputs.select_rows(fold))?);
            }
            parts
        } else {
            regression.leave_out(folds)?
        };
        if self.is_over() {
            return Ok(None);
        }
        let values = parts.into_iter().flat_map(Matrix::into_vec).collect();
        let mut outputs = Matrix::from_vec(self.rows.judged(), rows.targets.columns(), values)?;
        let beta = match self.task {
            Task::Classification => inverse_temperature(&outputs, &self.rows.unseen()),
            Task::Regression => 1.0,
        };
        outputs.as_mut_slice().iter_mut().for_each(|f| *f *= beta);
        // Without its factor, of which there may be a dozen.
        let (x, c) = (rows.inputs.clone().into_matrix(), regression.coefficients().clone());
        let regression = ScaledRegression::restore(scales.kernel, scales.ridge, x, c, rows.weights, self.threads)?;
        let model = PartModel::Kernel(Box::new(KernelPart { regression, inverse_temperature: beta }));
        let part = Part { name: format!("kernel:{kind}"), weight: 1.0, view: view.clone(), model };
        Ok(Some(Tried { part, outputs, kind }))
    }

    /// Whether there is time to decompose so many kernels of so many rows, which nothing ends before it is done.
    fn has_time_to_decompose(&self, kernels: usize, rows: usize) -> bool {
        let seconds = kernels as f64 * (rows as f64).powi(3) / CUBES_PER_SECOND;
        let enough = self.until.is_none_or(|until| Instant::now() + Duration::from_secs_f64(seconds) < until);
        self.ended.set(self.ended.get() || !enough);
        enough && !self.is_over()
    }

    /// The kernel of infinitely wide networks, of which every row is left out in closed form, or folds by fits of the
    /// others; none where time is short, or memory.
    pub(super) fn try_infinite(&self) -> Result<Option<(Part, Matrix<f64>)>> {
        unless_impossible(self.infinite())
    }

    fn infinite(&self) -> Result<Option<(Part, Matrix<f64>)>> {
        let all = &self.rows.all;
        let fits = if self.apart { self.rows.folds.len() } else { 0 };
        if !self.has_time_to_decompose(1 + fits, all.rows()) {
            return Ok(None);
        }
        let device = Device::cpu(self.threads);
        let fit = |rows: &Dataset<f64>| {
            KernelModel::fit(rows.clone(), self.task, INFINITE.parse()?, Ridge::LeaveOneOut, &device)
        };
        let model = fit(all)?;
        let together =
            |rest: &Dataset<f64>, fold: &[usize]| fit(rest)?.outputs(&all.inputs.select_rows(fold).into_matrix());
        let outputs = if self.apart {
            self.rows.without_folds(together)?
        } else {
            model.held_out()?.select_rows(&self.rows.places())
        };
        let model = PartModel::Infinite(Box::new(model));
        Ok(Some((Part { name: INFINITE.to_owned(), weight: 1.0, view: View::default(), model }, outputs)))
    }

    /// What kernels are fitted to: classes less their mean.
    pub(super) fn aims(&self, targets: &Matrix<f64>) -> Matrix<f64> {
        let share = if self.task == Task::Classification { 1.0 / targets.columns() as f64 } else { 0.0 };
        Matrix::from_fn(targets.rows(), targets.columns(), |i, a| targets[(i, a)] - share)
    }

    /// None if it was ended, or if no scales have an evidence.
    pub(super) fn scales(
        &self,
        kind: ScaledKind,
        rows: &Dataset<f64>,
        options: ScaleOptions<'_>,
    ) -> Result<Option<ScaledFit>> {
        let options = ScaleOptions { seed: self.seed, threads: self.threads, ..options };
        let stop = || self.is_over();
        let fit = fit_scales(kind, &rows.inputs, &rows.targets, rows.weights.as_deref(), &options, &stop);
        unless_impossible(fit.map(Some).map_err(Error::from))
    }

    fn regression(&self, scales: &ScaledFit, rows: &Dataset<f64>) -> Result<ScaledRegression> {
        let (x, y, weights) = (rows.inputs.clone().into_matrix(), &rows.targets, rows.weights.as_deref());
        Ok(ScaledRegression::fit(scales.kernel.clone(), scales.ridge, x, y, weights, self.threads)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows_of_two_folds(y: &dyn Fn(usize) -> f64) -> Rows {
        let n = 60;
        let x = Matrix::from_fn(n, 3, |i, j| ((7 * i + 3 * i * j) as f64 * 0.37).sin());
        let all = Dataset::new(x, Matrix::from_fn(n, 1, |i, _| y(i))).unwrap();
        Rows { all, folds: vec![(0..20).collect(), (20..60).collect()], networks: Matrix::zeros(n, 1), sets: None }
    }

    fn fitting<'a>(rows: &'a Rows, stop: &'a AtomicBool) -> Fitting<'a> {
        let ended = Cell::new(false);
        Fitting { rows, task: Task::Regression, seed: 0, threads: 1, stop, until: None, apart: true, ended }
    }

    /// What kernels of each kind say of the rows of two folds, one after the other.
    fn left_out(kind: ScaledKind, y: impl Fn(usize) -> f64) -> Matrix<f64> {
        let (rows, stop) = (rows_of_two_folds(&y), AtomicBool::new(false));
        fitting(&rows, &stop).try_kernel(kind, &View::default()).unwrap().unwrap().outputs
    }

    #[test]
    fn what_an_infinite_network_says_of_rows_that_are_apart_does_not_know_the_targets_of_their_fold() {
        let told = |y: &dyn Fn(usize) -> f64| {
            let (rows, stop) = (rows_of_two_folds(y), AtomicBool::new(false));
            fitting(&rows, &stop).try_infinite().unwrap().unwrap().1
        };
        let smooth = |i: usize| (i as f64 * 0.9).sin() + (i as f64 * 2.59).sin();
        let (own, other) = (told(&smooth), told(&|i| if i < 20 { -3.0 * smooth(i) } else { smooth(i) }));
        assert_eq!(own.as_slice()[..20], other.as_slice()[..20]);
        assert_ne!(own.as_slice()[20..], other.as_slice()[20..]);
    }

    #[test]
    fn what_is_said_of_rows_does_not_know_their_targets() {
        let smooth = |i: usize| (i as f64 * 0.9).sin() + (i as f64 * 2.59).sin();
        for kind in [ScaledKind::Rbf, ScaledKind::Matern32, ScaledKind::AnovaMatern32] {
            let own = left_out(kind, smooth);
            let other = left_out(kind, |i| if i < 20 { -3.0 * smooth(i) + (i % 2) as f64 } else { smooth(i) });
            assert_eq!(own.as_slice()[..20], other.as_slice()[..20], "{kind}");
            assert_ne!(own.as_slice()[20..], other.as_slice()[20..], "{kind}");
        }
    }
}
