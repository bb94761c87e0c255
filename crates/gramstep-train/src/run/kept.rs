//! The files of a run while it goes on: configuration, record, checkpoints, model.

use std::path::PathBuf;

use gramstep::Scalar;

use super::assignment::{Assignment, CrossValidation};
use super::plan::Plan;
use crate::error::Result;
use crate::folder::{Keep, Record, RunFolder};
use crate::format::lock::Lock;
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
    /// Whether the run began in this session.
    new: bool,
    lock: Lock,
}

impl Kept {
    /// Nothing is kept.
    pub(super) fn nothing() -> Self {
        Self { files: None, checkpoint: None }
    }

    /// Makes the folder, or opens that of a run to go on with.
    pub(super) fn begin<T: Scalar>(
        keep: Keep<'_>,
        of: &Assignment<'_, T>,
        plan: &Plan,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let folder = keep.folder(&of.problem.name)?;
        let checkpoint = of.processes.first(|| match (&folder, keep) {
            (Some((folder, _)), Keep::Resume(_)) => Checkpoint::read(&folder.checkpoint(), &of.problem.hash),
            _ => Ok(None),
        })?;
        let Some((folder, lock)) = folder else { return Ok(Self { checkpoint, ..Self::nothing() }) };
        let new = !matches!(keep, Keep::Resume(_));
        match Self::open(&folder, checkpoint.as_ref(), (plan, of.folds), observer) {
            Ok(record) => {
                let keeper = Keeper::new(&folder, &of.problem.hash, of.tells_exact_train_loss(checkpoint.as_ref()));
                Ok(Self { files: Some(Files { folder, record, keeper, new, lock }), checkpoint })
            }
            Err(error) => {
                drop(lock);
                if new {
                    folder.discard();
                }
                Err(error)
            }
        }
    }

    /// Writes the configuration, and begins the record or goes on with it.
    fn open(
        folder: &RunFolder,
        checkpoint: Option<&Checkpoint>,
        (plan, folds): (&Plan, Option<&CrossValidation>),
        observer: &mut dyn Observer,
    ) -> Result<Record> {
        observer.observe(&Event::Folder(folder.path()))?;
        write_atomically(&folder.config(), plan.to_toml_in(folder.path())?.as_bytes())?;
        if let Some(predictions) = folds.and_then(|folds| folds.predictions.as_ref()) {
            write_atomically(&folder.out_of_fold(), predictions)?;
        }
        let folds = folds.map(|of| &of.folds);
        let Some(checkpoint) = checkpoint else { return Ok(Record::create(&folder.record())?.with_folds(folds)) };
        let (record, gone) = Record::resume(&folder.record(), checkpoint.record_bytes)?;
        if gone > 0 {
            let record = folder.record();
            observer.note(&format!(
                "{} has lost its last {gone} bytes; the run goes on from its checkpoint, and the record has a gap",
                record.display()
            ))?;
        }
        Ok(record.with_folds(folds))
    }

    /// Removes the folder again of a run that failed before its first step.
    pub(super) fn discard_unbegun(self) {
        if let Some(Files { folder, record, new: true, lock, .. }) = self.files
            && !record.has_steps()
        {
            drop((record, lock));
            folder.discard();
        }
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
