//! `gramstep train`.

use std::path::PathBuf;

use clap::Args;
use gramstep_train::outcome::event::{Event, Observer};
use gramstep_train::run::forecast::foretell;
use gramstep_train::run::{Keep, finish, resume, train};
use gramstep_train::training::processes::Processes;

use crate::ending::Ending;
use crate::options::{TalkOptions, TrainingOptions};
use crate::outcome::{Outcome, Result};
use crate::progress::Progress;
use crate::{streams, text};

/// Train a network on a table and keep it in a folder.
#[derive(Args)]
#[command(args_override_self = true, after_help = "Example: gramstep train --data builtin:diabetes")]
pub(crate) struct Train {
    #[command(flatten)]
    options: TrainingOptions<true>,
    /// The folder of the run [default: runs/NAME-N, a new one]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with a run that was cut off, from its last checkpoint, with its settings; --epochs, --time-limit and
    /// --patience may be changed, and --data names the place of the same data
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "config", "init"])]
    resume: Option<PathBuf>,
    /// With --resume: make no more steps, write model and report of what was done by the last checkpoint
    #[arg(long, requires = "resume")]
    finish: bool,
    /// Read the data, time a few steps and foretell memory and time of the run; nothing is kept
    #[arg(long, conflicts_with_all = ["out", "resume"])]
    dry_run: bool,
    /// As one of the processes that mpirun started: mpirun -n 4 gramstep train --distributed ..; each steps on its share
    /// of every batch. All of them read the data; the first one writes. See SCALING.md
    #[cfg(feature = "mpi")]
    #[arg(long, help_heading = "Machine", conflicts_with = "finish")]
    distributed: bool,
    #[command(flatten)]
    talk: TalkOptions,
}

impl Train {
    pub(crate) fn run(self, ending: &Ending) -> Result {
        #[cfg(feature = "mpi")]
        if self.distributed {
            return crate::distributed::run(ending.patient(), |processes| self.train(ending, processes));
        }
        #[cfg(feature = "mpi")]
        crate::distributed::check_alone()?;
        let stop = ending.of_run(self.talk);
        self.train(ending, Processes::from(stop))
    }

    fn train(self, ending: &Ending, processes: Processes<'_>) -> Result {
        let config = self.options.config()?;
        if self.dry_run {
            let forecast = foretell(&config, &mut Progress::new(self.talk.quiet))?;
            ending.over();
            let text = if self.talk.json { text::json(&forecast)? + "\n" } else { text::forecast(&forecast) };
            streams::print(&text)?;
            return Ok(Outcome::Done);
        }
        let keep = self.out.as_deref().map_or(Keep::Fresh, Keep::Folder);
        let mut progress = Progress::new(self.talk.quiet);
        let mut watch = |event: &Event<'_>| {
            ending.heed(event);
            progress.observe(event)
        };
        let report = match &self.resume {
            Some(folder) if self.finish => finish(folder, config, &mut watch)?,
            Some(folder) => resume(folder, config, processes, &mut watch)?,
            None => train(&config, keep, processes, &mut watch)?,
        };
        ending.over();
        if processes.is_first() {
            let text = if self.talk.json { text::json(&report)? + "\n" } else { text::report(&report) };
            streams::print(&text)?;
        }
        Ok(if report.is_interrupted() { Outcome::Interrupted } else { Outcome::Done })
    }
}
