//! Error bars of a regression: one posterior for the command line and for Python.
//!
//! ```text
//! networks   Var = mean of the members' variances + variance of their means,
//!            each member's by its linearised Laplace posterior on the rows that it was trained on
//! kernel     the posterior of the Gaussian process
//! several    of a combination: σ(x) of its errors on rows that it has not seen, see [`Spread`]
//! interval   f(x) ± q·σ(x), q the ⌈(m + 1)·level⌉-th smallest of |y − f₋ᵢ|/σ₋ᵢ over m rows (vovk2005)
//! ```
//!
//! f₋ᵢ and σ₋ᵢ are those of the networks that were not trained on row i, of a kernel regression those without row i. With
//! too few such rows q is that of a normal distribution.

use std::sync::Arc;

use gramstep::kernel::{LinearisedLaplace, Ridge};
use gramstep::model::Average;
use gramstep::{Matrix, Scalar};

use super::conformal::{by_weight, quantile};
use super::{Combination, KernelModel, Known, Learned, Spread};
use crate::data::{Dataset, Targets};
use crate::error::{Error, Result};

/// Bytes for the kernel of the remembered rows and its eigenvectors.
const BUDGET: usize = 1 << 30;

/// The posterior of what was learned, and how far errors on unseen rows went beyond it.
#[derive(Debug)]
pub struct Uncertainty {
    posterior: Posterior,
    /// From standardised units to those of every target.
    scale: Vec<f64>,
    /// |y − f₋ᵢ|/σ₋ᵢ of every target, ascending.
    scores: Vec<Vec<f64>>,
}

#[derive(Debug)]
enum Posterior {
    /// One of each network.
    Networks(Vec<LinearisedLaplace>),
    Kernel(Arc<KernelModel>),
    /// Of a combination, which has no posterior of its own: the size of its errors, and its parts for how they go together.
    Combination(Arc<Spread>, Arc<Combination>),
}

impl Uncertainty {
    /// Of what was learned, from the rows that are remembered; `ridge` is the κ of training where it was one number.
    pub(super) fn of(
        learned: &Learned,
        (known, spread): (Option<&Known>, Option<&Arc<Spread>>),
        ridge: Option<f64>,
        targets: &Targets,
    ) -> Result<Self> {
        let Targets::Regression { standardisation, .. } = targets else {
            return Err(none("of classes", "they have their probabilities"));
        };
        if !targets.has_residuals() {
            return Err(none("of quantiles or counts", "they belong to --loss squared, absolute and huber"));
        }
        let scale = standardisation.scale.clone();
        let rows = || {
            let reason = "the model file of an earlier version remembers no rows; train it again";
            known.ok_or_else(|| none("of this run", reason))
        };
        match learned {
            Learned::F32(networks) => Self::of_networks(networks, rows()?, ridge, scale),
            Learned::F64(networks) => Self::of_networks(networks, rows()?, ridge, scale),
            Learned::Kernel(kernel) => {
                let scores = scores(kernel.train(), &kernel.held_out()?, &kernel.held_out_deviation()?);
                Ok(Self { posterior: Posterior::Kernel(Arc::clone(kernel)), scale, scores })
            }
            Learned::Combination(combination) => {
                let spread = spread.ok_or_else(|| none("of this run", "it kept no rows that it had not seen"))?;
                let scores = spread.relative_scores();
                Ok(Self {
                    posterior: Posterior::Combination(Arc::clone(spread), Arc::clone(combination)),
                    scale,
                    scores,
                })
            }
        }
    }

    fn of_networks<T: Scalar>(
        networks: &Average<T>,
        known: &Known,
        ridge: Option<f64>,
        scale: Vec<f64>,
    ) -> Result<Self> {
        let ridge = ridge.map_or(Ridge::Evidence, Ridge::Fixed);
        let mut posteriors = Vec::with_capacity(networks.members().len());
        let mut unseen = Mixture::new(known.rows.rows(), known.rows.targets.columns());
        for (number, member) in networks.members().iter().enumerate() {
            let (trained_on, judged) = known.split(number);
            let rows = known.rows.select(&trained_on);
            let weights = rows.weights.as_deref();
            let member = member.cast::<f64>()?;
            let posterior =
                LinearisedLaplace::fit_weighted(&member, &rows.inputs, &rows.targets, weights, ridge, BUDGET, 0)?;
            let x = known.rows.inputs.select_rows(&judged);
            unseen.add(&judged, &posterior.predict(&x)?, &posterior.observation_deviation(&x)?);
            posteriors.push(posterior);
        }
        Ok(Self { posterior: Posterior::Networks(posteriors), scale, scores: unseen.scores(known) })
    }

    /// The standard deviation of a new observation, noise included, in the units of the targets, or of their logarithms
    /// where these are learned: m×targets. x: m×inputs, preprocessed.
    ///
    /// # Errors
    /// When x does not fit.
    pub fn deviation(&self, x: &Matrix<f64>) -> Result<Matrix<f64>> {
        let standardised = match &self.posterior {
            Posterior::Kernel(model) => model.deviation(x)?,
            Posterior::Combination(spread, _) => spread.deviation(x)?,
            Posterior::Networks(posteriors) => {
                let all: Vec<usize> = (0..x.rows()).collect();
                let mut mixture = Mixture::new(x.rows(), self.scale.len());
                for posterior in posteriors {
                    mixture.add(&all, &posterior.predict(x)?, &posterior.observation_deviation(x)?);
                }
                mixture.deviation()
            }
        };
        Ok(Matrix::from_fn(x.rows(), self.scale.len(), |i, a| standardised[(i, a)] * self.scale[a]))
    }

    /// The covariance of new observations among themselves, noise included, in standardised units: m×m for every target;
    /// its diagonal is the square of [`deviation`](Self::deviation).
    pub(super) fn covariance(&self, x: &Matrix<f64>) -> Result<Vec<Matrix<f64>>> {
        match &self.posterior {
            Posterior::Kernel(model) => model.covariance(x),
            Posterior::Combination(spread, combination) => combination.covariance(x, &spread.deviation(x)?),
            Posterior::Networks(posteriors) => mixed_covariance(posteriors, x, self.scale.len()),
        }
    }

    /// The half width of the interval that holds a new observation with this probability, in standard deviations of that
    /// observation.
    #[must_use]
    pub fn half_width(&self, target: usize, level: f64) -> f64 {
        quantile(&self.scores[target], level, 1.0)
    }
}

/// Mean of the covariances + covariance of the means, with noise on the diagonal.
fn mixed_covariance(posteriors: &[LinearisedLaplace], x: &Matrix<f64>, k: usize) -> Result<Vec<Matrix<f64>>> {
    let (m, share) = (x.rows(), 1.0 / posteriors.len() as f64);
    let means = posteriors.iter().map(|posterior| Ok(posterior.predict(x)?)).collect::<Result<Vec<_>>>()?;
    let mean = Matrix::from_fn(m, k, |i, a| share * means.iter().map(|f| f[(i, a)]).sum::<f64>());
    let mut sums = vec![Matrix::zeros(m, m); k];
    for (posterior, f) in posteriors.iter().zip(&means) {
        let own: Matrix<f64> = posterior.covariance(x)?;
        for (a, sum) in sums.iter_mut().enumerate() {
            let off: Vec<f64> = (0..m).map(|i| f[(i, a)] - mean[(i, a)]).collect();
            for i in 0..m {
                for (j, entry) in sum.row_mut(i).iter_mut().enumerate() {
                    *entry += share * (own[(i * k + a, j * k + a)] + off[i] * off[j]);
                }
                sum[(i, i)] += share * posterior.noise_variance();
            }
        }
    }
    Ok(sums)
}

/// Sums over networks of what some rows are predicted.
struct Mixture {
    count: Vec<f64>,
    mean: Matrix<f64>,
    squares: Matrix<f64>,
}

impl Mixture {
    fn new(rows: usize, outputs: usize) -> Self {
        Self { count: vec![0.0; rows], mean: Matrix::zeros(rows, outputs), squares: Matrix::zeros(rows, outputs) }
    }

    fn add(&mut self, rows: &[usize], f: &Matrix<f64>, deviation: &Matrix<f64>) {
        for (i, &row) in rows.iter().enumerate() {
            self.count[row] += 1.0;
            for a in 0..f.columns() {
                self.mean[(row, a)] += f[(i, a)];
                self.squares[(row, a)] += deviation[(i, a)].powi(2) + f[(i, a)].powi(2);
            }
        }
    }

    fn mean(&self, i: usize, a: usize) -> f64 {
        self.mean[(i, a)] / self.count[i]
    }

    /// √(mean of the variances + variance of the means).
    fn deviation(&self) -> Matrix<f64> {
        Matrix::from_fn(self.mean.rows(), self.mean.columns(), |i, a| {
            (self.squares[(i, a)] / self.count[i] - self.mean(i, a).powi(2)).max(0.0).sqrt()
        })
    }

    /// The scores of the rows that some network judged.
    fn scores(&self, known: &Known) -> Vec<Vec<f64>> {
        let judged: Vec<usize> = (0..self.count.len()).filter(|&i| self.count[i] > 0.0).collect();
        let f = Matrix::from_fn(judged.len(), self.mean.columns(), |i, a| self.mean(judged[i], a));
        scores(&known.rows.select(&judged), &f, &self.deviation().select_rows(&judged))
    }
}

/// |y − f|/σ of every target by the weights of the rows, ascending.
fn scores(rows: &Dataset<f64>, f: &Matrix<f64>, deviation: &Matrix<f64>) -> Vec<Vec<f64>> {
    let y = &rows.targets;
    let of = |a: usize| {
        let score = |i: usize| (y[(i, a)] - f[(i, a)]).abs() / deviation[(i, a)];
        let known: Vec<usize> = (0..y.rows()).filter(|&i| !score(i).is_nan()).collect();
        let weights = rows.weights.as_ref().map(|weights| known.iter().map(|&i| weights[i]).collect::<Vec<_>>());
        by_weight(known.iter().map(|&i| score(i)).collect(), weights.as_deref())
    };
    (0..y.columns()).map(of).collect()
}

fn none(of: &'static str, reason: &'static str) -> Error {
    Error::NoErrorBars { of, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(scores: Vec<f64>) -> Uncertainty {
        Uncertainty { posterior: Posterior::Networks(Vec::new()), scale: vec![1.0], scores: vec![scores] }
    }

    #[test]
    fn an_interval_takes_the_quantile_of_the_scores_and_few_of_them_are_normal() {
        let many = with((1..=99).map(f64::from).collect());
        assert_eq!([many.half_width(0, 0.9), many.half_width(0, 0.5), many.half_width(0, 0.001)], [90.0, 50.0, 1.0]);
        assert!(many.half_width(0, 0.999) > 99.0);
        assert_eq!(with(vec![5.0; 19]).half_width(0, 0.9), super::super::half_width(0.9));
    }

    #[test]
    fn a_mixture_adds_the_spread_of_its_members() {
        let one = |value: f64| Matrix::from_vec(1, 1, vec![value]).unwrap();
        let mut mixture = Mixture::new(1, 1);
        mixture.add(&[0], &one(1.0), &one(3.0));
        mixture.add(&[0], &one(-1.0), &one(4.0));
        assert!((mixture.deviation()[(0, 0)] - 13.5_f64.sqrt()).abs() < 1e-15);
    }
}
