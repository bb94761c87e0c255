//! `gramstep predict`.

use std::fs::File;
use std::io::{BufWriter, Write, stdout};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use gramstep::Device;
use gramstep_train::data::Source;
use gramstep_train::settings::all_processors;
use gramstep_train::{Error, TrainedModel};

use crate::options::parse;
use crate::outcome::{Outcome, Result};
use crate::text;

/// Predict the rows of a table with the model of a run.
#[derive(Args)]
#[command(
    args_override_self = true,
    after_help = "Example: gramstep predict runs/diabetes-1 --data builtin:diabetes --out predictions.csv"
)]
pub(crate) struct Predict {
    /// The folder that train wrote
    run: PathBuf,
    /// The rows: a table with the input columns of the training data
    #[arg(long, value_name = "SRC", value_parser = parse::<Source>)]
    data: Source,
    /// Write the predictions to this CSV file [default: stdout]
    #[arg(long, value_name = "FILE.csv")]
    out: Option<PathBuf>,
    /// Threads [default: all processors]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Say nothing on stderr but errors
    #[arg(long)]
    quiet: bool,
}

impl Predict {
    pub(crate) fn run(self) -> Result {
        let threads = self.threads.map_or_else(all_processors, NonZeroUsize::get);
        let model = TrainedModel::load(&self.run, Device::cpu(threads))?;
        let predictions = model.predict(&model.read(&self.data, threads)?)?;
        if !self.quiet {
            predictions.notes.iter().for_each(|note| eprintln!("note: {note}"));
            if let Some(metrics) = &predictions.metrics {
                eprintln!("note: {}", text::judgement(metrics));
            }
        }
        if let Some(path) = self.out {
            let file = File::create(&path).map_err(|source| Error::Write { path: path.clone(), source })?;
            predictions.write_csv(file).map_err(|source| Error::Write { path: path.clone(), source })?;
        } else {
            let mut out = BufWriter::new(stdout().lock());
            predictions.write_csv(&mut out)?;
            out.flush()?;
        }
        Ok(Outcome::Done)
    }
}
