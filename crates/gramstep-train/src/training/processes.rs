//! The processes of a distributed run, and how they come to the same decisions: the first one decides.
//!
//! Every process reads the data and prepares it in the same way, steps on its share of each batch, and holds the same
//! parameters. The first one alone talks, writes files and watches clock and user. A process whose call returns an
//! error has to end the others, which wait for it (over MPI: `MPI_Abort`).

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use gramstep::communicator::{Communicator, Serial, share};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::settings::all_processors;

/// The processes of a run, and the flag by which the user ends it.
///
/// ```
/// use std::sync::atomic::AtomicBool;
/// use gramstep_train::training::processes::Processes;
/// let stop = AtomicBool::new(false);
/// assert_eq!(Processes::from(&stop).count(), 1);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Processes<'a> {
    communicator: &'a dyn Communicator,
    stop: &'a AtomicBool,
    /// Ends one training of several that run side by side.
    over: Option<&'a AtomicBool>,
}

impl<'a> From<&'a AtomicBool> for Processes<'a> {
    /// One process.
    fn from(stop: &'a AtomicBool) -> Self {
        Self { communicator: &Serial, stop, over: None }
    }
}

impl<'a> Processes<'a> {
    /// Several processes. The flag of the first one counts.
    #[must_use]
    pub fn new(communicator: &'a dyn Communicator, stop: &'a AtomicBool) -> Self {
        Self { communicator, stop, over: None }
    }

    /// How many there are.
    #[must_use]
    pub fn count(self) -> usize {
        self.communicator.size()
    }

    /// Whether this is the one that talks and writes.
    #[must_use]
    pub fn is_first(self) -> bool {
        self.communicator.rank() == 0
    }

    pub(crate) fn communicator(self) -> &'a dyn Communicator {
        self.communicator
    }

    /// The flag of this process alone.
    pub(crate) fn flag(self) -> &'a AtomicBool {
        self.stop
    }

    /// The same with another flag that ends a training.
    pub(crate) fn or(self, over: &'a AtomicBool) -> Self {
        Self { over: Some(over), ..self }
    }

    /// Whether a flag of this process ends its training.
    pub(crate) fn are_called_off(self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.over.is_some_and(|over| over.load(Ordering::Relaxed))
    }

    /// This process's share of some rows.
    pub(crate) fn share(self, rows: usize) -> Range<usize> {
        share(rows, self.communicator.rank(), self.count())
    }

    /// What the first process decides, on all; if it fails, all do.
    pub(crate) fn first<V: Serialize + DeserializeOwned>(self, decide: impl FnOnce() -> Result<V>) -> Result<V> {
        if self.count() == 1 {
            return decide();
        }
        let mut bytes = Vec::new();
        if self.is_first() {
            let decided = decide();
            let told: std::result::Result<&V, String> = decided.as_ref().map_err(ToString::to_string);
            bytes = serde_json::to_vec(&told).map_err(|error| broken(&error))?;
            self.communicator.broadcast(&mut bytes, 0)?;
            return decided;
        }
        self.communicator.broadcast(&mut bytes, 0)?;
        let told: std::result::Result<V, String> = serde_json::from_slice(&bytes).map_err(|error| broken(&error))?;
        Ok(told.map_err(|reason| gramstep::Error::Communication(format!("process 0: {reason}")))?)
    }

    /// Whether the user wants to end the run.
    pub(crate) fn is_stopped(self) -> Result<bool> {
        self.first(|| Ok(self.are_called_off()))
    }

    /// Refuses processes that have something else than the first, by a hash of it; `advice` ends the message. One process
    /// makes no hash.
    pub(crate) fn check_alike<H: AsRef<[u8]>>(self, what: &str, hash: impl FnOnce() -> H, advice: &str) -> Result<()> {
        if self.count() == 1 {
            return Ok(());
        }
        let hashes = self.communicator.all_gather(hash().as_ref())?;
        match hashes.iter().position(|other| *other != hashes[0]) {
            None => Ok(()),
            Some(rank) => {
                let message = format!("process {rank} has other {what} than process 0: {advice}");
                Err(gramstep::Error::Communication(message).into())
            }
        }
    }

    /// Threads of every process where the user does not say, and what the first process should tell the user about
    /// threads and processors.
    pub(crate) fn threads(self, wanted: Option<usize>) -> Result<(usize, Vec<String>)> {
        let own = all_processors();
        if self.count() == 1 {
            return Ok((wanted.unwrap_or(own), Vec::new()));
        }
        let place = Place { processors: own, set: processor_set(), threads: wanted };
        let words = self.communicator.all_gather(&serde_json::to_vec(&place).map_err(|error| broken(&error))?)?;
        let places =
            words.iter().map(|words| serde_json::from_slice(words)).collect::<std::result::Result<Vec<_>, _>>();
        let places: Vec<Place> = places.map_err(|error| broken(&error))?;
        let threads = fewest(&places);
        Ok((threads, notes(&places, threads)))
    }
}

/// A message that cannot be written or read.
fn broken(error: &serde_json::Error) -> gramstep::Error {
    gramstep::Error::Communication(error.to_string())
}

/// The processors that a process may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
struct Place {
    processors: usize,
    /// Machine and numbers of the processors; where that is not known, processes count as being together.
    set: String,
    /// What the user says.
    threads: Option<usize>,
}

impl Place {
    /// Its processors, divided among the processes that have the same ones.
    fn threads(&self, all: &[Self]) -> usize {
        let sharing = all.iter().filter(|place| place.set == self.set).count();
        self.threads.unwrap_or_else(|| (self.processors / sharing.max(1)).max(1))
    }
}

/// The threads of all processes: as many on each, so that all round alike.
fn fewest(places: &[Place]) -> usize {
    places.iter().map(|place| place.threads(places)).min().unwrap_or(1)
}

/// What the user should know about the threads of the processes.
fn notes(places: &[Place], threads: usize) -> Vec<String> {
    let plural = if threads == 1 { "" } else { "s" };
    let mut notes = vec![format!("{} processes with {threads} thread{plural} each", places.len())];
    let crowded = |set: &str| threads * places.iter().filter(|place| place.set == set).count();
    if let Some(rank) = places.iter().position(|place| crowded(&place.set) > place.processors) {
        let Place { processors, set, .. } = &places[rank];
        let running = crowded(set);
        notes.push(format!(
            "process {rank} may use {processors} processor{}, on which {running} threads run: start fewer processes or \
             --threads, or let mpirun give each more (--bind-to none)",
            if *processors == 1 { "" } else { "s" },
        ));
    }
    notes
}

/// The machine and the processors that this process may use, as Linux tells.
fn processor_set() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let status = read("/proc/self/status");
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
    format!("{} {}", read("/proc/sys/kernel/hostname").trim(), allowed.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(set: &str, processors: usize, threads: Option<usize>) -> Place {
        Place { processors, set: set.to_owned(), threads }
    }

    #[test]
    fn processes_on_the_same_processors_divide_them() {
        let free = [place("a 0-7", 8, None), place("a 0-7", 8, None), place("b 0-7", 8, None)];
        assert_eq!(free.each_ref().map(|place| place.threads(&free)), [4, 4, 8]);
        assert_eq!(fewest(&free), 4);
        let bound = [place("a 0", 1, None), place("a 1", 1, None)];
        assert_eq!(bound.each_ref().map(|place| place.threads(&bound)), [1, 1]);
        assert_eq!(place("a 0", 1, Some(3)).threads(&bound), 3);
        let crowded = [place("a 0", 1, None), place("a 0", 1, None)];
        assert_eq!(crowded.each_ref().map(|place| place.threads(&crowded)), [1, 1]);
    }

    #[test]
    fn too_many_threads_for_the_processors_are_told() {
        let told = |places: &[Place]| notes(places, fewest(places));
        assert_eq!(told(&[place("a 0-3", 4, None), place("a 0-3", 4, None)]), ["2 processes with 2 threads each"]);
        let bound = told(&[place("a 0", 1, Some(2)), place("a 1", 1, Some(2))]);
        assert!(bound[1].contains("process 0 may use 1 processor, on which 2 threads run"), "{bound:?}");
        assert!(bound[1].contains("--bind-to none"));
    }
}
