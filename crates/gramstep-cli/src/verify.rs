//! `gramstep verify`.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use gramstep::theory::{Certificate, Effort, Verdict};
use gramstep_train::folder::check_output;
use gramstep_train::format::text::{number, seconds};
use gramstep_train::settings::Config;
use gramstep_train::verify::{Job, SEEDS, Verification, verify};

use crate::ending::Ending;
use crate::options::{TalkOptions, threads};
use crate::outcome::{Outcome, Result};
use crate::progress::Progress;
use crate::{streams, text};

/// Try claims of the theory: what they predict beside what is measured.
#[derive(Args)]
#[command(
    args_override_self = true,
    after_help = "Examples:
  gramstep verify                                   all claims on synthetic points
  gramstep verify du2019 --widths 500,2000,8000 --out verdicts
  gramstep verify cai2019 --data table.csv --target price
Exit code 3: a claim was refuted."
)]
pub(crate) struct Verify {
    /// Claims, or keys of papers: du2019, cai2019-quadratic, cai2019, .. [default: all]
    #[arg(value_name = "CLAIM")]
    claims: Vec<String>,
    /// Small settings, all claims within minutes (the default)
    #[arg(long, action = ArgAction::SetTrue, conflicts_with = "full", help_heading = "Effort")]
    quick: bool,
    /// The papers' own sizes, all claims within an hour
    #[arg(long, action = ArgAction::SetTrue, help_heading = "Effort")]
    full: bool,
    /// Numbers of hidden units, in place of the claims' own
    #[arg(long, value_name = "M,..", value_delimiter = ',', help_heading = "Effort")]
    widths: Option<Vec<usize>>,
    /// How many seeds
    #[arg(long, value_name = "N", default_value_t = SEEDS, help_heading = "Effort")]
    seeds: u64,
    /// A table or images in place of synthetic points, normalised to the unit sphere: a .csv or .tsv file, a folder as
    /// train takes it, builtin:diabetes or builtin:winequality
    #[arg(long, value_name = "SRC", help_heading = "Data")]
    data: Option<String>,
    /// The column that is the target [default: the last one]
    #[arg(long, value_name = "COL", requires = "data", help_heading = "Data")]
    target: Option<String>,
    /// Columns to leave out
    #[arg(long, value_name = "COL,..", value_delimiter = ',', requires = "data", help_heading = "Data")]
    drop: Vec<String>,
    /// A folder for report.html and certificates.json
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    out: Option<PathBuf>,
    /// Threads [default: all processors]
    #[arg(long, value_name = "N", value_parser = threads, help_heading = "Machine")]
    threads: Option<usize>,
    #[command(flatten)]
    talk: TalkOptions,
}

impl Verify {
    pub(crate) fn run(self, ending: &Ending) -> Result {
        let table = self.data.map(|data| Config {
            data: Some(data),
            target: self.target.into_iter().collect(),
            drop: self.drop,
            ..Config::default()
        });
        let job = Job {
            claims: self.claims,
            effort: if self.full { Effort::Full } else { Effort::Quick },
            widths: self.widths,
            seeds: self.seeds,
            table,
            threads: self.threads,
        };
        let quiet = self.talk.quiet;
        if let Some(folder) = self.out.as_ref().filter(|folder| folder.is_dir()) {
            check_output(&folder.join("report.html"), &[])?;
        }
        let found = verify(&job, ending.orderly(), &mut Progress::new(quiet))?;
        ending.over();
        if let Some(folder) = &self.out {
            found.write(folder)?;
            if !quiet {
                streams::say(format_args!("report: {}", folder.join("report.html").display()));
            }
        }
        streams::print(&if self.talk.json { text::json(&found)? + "\n" } else { described(&found) })?;
        Ok(match &found {
            found if found.is_refuted() => Outcome::Refuted,
            found if found.interrupted => Outcome::Interrupted,
            _ => Outcome::Done,
        })
    }
}

/// A table of verdicts, and why those that do not hold do not.
fn described(found: &Verification) -> String {
    let mut rows = vec![["claim", "verdict", "predicted", "measured", "margin", "time"].map(str::to_owned)];
    rows.extend(found.claims.iter().map(|tried| {
        let certificate = &tried.certificate;
        [
            certificate.claim.clone(),
            certificate.verdict.to_string(),
            number(certificate.predicted),
            number(certificate.measured),
            tried.margin(),
            seconds(tried.seconds),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
                if column < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect();
    lines.extend(found.claims.iter().flat_map(|tried| reasons(&tried.certificate)));
    lines.join("\n") + "\n"
}

fn reasons(certificate: &Certificate) -> Vec<String> {
    let line = |what: &str, name: &str, asked: String, got: f64| {
        format!("{} {what}: {name}: {asked}, found {}", certificate.claim, number(got))
    };
    match certificate.verdict {
        Verdict::AssumptionsNotMet => {
            let unmet = certificate.unmet();
            unmet
                .map(|a| line("not met", &a.name, format!("{} {}", a.relation, number(a.required)), a.measured))
                .collect()
        }
        Verdict::Refuted => {
            let failed = certificate.checks.iter().filter(|check| !check.holds);
            failed
                .map(|c| line("refuted", &c.name, format!("{} {}", c.relation, number(c.predicted)), c.measured))
                .collect()
        }
        _ => Vec::new(),
    }
}
