//! The progress of work on stderr: notes, and a bar where there is a terminal.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use gramstep_train::Result;
use gramstep_train::outcome::event::{EpochEvent, Event, Observer, Start};
use indicatif::{ProgressBar, ProgressStyle};

use crate::streams;

/// An observer that shows a progress bar.
pub(crate) struct Progress {
    quiet: bool,
    bar: ProgressBar,
    /// What the bar counts; none of epochs.
    counted: Option<String>,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, bar: ProgressBar::hidden(), counted: None }
    }

    /// A sentence beside the bar.
    fn say(&self, text: &str) {
        if !self.quiet {
            self.bar.suspend(|| streams::say(text));
        }
    }

    /// Another bar in place of the last one, where it can be seen.
    fn begin(&mut self, length: usize, template: &str) -> bool {
        if self.quiet || !stderr().is_terminal() {
            return false;
        }
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bar.finish_and_clear();
        self.bar = ProgressBar::new(length as u64).with_style(style);
        true
    }

    fn count(&mut self, what: &str, done: usize, all: usize) {
        if self.counted.as_deref() != Some(what) {
            self.counted = Some(what.to_owned());
            self.begin(all, "{prefix} {bar:24} {percent} %  {elapsed}");
            self.bar.set_prefix(what.to_owned());
        }
        self.bar.set_length(all as u64);
        self.bar.set_position(done as u64);
    }

    fn start(&mut self, start: &Start<'_>) {
        self.counted = None;
        let timed = start.settings.epochs > 1_000_000;
        let template =
            if timed { "{prefix} {elapsed} {pos} epochs {msg}" } else { "{prefix} {bar:16} {pos}/{len} {msg}" };
        if !self.begin(start.settings.epochs, template) {
            return;
        }
        let of = match start.settings.ensemble {
            1 => String::new(),
            networks => format!(" {}/{networks}", start.member % networks + 1),
        };
        self.bar.set_prefix(format!("{}{of}", start.settings.optimizer));
        self.bar.enable_steady_tick(Duration::from_millis(200));
    }

    fn epoch(&mut self, event: &EpochEvent) {
        self.bar.set_position(event.epoch as u64);
        let validation = event.validation_loss.map_or_else(String::new, |loss| format!(" validation {loss:.3e}"));
        self.bar.set_message(format!("train {:.3e}{validation}", event.train_loss));
    }
}

impl Observer for Progress {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Note(text) => self.say(&format!("note: {text}")),
            Event::Counted { what, done, all } => self.count(what, *done, *all),
            Event::Start(start) => self.start(start),
            Event::Step(step) if step.epoch == 1 => self.bar.set_message(format!("loss {:.3e}", step.info.loss)),
            Event::Epoch(epoch) => self.epoch(epoch),
            Event::Certified(certificate) => {
                self.say(&format!("{}: {}. {}", certificate.claim, certificate.verdict, certificate.sentence));
            }
            Event::Finish(_) => self.bar.finish_and_clear(),
            _ => {}
        }
        Ok(())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
