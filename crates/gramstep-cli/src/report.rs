//! `gramstep report`.

use std::path::PathBuf;

use clap::Args;
use gramstep::Device;
use gramstep_train::folder::RunFolder;
use gramstep_train::report::write_runs;
use gramstep_train::settings::all_processors;

use crate::outcome::{Outcome, Result};
use crate::streams;

/// Write a page about one run, or about several laid over each other.
#[derive(Args)]
#[command(args_override_self = true, after_help = "Example: gramstep report runs/diabetes-1 runs/diabetes-2")]
pub(crate) struct Report {
    /// The folders that train wrote
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// The page [default: report.html in the folder of a single run, else in the working directory]
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
}

impl Report {
    pub(crate) fn run(self) -> Result {
        let threads = all_processors();
        let out = self.out.unwrap_or_else(|| match self.runs.as_slice() {
            [run] => RunFolder::open(run).report(),
            _ => PathBuf::from("report.html"),
        });
        write_runs(&self.runs, &out, &Device::cpu(threads))?;
        streams::print(&format!("{}\n", out.display()))?;
        Ok(Outcome::Done)
    }
}
