//! The files of a run while it goes on: configuration, record, checkpoints, model.

use std::path::PathBuf;

use gramstep::Scalar;

use super::assignment::Assignment;
use super::plan::Plan;
use crate::error::Result;
use crate::folder::{Keep, Record, RunFolder};
use crate::format::whole_file::write_atomically;
use crate::outcome::event::{Event, Observer};
use crate::predictor::Predictor;
use crate::training::checkpoint::{Checkpoint, Keeper};

/// The open files of a run; of one that keeps nothing there are none.
pub(super) struct Kept {
    files: Option<Files>,
    /// Where the run goes on, if it was cut off.
    pub(super) checkpoint: Option<Checkpoint>,
}

struct Files {
    folder: RunFolder,
    record: Record,
    keeper: Keeper,
}

impl Kept {
    /// Makes the folder, or opens that of a run to go on with.
    pub(super) fn begin<T: Scalar>(keep: Keep<'_>, of: &Assignment<'_, T>, plan: &Plan) -> Result<Self> {
        let folder = keep.folder(&of.problem.name)?;
        let checkpoint = of.processes.first(|| match (&folder, keep) {
            (Some(folder), Keep::Resume(_)) => Checkpoint::read(&folder.checkpoint(), &of.problem.hash),
            _ => Ok(None),
        })?;
        let Some(folder) = folder else { return Ok(Self { files: None, checkpoint }) };
        write_atomically(&folder.config(), plan.to_toml_in(folder.path())?.as_bytes())?;
        let record = match &checkpoint {
            Some(checkpoint) => Record::resume(&folder.record(), checkpoint.record_bytes)?,
            None => Record::create(&folder.record())?,
        };
        let keeper = Keeper::new(&folder, &of.problem.hash);
        Ok(Self { files: Some(Files { folder, record, keeper }), checkpoint })
    }

    /// The record and the writer of checkpoints.
    pub(super) fn writers(&mut self) -> Option<(&mut Record, &mut Keeper)> {
        self.files.as_mut().map(|files| (&mut files.record, &mut files.keeper))
    }

    pub(super) fn folder(&self) -> Option<&RunFolder> {
        self.files.as_ref().map(|files| &files.folder)
    }

    /// The folder as it is reported.
    pub(super) fn path(&self) -> Option<String> {
        self.folder().map(|folder| folder.path().display().to_string())
    }

    /// Writes the model; returns its path, if anything is kept.
    pub(super) fn model(&self, predictor: &Predictor) -> Result<Option<PathBuf>> {
        let Some(path) = self.folder().map(RunFolder::model) else { return Ok(None) };
        predictor.save(&path)?;
        Ok(Some(path))
    }
}

impl Observer for Kept {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        self.files.as_mut().map_or(Ok(()), |files| files.record.observe(event))
    }
}
