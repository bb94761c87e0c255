//! `record.jsonl`: what happened in a run, one JSON object a line.
//!
//! The first line is of kind `run` and names the format's version; then follow lines of kind `step` and `epoch`; a run
//! that came to its end has a last line of kind `end` with the report. All but the times are the same for the same
//! seed.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::outcome::Report;
use crate::outcome::event::{EpochEvent, Event, Observer, Start, StepEvent};

/// Version of `record.jsonl`.
pub const FORMAT_VERSION: u32 = 1;

/// An observer that writes the record.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
    out: Out,
    /// Whether the first line is there.
    begun: bool,
}

/// Where the lines go.
#[derive(Debug)]
enum Out {
    File(BufWriter<File>),
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
    pub(crate) fn in_memory() -> Self {
        Self { path: PathBuf::from("record.jsonl"), out: Out::Memory(Vec::new()), begun: false }
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
        let file = File::create(path).map_err(|source| Error::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), out: Out::File(BufWriter::new(file)), begun: false })
    }

    /// Goes on with a record that is cut back to its first `bytes` bytes.
    ///
    /// # Errors
    /// [`Error::Write`], or [`Error::Checkpoint`] if the record is shorter.
    pub fn resume(path: &Path, bytes: u64) -> Result<Self> {
        let wrong = |source| Error::Write { path: path.to_owned(), source };
        let mut file = OpenOptions::new().write(true).open(path).map_err(wrong)?;
        let length = file.metadata().map_err(wrong)?.len();
        if length < bytes {
            let reason = format!("{length} bytes, the checkpoint needs {bytes}");
            return Err(Error::Checkpoint { path: path.to_owned(), reason });
        }
        file.set_len(bytes).map_err(wrong)?;
        file.seek(SeekFrom::Start(bytes)).map_err(wrong)?;
        Ok(Self { path: path.to_owned(), out: Out::File(BufWriter::new(file)), begun: true })
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
        }))
    }

    fn line(&mut self, value: &Value) -> Result<()> {
        writeln!(self.out, "{value}").map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    /// The report at the end of a record; none if the run did not come to its end.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn report(path: &Path) -> Result<Option<Report>> {
        let wrong = |source| Error::Read { path: path.to_owned(), source };
        let mut last = String::new();
        for line in BufReader::new(File::open(path).map_err(wrong)?).lines() {
            last = line.map_err(wrong)?;
        }
        let value: Option<Value> = serde_json::from_str(&last).ok();
        Ok(value.and_then(|mut value| serde_json::from_value(value.get_mut("report")?.take()).ok()))
    }
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
            Event::Finish(report) => self.finish(report),
            // Talk, and nothing to draw.
            Event::Note(_) | Event::Counted { .. } | Event::Certified(_) => Ok(()),
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
        self.flush()
    }

    fn step(&mut self, event: &StepEvent<'_>) -> Result<()> {
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

    fn finish(&mut self, report: &Report) -> Result<()> {
        if !self.begun {
            self.kernel_run(report)?;
        }
        self.line(&json!({ "kind": "end", "report": report }))?;
        self.flush()
    }
}
