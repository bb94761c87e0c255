//! The course of a run, read back from its record.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::format::json_number::number;
use crate::outcome::metrics::Metrics;
use crate::outcome::{KernelWatch, Report};

/// What `record.jsonl` says. Lines that were cut short or are of an unknown kind are passed over.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Whether it has a line at all: that of a network trained by hand has none.
    is_recorded: bool,
    pub(crate) steps: Vec<StepLine>,
    pub(crate) epochs: Vec<EpochLine>,
    /// Of the first network.
    pub(crate) kernel: Vec<KernelWatch>,
    pub(crate) report: Option<Report>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct StepLine {
    #[serde(default)]
    pub(crate) member: usize,
    pub(crate) step: usize,
    pub(crate) damping: Option<f64>,
    pub(crate) gain_ratio: Option<f64>,
    pub(crate) solve: Option<SolveLine>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct SolveLine {
    #[serde(deserialize_with = "number")]
    pub(crate) residual: f64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct EpochLine {
    #[serde(default)]
    pub(crate) member: usize,
    pub(crate) epoch: usize,
    pub(crate) seconds: f64,
    #[serde(deserialize_with = "number")]
    pub(crate) train_loss: f64,
    pub(crate) validation_loss: Option<f64>,
    /// Without attack, in adversarial training.
    pub(crate) clean_loss: Option<f64>,
    /// Of every layer from its start, in adversarial training.
    #[serde(default)]
    pub(crate) distances: BTreeMap<String, f64>,
    pub(crate) test: Option<Metrics>,
}

#[derive(Deserialize)]
struct EndLine {
    report: Report,
}

/// Why a run has no report, by whether its record has a line.
pub(crate) fn without_end(is_recorded: bool) -> &'static str {
    if is_recorded { "this run did not come to its end" } else { "no training was recorded" }
}

impl History {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let text = String::from_utf8_lossy(&bytes);
        let mut history = Self { is_recorded: !text.is_empty(), ..Self::default() };
        for line in text.lines() {
            #[derive(Deserialize)]
            struct Kind<'a> {
                kind: &'a str,
            }
            match serde_json::from_str(line) {
                Ok(Kind { kind: "step" }) => history.steps.extend(serde_json::from_str::<StepLine>(line)),
                Ok(Kind { kind: "epoch" }) => history.epochs.extend(serde_json::from_str::<EpochLine>(line)),
                Ok(Kind { kind: "kernel" }) => history.kernel.extend(serde_json::from_str::<KernelWatch>(line)),
                Ok(Kind { kind: "end" }) => {
                    history.report = serde_json::from_str::<EndLine>(line).ok().map(|end| end.report);
                }
                _ => {}
            }
        }
        Ok(history)
    }

    /// Why there is no report.
    pub(crate) fn without_end(&self) -> &'static str {
        without_end(self.is_recorded)
    }
}
