//! What a run ends in.

use crate::outcome::Report;
use crate::predictor::Predictor;

/// What was learned, and how it went.
#[derive(Debug)]
pub(crate) struct Learnt {
    /// What predicts.
    pub(crate) predictor: Predictor,
    /// How good it is.
    pub(crate) report: Report,
    /// Every setting, those that were decided too: the text of a `config.toml`.
    pub(crate) config: String,
}
