//! What became of claims.

use gramstep::theory::{Certificate, Verdict};
use serde::Serialize;

/// Version of the JSON object that [`Verification`] becomes.
pub const SCHEMA_VERSION: u32 = 1;

/// A claim that was tried.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Tried {
    /// What became of it.
    #[serde(flatten)]
    pub certificate: Certificate,
    /// How long it took.
    pub seconds: f64,
}

impl Tried {
    /// The margin in per cent; far below 0 only that.
    #[must_use]
    pub fn margin(&self) -> String {
        let margin = 100.0 * self.certificate.margin;
        if margin < -999.0 { "< -999 %".to_owned() } else { format!("{margin:.0} %") }
    }
}

/// What became of the claims.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Verification {
    /// Version of this object.
    pub schema_version: u32,
    /// `quick` or `full`.
    pub effort: String,
    /// The table; none: synthetic points.
    pub data: Option<String>,
    /// What was repaired in it.
    pub notes: Vec<String>,
    /// The claims, in the order in which they were tried.
    pub claims: Vec<Tried>,
    /// Whether the user ended it before all claims were tried.
    pub interrupted: bool,
}

impl Verification {
    /// Whether a claim was refuted.
    #[must_use]
    pub fn is_refuted(&self) -> bool {
        self.claims.iter().any(|tried| tried.certificate.verdict == Verdict::Refuted)
    }
}
