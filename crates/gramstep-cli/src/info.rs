//! `gramstep info`.

use std::path::PathBuf;

use clap::Args;
use gramstep::Device;
use gramstep_train::run::info::{ProgramInfo, RunInfo};
use gramstep_train::run::system::SystemInfo;
use gramstep_train::settings::all_processors;

use crate::outcome::{Outcome, Result};
use crate::{streams, text};

/// Show the program and the machine, or a run.
#[derive(Args)]
#[command(args_override_self = true)]
pub(crate) struct Info {
    /// The folder that train wrote
    run: Option<PathBuf>,
    /// Show all of the machine and the program that the report of a fault needs
    #[arg(long, conflicts_with = "run")]
    system: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Info {
    pub(crate) fn run(self) -> Result {
        let threads = all_processors();
        let text = match (self.run, self.json) {
            (None, false) if self.system => text::system(&SystemInfo::new(threads)),
            (None, true) if self.system => text::json(&SystemInfo::new(threads))? + "\n",
            (None, false) => text::program(&ProgramInfo::new(threads)),
            (None, true) => text::json(&ProgramInfo::new(threads))? + "\n",
            (Some(run), false) => text::run(&RunInfo::load(&run, &Device::cpu(threads))?),
            (Some(run), true) => text::json(&RunInfo::load(&run, &Device::cpu(threads))?)? + "\n",
        };
        streams::print(&text)?;
        Ok(Outcome::Done)
    }
}
