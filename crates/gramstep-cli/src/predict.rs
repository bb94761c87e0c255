//! `gramstep predict`.

use std::io::{BufWriter, Write, stdout};
use std::path::{Path, PathBuf};

use clap::Args;
use gramstep::Device;
use gramstep_train::folder::check_output;
use gramstep_train::predictor::{ErrorBars, Predictor};
use gramstep_train::settings::all_processors;

use crate::options::{ReadingOptions, RowOptions, threads};
use crate::outcome::{Outcome, Result};
use crate::{streams, text};

/// Predict the rows of a table with the model of a run.
#[derive(Args)]
#[command(
    args_override_self = true,
    after_help = "Example: gramstep predict runs/diabetes-1 --data builtin:diabetes --out predictions.csv"
)]
pub(crate) struct Predict {
    /// The folder that train wrote
    run: PathBuf,
    #[command(flatten)]
    rows: RowOptions,
    #[command(flatten)]
    reading: ReadingOptions,
    /// Columns of the rows to write beside their predictions, as they stand
    #[arg(long, value_name = "COL,..")]
    keep: Vec<String>,
    /// Write the predictions to this CSV file, or the numbers alone to an NPY file [default: CSV on stdout]
    #[arg(long, value_name = "FILE.csv|FILE.npy")]
    out: Option<PathBuf>,
    /// Write the standard deviation of a new observation beside each prediction
    #[arg(long)]
    std: bool,
    /// Write the interval that holds a new observation with this probability, such as 0.9; of classes, 1 beside each of
    /// the set that holds the right one
    #[arg(long, value_name = "PROBABILITY", value_parser = probability)]
    interval: Option<f64>,
    /// Write N draws of a new observation of each row, the rows of a draw together: what errors of near rows have in
    /// common is the same in all of them, and a sum or a maximum over rows is drawn too
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    samples: Option<u32>,
    /// Of --samples [default: 0]
    #[arg(long, value_name = "N", requires = "samples", default_value_t = 0, hide_default_value = true)]
    seed: u64,
    /// Threads [default: all processors]
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<usize>,
    /// Say nothing on stderr but errors
    #[arg(long)]
    quiet: bool,
}

fn probability(text: &str) -> std::result::Result<f64, String> {
    let value = text.parse().ok().filter(|value: &f64| *value > 0.0 && *value < 1.0);
    value.ok_or_else(|| "a probability above 0 and below 1".to_owned())
}

impl Predict {
    pub(crate) fn run(self) -> Result {
        let threads = self.threads.unwrap_or_else(all_processors);
        let source = self.rows.source()?;
        if let Some(out) = &self.out {
            let read = source.path().map(Path::to_owned);
            check_output(out, read.as_slice())?;
        }
        let model = Predictor::load(&self.run, &Device::cpu(threads))?;
        // Names with commas are put together where the columns are known.
        let keep: Vec<String> = self.keep.iter().flat_map(|list| list.split(',')).map(str::to_owned).collect();
        let table = model.read_with(&source, &self.reading.options()?.keeping(keep.clone()), threads)?;
        let samples = self.samples.map(|count| (count as usize, self.seed));
        let bars = ErrorBars { deviation: self.std, interval: self.interval, samples };
        let mut predictions = model.predict_with(&table, bars)?;
        predictions.keep(&table, &keep)?;
        if !self.quiet {
            streams::notes(&predictions.notes);
            if let Some(metrics) = &predictions.metrics {
                streams::say(format_args!("note: {}", text::judgement(metrics)));
            }
        }
        if let Some(path) = self.out {
            predictions.write(&path)?;
        } else {
            let mut out = BufWriter::new(stdout().lock());
            streams::enough(predictions.write_csv(&mut out).and_then(|()| out.flush()))?;
        }
        Ok(Outcome::Done)
    }
}
