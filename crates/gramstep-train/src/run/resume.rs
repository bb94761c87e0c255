//! Going on with a run that was cut off, and ending one with what it has done.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use gramstep::Device;

use super::kernel::is_kernel;
use super::train;
use crate::error::{Error, Result, conflict};
use crate::folder::{Keep, Record, RunFolder};
use crate::outcome::Report;
use crate::outcome::event::Observer;
use crate::report::write_runs;
use crate::settings::{Candidates, Config, InputBounds, all_processors};
use crate::training::processes::Processes;

/// What may be said anew of a run that goes on: its limits, the machine, and where its data are by now.
const RESUMABLE: [&str; 5] = ["epochs", "time-limit", "patience", "threads", "data"];

/// Goes on with the run in a folder from its last checkpoint, to the same bits as if it had never been cut off. `over`
/// may change the limits of the run, and say where the same data are. Of a run that was cut off after its last step the files that are missing are written.
///
/// # Errors
/// Like [`train`], and when the run has come to its end already, its files cannot be used, or another process writes to
/// them.
pub fn resume<'a>(
    folder: &Path,
    over: Config,
    processes: impl Into<Processes<'a>>,
    observer: &mut dyn Observer,
) -> Result<Report> {
    let processes = processes.into();
    let files = RunFolder::open(folder);
    if let Some(given) = over.given().find(|given| !RESUMABLE.contains(&given.name)) {
        let reason = "the run goes on with its own settings; its limits alone may be changed";
        return Err(conflict(given.name, format!("--resume {}", folder.display()), reason));
    }
    let report = Record::report(&files.record()).ok().flatten();
    // What it says may not be readable: it is an end all the same.
    let ended = Record::has_end(&files.record()) && report.as_ref().is_none_or(|report| !report.stop_reason.is_early());
    if ended && !files.checkpoint().exists() && files.model().exists() {
        let Some(report) = report.filter(|_| !files.report().exists()) else {
            let reason = "the run has come to its end".to_owned();
            return Err(Error::Checkpoint { path: folder.to_owned(), reason });
        };
        let _lock = files.lock()?;
        write_runs(&[folder.to_owned()], &files.report(), &Device::cpu(over.threads.unwrap_or_else(all_processors)))?;
        return Ok(report);
    }
    let mut earlier = Config::read(&files.config())?;
    if !is_kernel(&earlier) {
        // A file that does not name them is older than they are.
        earlier.input_bounds.get_or_insert(InputBounds::None);
        earlier.candidates.get_or_insert(Candidates::NETWORKS);
    }
    if earlier.processes.unwrap_or(1) != processes.count() {
        // Other machines, or another share of one.
        earlier.threads = None;
    }
    train(&earlier.overridden_by(over), Keep::Resume(folder), processes, observer)
}

/// Ends a run that was cut off with what it had done at its last checkpoint: model and report are written without another
/// step. [`resume`] still goes on from there.
///
/// # Errors
/// Those of [`resume`], and when there is no checkpoint.
pub fn finish(folder: &Path, over: Config, observer: &mut dyn Observer) -> Result<Report> {
    if !RunFolder::open(folder).checkpoint().exists() {
        let reason = "there is no checkpoint yet: nothing is done that could be kept".to_owned();
        return Err(Error::Checkpoint { path: folder.to_owned(), reason });
    }
    resume(folder, over, &AtomicBool::new(true), observer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::event::Silent;
    use crate::settings::SETTINGS;

    #[test]
    fn no_setting_but_limits_machine_and_the_place_of_the_data_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let values = "1 0.3 relu true auto none a x=1 squared grey linf:0.1:fgsm a:b adam f32 fast cosine regression csv skip log comma \
                      time:a exact networks networks,kernels yes balanced . 32x32 flip smooth";
        let stop = AtomicBool::new(false);
        let mut taken = Vec::new();
        for setting in SETTINGS {
            let with = |value: &&str| {
                let mut over = Config::default();
                over.set(setting.name, value).ok().map(|()| over)
            };
            let over = values.split_whitespace().find_map(|value| with(&value));
            let Some(over) = over else {
                taken.push(setting.name);
                continue;
            };
            let error = resume(folder.path(), over, &stop, &mut Silent).unwrap_err();
            match error {
                Error::Conflict { one, .. } if one == setting.name => {}
                _ => taken.push(setting.name),
            }
        }
        taken.sort_unstable();
        assert_eq!(taken, ["data", "epochs", "patience", "threads", "time-limit"]);
    }
}
