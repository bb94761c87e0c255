//! `gramstep attack`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use gramstep::attack::{NamedAttack, Norm};
use gramstep_train::attack::{AttackOptions, attack};
use gramstep_train::data::{Format, Source};
use gramstep_train::settings::all_processors;
use gramstep_train::training::adversarial::Unit;

use crate::ending::Ending;
use crate::options::{TalkOptions, formatted, parse, threads};
use crate::outcome::{Outcome, Result};
use crate::progress::Progress;
use crate::{streams, text};

/// Look for small changes of inputs that mislead the model of a run.
#[derive(Args)]
#[command(
    args_override_self = true,
    after_help = "Text columns and marks of missing values are left as they are; columns of whole numbers move by whole numbers.\n\
                  Example: gramstep attack runs/diabetes-1 --norm linf --radius 0.01"
)]
pub(crate) struct Attack {
    /// The folder that train wrote
    run: PathBuf,
    /// The rows: a table or images with the columns of the training data [default: the test rows of the run]
    #[arg(long, value_name = "SRC")]
    data: Option<String>,
    /// How the rows are laid out, where their name does not tell: csv, tsv, npy, npz, afad, rsna, classes or idx
    #[arg(long, value_parser = parse::<Format>, requires = "data")]
    format: Option<Format>,
    /// How changes are measured: linf (the largest) or l2 (Euclidean length)
    #[arg(long, value_name = "linf|l2", value_parser = parse_core::<Norm>)]
    norm: Norm,
    /// The largest size of a change, in the units of the data
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    radius: f64,
    /// The radius is in standard deviations of each column instead
    #[arg(long)]
    standardised: bool,
    /// fgsm, pgd:STEPS:RESTARTS or apgd:STEPS:RESTARTS
    #[arg(long = "attack", value_name = "ATTACK", value_parser = parse_core::<NamedAttack>, default_value = "pgd:40")]
    method: NamedAttack,
    /// Lower and upper limit of all numbers, in the units of the data [default: none]
    #[arg(long, value_name = "LOWER,UPPER", value_parser = limits, allow_hyphen_values = true)]
    r#box: Option<(f64, f64)>,
    /// Columns to leave as they are
    #[arg(long, value_name = "COL,..", value_delimiter = ',')]
    freeze: Vec<String>,
    /// How far columns may move for each unit of the radius, such as temperature=0.5,pressure=2 [default: 1]
    #[arg(long, value_name = "COL=F,..", value_delimiter = ',', value_parser = size)]
    sizes: Vec<(String, f64)>,
    /// Attack N rows only, drawn at random by the seed [default: all]
    #[arg(long, value_name = "N")]
    rows: Option<NonZeroUsize>,
    /// Write a page with error against radius and the rows that were misled most
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Judge other runs on the rows changed for this one
    #[arg(long, value_name = "RUN,..", value_delimiter = ',')]
    transfer: Vec<PathBuf>,
    /// Of random starts and of the rows that are drawn
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Threads [default: all processors]
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<usize>,
    #[command(flatten)]
    talk: TalkOptions,
}

impl Attack {
    pub(crate) fn run(self, ending: &Ending) -> Result {
        let options = AttackOptions {
            unit: if self.standardised { Unit::Deviation } else { Unit::Data },
            attack: self.method,
            limits: self.r#box,
            frozen: self.freeze,
            sizes: self.sizes,
            rows: self.rows.map(NonZeroUsize::get),
            seed: self.seed,
            threads: self.threads.unwrap_or_else(all_processors),
            page: self.report,
            transfer: self.transfer,
            ..AttackOptions::new(self.norm, self.radius)
        };
        let source = self.data.map(|data| formatted(data, self.format).parse::<Source>()).transpose()?;
        let report =
            attack(&self.run, source.as_ref(), &options, ending.orderly(), &mut Progress::new(self.talk.quiet))?;
        ending.over();
        if !self.talk.quiet {
            streams::notes(&report.notes);
        }
        streams::print(&if self.talk.json { text::json(&report)? + "\n" } else { text::attack(&report) })?;
        Ok(if report.interrupted { Outcome::Interrupted } else { Outcome::Done })
    }
}

/// Parses an option by the mathematics; what it has to be is the message.
fn parse_core<T: std::str::FromStr<Err = gramstep::Error>>(text: &str) -> std::result::Result<T, String> {
    text.parse().map_err(|error: gramstep::Error| match error {
        gramstep::Error::Setting { range, .. } => range.to_owned(),
        other => other.to_string(),
    })
}

fn size(text: &str) -> std::result::Result<(String, f64), String> {
    let parsed = text.rsplit_once('=').and_then(|(name, size)| Some((name.to_owned(), size.trim().parse().ok()?)));
    parsed.ok_or_else(|| "COL=F".to_owned())
}

fn limits(text: &str) -> std::result::Result<(f64, f64), String> {
    let parsed = text.split_once(',').and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
    parsed.filter(|(lower, upper)| lower <= upper).ok_or_else(|| "LOWER,UPPER with LOWER at most UPPER".to_owned())
}
