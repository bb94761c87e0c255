//! Error bars of a regression: the linearised Laplace posterior of a trained network, calibrated on its validation rows.
//!
//! The training data are read again from where the run had them. The posterior's standard deviation of a new
//! observation is multiplied by RMSE / √(mean of deviation²) over the validation rows, if there are enough of them: what
//! the network learned by heart says little about its errors elsewhere. The RMSE is the one that the run reported: in an
//! ensemble, of networks that have not seen these rows, which the average has.
//!
//! A kernel regression has its own posterior, its training rows in the model file, and the noise of largest evidence.

use std::path::Path;
use std::sync::Arc;

use gramstep::kernel::{Coverage, LinearisedLaplace, Ridge};
use gramstep::{Activation, Matrix, Model, Scalar};

use crate::data::{Dataset, Problem, Standardisation, Targets};
use crate::error::{Error, Result};
use crate::folder::Record;
use crate::folder::RunFolder;
use crate::format::text::{count, number};
use crate::predictor::KernelModel;
use crate::predictor::TrainedModel;
use crate::predictor::model_file::Network;

/// Bytes for the kernel of the training rows and its eigenvectors.
const BUDGET: usize = 1 << 30;
/// Fewer validation rows do not calibrate.
const FEWEST: usize = 20;

/// Error bars for new rows.
#[derive(Debug)]
pub struct Uncertainty {
    posterior: Posterior,
    /// Of every target: from standardised units to its own, and the calibration.
    scale: Vec<f64>,
}

/// What is written beside a prediction.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs)]
pub struct ErrorBars<'a> {
    /// Where they come from.
    pub uncertainty: &'a Uncertainty,
    /// The standard deviation of a new observation.
    pub deviation: bool,
    /// Lower and upper end of the interval that holds a new observation with this probability.
    pub interval: Option<f64>,
}

impl ErrorBars<'_> {
    /// Names of the columns of one target.
    pub(crate) fn header(&self, target: &str) -> Vec<String> {
        let deviation = self.deviation.then(|| format!("std_{target}"));
        let ends = self.interval.map(|_| [format!("lower_{target}"), format!("upper_{target}")]);
        deviation.into_iter().chain(ends.into_iter().flatten()).collect()
    }

    /// The values of one prediction.
    pub(crate) fn values(&self, predicted: f64, deviation: f64) -> Vec<f64> {
        let ends = self.interval.map(|probability| half_width(probability) * deviation);
        let ends = ends.map(|half| [predicted - half, predicted + half]);
        self.deviation.then_some(deviation).into_iter().chain(ends.into_iter().flatten()).collect()
    }
}

/// The posterior of a network of either precision, or of a kernel.
#[derive(Debug)]
enum Posterior {
    F32(LinearisedLaplace<f32>),
    F64(LinearisedLaplace<f64>),
    Kernel(Arc<KernelModel>),
}

impl Uncertainty {
    /// Of the model of a run, whose data are read again. What the user should know is added to `notes`.
    ///
    /// # Errors
    /// For a classification, and when the data of the run are gone or have changed.
    pub fn of(run: &Path, model: &TrainedModel, notes: &mut Vec<String>) -> Result<Self> {
        let Targets::Regression { columns, standardisation } = &model.metadata().preprocessing.targets else {
            return Err(Error::Setting {
                name: "std",
                value: "for classes".to_owned(),
                range: "a setting of regressions; classes have their probabilities".to_owned(),
            });
        };
        let targets = (columns.as_slice(), standardisation);
        match model.network() {
            Network::F32(network) => Self::of_network((run, model, network), targets, Posterior::F32, notes),
            Network::F64(network) => Self::of_network((run, model, network), targets, Posterior::F64, notes),
            Network::Infinite(kernel) => {
                Ok(Self { posterior: Posterior::Kernel(Arc::clone(kernel)), scale: standardisation.scale.clone() })
            }
        }
    }

    fn of_network<T: Scalar>(
        (run, model, network): (&Path, &TrainedModel, &Model<T>),
        (columns, standardisation): (&[String], &Standardisation),
        posterior: fn(LinearisedLaplace<T>) -> Posterior,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let (config, problem) = model.problem(run)?;
        let seed = config.seed.unwrap_or_default();
        let judged = Record::report(&RunFolder::open(run).record())?.and_then(|report| report.validation);
        let errors = judged.filter(|judged| judged.rows >= FEWEST).map(|judged| judged.target_rmse());
        let errors: Option<Vec<f64>> = errors
            .filter(|errors| errors.len() == columns.len())
            .map(|errors| errors.iter().zip(&standardisation.scale).map(|(rmse, scale)| rmse / scale).collect());
        let (fitted, factors) = fit(network.clone(), &problem, errors.as_deref(), seed, notes)?;
        for (column, factor) in columns.iter().zip(&factors).filter(|(_, factor)| **factor != 1.0) {
            notes.push(format!("`{column}`: error bars times {} to fit the validation rows", number(*factor)));
        }
        let scale = factors.iter().zip(&standardisation.scale).map(|(factor, scale)| factor * scale).collect();
        Ok(Self { posterior: posterior(fitted), scale })
    }

    /// The standard deviation of a new observation, in the units of the targets: m×targets. x: m×inputs, preprocessed.
    ///
    /// # Errors
    /// When x does not fit the network.
    pub fn deviation(&self, x: &Matrix<f64>) -> Result<Matrix<f64>> {
        let standardised = match &self.posterior {
            Posterior::F32(posterior) => posterior.observation_deviation(&x.cast())?,
            Posterior::F64(posterior) => posterior.observation_deviation(x)?,
            Posterior::Kernel(model) => model.deviation(x)?,
        };
        let own = |i: usize, a: usize| standardised[(i, a)] * self.scale[a];
        Ok(Matrix::from_fn(standardised.rows(), standardised.columns(), own))
    }
}

/// The posterior, and the calibration of every output by its RMSE on the validation rows, in standardised units.
fn fit<T: Scalar>(
    network: Model<T>,
    problem: &Problem,
    errors: Option<&[f64]>,
    seed: u64,
    notes: &mut Vec<String>,
) -> Result<(LinearisedLaplace<T>, Vec<f64>)> {
    let train: Dataset<T> = problem.train.cast();
    let outputs = network.outputs();
    let (x, y, weights) = (&train.inputs, &train.targets, train.weights.as_deref());
    let posterior = LinearisedLaplace::fit_weighted(network, x, y, weights, Ridge::Evidence, BUDGET, seed)?;
    if let Coverage::Rows { used, of } = posterior.coverage() {
        notes.push(format!("error bars know {} of {} training rows, as many as fit in memory", count(used), count(of)));
    }
    let factors = match problem.validation.as_ref().zip(errors) {
        Some((data, errors)) => {
            let deviation = posterior.observation_deviation(&data.inputs.cast())?;
            errors.iter().enumerate().map(|(a, &error)| calibration(error, &deviation, a)).collect()
        }
        None => vec![1.0; outputs],
    };
    Ok((posterior, factors))
}

/// RMSE / √(mean of deviation²) of one output; 1 where that is no number.
fn calibration(rmse: f64, deviation: &Matrix<f64>, output: usize) -> f64 {
    let n = deviation.rows();
    let factor = rmse / ((0..n).map(|i| deviation[(i, output)].powi(2)).sum::<f64>() / n as f64).sqrt();
    if factor.is_finite() && factor > 0.0 { factor } else { 1.0 }
}

/// The half width, in standard deviations, of a Gaussian interval of this probability: √2·erf⁻¹(q).
///
/// ```
/// use gramstep_train::predictor::uncertainty::half_width;
/// assert!((half_width(0.95) - 1.959_963_984_540_054).abs() < 1e-9);
/// assert!((half_width(0.5) - 0.674_489_750_196_082).abs() < 1e-9);
/// ```
#[must_use]
pub fn half_width(probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, 10.0);
    // erf grows: halve until the interval is below rounding.
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        let below = Activation::Erf.value(middle / std::f64::consts::SQRT_2) < probability;
        if below { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}
