//! Kernels of many rows: scales from few rows, the best kinds by some thousands, and these exactly in single precision.

use gramstep::Matrix;
use gramstep::kernel::{ScaleOptions, ScaledFit, ScaledKernel, ScaledKind, ScaledRegression};
use gramstep::random::Purpose;

use super::kernels::{Fitting, MOST_FITS, Tried, unless_impossible};
use super::rows::{Rows, outside};
use crate::data::permutation::permutation;
use crate::data::{Dataset, Task};
use crate::error::Result;
use crate::outcome::event::Observer;
use crate::outcome::weighted_mean;
use crate::predictor::{KernelPart, Part, PartModel, View, inverse_temperature};
use crate::settings::check_memory;

/// With more rows than these a kernel is not fitted to all in double precision.
pub(super) const MANY: usize = 5000;
/// Rows by which kinds and factors are compared.
const COMPARED: usize = 4000;
/// Rows that judge them.
const JUDGES: usize = 2000;
/// Rows of a regression, at most: 3.2 GB.
const MOST: usize = 20_000;
/// Kinds that are fitted to as many.
const KEPT: usize = 3;
/// Scales of a thousand rows are too long for rough functions: these factors of w are tried, as long as they help.
const FACTORS: [f64; 4] = [1.0, 4.0, 16.0, 64.0];
/// The share of the rows beside a fold that tell as much of them as all.
const ENOUGH: f64 = 0.7;
/// κ, at least: single precision.
const LEAST_RIDGE: f64 = 0.01;
/// And where scales are sought, which belong to their κ: with those of 1e-10 the errors of a smooth table (naval) were half
/// as large again.
const LEAST_SOUGHT: f64 = 1e-6;

/// A kind with its best scales, before it is fitted to many rows.
struct Compared {
    kernel: ScaledKernel,
    ridge: f64,
    /// Mean squared error of the judges.
    loss: f64,
}

/// What became of kernels of many rows.
pub(super) struct Many {
    pub(super) tried: Vec<Tried>,
    /// Kinds that there was no time for.
    pub(super) left_out: Vec<String>,
    /// The rows that they were fitted to.
    pub(super) places: Vec<usize>,
}

impl Fitting<'_> {
    /// Tries kinds of kernels on more than [`MANY`] rows.
    pub(super) fn try_many(&self, kinds: &[ScaledKind], observer: &mut dyn Observer) -> Result<Many> {
        let n = self.rows.all.rows();
        let most = most();
        let order = permutation(n, self.seed, Purpose::Split, 4);
        let judging = self.rows.places();
        let rest = outside(&order, &judging);
        let some: Vec<usize> = outside(&order, &rest).into_iter().take(JUDGES.min(n / 3)).collect();
        // Of a single fold those outside, which may be apart from it, else any others.
        let mut others = if self.rows.folds.len() == 1 { rest.clone() } else { outside(&order, &some) };
        others.truncate(COMPARED);
        let first = |mut places: Vec<usize>| {
            places.truncate(most);
            places
        };
        let (rest, all) = (first(rest), first(order.clone()));
        if n > most {
            observer.note(&format!("kernels see {most} of {n} rows"))?;
        }
        let steps = kinds.len() + 2 * KEPT;
        let (mut compared, mut left_out) = (Vec::new(), Vec::new());
        for (done, &kind) in kinds.iter().enumerate() {
            observer.count("kernels", done, steps);
            match self.compare(kind, &others, &some)? {
                Some(one) => compared.push(one),
                None => left_out.push(format!("kernel:{kind}")),
            }
        }
        compared.sort_by(|a, b| a.loss.total_cmp(&b.loss));
        let mut tried = Vec::new();
        for (done, one) in compared.into_iter().take(KEPT).enumerate() {
            observer.count("kernels", kinds.len() + 2 * done, steps);
            match self.fit_many(&one, (&order, &rest), &all)? {
                Some(one) => tried.push(one),
                None => left_out.push(format!("kernel:{}", one.kernel.kind())),
            }
        }
        observer.count("kernels", steps, steps);
        Ok(Many { tried, left_out, places: all })
    }

    /// The best factor of the scales of one kind; none if there is no solution, or no time.
    fn compare(&self, kind: ScaledKind, on: &[usize], judges: &[usize]) -> Result<Option<Compared>> {
        unless_impossible(self.best_factor(kind, on, judges))
    }

    fn best_factor(&self, kind: ScaledKind, on: &[usize], judges: &[usize]) -> Result<Option<Compared>> {
        let (rows, unseen) = (self.aimed(on)?, self.aimed(judges)?);
        let options = ScaleOptions { least_ridge: LEAST_SOUGHT, ..ScaleOptions::default() };
        let Some(ScaledFit { kernel, ridge, .. }) = self.scales(kind, &rows, options)? else { return Ok(None) };
        let mut best: Option<Compared> = None;
        for factor in FACTORS {
            if self.is_over() {
                return Ok(None);
            }
            let kernel = kernel.rescaled(factor)?;
            let f = self.single(&kernel, ridge, &rows)?.predict(&unseen.inputs)?;
            let square = |i: usize| f.row(i).iter().zip(unseen.targets.row(i)).map(|(f, y)| (f - y).powi(2)).sum();
            let loss = weighted_mean(f.rows(), unseen.weights.as_deref(), square);
            if best.as_ref().is_some_and(|best| best.loss <= loss) {
                break;
            }
            best = Some(Compared { kernel, ridge, loss });
        }
        Ok(best)
    }

    /// Fitted to rows that do not judge, then to others of them too; none if there is no solution, or no time.
    fn fit_many(&self, one: &Compared, rest: (&[usize], &[usize]), all: &[usize]) -> Result<Option<Tried>> {
        unless_impossible(self.fitted(one, rest, all))
    }

    /// What a kernel says of the rows that judge: by one fit to the `rest`, none of which judges, or, where these are few,
    /// of each fold by a fit to all others.
    fn outputs(&self, one: &Compared, (order, rest): (&[usize], &[usize])) -> Result<Option<Matrix<f64>>> {
        let Rows { all, folds, .. } = self.rows;
        let others = order.len() - folds.iter().map(Vec::len).max().unwrap_or(0);
        let few = (rest.len() as f64) < ENOUGH * others.min(most()) as f64;
        if !few || folds.len() > MOST_FITS {
            let fit = self.single(&one.kernel, one.ridge, &self.aimed(rest)?)?;
            return Ok(Some(fit.predict(&self.rows.unseen().inputs)?));
        }
        let mut values = Vec::new();
        for fold in folds {
            let mut others = outside(order, fold);
            others.truncate(most());
            let fit = self.single(&one.kernel, one.ridge, &self.aimed(&others)?)?;
            values.extend(fit.predict(&all.inputs.select_rows(fold))?.into_vec());
            if self.is_over() {
                return Ok(None);
            }
        }
        Ok(Some(Matrix::from_vec(self.rows.judged(), all.targets.columns(), values)?))
    }

    fn fitted(&self, one: &Compared, rest: (&[usize], &[usize]), all: &[usize]) -> Result<Option<Tried>> {
        let Compared { kernel, ridge, .. } = one;
        let unseen = self.rows.unseen();
        let Some(mut outputs) = self.outputs(one, rest)? else { return Ok(None) };
        if self.is_over() {
            return Ok(None);
        }
        let beta = if self.task == Task::Classification { inverse_temperature(&outputs, &unseen) } else { 1.0 };
        outputs.as_mut_slice().iter_mut().for_each(|f| *f *= beta);
        let regression = self.single(kernel, *ridge, &self.aimed(all)?)?;
        if self.is_over() {
            return Ok(None);
        }
        let kind = kernel.kind();
        let model = PartModel::Kernel(Box::new(KernelPart { regression, inverse_temperature: beta }));
        let part = Part { name: format!("kernel:{kind}"), weight: 1.0, view: View::default(), model };
        Ok(Some(Tried { part, outputs, kind }))
    }

    /// Some rows, with what kernels are fitted to.
    fn aimed(&self, places: &[usize]) -> Result<Dataset<f64>> {
        let Dataset { inputs, targets, weights, .. } = self.rows.all.select(places);
        Dataset::new(inputs, self.aims(&targets))?.with_weights(weights)
    }

    /// Fitted in single precision, in which the noise κ/w of the heaviest row is not rounding.
    fn single(&self, kernel: &ScaledKernel, ridge: f64, rows: &Dataset<f64>) -> Result<ScaledRegression> {
        let (x, weights) = (rows.inputs.cast::<f32>().into_matrix(), rows.weights.as_deref());
        let heaviest = weights.unwrap_or_default().iter().copied().fold(1.0, f64::max);
        let ridge = ridge.max(LEAST_RIDGE * heaviest);
        let fitted = ScaledRegression::fit(kernel.clone(), ridge, x, &rows.targets, weights, self.threads)?;
        let c: Matrix<f64> = fitted.coefficients().cast();
        drop(fitted);
        let (x, weights) = (rows.inputs.clone().into_matrix(), rows.weights.clone());
        Ok(ScaledRegression::restore(kernel.clone(), ridge, x, c, weights, self.threads)?)
    }
}

/// As many rows as memory holds: a kernel and its factor.
fn most() -> usize {
    let fits = |rows: &usize| check_memory("a kernel", 3 * size_of::<f32>() * rows * rows, "").is_ok();
    [MOST, MOST / 2, MOST / 4].into_iter().find(fits).unwrap_or(MOST / 8)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::outcome::event::Silent;

    fn input(i: usize, j: usize) -> f64 {
        ((7 * i + 3 * i * j) as f64 * 0.37).sin()
    }

    fn smooth(i: usize) -> f64 {
        (3.0 * input(i, 0)).sin() + input(i, 1)
    }

    fn rows(folds: Vec<Vec<usize>>, y: impl Fn(usize) -> f64, weight: impl Fn(usize) -> f64) -> Rows {
        let n = 90;
        let x = Matrix::from_fn(n, 2, input);
        let all = Dataset::new(x, Matrix::from_fn(n, 1, |i, _| y(i))).unwrap();
        let all = all.with_weights(Some((0..n).map(weight).collect())).unwrap();
        let networks = Matrix::zeros(folds.iter().map(Vec::len).sum(), 1);
        Rows { all, folds, networks, sets: None }
    }

    fn tried(rows: &Rows) -> Many {
        let (stop, ended) = (AtomicBool::new(false), Cell::new(false));
        let fitting = Fitting {
            rows,
            task: Task::Regression,
            seed: 0,
            threads: 1,
            stop: &stop,
            until: None,
            apart: false,
            ended,
        };
        fitting.try_many(&[ScaledKind::Matern32], &mut Silent).unwrap()
    }

    #[test]
    fn where_every_row_judges_each_fold_is_told_by_the_others() {
        let folds: Vec<Vec<usize>> = (0..3).map(|fold| (30 * fold..30 * fold + 30).collect()).collect();
        let rows = rows(folds, smooth, |_| 1.0);
        let many = tried(&rows);
        let [Tried { part, outputs, .. }] = &many.tried[..] else { panic!("left out: {:?}", many.left_out) };
        let PartModel::Kernel(kernel) = &part.model else { panic!("a kernel") };
        let seen = kernel.regression.predict(&rows.all.inputs).unwrap();
        let error = |f: &Matrix<f64>| (0..90).map(|i| (f[(i, 0)] - smooth(i)).powi(2)).sum::<f64>();
        assert!(error(outputs) > 2.0 * error(&seen), "{} {}", error(outputs), error(&seen));
    }

    #[test]
    fn weights_however_uneven_end_nothing() {
        for heavy in [1e2, 1e6, 1e10] {
            let many = tried(&rows(vec![(0..20).collect()], smooth, |i| if i % 30 == 25 { heavy } else { 1.0 }));
            assert_eq!(many.tried.len() + many.left_out.len(), 1, "{heavy}");
        }
    }
}
