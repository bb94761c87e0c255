//! The progress of a run on stderr: notes, and a bar where there is a terminal.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use gramstep_train::Result;
use gramstep_train::outcome::Report;
use gramstep_train::outcome::observer::{EpochEvent, Observer, Start, StepEvent};
use indicatif::{ProgressBar, ProgressStyle};

/// Runs work that says how much of all is done, with a bar on a terminal.
pub(crate) fn counted<R>(quiet: bool, work: impl FnOnce(&mut dyn FnMut(usize, usize)) -> R) -> R {
    let bar = if !quiet && stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    let result = work(&mut |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    result
}

/// An observer that shows a progress bar.
pub(crate) struct Progress {
    quiet: bool,
    bar: ProgressBar,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, bar: ProgressBar::hidden() }
    }
}

impl Observer for Progress {
    fn note(&mut self, text: &str) {
        if !self.quiet {
            self.bar.suspend(|| eprintln!("note: {text}"));
        }
    }

    fn reading(&mut self, done: usize, all: usize) {
        if self.quiet || !stderr().is_terminal() {
            return;
        }
        if self.bar.is_hidden() {
            let style = ProgressStyle::with_template("reading images {bar:16} {pos}/{len}");
            self.bar = ProgressBar::new(all as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
        self.bar.set_position(done as u64);
    }

    fn start(&mut self, start: &Start<'_>) -> Result<()> {
        if self.quiet || !stderr().is_terminal() {
            return Ok(());
        }
        let timed = start.settings.epochs > 1_000_000;
        let template =
            if timed { "{prefix} {elapsed} {pos} epochs {msg}" } else { "{prefix} {bar:16} {pos}/{len} {msg}" };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bar.finish_and_clear();
        self.bar = ProgressBar::new(start.settings.epochs as u64).with_style(style);
        let of = match start.settings.ensemble {
            1 => String::new(),
            networks => format!(" {}/{networks}", start.member + 1),
        };
        self.bar.set_prefix(format!("{}{of}", start.settings.optimizer));
        self.bar.enable_steady_tick(Duration::from_millis(200));
        Ok(())
    }

    fn step(&mut self, event: &StepEvent<'_>) -> Result<()> {
        if event.epoch == 1 {
            self.bar.set_message(format!("loss {:.3e}", event.info.loss));
        }
        Ok(())
    }

    fn epoch(&mut self, event: &EpochEvent) -> Result<()> {
        self.bar.set_position(event.epoch as u64);
        let validation = event.validation_loss.map_or_else(String::new, |loss| format!(" validation {loss:.3e}"));
        self.bar.set_message(format!("train {:.3e}{validation}", event.train_loss));
        Ok(())
    }

    fn finish(&mut self, _report: &Report) -> Result<()> {
        self.bar.finish_and_clear();
        Ok(())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
