//! What a page shows of one run: its settings, its record, and charts of its predictions.

use std::path::Path;

use super::judgement::Judgement;
use crate::error::{Error, Result};
use crate::folder::{EpochLine, History, RunFolder, StepLine};
use crate::outcome::Report;

/// What a page shows of one run.
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) config: String,
    pub(super) history: History,
    /// Charts of predictions, or why there are none.
    pub(super) judgement: std::result::Result<Judgement, String>,
}

impl Shown {
    pub(super) fn read(run: &Path, judgement: Result<Judgement>) -> Result<Self> {
        let folder = RunFolder::open(run);
        let path = folder.config();
        let config = std::fs::read_to_string(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let history = History::read(&folder.record())?;
        let judgement = judgement.map_err(|error| error.to_string());
        let name = run.file_name().map_or_else(|| run.display().to_string(), |name| name.to_string_lossy().into());
        Ok(Self { name, path: run.display().to_string(), config, history, judgement })
    }

    /// Losses of one member of an ensemble; a single model is member 0.
    pub(super) fn epochs(&self, member: usize) -> impl Iterator<Item = &EpochLine> {
        self.history.epochs.iter().filter(move |line| line.member == member)
    }

    /// Losses of the first network.
    pub(super) fn first_network(&self) -> impl Iterator<Item = &EpochLine> {
        self.epochs(self.history.epochs.first().map_or(0, |line| line.member))
    }

    pub(super) fn steps(&self) -> impl Iterator<Item = &StepLine> {
        let first = self.history.steps.first().map_or(0, |line| line.member);
        self.history.steps.iter().filter(move |line| line.member == first)
    }

    pub(super) fn is_of_a_kernel(&self) -> bool {
        self.history.report.as_ref().is_some_and(|report| report.kernel.is_some())
    }

    pub(super) fn is_a_combination(&self) -> bool {
        self.history.report.as_ref().is_some_and(Report::is_combination)
    }

    pub(super) fn members(&self) -> Vec<usize> {
        let mut members: Vec<usize> = self.history.epochs.iter().map(|line| line.member).collect();
        members.dedup();
        members
    }
}
