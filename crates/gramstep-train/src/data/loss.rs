//! What a regression is trained by: which loss, and which numbers it sees.

use std::fmt;
use std::str::FromStr;

use gramstep::loss::{AbsoluteLoss, HuberLoss, Loss, PoissonLoss, QuantileLoss, SquaredLoss};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, out_of_range};
use crate::format::words::{as_text, words};

/// Where the Huber loss of a standardised target becomes linear, unless the user says otherwise (huber1964).
const HUBER: f64 = 1.345;
const RANGE: &str = "squared, absolute, huber, huber:DELTA, quantile:LEVEL,.. between 0 and 1, or poisson";

/// The loss of a regression.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum LossChoice {
    /// r²: the mean.
    #[default]
    Squared,
    /// |r|: the median.
    Absolute,
    /// Squared up to this number of standard deviations, absolute beyond.
    Huber(f64),
    /// Quantiles at these levels, ascending.
    Quantile(Vec<f64>),
    /// The mean of counts, as the exponential of what a network says.
    Poisson,
}

impl LossChoice {
    /// The loss itself, of standardised targets.
    #[must_use]
    pub fn loss(&self) -> Box<dyn Loss> {
        let checked = "levels and corners are checked where they are read";
        match self {
            Self::Squared => Box::new(SquaredLoss),
            Self::Absolute => Box::new(AbsoluteLoss),
            Self::Huber(delta) => Box::new(HuberLoss::new(*delta).expect(checked)),
            Self::Quantile(levels) => Box::new(QuantileLoss::new(levels.clone()).expect(checked)),
            Self::Poisson => Box::new(PoissonLoss),
        }
    }

    /// The levels of quantiles; empty where one number is learned of each target.
    #[must_use]
    pub fn levels(&self) -> &[f64] {
        if let Self::Quantile(levels) = self { levels } else { &[] }
    }

    /// Outputs of a network for each target.
    pub(crate) fn outputs(&self) -> usize {
        self.levels().len().max(1)
    }

    /// The output that stands for the target: the mean, or the level nearest to the median.
    pub(crate) fn middle(&self) -> usize {
        let off = |at: &usize| (self.levels()[*at] - 0.5).abs();
        (0..self.levels().len()).min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(0)
    }

    /// Whether the outputs are a mean or a median with errors alike on both sides: what error bars are of.
    pub(crate) fn has_residuals(&self) -> bool {
        matches!(self, Self::Squared | Self::Absolute | Self::Huber(_))
    }

    pub(crate) fn is_squared(&self) -> bool {
        *self == Self::Squared
    }
}

impl FromStr for LossChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || out_of_range("loss", &text, RANGE);
        Ok(match text.split_once(':') {
            None => match text {
                "squared" => Self::Squared,
                "absolute" => Self::Absolute,
                "huber" => Self::Huber(HUBER),
                "poisson" => Self::Poisson,
                _ => return Err(wrong()),
            },
            Some(("huber", delta)) => {
                let delta = delta.parse::<f64>().ok().filter(|delta| *delta > 0.0 && delta.is_finite());
                Self::Huber(delta.ok_or_else(wrong)?)
            }
            Some(("quantile", levels)) => {
                let read = |level: &str| level.trim().parse::<f64>().ok().filter(|level| *level > 0.0 && *level < 1.0);
                let mut levels = levels.split(',').map(read).collect::<Option<Vec<f64>>>().ok_or_else(wrong)?;
                levels.sort_by(f64::total_cmp);
                levels.dedup();
                Self::Quantile(levels)
            }
            Some(_) => return Err(wrong()),
        })
    }
}

impl fmt::Display for LossChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Squared => f.write_str("squared"),
            Self::Absolute => f.write_str("absolute"),
            Self::Huber(delta) => write!(f, "huber:{delta}"),
            Self::Quantile(levels) => {
                let levels: Vec<String> = levels.iter().map(f64::to_string).collect();
                write!(f, "quantile:{}", levels.join(","))
            }
            Self::Poisson => f.write_str("poisson"),
        }
    }
}

as_text!(LossChoice);

words! {
    /// What is learned of a target.
    TransformChoice as "target-transform" {
        /// The target itself.
        None = "none",
        /// Its logarithm: errors are relative ones, and a prediction is a median.
        Log = "log",
        /// Its logarithm where all values are above 0 and few of them carry most of the squared deviation.
        Auto = "auto",
    }
}

/// What was learned of the targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Transform {
    /// They themselves.
    #[default]
    None,
    /// Their logarithms.
    Log,
}

impl Transform {
    /// What is learned of a value.
    pub(super) fn apply(self, value: f64) -> f64 {
        if self == Self::Log { value.ln() } else { value }
    }

    /// Back to the value.
    pub(super) fn invert(self, value: f64) -> f64 {
        if self == Self::Log { value.exp() } else { value }
    }

    #[allow(clippy::trivially_copy_pass_by_ref)] // what serde calls
    pub(super) fn is_none(&self) -> bool {
        *self == Self::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_read_back_from_their_text() {
        for text in ["squared", "absolute", "huber:0.5", "quantile:0.1,0.5,0.9", "poisson"] {
            assert_eq!(text.parse::<LossChoice>().unwrap().to_string(), text);
        }
        assert_eq!("quantile:0.9,0.1,0.9".parse::<LossChoice>().unwrap().to_string(), "quantile:0.1,0.9");
        for text in ["", "mse", "huber:0", "huber:nan", "quantile", "quantile:", "quantile:0,0.5", "quantile:0.5,x"] {
            assert!(text.parse::<LossChoice>().unwrap_err().to_string().contains("quantile:LEVEL"), "{text}");
        }
        assert_eq!("quantile:0.05,0.4,0.9".parse::<LossChoice>().unwrap().middle(), 1);
    }
}
