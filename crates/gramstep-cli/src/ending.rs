//! How signals end a command.
//!
//! The first one asks for the end: the command keeps and tells what is done, and exits with 130. Where it does not get
//! there in time, in a step of many minutes, the program ends without it; a run then writes model and report from its
//! last checkpoint, as another instance of the program in the place of this one. A second Ctrl-C or SIGTERM ends the
//! program at once. SIGHUP is left alone where it is ignored, as under `nohup`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gramstep_train::outcome::event::Event;

use crate::options::TalkOptions;
use crate::streams::{print, say};

/// How long the orderly end may take.
const PATIENCE: Duration = Duration::from_millis(3500);
/// The exit code of what a signal ended.
const INTERRUPTED: i32 = 130;

/// What a signal does to the command.
enum Way {
    /// Ends it: there is nothing to keep.
    AtOnce,
    /// Asks it to end, and ends it where that takes too long.
    Orderly,
    /// The same; what is done by then is told.
    Results(String),
    /// The same for a training, which is ended from its checkpoint.
    Run { folder: Option<PathBuf>, talk: TalkOptions },
    /// Asks it to end, however long that takes.
    #[cfg(feature = "mpi")]
    Patient,
    /// It is telling its results.
    Over,
}

/// The end of the command that the program was given.
#[derive(Clone)]
pub(crate) struct Ending(Arc<State>);

struct State {
    stop: AtomicBool,
    way: Mutex<Way>,
}

impl Ending {
    /// Listens to signals from now on.
    pub(crate) fn listen() -> Self {
        let ending = Self(Arc::new(State { stop: AtomicBool::new(false), way: Mutex::new(Way::AtOnce) }));
        if let Err(error) = listen(ending.clone()) {
            say(format_args!("warning: Ctrl-C will not keep what is done: {error}"));
        }
        ending
    }

    /// The flag that asks a command to end, which can do so with a part of its work.
    pub(crate) fn orderly(&self) -> &AtomicBool {
        *self.way() = Way::Orderly;
        &self.0.stop
    }

    /// What an orderly end tells that came too late: the results so far.
    pub(crate) fn so_far(&self, results: String) {
        *self.way() = Way::Results(results);
    }

    /// The flag for a training, whose folder [`heed`](Self::heed) is told.
    pub(crate) fn of_run(&self, talk: TalkOptions) -> &AtomicBool {
        *self.way() = Way::Run { folder: None, talk };
        &self.0.stop
    }

    /// The flag for one of several processes, which end together.
    #[cfg(feature = "mpi")]
    pub(crate) fn patient(&self) -> &AtomicBool {
        *self.way() = Way::Patient;
        &self.0.stop
    }

    /// The results are there: telling them takes no time.
    pub(crate) fn over(&self) {
        *self.way() = Way::Over;
    }

    /// Takes from the events of a training what its end needs.
    pub(crate) fn heed(&self, event: &Event<'_>) {
        match (event, &mut *self.way()) {
            (Event::Folder(path), Way::Run { folder, .. }) => *folder = Some(path.to_path_buf()),
            (Event::Finish(_), way @ Way::Run { .. }) => *way = Way::Over,
            _ => {}
        }
    }

    fn way(&self) -> MutexGuard<'_, Way> {
        self.0.way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A signal came; `insisting` is one that ends the program at its second time.
    fn heard(&self, insisting: bool) {
        let at_once = matches!(*self.way(), Way::AtOnce);
        let again = self.0.stop.swap(true, Ordering::Relaxed);
        if at_once || (again && insisting) {
            std::process::exit(INTERRUPTED);
        }
        if again {
            return;
        }
        say("\nending soon, with what is done so far (Ctrl-C again: at once)");
        let ending = self.clone();
        let watch = move || {
            std::thread::sleep(PATIENCE);
            ending.end();
        };
        // Without a thread the orderly end takes as long as it takes.
        let _ = std::thread::Builder::new().spawn(watch);
    }

    /// Ends what did not end in time.
    fn end(&self) {
        // Held to the end: the command cannot begin to tell its results meanwhile.
        let way = self.way();
        let (folder, talk) = match &*way {
            #[cfg(feature = "mpi")]
            Way::Patient => return,
            Way::Over => return,
            Way::Run { folder: Some(folder), talk } => (folder, *talk),
            Way::Results(results) => {
                let _ = print(results);
                say("ended in the middle of a long computation; what was done before it is told");
                std::process::exit(INTERRUPTED);
            }
            Way::Run { folder: None, .. } | Way::Orderly | Way::AtOnce => {
                say("ended in the middle of a long computation; what was not written is lost");
                std::process::exit(INTERRUPTED);
            }
        };
        if folder.join("checkpoint.json").exists() {
            say(format_args!("ended in the middle of a long step; {} keeps what was done before it", folder.display()));
            finish(folder, talk);
        } else {
            let folder = folder.display();
            say(format_args!("ended in the middle of the first step; train --resume {folder} begins again"));
        }
        std::process::exit(INTERRUPTED);
    }
}

/// Becomes the program that writes model and report of a run from its checkpoint; returns if that fails.
#[cfg(unix)]
fn finish(folder: &Path, talk: TalkOptions) {
    use std::os::unix::process::CommandExt;
    // The file of this program may be another one by now.
    let own = Path::new("/proc/self/exe");
    let program = if own.exists() { Ok(own.to_owned()) } else { std::env::current_exe() };
    let Ok(program) = program else { return };
    let mut command = std::process::Command::new(program);
    command.args(["train", "--finish", "--resume"]).arg(folder);
    command.args(talk.json.then_some("--json")).args(talk.quiet.then_some("--quiet"));
    let error = command.exec();
    say(format_args!("warning: the model is not written: {error}"));
}

#[cfg(not(unix))]
fn finish(_: &Path, _: TalkOptions) {}

#[cfg(unix)]
fn listen(ending: Ending) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
    let mut wanted = vec![SIGINT, SIGTERM, SIGUSR1];
    if !is_ignored(SIGHUP) {
        wanted.push(SIGHUP);
    }
    let mut signals = signal_hook::iterator::Signals::new(wanted)?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            // A terminal that is closed sends SIGHUP more than once.
            ending.heard(matches!(signal, SIGINT | SIGTERM));
        }
    })?;
    Ok(())
}

/// Whether whoever started the program had it ignore a signal, as Linux tells.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(not(unix))]
fn listen(ending: Ending) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || ending.heard(true))
}
