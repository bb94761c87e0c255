//! Settings that are a number or a word: how they are written, read and checked.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, out_of_range};
use crate::format::text_or_number::TextOrNumber;
use crate::format::words::{text_or_number, words};

words! {
    /// The method of training.
    OptimizerName as "optimizer" {
        /// Gram-Gauss-Newton: second order, from the Gram matrix of the batch.
        GramGaussNewton = "gram-gauss-newton",
        /// Stochastic gradient descent with momentum.
        Sgd = "sgd",
        /// Adam.
        Adam = "adam",
        /// Adam with decoupled weight decay.
        AdamW = "adamw",
    }
}

words! {
    /// Rows of gram-gauss-newton for a sample.
    RowsPerSample as "rows-per-sample" {
        /// One an output: the curvature of the loss as it is.
        Exact = "exact",
        /// One, with the root of twice the loss for a residual: a step costs about as much as one of sgd.
        One = "one",
    }
}

words! {
    /// The number type of the parameters.
    Precision as "precision" {
        /// Single: half the memory, about twice the speed.
        F32 = "f32",
        /// Double: training losses down to 1e-30.
        F64 = "f64",
    }
}

words! {
    /// How much time the defaults may take; what the user sets stays.
    Preset as "preset" {
        /// One network of one architecture.
        Fast = "fast",
        /// On small tables the best of three architectures, and five networks of it; on those of middle size three.
        Default = "default",
        /// On small tables the best of three by cross-validation, and ten networks of it; on others five networks.
        Thorough = "thorough",
    }
}

words! {
    /// What keeps the inputs of a network from running away.
    InputBounds as "input-bounds" {
        /// Far outliers of a column are bent towards the others, and rows outside the training range towards it.
        Auto = "auto",
        /// Nothing.
        None = "none",
    }
}

/// Rows of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "TextOrNumber", into = "TextOrNumber")]
pub enum BatchSize {
    /// All training rows.
    Full,
    /// So many, or nearly so: the batches of an epoch are equally large.
    Rows(usize),
}

impl BatchSize {
    /// Whether that is all of `rows` rows.
    #[must_use]
    pub fn is_full(self, rows: usize) -> bool {
        match self {
            Self::Full => true,
            Self::Rows(size) => size >= rows,
        }
    }

    /// The batches of an epoch of `rows` rows.
    #[must_use]
    pub fn batches(self, rows: usize) -> usize {
        match self {
            Self::Full => 1,
            Self::Rows(size) => rows.div_ceil(size).max(1),
        }
    }
}

impl FromStr for BatchSize {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.parse()) {
            ("full", _) => Ok(Self::Full),
            (_, Ok(rows)) if rows > 0 => Ok(Self::Rows(rows)),
            _ => Err(out_of_range("batch-size", &text, "`full` or a number of rows above 0")),
        }
    }
}

impl fmt::Display for BatchSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::Rows(rows) => write!(f, "{rows}"),
        }
    }
}

text_or_number!(BatchSize);

/// Damping of Gram-Gauss-Newton, relative to the mean diagonal of G.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TextOrNumber", into = "TextOrNumber")]
pub enum DampingChoice {
    /// Levenberg-Marquardt on full batches, a fixed value on mini-batches.
    Auto,
    /// λ = F · mean diag G in every step.
    Fixed(f64),
}

impl FromStr for DampingChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.parse::<f64>()) {
            ("auto", _) => Ok(Self::Auto),
            (_, Ok(value)) if value >= 0.0 && value.is_finite() => Ok(Self::Fixed(value)),
            _ => Err(out_of_range("damping", &text, "`auto` or a number of at least 0")),
        }
    }
}

impl fmt::Display for DampingChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fixed(value) => write!(f, "{value}"),
        }
    }
}

text_or_number!(DampingChoice);

/// Weight decay κ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TextOrNumber", into = "TextOrNumber")]
pub enum RidgeChoice {
    /// Gram-Gauss-Newton on tables: from strong to none in the course of the run, and early stopping chooses; a kernel
    /// regression: by the errors for rows left out; otherwise none.
    Auto,
    /// Of a kernel regression: that of largest evidence.
    Evidence,
    /// κ.
    Fixed(f64),
}

impl FromStr for RidgeChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.parse::<f64>()) {
            ("auto", _) => Ok(Self::Auto),
            ("evidence", _) => Ok(Self::Evidence),
            (_, Ok(value)) if value >= 0.0 && value.is_finite() => Ok(Self::Fixed(value)),
            _ => Err(out_of_range("ridge", &text, "`auto`, `evidence` (of a kernel) or a number of at least 0")),
        }
    }
}

impl fmt::Display for RidgeChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Evidence => f.write_str("evidence"),
            Self::Fixed(value) => write!(f, "{value}"),
        }
    }
}

text_or_number!(RidgeChoice);

/// How long training may take: `90`, `60s`, `2m`, `1.5h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "TextOrNumber", into = "TextOrNumber")]
pub struct TimeLimit(pub Duration);

impl FromStr for TimeLimit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "" | "s" => Some(1.0),
            "ms" => Some(1e-3),
            "m" | "min" => Some(60.0),
            "h" => Some(3600.0),
            _ => None,
        };
        (unit.zip(digits.parse::<f64>().ok()))
            .map(|(unit, value)| unit * value)
            .filter(|seconds| *seconds > 0.0)
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .map(Self)
            .ok_or_else(|| out_of_range("time-limit", &text, "a time above 0, such as 60s, 2m or 1h"))
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0.as_secs_f64())
    }
}

text_or_number!(TimeLimit);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        for (text, seconds) in [("90", 90.0), ("60s", 60.0), ("2m", 120.0), ("1.5h", 5400.0), ("250ms", 0.25)] {
            assert_eq!(text.parse::<TimeLimit>().unwrap().0.as_secs_f64(), seconds, "{text}");
        }
    }

    #[test]
    fn values_outside_their_range_are_refused() {
        for text in ["0", "-1s", "nan", "inf", "5 parsecs", "", "1e99"] {
            assert!(text.parse::<TimeLimit>().is_err(), "{text}");
        }
        for text in ["0", "-3", "1.5", "all", ""] {
            assert!(text.parse::<BatchSize>().is_err(), "{text}");
        }
        for text in ["-1", "nan", "inf", "much"] {
            assert!(text.parse::<DampingChoice>().is_err(), "{text}");
        }
        let error = "lbfgs".parse::<OptimizerName>().unwrap_err();
        assert_eq!(error.to_string(), "optimizer = lbfgs: one of gram-gauss-newton sgd adam adamw");
    }
}
