//! What tests of ensembles train on: fifty points of a sine.

use std::sync::atomic::AtomicBool;

use super::ensemble::Ensemble;
use super::trainer::Parts;
use super::workers::Workers;
use crate::data::{DataOptions, Problem, table_of};
use crate::settings::{Config, Settings};

/// The points, settings for them, and the flag that ends the training.
pub(super) struct OnASine {
    pub(super) problem: Problem,
    settings: Settings,
    pub(super) stop: AtomicBool,
}

impl OnASine {
    pub(super) fn new<'s>(threads: usize, given: impl IntoIterator<Item = &'s (&'s str, &'s str)>) -> Self {
        let row = |i: i32| format!("{},{}\n", i, (f64::from(i) / 7.0).sin());
        let text = format!("a,y\n{}", (0..50).map(row).collect::<String>());
        let problem = Problem::of_table(&table_of(&text), &DataOptions::of("csv:t".parse().unwrap())).unwrap();
        let mut config = Config { data: Some("csv:t".to_owned()), threads: Some(threads), ..Config::default() };
        for (name, value) in given {
            config.set(name, value).unwrap();
        }
        let settings = Settings::resolve(&config, &problem).unwrap();
        Self { problem, settings, stop: AtomicBool::new(false) }
    }

    pub(super) fn ensemble<'a>(&'a self, workers: &'a Workers) -> Ensemble<'a, f64> {
        Ensemble {
            settings: &self.settings,
            preprocessing: &self.problem.preprocessing,
            parts: Parts { train: &self.problem.train, validation: self.problem.validation.as_ref(), test: None },
            exact_train_loss: false,
            tolerance: 0.0,
            processes: (&self.stop).into(),
            workers,
        }
    }
}
