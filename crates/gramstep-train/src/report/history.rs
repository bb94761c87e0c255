//! The course of a run, read back from its record.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::Report;
use crate::error::{Error, Result};
use crate::metrics::Metrics;

/// What `record.jsonl` says. Lines that were cut short or are of an unknown kind are passed over.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) steps: Vec<StepLine>,
    pub(super) epochs: Vec<EpochLine>,
    pub(super) report: Option<Report>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct StepLine {
    #[serde(default)]
    pub(super) member: usize,
    pub(super) step: usize,
    pub(super) damping: Option<f64>,
    pub(super) gain_ratio: Option<f64>,
    pub(super) solve: Option<SolveLine>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct SolveLine {
    pub(super) residual: f64,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct EpochLine {
    #[serde(default)]
    pub(super) member: usize,
    pub(super) epoch: usize,
    pub(super) seconds: f64,
    pub(super) train_loss: f64,
    pub(super) validation_loss: Option<f64>,
    /// Without attack, in adversarial training.
    pub(super) clean_loss: Option<f64>,
    /// Of every layer from its start, in adversarial training.
    #[serde(default)]
    pub(super) distances: BTreeMap<String, f64>,
    pub(super) test: Option<Metrics>,
}

#[derive(Deserialize)]
struct EndLine {
    report: Report,
}

impl History {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let mut history = Self::default();
        for line in text.lines() {
            #[derive(Deserialize)]
            struct Kind<'a> {
                kind: &'a str,
            }
            match serde_json::from_str(line) {
                Ok(Kind { kind: "step" }) => history.steps.extend(serde_json::from_str::<StepLine>(line)),
                Ok(Kind { kind: "epoch" }) => history.epochs.extend(serde_json::from_str::<EpochLine>(line)),
                Ok(Kind { kind: "end" }) => {
                    history.report = serde_json::from_str::<EndLine>(line).ok().map(|end| end.report);
                }
                _ => {}
            }
        }
        Ok(history)
    }
}
