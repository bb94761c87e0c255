//! The result of a run as it is printed and recorded.

use serde::{Deserialize, Serialize};

use crate::data::Task;
use crate::format::json_number::{number, numbers};
use crate::outcome::metrics::Metrics;
use crate::outcome::{Candidate, Folds, KernelWatch, StopReason};
use crate::settings::{OptimizerName, Precision};

/// Version of the JSON object that [`Report`] becomes.
pub const SCHEMA_VERSION: u32 = 1;

/// What a combination is called where an architecture is.
pub(crate) const COMBINATION: &str = "combination";

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// Version of this object.
    pub schema_version: u32,
    /// The run folder; none if nothing was kept.
    pub run: Option<String>,
    /// Regression or classification.
    pub task: Task,
    /// The method of training; none of a kernel regression and of a ridge regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<OptimizerName>,
    /// The architecture.
    pub model: String,
    /// Networks, of which the average is the model.
    #[serde(default = "one")]
    pub ensemble: usize,
    /// Parameters of all networks, coefficients of a kernel regression.
    pub parameters: usize,
    /// On the training rows.
    pub train: Metrics,
    /// On the validation rows; of a kernel regression without such rows on the training rows, each left out once.
    pub validation: Option<Metrics>,
    /// On the test rows.
    pub test: Option<Metrics>,
    /// Epochs made.
    pub epochs: usize,
    /// The epoch whose parameters were kept.
    pub best_epoch: Option<usize>,
    /// Steps made.
    pub steps: usize,
    /// Time of training.
    pub seconds: f64,
    /// Why training ended.
    pub stop_reason: StopReason,
    /// Of initialisation, shuffles and split.
    pub seed: u64,
    /// Number type of the parameters.
    pub precision: Precision,
    /// The lowest training loss of any epoch.
    #[serde(deserialize_with = "number")]
    pub lowest_train_loss: f64,
    /// Of a kernel regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<KernelFit>,
    /// What was judged by the same rows: the model itself and what stands beside it. Empty where no rows judge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
    /// What the kernel of some training rows said in the course of the training of the first network, with `watch-kernel`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kernel_watch: Vec<KernelWatch>,
    /// Of the cross-validation before the fit, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_validation: Option<Folds>,
}

impl Report {
    /// Whether the model is a combination of several.
    #[must_use]
    pub fn is_combination(&self) -> bool {
        self.candidates.iter().any(|candidate| candidate.weight.is_some_and(|weight| weight > 0.0))
            && self.model == COMBINATION
    }

    /// The method: the optimiser, kernel regression, ridge regression or a combination of them.
    #[must_use]
    pub fn method(&self) -> String {
        if self.is_combination() {
            return "a combination of models".to_owned();
        }
        match (self.optimizer, &self.kernel) {
            (Some(optimizer), _) => optimizer.to_string(),
            (None, Some(_)) => "kernel regression".to_owned(),
            (None, None) => "ridge regression".to_owned(),
        }
    }

    /// Whether the user ended the run.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.stop_reason == StopReason::Interrupted
    }
}

/// What a kernel regression found beside its coefficients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KernelFit {
    /// κ
    #[serde(deserialize_with = "number")]
    pub ridge: f64,
    /// tr K(K + κI)⁻¹
    #[serde(deserialize_with = "number")]
    pub effective_parameters: f64,
    /// log p(y) with kernel K and noise of variance κ, in standardised units; with a kernel that has scales both times the
    /// best amplitude.
    #[serde(deserialize_with = "number")]
    pub log_marginal_likelihood: f64,
    /// The standard deviation of the noise of every target of a regression, in its own units; empty of classes.
    #[serde(deserialize_with = "numbers")]
    pub noise: Vec<f64>,
    /// What the kernel says of every column, those that matter most first; empty where it has no scales.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnScale>,
}

/// What a kernel with scales says of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ColumnScale {
    /// Its name.
    pub column: String,
    /// Its total effect: the share of the variance of the prediction that goes with it, alone and together with others.
    pub effect: f64,
    /// The standardised inputs that it became.
    pub inputs: Vec<InputScale>,
}

/// What a kernel with scales says of one standardised input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InputScale {
    /// Its name.
    pub input: String,
    /// w = 1/ℓ², ℓ its length scale in standard deviations.
    pub weight: f64,
    /// c of a product over inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
}

/// Of a report that does not say how many networks there are.
fn one() -> usize {
    1
}
