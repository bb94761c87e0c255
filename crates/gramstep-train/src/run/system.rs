//! What a report of a fault needs to say of machine and program.

use std::fs::read_to_string;

use gramstep::optim::GramGaussNewtonConfig;
use serde::Serialize;

use super::info::ProgramInfo;
use crate::{folder, format::memory, predictor::file, settings};

/// The program, the machine that it runs on, and what both may use.
///
/// ```
/// use gramstep_train::run::system::SystemInfo;
/// let system = SystemInfo::new(2);
/// assert!(system.program.threads == 2 && system.processors > 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SystemInfo {
    /// Version, machine, threads, instruction sets.
    #[serde(flatten)]
    pub program: ProgramInfo,
    /// Whether the program was built with optimisation.
    pub profile: &'static str,
    /// Parts of the program that can be left out when it is built, and were not.
    pub features: Vec<&'static str>,
    /// Versions of the files that it writes.
    pub formats: Formats,
    /// Name of the processor, where it is known.
    pub processor: Option<String>,
    /// Processors that the process may use.
    pub processors: usize,
    /// Version of the system's kernel, where it is known.
    pub kernel: Option<String>,
    /// Bytes of the machine's memory, where it is known.
    pub memory: Option<u64>,
    /// Bytes that the process may still take, where it is known.
    pub free_memory: Option<u64>,
    /// Bytes that the matrix of a step may take before products are used in its place.
    pub memory_budget: usize,
}

/// Versions of the files that a program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Formats {
    /// Of `config.toml`.
    pub config: u32,
    /// Of `record.jsonl`.
    pub record: u32,
    /// Of `model.safetensors`.
    pub model: u32,
}

impl SystemInfo {
    /// Of this machine, for that number of threads.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self {
            program: ProgramInfo::new(threads),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" },
            features: if cfg!(feature = "images") { vec!["images"] } else { Vec::new() },
            formats: Formats {
                config: settings::FORMAT_VERSION,
                record: folder::FORMAT_VERSION,
                model: file::FORMAT_VERSION,
            },
            processor: read_to_string("/proc/cpuinfo").ok().and_then(|text| processor(&text)),
            processors: settings::all_processors(),
            kernel: read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned()),
            memory: memory::total(),
            free_memory: memory::free_bytes(),
            memory_budget: GramGaussNewtonConfig::default().memory_budget,
        }
    }
}

/// The name of the first processor in the words of Linux.
fn processor(text: &str) -> Option<String> {
    let names = ["model name", "Model", "cpu model", "Hardware"];
    let value = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == name).then(|| value.trim().to_owned())
        })
    };
    names.into_iter().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named_as_the_system_names_it() {
        let x86 = "processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD EPYC 9R14\nprocessor\t: 1\nmodel name\t: other\n";
        assert_eq!(processor(x86).as_deref(), Some("AMD EPYC 9R14"));
        assert_eq!(processor("processor : 0\nHardware\t: BCM2711\n").as_deref(), Some("BCM2711"));
        assert_eq!(processor(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_is_told_where_the_system_tells_it() {
        let system = SystemInfo::new(1);
        assert!(system.memory.unwrap() > 0 && system.free_memory.is_some() && system.kernel.is_some());
    }
}
