//! `checkpoint.json`: all that the next epoch depends on, so that a run that was cut off goes on bit for bit.
//!
//! The first line names the version and the BLAKE3 sum of the second one, which holds the numbers: one altered bit is
//! found.
//!
//! It is written after an epoch, to a temporary file that is renamed, and seldom enough to cost a twentieth of the
//! time. `record_bytes` is the length of the record at that moment, which is on the disk before the checkpoint is:
//! resuming cuts the record back to it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use gramstep::optim::OptimizerState;
use serde::{Deserialize, Serialize};

use super::finished::Finished;
use crate::data::DataHash;
use crate::error::{Error, Result};
use crate::folder::RunFolder;
use crate::format::disk;
use crate::format::json_number::number;
use crate::format::whole_file::write_atomically;
use crate::outcome::KernelWatch;

/// Version of `checkpoint.json`.
pub(crate) const FORMAT_VERSION: u32 = 2;

/// The version before, of which files are read: without a sum, and without the hash of the data.
const LAST_VERSION: u32 = 1;

/// Time between two checkpoints, in units of the time that one takes; tests want one an epoch.
const SPACING: u32 = if cfg!(test) { 0 } else { 20 };

/// Where a training stands after an epoch. Numbers are exact, `f32` parameters too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    pub(crate) format_version: u32,
    /// What the data are known by; not in older files.
    #[serde(default)]
    pub(crate) data: Option<DataHash>,
    pub(crate) epoch: usize,
    pub(crate) step: usize,
    pub(crate) futile: usize,
    pub(crate) seconds: f64,
    #[serde(deserialize_with = "number")]
    pub(crate) lowest_train_loss: f64,
    pub(crate) record_bytes: u64,
    pub(crate) theta: Vec<f64>,
    pub(crate) optimizer: OptimizerState,
    pub(crate) best: Option<BestSoFar>,
    /// Epoch from which patience counts, and the loss to beat; not in older files.
    #[serde(default)]
    pub(crate) reference: Option<(usize, Option<f64>)>,
    /// What was watched so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) kernel_watch: Vec<KernelWatch>,
    /// The networks of an ensemble that are trained already.
    #[serde(default)]
    pub(crate) finished: Vec<Finished>,
    /// Whether it is of a comparison, whose losses are exact and whose clock leaves judging out.
    #[serde(default)]
    pub(crate) exact_train_loss: bool,
}

/// The parameters that would be kept if training ended now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BestSoFar {
    pub(crate) epoch: usize,
    pub(crate) loss: f64,
    pub(crate) theta: Vec<f64>,
}

#[derive(Deserialize)]
struct Version {
    format_version: u32,
}

impl Checkpoint {
    /// Reads a checkpoint of a run on these data; none if the run was cut off before its first one.
    pub(crate) fn read(path: &Path, data: &DataHash) -> Result<Option<Self>> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
        };
        let checkpoint = Self::parse(path, &bytes)?;
        if checkpoint.data.as_ref().is_some_and(|own| own != data) {
            return Err(Error::DataChanged { run: path.parent().unwrap_or(path).to_owned() });
        }
        Ok(Some(checkpoint))
    }

    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let wrong = |reason: String| Error::Checkpoint { path: path.to_owned(), reason };
        let json = |error: serde_json::Error| wrong(error.to_string());
        // The last version is one line without a sum.
        let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
        let (head, body) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
        let Version { format_version: found } = serde_json::from_slice(head).map_err(json)?;
        match found {
            LAST_VERSION if body.is_empty() => serde_json::from_slice(head).map_err(json),
            FORMAT_VERSION if head == header(body).as_bytes() => serde_json::from_slice(body).map_err(json),
            FORMAT_VERSION => Err(wrong("damaged: its contents do not match its sum".to_owned())),
            _ => Err(Error::FormatVersion { path: path.to_owned(), found, supported: FORMAT_VERSION }),
        }
    }

    fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let body = serde_json::to_vec(self)?;
        Ok([header(&body).as_bytes(), b"\n", &body].concat())
    }
}

/// The first line.
fn header(body: &[u8]) -> String {
    format!("{{\"format_version\":{FORMAT_VERSION},\"blake3\":\"{}\"}}", blake3::hash(body).to_hex())
}

/// Takes the checkpoints of a training.
pub(crate) trait Checkpoints {
    /// Whether it is time for another one.
    fn is_due(&self) -> bool;

    /// Keeps one. What was observed before it is in the record.
    fn keep(&mut self, checkpoint: Checkpoint) -> Result<()>;
}

/// Writes the checkpoints of one run.
#[derive(Debug)]
pub(crate) struct Keeper {
    checkpoint: PathBuf,
    record: PathBuf,
    next: Instant,
    data: DataHash,
    /// The networks that are trained already.
    pub(crate) finished: Vec<Finished>,
    /// As in [`Checkpoint`].
    exact_train_loss: bool,
}

impl Keeper {
    pub(crate) fn new(folder: &RunFolder, data: &DataHash, exact_train_loss: bool) -> Self {
        let (checkpoint, record, data) = (folder.checkpoint(), folder.record(), data.clone());
        Self { checkpoint, record, next: Instant::now(), data, finished: Vec::new(), exact_train_loss }
    }

    /// When it is time for another checkpoint.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }
}

impl Checkpoints for Keeper {
    fn is_due(&self) -> bool {
        Instant::now() >= self.next
    }

    fn keep(&mut self, mut checkpoint: Checkpoint) -> Result<()> {
        let start = Instant::now();
        let record = disk::sync(&self.record);
        checkpoint.finished.clone_from(&self.finished);
        checkpoint.data = Some(self.data.clone());
        checkpoint.exact_train_loss = self.exact_train_loss;
        checkpoint.record_bytes = record.map_err(|source| Error::Write { path: self.record.clone(), source })?;
        let text = checkpoint
            .to_bytes()
            .map_err(|error| Error::Write { path: self.checkpoint.clone(), source: error.into() })?;
        write_atomically(&self.checkpoint, &text)?;
        self.next = Instant::now() + start.elapsed() * SPACING;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::StopReason;

    fn checkpoint() -> Checkpoint {
        let numbers = vec![("adaptive".to_owned(), 1e-300)];
        let optimizer = OptimizerState {
            optimizer: "sgd".to_owned(),
            step: 7,
            counts: vec![("updates".to_owned(), u64::MAX)],
            numbers,
            vectors: vec![("m".to_owned(), vec![0.1])],
        };
        let theta = vec![-0.0, 1.0 / 3.0, f64::MIN_POSITIVE / 3.0, f64::from(0.1_f32)];
        let best = Some(BestSoFar { epoch: 2, loss: 0.1 + 0.2, theta: theta.clone() });
        let (format_version, lowest_train_loss) = (FORMAT_VERSION, 5e-324);
        Checkpoint {
            format_version,
            data: None,
            epoch: 3,
            step: 9,
            futile: 1,
            seconds: 0.5,
            lowest_train_loss,
            record_bytes: 1 << 40,
            theta: theta.clone(),
            optimizer,
            best,
            reference: Some((3, None)),
            kernel_watch: Vec::new(),
            finished: vec![Finished {
                theta,
                epochs: 4,
                steps: 8,
                seconds: 0.1,
                stop_reason: StopReason::Patience,
                best_epoch: None,
                lowest_train_loss: 0.3,
                kernel_watch: Vec::new(),
            }],
            exact_train_loss: true,
        }
    }

    #[test]
    fn a_checkpoint_of_a_network_that_was_lost_at_once_is_read_back() {
        let mut written = checkpoint();
        written.lowest_train_loss = f64::INFINITY;
        written.finished[0].lowest_train_loss = f64::INFINITY;
        let read = Checkpoint::parse(Path::new("c"), &written.to_bytes().unwrap()).unwrap();
        assert_eq!(read.finished[0].theta, written.finished[0].theta);
        assert_eq!(read.finished[0].lowest_train_loss.min(3.0), 3.0);
    }

    #[test]
    fn a_checkpoint_is_read_back_to_the_last_bit() {
        let written = checkpoint();
        let read = Checkpoint::parse(Path::new("c"), &written.to_bytes().unwrap()).unwrap();
        assert_eq!(read, written);
        assert_eq!(read.theta[0].to_bits(), (-0.0_f64).to_bits());
    }

    #[test]
    fn what_is_cut_short_is_refused_and_so_is_every_altered_bit() {
        let bytes = checkpoint().to_bytes().unwrap();
        for length in 0..bytes.len() {
            assert!(Checkpoint::parse(Path::new("c"), &bytes[..length]).is_err(), "{length}");
        }
        for bit in 0..8 * bytes.len() {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(Checkpoint::parse(Path::new("c"), &altered).is_err(), "bit {bit}");
        }
        let foreign = Checkpoint::parse(Path::new("c"), b"{\"format_version\":7}");
        assert!(matches!(foreign, Err(Error::FormatVersion { found: 7, .. })));
    }

    #[test]
    fn a_checkpoint_of_the_last_version_is_read() {
        let last = Checkpoint { format_version: LAST_VERSION, ..checkpoint() };
        let bytes = serde_json::to_vec(&last).unwrap();
        assert_eq!(Checkpoint::parse(Path::new("c"), &bytes).unwrap(), last);
    }
}
