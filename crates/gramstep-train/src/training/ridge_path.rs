//! Gram-Gauss-Newton along a path of falling ridge: each step starts where the last one ended, with a weaker ridge.
//!
//! On a full batch a few undamped steps interpolate the training rows, noise included; early stopping would choose
//! among three or four models. Along the path it chooses among many, from a smooth function to interpolation, and each
//! costs one step: the continuation that computes the regularisation path of a linear model. Mini-batches come to
//! interpolate within a few epochs too; there the ridge falls from step to step as well, and less in an epoch. Start and
//! rate were chosen on inner validation rows of nine sets of 277 to 14,448 rows.
//!
//! A start that is too strong for the data ends the fit instead: θ = 0 is a minimum of ½‖r‖² + ½κ‖θ‖² for networks of
//! several hidden layers, whatever κ, for there all of them but the last bias have no gradient. Near it G ~ ‖θ‖⁴ falls
//! faster than κ, and no later step comes back. So the path begins at the strongest κ of a falling series that the fit
//! survives: the batch has to determine at least one parameter beside the constants. Σ w/(w + κ), over the eigenvalues w
//! of G without what the rows have in common, is less than their sum over κ; where that is less than 1 the fit is lost,
//! and the path begins again, from the parameters where it began. A fit that is never lost is what it was.
//!
//! Two other rules were tried. The κ of largest evidence at the start keeps every fit alive as well, but knows nothing of
//! the features that are learnt: without noise it is close to 0, where there is no path to choose from (yacht: error a
//! third larger). κ kept below the spread at every step saves the fit too late: few of its units are left.

use gramstep::optim::{Batch, Factors, GramGaussNewton, GramGaussNewtonConfig, Optimizer, OptimizerState, StepInfo};
use gramstep::{Error, Model, Result, Scalar};

/// The largest κ of a first step.
const MOST: f64 = 10.0;
/// So much κ for each residual, while that is less.
const PER_RESIDUAL: f64 = 0.05;
/// Factor on κ after a step on a full batch. Up to 0.85 noisy data gain (2 % of the error on concrete), but data without
/// noise lose: there the error follows κ, and twice the steps are needed for as much.
const RATE: f64 = 0.7;
/// Factor on κ after an epoch of mini-batches, whose steps go a part of the way.
const EPOCH_RATE: f64 = 0.9;
/// Factor on the first κ where the fit was lost.
const WEAKER: f64 = 0.1;
/// A fit whose gradients differ by so many times κ has taken hold and is watched no longer: one step loses at most some
/// hundredfold of it.
const HOLD: f64 = 1e4;
/// Below this κ of all rows there is no ridge.
const END: f64 = 1e-8;

/// The name of κ in a saved state.
const RIDGE: &str = "ridge";
/// The same of the κ and the parameters that the path began at, while it is watched.
const FIRST: &str = "first-ridge";
const START: &str = "start";

/// Gram-Gauss-Newton whose ridge falls from step to step.
#[derive(Debug)]
pub(crate) struct RidgePath<T> {
    optimizer: GramGaussNewton<T>,
    config: GramGaussNewtonConfig,
    ridge: f64,
    /// On η, from outside.
    factors: Factors,
    /// Factor on κ after a step.
    rate: f64,
    /// Below this κ there is no ridge.
    end: f64,
    beginning: Beginning<T>,
}

/// Where a path can begin again.
#[derive(Debug)]
enum Beginning<T> {
    /// At the next step.
    Ahead,
    /// At θ, with this κ.
    At(Vec<T>, f64),
    /// Nowhere: the fit has taken hold.
    Forgotten,
}

impl<T: Scalar> RidgePath<T> {
    /// At the start of the path for this number of residuals, all in one batch or cut into several; the ridge of `config` is
    /// not used.
    pub(crate) fn new(config: GramGaussNewtonConfig, residuals: usize, batches: usize) -> Result<Self> {
        let batches = batches as f64;
        let ridge = (PER_RESIDUAL * residuals as f64).min(MOST) / batches;
        let optimizer = GramGaussNewton::new(config.with_ridge(ridge))?;
        let rate = if batches > 1.0 { EPOCH_RATE.powf(batches.recip()) } else { RATE };
        Ok(Self {
            optimizer,
            config,
            ridge,
            factors: Factors::default(),
            rate,
            end: END / batches,
            beginning: Beginning::Ahead,
        })
    }

    fn continue_with(&mut self, ridge: f64) -> Result<()> {
        self.ridge = if ridge < self.end { 0.0 } else { ridge };
        self.optimizer.set_ridge(self.ridge)
    }

    /// Goes back to where the path began, with a weaker ridge, if the fit is lost.
    fn begins_again(&mut self, model: &mut Model<T>, batch: &Batch<'_, T>) -> Result<bool> {
        let Beginning::At(start, first) = &mut self.beginning else { return Ok(false) };
        let spread = match self.optimizer.spread(model, batch) {
            // The next step says so, or the loss.
            Err(Error::NonFinite { .. }) => return Ok(false),
            spread => spread?,
        };
        if self.ridge == 0.0 || spread > HOLD * self.ridge {
            self.beginning = Beginning::Forgotten;
            return Ok(false);
        }
        if spread >= self.ridge {
            return Ok(false);
        }
        *first *= WEAKER;
        model.set_theta(start)?;
        let first = *first;
        self.optimizer = GramGaussNewton::new(self.config)?;
        self.optimizer.set_factors(self.factors);
        self.continue_with(first)?;
        Ok(true)
    }
}

impl<T: Scalar> Optimizer<T> for RidgePath<T> {
    fn name(&self) -> &'static str {
        Optimizer::<T>::name(&self.optimizer)
    }

    fn set_factors(&mut self, factors: Factors) {
        self.factors = factors;
        self.optimizer.set_factors(factors);
    }

    fn step(&mut self, model: &mut Model<T>, batch: &Batch<'_, T>) -> Result<StepInfo> {
        if matches!(self.beginning, Beginning::Ahead) {
            self.beginning = Beginning::At(model.theta(), self.ridge);
        }
        loop {
            let info = self.optimizer.step(model, batch)?;
            if info.accepted && self.ridge > 0.0 {
                self.continue_with(self.ridge * self.rate)?;
            }
            if !self.begins_again(model, batch)? {
                return Ok(info);
            }
        }
    }

    fn state(&self) -> OptimizerState {
        let mut state = self.optimizer.state();
        state.numbers.push((RIDGE.to_owned(), self.ridge));
        if let Beginning::At(start, first) = &self.beginning {
            state.numbers.push((FIRST.to_owned(), *first));
            state.vectors.push((START.to_owned(), start.iter().map(|value| value.to_f64()).collect()));
        }
        state
    }

    fn restore(&mut self, mut state: OptimizerState) -> Result<()> {
        let ridge = take(&mut state.numbers, RIDGE).unwrap_or(0.0);
        self.beginning = match (take(&mut state.vectors, START), take(&mut state.numbers, FIRST)) {
            (Some(start), Some(first)) => Beginning::At(start.into_iter().map(T::from_f64).collect(), first),
            _ => Beginning::Forgotten,
        };
        self.continue_with(ridge)?;
        self.optimizer.restore(state)
    }
}

/// Removes what has this name.
fn take<V>(named: &mut Vec<(String, V)>, name: &str) -> Option<V> {
    let at = named.iter().position(|(own, _)| own == name)?;
    Some(named.remove(at).1)
}

#[cfg(test)]
mod tests {
    use gramstep::{Activation, Matrix};

    use super::*;

    #[test]
    fn a_restored_path_goes_on_bit_for_bit_and_ends_in_interpolation() {
        let x = Matrix::from_fn(6, 1, |i, _| i as f64 / 3.0 - 1.0);
        let y = Matrix::from_fn(6, 1, |i, _| (i as f64 / 3.0).exp() - 2.0);
        let mut model = Model::<f64>::mlp(&[1, 32, 1], Activation::Tanh).seed(1).build().unwrap();
        let config = GramGaussNewtonConfig::default();
        let mut path = RidgePath::new(config, 6, 1).unwrap();
        let first = path.step(&mut model, &Batch::new(&x, &y)).unwrap();
        let mut other = RidgePath::new(config, 6, 1).unwrap();
        other.restore(path.state()).unwrap();
        let mut copy = model.clone();
        for _ in 0..100 {
            path.step(&mut model, &Batch::new(&x, &y)).unwrap();
            other.step(&mut copy, &Batch::new(&x, &y)).unwrap();
        }
        assert_eq!(model.theta(), copy.theta());
        assert!(first.loss > 0.1);
        let loss = Batch::new(&x, &y).loss(&model).unwrap();
        assert!(loss < 1e-6, "{loss}");
        assert_eq!(path.ridge, 0.0);
    }

    #[test]
    fn a_fit_that_the_ridge_would_end_begins_again_and_so_does_its_restored_copy() {
        // An even target: the odd part of the network, all that a strong ridge would leave of it, is of no use.
        let x = Matrix::from_fn(60, 1, |i, _| i as f64 / 29.5 - 1.0);
        let y = Matrix::from_fn(60, 1, |i, _| (i as f64 / 29.5 - 1.0).powi(2) - 0.34);
        let begin = || Model::<f64>::mlp(&[1, 20, 20, 1], Activation::Tanh).seed(1).build().unwrap();
        let new = || RidgePath::<f64>::new(GramGaussNewtonConfig::default(), 2000, 1).unwrap();
        let (mut model, mut path, batch) = (begin(), new(), Batch::new(&x, &y));
        let mut began = MOST;
        for _ in 0..60 {
            let (mut copy, mut other) = (model.clone(), new());
            if !matches!(path.beginning, Beginning::Ahead) {
                other.restore(path.state()).unwrap();
            }
            path.step(&mut model, &batch).unwrap();
            other.step(&mut copy, &batch).unwrap();
            assert_eq!(model.theta(), copy.theta());
            if let Beginning::At(start, first) = &path.beginning {
                assert_eq!(*start, begin().theta());
                began = *first;
            }
        }
        assert!(began <= WEAKER * MOST, "{began}");
        let loss = batch.loss(&model).unwrap();
        assert!(loss < 1e-5, "{loss}");
    }

    #[test]
    fn the_ridge_of_all_rows_falls_alike_in_an_epoch_of_few_and_of_many_batches() {
        let (x, y) = (Matrix::from_fn(6, 1, |i, _| i as f64), Matrix::from_fn(6, 1, |i, _| i as f64));
        let after_an_epoch = |batches: usize| {
            let mut model = Model::<f64>::mlp(&[1, 8, 1], Activation::Tanh).seed(1).build().unwrap();
            let mut path = RidgePath::new(GramGaussNewtonConfig::default(), 6, batches).unwrap();
            for _ in 0..batches {
                assert!(path.step(&mut model, &Batch::new(&x, &y)).unwrap().accepted);
            }
            path.ridge * batches as f64
        };
        assert!((after_an_epoch(5) / after_an_epoch(2) - 1.0).abs() < 1e-12);
    }
}
