//! `gramstep compare`.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use clap::Args;
use gramstep_train::outcome::event::{Event, Observer as _};
use gramstep_train::run::compare::{Comparison, Entry, compare};
use gramstep_train::settings::OptimizerName;

use crate::ending::Ending;
use crate::options::{TalkOptions, TrainingOptions, parse};
use crate::outcome::{Outcome, Result};
use crate::progress::Progress;
use crate::{streams, text};

/// Train by several methods from the same start, on the same rows, for the same time.
#[derive(Args)]
#[command(
    args_override_self = true,
    after_help = "Each method trains until the time limit (10s unless given), or until --epochs or --patience \
                        where given.\nExample: gramstep compare --data builtin:diabetes --optimizers gram-gauss-newton,adam"
)]
pub(crate) struct Compare {
    #[command(flatten)]
    options: TrainingOptions<false>,
    /// The methods to compare
    #[arg(long, value_name = "NAME,..", value_delimiter = ',', value_parser = parse::<OptimizerName>,
          default_value = "gram-gauss-newton,adam", help_heading = "Method")]
    optimizers: Vec<OptimizerName>,
    /// Search learning rate, momentum, damping and schedule of every method by the validation loss before: some 27 settings in
    /// rounds that take as long as a run each, of which there are three or four; what is given stays
    #[arg(long, help_heading = "Method")]
    tune: bool,
    /// Keep every run in a folder of this one [default: keep nothing]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    talk: TalkOptions,
}

impl Compare {
    pub(crate) fn run(self, ending: &Ending) -> Result {
        let config = self.options.config()?;
        let stop = ending.orderly();
        let json = self.talk.json;
        let told = |comparison: &Comparison| {
            if json { text::json(comparison).map(|line| line + "\n") } else { Ok(text::comparison(comparison)) }
        };
        let mut progress = Progress::new(self.talk.quiet);
        let mut done = Vec::new();
        let mut watch = |event: &Event<'_>| {
            if let Event::Finish(report) = event {
                done.push(Entry::Done(Box::new((*report).clone())));
                // What is told where the next method does not end in time.
                ending.so_far(told(&Comparison::of(done.clone(), Vec::new())).unwrap_or_default());
            }
            progress.observe(event)
        };
        let comparison = compare(&config, &self.optimizers, self.tune, self.out.as_deref(), stop, &mut watch)?;
        ending.over();
        streams::print(&told(&comparison)?)?;
        // A method that failed when it was interrupted is no method that is done.
        let interrupted = stop.load(Ordering::Relaxed);
        Ok(match () {
            () if interrupted => Outcome::Interrupted,
            () if comparison.has_failed() => Outcome::Failed,
            () => Outcome::Done,
        })
    }
}
