//! `record.jsonl`: what happened in a run, one JSON object a line.
//!
//! The first line is of kind `run` and names the format's version; one of kind `folds` follows where there was a
//! cross-validation before; then follow lines of kind `step` and `epoch`, and with `watch-kernel` of kind `kernel`; a run
//! that came to its end has a last line of kind `end` with the report. All but the times are the same for the same
//! seed.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::format::disk::Written;
use crate::outcome::event::{EpochEvent, Event, Observer, Start, StepEvent};
use crate::outcome::{Folds, KernelWatch, Report};

/// Version of `record.jsonl`.
pub const FORMAT_VERSION: u32 = 1;

/// An observer that writes the record.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
    out: Out,
    /// Whether the first line is there.
    begun: bool,
    /// Whether a step is there of this session.
    steps: bool,
    /// Scores that follow the first line.
    folds: Option<Folds>,
}

/// Where the lines go.
#[derive(Debug)]
enum Out {
    File(BufWriter<Written>),
    Memory(Vec<u8>),
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Memory(lines) => lines.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Memory(lines) => lines.flush(),
        }
    }
}

impl Record {
    /// A record of a run that is not kept, or not yet.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(Path::new("record.jsonl"), Out::Memory(Vec::new()), false)
    }

    /// The lines of a record in memory.
    pub(crate) fn into_bytes(mut self) -> Result<Vec<u8>> {
        self.flush()?;
        Ok(match self.out {
            Out::File(_) => Vec::new(),
            Out::Memory(lines) => lines,
        })
    }

    /// Begins a record.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn create(path: &Path) -> Result<Self> {
        let wrong = |source| Error::Write { path: path.to_owned(), source };
        // Its name is on the disk with that of the first checkpoint, which is the first to need it.
        let file = Written::create(path).map_err(wrong)?;
        Ok(Self::new(path, Out::File(BufWriter::new(file)), false))
    }

    /// Goes on with a record that is cut back to its first `bytes` bytes. Of one that is shorter, whatever became of the
    /// rest, the whole lines stay; also returns how many bytes are gone.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Write`].
    pub fn resume(path: &Path, bytes: u64) -> Result<(Self, u64)> {
        let there = match std::fs::read(path) {
            Ok(there) => there,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Self::create(path)?, bytes)),
            Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
        };
        let kept = usize::try_from(bytes).map_or(there.len(), |bytes| bytes.min(there.len()));
        let whole = if kept as u64 == bytes { kept } else { whole_lines(&there[..kept]) };
        if whole == 0 {
            return Ok((Self::create(path)?, bytes));
        }
        let file = Written::go_on(path, whole as u64);
        let file = file.map_err(|source| Error::Write { path: path.to_owned(), source })?;
        Ok((Self::new(path, Out::File(BufWriter::new(file)), true), bytes - whole as u64))
    }

    fn new(path: &Path, out: Out, begun: bool) -> Self {
        Self { path: path.to_owned(), out, begun, steps: false, folds: None }
    }

    /// The same with the scores of the cross-validation before the run, unless it has begun.
    pub(crate) fn with_folds(self, folds: Option<&Folds>) -> Self {
        Self { folds: folds.filter(|_| !self.begun).cloned(), ..self }
    }

    /// The scores of the cross-validation of an earlier session, as far as they were written.
    pub(crate) fn folds(path: &Path) -> Option<Folds> {
        let bytes = std::fs::read(path).ok()?;
        // The second line, if any.
        let line = bytes.split(|&byte| byte == b'\n').nth(1)?;
        let mut value: Value = serde_json::from_slice(line).ok()?;
        serde_json::from_value(value.get_mut("folds")?.take()).ok()
    }

    /// Whether a step was made in this session.
    pub(crate) fn has_steps(&self) -> bool {
        self.steps
    }

    /// The first line of a kernel regression, which has no steps.
    fn kernel_run(&mut self, report: &Report) -> Result<()> {
        self.line(&json!({
            "kind": "run",
            "format_version": FORMAT_VERSION,
            "program": concat!("gramstep ", env!("CARGO_PKG_VERSION")),
            "model": report.model,
            "parameters": report.parameters,
            "samples": report.train.rows,
            "seed": report.seed,
        }))?;
        self.fold_scores()
    }

    fn fold_scores(&mut self) -> Result<()> {
        match self.folds.take() {
            Some(folds) => self.line(&json!({ "kind": "folds", "folds": folds })),
            None => Ok(()),
        }
    }

    fn line(&mut self, value: &Value) -> Result<()> {
        writeln!(self.out, "{value}").map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    /// Whether the last line of a record is that of a run that came to its end, whatever it says.
    #[must_use]
    pub fn has_end(path: &Path) -> bool {
        let bytes = std::fs::read(path).unwrap_or_default();
        let value: Option<Value> = serde_json::from_slice(last_line(&bytes)).ok();
        value.is_some_and(|value| value["kind"] == "end")
    }

    /// The report at the end of a record; none if the run did not come to its end.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn report(path: &Path) -> Result<Option<Report>> {
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let value: Option<Value> = serde_json::from_slice(last_line(&bytes)).ok();
        Ok(value.and_then(|mut value| serde_json::from_value(value.get_mut("report")?.take()).ok()))
    }
}

fn last_line(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii_end().rsplit(|&byte| byte == b'\n').next().unwrap_or_default()
}

/// The length of the lines at the start of a record that are what this program writes.
fn whole_lines(bytes: &[u8]) -> usize {
    let is_line = |line: &&[u8]| line.ends_with(b"\n") && serde_json::from_slice::<Map<String, Value>>(line).is_ok();
    bytes.split_inclusive(|&byte| byte == b'\n').take_while(is_line).map(<[u8]>::len).sum()
}

/// The number of a network; none of the first, which may be the only one.
fn later(member: usize) -> Option<usize> {
    Some(member).filter(|&member| member > 0)
}

/// JSON object without the entries that are null.
fn present(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            Value::Object(entries.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<String, Value>>())
        }
        other => other,
    }
}

impl Observer for Record {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Start(start) => self.start(start),
            Event::Step(step) => self.step(step),
            Event::Epoch(epoch) => self.epoch(epoch),
            Event::Kernel(watch) => self.kernel(watch),
            Event::Finish(report) => self.finish(report),
            // Talk, and nothing to draw.
            Event::Note(_) | Event::Folder(_) | Event::Counted { .. } | Event::Certified(_) => Ok(()),
        }
    }
}

impl Record {
    fn start(&mut self, start: &Start<'_>) -> Result<()> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        let settings = start.settings;
        self.line(&json!({
            "kind": "run",
            "format_version": FORMAT_VERSION,
            "program": concat!("gramstep ", env!("CARGO_PKG_VERSION")),
            "optimizer": settings.optimizer,
            "model": settings.model.to_string(),
            "ensemble": settings.ensemble,
            "parameters": start.parameters,
            "samples": start.samples,
            "steps_per_epoch": start.steps_per_epoch,
            "seed": settings.seed,
        }))?;
        self.fold_scores()?;
        self.flush()
    }

    fn step(&mut self, event: &StepEvent<'_>) -> Result<()> {
        self.steps = true;
        let info = event.info;
        self.line(&present(json!({
            "kind": "step",
            "member": later(event.member),
            "epoch": event.epoch,
            "step": event.step,
            "seconds": event.seconds,
            "loss": info.loss,
            "loss_after": info.loss_after,
            "learning_rate": info.learning_rate,
            "damping": info.damping,
            "gain_ratio": info.gain_ratio,
            "accepted": info.accepted,
            "solve": info.solve,
        })))
    }

    fn epoch(&mut self, event: &EpochEvent) -> Result<()> {
        let distances = event.clean.as_ref().map(|clean| {
            clean.distances.iter().map(|layer| (layer.layer.clone(), layer.distance.into())).collect::<Map<_, _>>()
        });
        self.line(&present(json!({
            "kind": "epoch",
            "member": later(event.member),
            "epoch": event.epoch,
            "step": event.step,
            "seconds": event.seconds,
            "train_loss": event.train_loss,
            "validation_loss": event.validation_loss,
            "clean_loss": event.clean.as_ref().map(|clean| clean.loss),
            "distances": distances,
            "test": event.test,
            "improved": event.improved,
        })))?;
        self.flush()
    }

    fn kernel(&mut self, watch: &KernelWatch) -> Result<()> {
        #[derive(Serialize)]
        struct Line<'a> {
            kind: &'static str,
            #[serde(flatten)]
            watch: &'a KernelWatch,
        }
        let line = serde_json::to_value(Line { kind: "kernel", watch });
        self.line(&line.map_err(|error| Error::Write { path: self.path.clone(), source: error.into() })?)
    }

    fn finish(&mut self, report: &Report) -> Result<()> {
        if !self.begun {
            self.kernel_run(report)?;
        }
        self.line(&json!({ "kind": "end", "report": report }))?;
        self.flush()?;
        // The checkpoint is removed next.
        match &self.out {
            Out::File(file) => file.get_ref().sync().map_err(|source| Error::Write { path: self.path.clone(), source }),
            Out::Memory(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_record_that_lost_its_end_the_whole_lines_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.jsonl");
        let lines = b"{\"kind\":\"run\"}\n{\"kind\":\"step\"}\n";
        for (there, needed, kept) in [
            (lines.to_vec(), lines.len(), lines.len()),
            (lines.to_vec(), 15, 15),
            (lines[..25].to_vec(), 33, 15),
            ([&lines[..15], &[0; 9]].concat(), 33, 15),
            (vec![0; 40], 50, 0),
            (Vec::new(), 20, 0),
        ] {
            std::fs::write(&path, &there).unwrap();
            let (record, gone) = Record::resume(&path, needed as u64).unwrap();
            drop(record);
            assert_eq!(gone as usize, needed - kept);
            assert_eq!(std::fs::read(&path).unwrap(), lines[..kept]);
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(Record::resume(&path, 7).unwrap().1, 7);
    }
}
