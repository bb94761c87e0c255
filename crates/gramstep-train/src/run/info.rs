//! What this program, this machine and a kept run are.

use std::path::Path;

use gramstep::Device;
use serde::Serialize;

use crate::data::Task;
use crate::error::Result;
use crate::folder::{Record, RunFolder, without_end};
use crate::outcome::{Report, SCHEMA_VERSION};
use crate::predictor::Predictor;
use crate::settings::Precision;

/// The program and the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProgramInfo {
    /// Version of this object.
    pub schema_version: u32,
    /// Version of the program.
    pub version: &'static str,
    /// Architecture of the processor.
    pub architecture: &'static str,
    /// Operating system.
    pub system: &'static str,
    /// Threads that are used by default.
    pub threads: usize,
    /// Instruction sets of the processor that matter for speed.
    pub simd: Vec<&'static str>,
}

impl ProgramInfo {
    /// Of this machine.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            version: env!("CARGO_PKG_VERSION"),
            architecture: std::env::consts::ARCH,
            system: std::env::consts::OS,
            threads,
            simd: simd(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn simd() -> Vec<&'static str> {
    let mut found = Vec::new();
    for (name, has) in [
        ("sse4.2", std::is_x86_feature_detected!("sse4.2")),
        ("avx2", std::is_x86_feature_detected!("avx2")),
        ("fma", std::is_x86_feature_detected!("fma")),
        ("avx512f", std::is_x86_feature_detected!("avx512f")),
        ("avx512vl", std::is_x86_feature_detected!("avx512vl")),
    ] {
        if has {
            found.push(name);
        }
    }
    found
}

#[cfg(target_arch = "aarch64")]
fn simd() -> Vec<&'static str> {
    vec!["neon"]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn simd() -> Vec<&'static str> {
    Vec::new()
}

/// A kept run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RunInfo {
    /// Version of this object.
    pub schema_version: u32,
    /// The folder.
    pub run: String,
    /// The program that wrote the model.
    pub program: String,
    /// Regression or classification.
    pub task: Task,
    /// The architecture.
    pub model: String,
    /// Length of θ of all networks; coefficients of a kernel regression.
    pub parameters: usize,
    /// Networks, of which the mean predicts.
    pub networks: usize,
    /// The hash that the data are known by; none of a run of an earlier version.
    pub data: Option<String>,
    /// Number type of the parameters.
    pub precision: Precision,
    /// The input columns of the table.
    pub columns: Vec<String>,
    /// The inputs of the network that they become.
    pub inputs: usize,
    /// The target columns.
    pub target: Vec<String>,
    /// The classes of a classification of one target.
    pub classes: Option<Vec<String>>,
    /// The classes of each of several targets, in the order of `target`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Vec<String>>,
    /// Whether a training was recorded: not of a network that was trained by hand and kept.
    pub recorded: bool,
    /// The result; none if the run did not come to its end.
    pub report: Option<Report>,
}

impl RunInfo {
    /// Reads a run folder.
    ///
    /// # Errors
    /// When it has no model that can be used.
    pub fn load(run: &Path, device: &Device) -> Result<Self> {
        let model = Predictor::load(run, device)?;
        let record = RunFolder::open(run).record();
        let metadata = model.metadata();
        let preprocessing = &metadata.preprocessing;
        let mut labels: Vec<Vec<String>> =
            preprocessing.targets.classes().into_iter().map(<[String]>::to_vec).collect();
        let classes = if labels.len() == 1 { labels.pop() } else { None };
        Ok(Self {
            schema_version: SCHEMA_VERSION,
            run: run.display().to_string(),
            program: metadata.program.clone(),
            task: metadata.task,
            model: metadata.model.clone(),
            parameters: model.learned().parameter_count(),
            networks: metadata.members,
            data: metadata.data.as_ref().map(ToString::to_string),
            precision: metadata.precision,
            columns: preprocessing.inputs.columns.iter().map(|column| column.name.clone()).collect(),
            inputs: preprocessing.inputs.width(),
            target: preprocessing.targets.columns().to_vec(),
            classes,
            labels,
            recorded: std::fs::metadata(&record).is_ok_and(|file| file.len() > 0),
            report: Record::report(&record).ok().flatten(),
        })
    }

    /// Why there is no result; none if there is one.
    #[must_use]
    pub fn without_end(&self) -> Option<&'static str> {
        self.report.is_none().then(|| without_end(self.recorded))
    }
}
