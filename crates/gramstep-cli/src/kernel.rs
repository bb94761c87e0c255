//! `gramstep kernel`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use gramstep::Architecture;
use gramstep::kernel::InfiniteArchitecture;
use gramstep_train::format::text::{count, number, seconds};
use gramstep_train::kernel::{Choice, Job, Part, Summary, compute, join};
use gramstep_train::settings::{Config, Precision};

use crate::ending::Ending;
use crate::options::{TalkOptions, parse, threads};
use crate::outcome::{Outcome, Result};
use crate::progress::Progress;
use crate::{streams, text};

/// Compute the kernel matrix of a table, of any size, into an NPY file.
#[derive(Args)]
#[command(
    args_override_self = true,
    after_help = "Examples:
  gramstep kernel --data builtin:diabetes --infinite ntk:depth=3:relu --out kernel.npy
  gramstep kernel --data photos/ --infinite ntk:myrtle5 --out kernel.npy
  gramstep kernel --data big.csv --infinite ntk:relu --tile 3/8 --out part-3.npy
  gramstep kernel --join part-1.npy part-2.npy .. --out kernel.npy
A command that was interrupted goes on where it was when it is given again."
)]
pub(crate) struct Kernel {
    /// The data: a table or images as for train, such as my.csv, points.npy, photos/ or builtin:diabetes
    #[arg(long, value_name = "SRC", required_unless_present = "join", help_heading = "Data")]
    data: Option<String>,
    /// The columns that are targets, not inputs [default: the last one]
    #[arg(long, value_name = "COL,..", value_delimiter = ',', help_heading = "Data")]
    target: Vec<String>,
    /// Columns to leave out
    #[arg(long, value_name = "COL,..", value_delimiter = ',', help_heading = "Data")]
    drop: Vec<String>,
    /// The kernel of an infinitely wide network: ntk or nngp, then :depth=N, :ACTIVATION, :weight=F, :bias=F (variances); for
    /// images :cnn:WIDTH,.. (a width such as 16k5s2 has windows of 5 and stride 2) with :gap, :flatten or :dense=WIDTH,.., or
    /// :myrtle5, :myrtle7, :myrtle10, :resnet20 in place of :depth=N (only how many widths there are counts), and :image=HEIGHTxWIDTHxCHANNELS where columns of a table are pixels
    #[arg(long, value_name = "SPEC", value_parser = specification::<InfiniteArchitecture>, help_heading = "Kernel")]
    infinite: Option<InfiniteArchitecture>,
    /// The tangent kernel of a network at its start, the mean over its outputs, such as mlp:256,256:gelu
    #[arg(long, value_name = "SPEC", value_parser = specification::<Architecture>, conflicts_with = "infinite", help_heading = "Kernel")]
    model: Option<Architecture>,
    /// Seed of the network of --model [default: 0]
    #[arg(long, value_name = "N", help_heading = "Kernel")]
    seed: Option<u64>,
    /// Number type: f32 or f64 [default: f64]
    #[arg(long, value_parser = parse::<Precision>, help_heading = "Kernel")]
    precision: Option<Precision>,
    /// The NPY file
    #[arg(long, value_name = "FILE.npy", help_heading = "Output")]
    out: Option<PathBuf>,
    /// Only part K of N of the rows, as one job of many; --join makes them one
    #[arg(long, value_name = "K/N", value_parser = parse::<Part>, requires = "out", help_heading = "Output")]
    tile: Option<Part>,
    /// Join these parts instead of computing, after checking them
    #[arg(long, value_name = "PART.npy", num_args = 1.., requires = "out", conflicts_with_all = ["data", "infinite", "model", "tile", "report"], help_heading = "Output")]
    join: Vec<PathBuf>,
    /// Write a page with heat map and spectrum
    #[arg(long, value_name = "FILE.html", conflicts_with = "tile", help_heading = "Output")]
    report: Option<PathBuf>,
    /// Threads [default: all processors]
    #[arg(long, value_name = "N", value_parser = threads, help_heading = "Machine")]
    threads: Option<usize>,
    #[command(flatten)]
    talk: TalkOptions,
}

fn specification<S: FromStr<Err = gramstep::Error>>(text: &str) -> std::result::Result<S, String> {
    text.parse().map_err(|error: gramstep::Error| error.to_string())
}

impl Kernel {
    pub(crate) fn run(self, ending: &Ending) -> Result {
        if let (false, Some(out)) = (self.join.is_empty(), &self.out) {
            let rows = join(&self.join, out)?;
            streams::print(&if self.talk.json {
                format!("{}\n", serde_json::json!({ "schema_version": 1, "size": rows, "out": out }))
            } else {
                format!("{} rows in {}\n", count(rows), out.display())
            })?;
            return Ok(Outcome::Done);
        }
        let choice = match (self.infinite, self.model) {
            (_, Some(architecture)) => Choice::Finite(architecture),
            (Some(architecture), None) => Choice::Infinite(architecture),
            (None, None) => {
                return Err(gramstep_train::Error::Setting {
                    name: "infinite",
                    value: String::new(),
                    range: "give --infinite ntk:depth=3:relu or --model mlp:256,256:gelu".to_owned(),
                }
                .into());
            }
        };
        let config = Config {
            data: self.data,
            target: self.target,
            drop: self.drop,
            seed: self.seed,
            precision: self.precision,
            threads: self.threads,
            ..Config::default()
        };
        let mut job = Job::new(config, choice);
        (job.out, job.part, job.page) = (self.out, self.tile, self.report);
        let summary = compute(&job, ending.orderly(), &mut Progress::new(self.talk.quiet))?;
        ending.over();
        if !self.talk.quiet {
            streams::notes(&summary.notes);
        }
        streams::print(&if self.talk.json { text::json(&summary)? + "\n" } else { described(&summary) })?;
        Ok(if summary.interrupted { Outcome::Interrupted } else { Outcome::Done })
    }
}

fn described(summary: &Summary) -> String {
    let (first, end) = summary.rows;
    let mut lines = vec![format!(
        "{}, rows {}..{} of {}, {}, {}",
        summary.kernel,
        count(first),
        count(end),
        count(summary.size),
        summary.precision,
        seconds(summary.seconds)
    )];
    let numbers = [
        ("trace", summary.trace),
        ("largest eigenvalue", summary.largest),
        ("smallest eigenvalue", summary.smallest),
        ("condition", summary.condition),
        ("effective rank", summary.effective_rank),
        ("alignment with the target", summary.alignment),
    ];
    lines.extend(numbers.iter().filter_map(|(name, value)| value.map(|value| format!("{name:<26}{}", number(value)))));
    let files = [("matrix", &summary.out), ("page", &summary.page)];
    lines.extend(
        files.iter().filter_map(|(name, path)| path.as_ref().map(|path| format!("{name:<26}{}", path.display()))),
    );
    lines.join("\n") + "\n"
}
