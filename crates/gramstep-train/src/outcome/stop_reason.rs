//! Every reason for which training ends.

use serde::{Deserialize, Serialize};

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StopReason {
    /// All epochs were made.
    Epochs,
    /// The time was over.
    TimeLimit,
    /// The validation loss did not get better for as many epochs as patience allows.
    Patience,
    /// The training loss is zero up to rounding, or no step lowers it.
    Converged,
    /// The user asked for it.
    Interrupted,
    /// A loss or a parameter became infinite or NaN.
    NonFinite,
    /// There was nothing to iterate: a kernel regression.
    Solved,
}

impl StopReason {
    /// Whether there was more to do: such a run can go on.
    #[must_use]
    pub fn is_early(self) -> bool {
        matches!(self, Self::Interrupted | Self::TimeLimit)
    }
}

impl std::fmt::Display for StopReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Epochs => "all epochs made",
            Self::TimeLimit => "time limit",
            Self::Patience => "no better validation loss",
            Self::Converged => "converged",
            Self::Interrupted => "interrupted",
            Self::NonFinite => "not finite",
            Self::Solved => "solved directly",
        })
    }
}
