//! What an attack did to a model, as it is printed.

use gramstep::attack::Norm;
use serde::{Deserialize, Serialize};

use super::Transfer;
use crate::format::text::count;
use crate::outcome::metrics::Metrics;
use crate::training::adversarial::Unit;

/// Version of the JSON object that [`AttackReport`] becomes.
pub const SCHEMA_VERSION: u32 = 1;

/// What an attack did to a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttackReport {
    /// Version of this object.
    pub schema_version: u32,
    /// The run folder.
    pub run: String,
    /// The rows that were attacked: a source, or that they are the test rows of the run.
    #[serde(default)]
    pub source: String,
    /// The norm.
    pub norm: Norm,
    /// The largest size of a perturbation.
    pub radius: f64,
    /// What it is measured in.
    pub unit: Unit,
    /// The attack.
    pub attack: String,
    /// The rows of the table that were attacked, from 1, ascending.
    #[serde(default)]
    pub rows: Vec<usize>,
    /// How many there are, where the attacked ones were drawn from them at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn_from: Option<usize>,
    /// Without attack.
    pub clean: Metrics,
    /// At every radius, ascending; the last is that of the attack, unless it was interrupted.
    pub robust: Vec<RobustMetrics>,
    /// Mean size of the move of each number column at the full radius, largest first.
    pub moves: Vec<ColumnMove>,
    /// Other runs on the same perturbed rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transfer: Vec<Transfer>,
    /// Time of the attacks.
    pub seconds: f64,
    /// Whether it was stopped before the last radius was done.
    #[serde(default)]
    pub interrupted: bool,
    /// What a user should know of the rows.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Rows drawn at random that are named.
const MOST_ROWS: usize = 12;

impl AttackReport {
    /// Which rows were drawn at random from how many, in words; none where all were attacked.
    #[must_use]
    pub fn drawn(&self) -> Option<String> {
        let named: Vec<String> = self.rows.iter().take(MOST_ROWS).map(usize::to_string).collect();
        let more = if self.rows.len() > named.len() { ", .." } else { "" };
        self.drawn_from.map(|all| format!("drawn at random from {}: rows {}{more}", count(all), named.join(", ")))
    }
}

/// The quality of a model under attack at one radius.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RobustMetrics {
    /// ε
    pub radius: f64,
    /// At the worst points that were found.
    #[serde(flatten)]
    pub metrics: Metrics,
}

/// How far one column was moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ColumnMove {
    /// Name in the table.
    pub column: String,
    /// Mean over rows (and pixels) of the size of the move, in the units of the data.
    pub mean: f64,
    /// The same in standard deviations of the training rows.
    pub deviations: f64,
}
