//! Kernels of many rows: scales from few rows, the best kinds by some thousands, and these exactly in single precision.

use gramstep::Matrix;
use gramstep::kernel::{ScaleOptions, ScaledFit, ScaledKernel, ScaledKind, ScaledRegression};
use gramstep::random::Purpose;

use super::kernels::{Fitting, Tried};
use crate::data::permutation::permutation;
use crate::data::{Dataset, Task};
use crate::error::Result;
use crate::outcome::event::Observer;
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
        let mut judges = vec![false; n];
        for &place in &judging {
            judges[place] = true;
        }
        let rest: Vec<usize> = order.iter().copied().filter(|&i| !judges[i]).take(most).collect();
        let all: Vec<usize> = order.into_iter().take(most).collect();
        if n > most {
            observer.note(&format!("kernels see {most} of {n} rows"))?;
        }
        let steps = kinds.len() + 2 * KEPT;
        let (mut compared, mut left_out) = (Vec::new(), Vec::new());
        for (done, &kind) in kinds.iter().enumerate() {
            observer.count("kernels", done, steps);
            match self.compare(kind, &rest[..rest.len().min(COMPARED)], &judging[..judging.len().min(JUDGES)])? {
                Some(one) => compared.push(one),
                None => left_out.push(format!("kernel:{kind}")),
            }
        }
        compared.sort_by(|a, b| a.loss.total_cmp(&b.loss));
        let mut tried = Vec::new();
        for (done, one) in compared.into_iter().take(KEPT).enumerate() {
            observer.count("kernels", kinds.len() + 2 * done, steps);
            match self.fit_many(&one, &rest, &all)? {
                Some(one) => tried.push(one),
                None => left_out.push(format!("kernel:{}", one.kernel.kind())),
            }
        }
        observer.count("kernels", steps, steps);
        Ok(Many { tried, left_out, places: all })
    }

    /// The best factor of the scales of one kind.
    fn compare(&self, kind: ScaledKind, on: &[usize], judges: &[usize]) -> Result<Option<Compared>> {
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
            let squares = f.as_slice().iter().zip(unseen.targets.as_slice()).map(|(f, y)| (f - y).powi(2));
            let loss = squares.sum::<f64>() / f.as_slice().len() as f64;
            if best.as_ref().is_some_and(|best| best.loss <= loss) {
                break;
            }
            best = Some(Compared { kernel, ridge, loss });
        }
        Ok(best)
    }

    /// Fitted to rows that do not judge, then to others of them too.
    fn fit_many(&self, one: &Compared, rest: &[usize], all: &[usize]) -> Result<Option<Tried>> {
        let Compared { kernel, ridge, .. } = one;
        let unseen = self.rows.unseen();
        let mut outputs = self.single(kernel, *ridge, &self.aimed(rest)?)?.predict(&unseen.inputs)?;
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

    /// Fitted in single precision.
    fn single(&self, kernel: &ScaledKernel, ridge: f64, rows: &Dataset<f64>) -> Result<ScaledRegression> {
        let (ridge, x, weights) =
            (ridge.max(LEAST_RIDGE), rows.inputs.cast::<f32>().into_matrix(), rows.weights.as_deref());
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
