//! How long a training goes on, and which rows make a step, as values.

use std::time::Duration;

use crate::settings::{BatchSize, OptimizerName, ScheduleChoice, Settings};
use crate::training::optimizer;

/// Settings of a [`Trainer`](super::trainer::Trainer).
///
/// ```
/// use gramstep_train::{settings::BatchSize, training::config::TrainerConfig};
/// let config = TrainerConfig::of_epochs(100).with_batch_size(BatchSize::Rows(128)).with_patience(10).with_seed(7);
/// assert_eq!((config.epochs, config.patience, config.time_limit), (100, Some(10), None));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TrainerConfig {
    /// Epochs at most.
    pub epochs: usize,
    /// Rows of a step.
    pub batch_size: BatchSize,
    /// Epochs without a lower validation loss (training loss where there are no validation rows) after which training
    /// ends.
    pub patience: Option<usize>,
    /// Epochs at the start that do not count for patience.
    pub warm_up: Option<usize>,
    /// Time after which training ends.
    pub time_limit: Option<Duration>,
    /// How the learning rate goes over the training; of the optimiser alone where there is none.
    pub schedule: Option<ScheduleChoice>,
    /// Steps over which the learning rate rises at the beginning, at most a twentieth of the run; 0 where it does not.
    pub rise: usize,
    /// The optimiser's momentum, from which a schedule moves it; 0 where it has none.
    pub momentum: f64,
    /// Seed of the order of the rows and of augmentation.
    pub seed: u64,
    /// Whether the mean of the parameters over the steps of an epoch is judged and kept, on mini-batches.
    pub averages_steps: bool,
}

impl TrainerConfig {
    /// This number of epochs, all rows in one step.
    #[must_use]
    pub fn of_epochs(epochs: usize) -> Self {
        Self {
            epochs,
            batch_size: BatchSize::Full,
            patience: None,
            warm_up: None,
            time_limit: None,
            schedule: None,
            rise: 0,
            momentum: 0.0,
            seed: 0,
            averages_steps: false,
        }
    }

    /// The same with other rows of a step.
    #[must_use]
    pub fn with_batch_size(self, batch_size: BatchSize) -> Self {
        Self { batch_size, ..self }
    }

    /// The same with an end after this number of epochs that gain nothing.
    #[must_use]
    pub fn with_patience(self, epochs: usize) -> Self {
        Self { patience: Some(epochs), ..self }
    }

    /// The same with an end after that time.
    #[must_use]
    pub fn with_time_limit(self, limit: Duration) -> Self {
        Self { time_limit: Some(limit), ..self }
    }

    /// The same with a learning rate that goes by `schedule`; `momentum`: that of the optimiser, 0 where it has none.
    ///
    /// ```
    /// use gramstep_train::training::config::TrainerConfig;
    /// let config = TrainerConfig::of_epochs(30).with_schedule("cosine:warm-up=0.1".parse()?, 0.9);
    /// assert_eq!((config.epochs, config.momentum), (30, 0.9));
    /// # Ok::<(), gramstep_train::Error>(())
    /// ```
    #[must_use]
    pub fn with_schedule(self, schedule: ScheduleChoice, momentum: f64) -> Self {
        Self { schedule: Some(schedule), momentum, ..self }
    }

    /// The same with another seed.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Whether a step sees all of `rows` rows.
    #[must_use]
    pub fn is_full_batch(&self, rows: usize) -> bool {
        self.batch_size.is_full(rows)
    }
}

impl From<&Settings> for TrainerConfig {
    fn from(settings: &Settings) -> Self {
        Self {
            epochs: settings.epochs,
            batch_size: settings.batch_size,
            patience: settings.patience,
            warm_up: settings.warm_up,
            time_limit: settings.time_limit.map(|limit| limit.0),
            schedule: settings.schedule.clone(),
            rise: optimizer::rise(settings),
            momentum: settings.momentum,
            seed: settings.seed,
            averages_steps: settings.optimizer == OptimizerName::GramGaussNewton && settings.is_plain_table(),
        }
    }
}
