//! What is known of the data, and the settings of each method that follow from it.

use gramstep::Scalar;

use super::{BatchSize, Config, DampingChoice, OptimizerName, RowsPerSample};
use crate::data::{Dataset, FULL_BATCH_ROWS, Geometry, Problem, Task};

/// The equations of a step on a mini-batch, unless the user gives its size: the solve is of their third power.
const MOST_EQUATIONS: usize = 2048;
/// The rows of a mini-batch of images, unless they make too many equations.
const IMAGE_BATCH: usize = 128;
/// The same where a sample has one row, of classes and of targets: by the validation loss after equal time.
const CLASS_BATCH: usize = 64;
const TARGET_BATCH: usize = 32;
/// The rows of a mini-batch that are taken however many the outputs are.
const FEWEST_SOLVED: usize = 8;

/// A run on images and its patience are no shorter, unless the user says otherwise: an epoch of few images is few steps,
/// and the first hundred of a network often gain nothing.
const FEWEST_STEPS: usize = 2000;
const PATIENT_STEPS: usize = 200;

/// What the choice of settings depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs)]
pub struct Facts {
    /// Training rows.
    pub samples: usize,
    /// Rows of training and validation.
    pub rows: usize,
    /// Target columns: several of a classification have two classes each.
    pub targets: usize,
    /// Outputs of the network.
    pub outputs: usize,
    /// Regression or classification.
    pub task: Task,
    /// Whether there are validation rows.
    pub validation: bool,
    /// The share of the rows that they are unless the user says otherwise.
    pub validation_share: f64,
    /// Size and channels of the images, where the input is one.
    pub image: Option<Geometry>,
}

impl Facts {
    /// Of a problem.
    #[must_use]
    pub fn of<T: Scalar>(problem: &Problem<T>) -> Self {
        Self {
            samples: problem.train.rows(),
            rows: problem.train.rows() + problem.validation.as_ref().map_or(0, Dataset::rows),
            targets: problem.preprocessing.targets.columns().len(),
            outputs: problem.preprocessing.targets.outputs(),
            task: problem.preprocessing.targets.task(),
            validation: problem.validation.is_some(),
            validation_share: problem.validation_share,
            image: problem.preprocessing.inputs.geometry(),
        }
    }

    /// Whether a full batch is cheap. Classes are counted whatever rows their samples have: on three tables of 500 to 1500
    /// rows mini-batches were level with full ones.
    pub(crate) fn are_small(&self) -> bool {
        self.samples * self.outputs <= FULL_BATCH_ROWS && self.image.is_none()
    }

    /// Equations of a step for a row.
    fn equations(&self, config: &Config) -> usize {
        if self.has_one_row(config) { 1 } else { self.outputs.max(1) }
    }

    /// Whether a sample has one row, as it is said or left open.
    fn has_one_row(&self, config: &Config) -> bool {
        config.rows_per_sample.unwrap_or_else(|| self.rows_per_sample(config)) == RowsPerSample::One
    }

    /// Whether each row has one of three classes or more.
    fn has_many_classes(&self) -> bool {
        self.task == Task::Classification && self.targets == 1 && self.outputs > 2
    }

    /// One row a sample for three classes or more, and where the exact system of a batch of images would have to leave
    /// rows out. Measured: docs/speed.md for classes (six targets of two classes were worse by it: 0.65 right for 0.72);
    /// on 2 000 images with 136 targets an epoch takes a tenth longer than one of Adam (0.66 and 0.60 s; the exact one some
    /// 140 s).
    pub(super) fn rows_per_sample(&self, config: &Config) -> RowsPerSample {
        let many = match self.task {
            Task::Classification => self.has_many_classes(),
            Task::Regression => self.image.is_some() && self.outputs > MOST_EQUATIONS / IMAGE_BATCH,
        };
        if many && config.adversarial.is_none() { RowsPerSample::One } else { RowsPerSample::Exact }
    }
}

/// The settings of training that depend on the method and on the size of the data.
pub(super) struct Defaults {
    pub(super) learning_rate: f64,
    pub(super) momentum: f64,
    pub(super) batch_size: BatchSize,
    pub(super) epochs: usize,
    pub(super) patience: usize,
}

impl Defaults {
    pub(super) fn of(config: &Config, optimizer: OptimizerName, facts: Facts) -> Self {
        let small = facts.are_small();
        let stochastic = BatchSize::Rows(if facts.image.is_some() { IMAGE_BATCH } else { 64 });
        let most = (MOST_EQUATIONS / facts.equations(config)).max(FEWEST_SOLVED);
        let solved = |rows: usize| BatchSize::Rows(rows.min(most));
        // By validation loss on tables and on images (bench/curves): with one row images with 136 targets learned half as much
        // in equal time by 0.95.
        let one_row = facts.has_one_row(config);
        let long = match facts.task {
            Task::Regression => !one_row,
            Task::Classification => one_row && facts.image.is_some(),
        };
        let momentum = if long { 0.95 } else { 0.9 };
        let of_method = match optimizer {
            OptimizerName::GramGaussNewton if facts.image.is_some() => {
                let rows = match facts.task {
                    _ if !one_row => IMAGE_BATCH,
                    Task::Classification => CLASS_BATCH,
                    Task::Regression => TARGET_BATCH,
                };
                // It belongs to an absolute damping.
                let relative = matches!(config.damping, Some(DampingChoice::Fixed(_)));
                let bold = one_row && facts.task == Task::Classification && !relative;
                let learning_rate = if bold { 0.8 } else { 0.1 };
                Self { learning_rate, momentum, batch_size: solved(rows), epochs: 100, patience: 10 }
            }
            OptimizerName::GramGaussNewton if small => {
                Self { learning_rate: 0.1, momentum, batch_size: BatchSize::Full, epochs: 200, patience: 20 }
            }
            OptimizerName::GramGaussNewton => {
                let batch_size = solved((512 / facts.outputs).max(32));
                Self { learning_rate: 0.1, momentum, batch_size, epochs: 100, patience: 20 }
            }
            OptimizerName::Sgd => {
                Self { learning_rate: 0.01, momentum: 0.9, batch_size: stochastic, epochs: 500, patience: 30 }
            }
            OptimizerName::Adam | OptimizerName::AdamW => {
                Self { learning_rate: 1e-3, momentum: 0.9, batch_size: stochastic, epochs: 500, patience: 30 }
            }
        };
        // Whoever chose them, steps on full batches are whole, and their damping follows the gain.
        let batch_size = config.batch_size.unwrap_or(of_method.batch_size);
        let whole = optimizer == OptimizerName::GramGaussNewton && batch_size.is_full(facts.samples);
        let of_method = if whole { Self { learning_rate: 1.0, momentum: 0.0, ..of_method } } else { of_method };
        if facts.image.is_none() {
            return of_method;
        }
        let batches = batch_size.batches(facts.samples);
        let (epochs, patience) = (FEWEST_STEPS.div_ceil(batches), PATIENT_STEPS.div_ceil(batches));
        Self { epochs: of_method.epochs.max(epochs), patience: of_method.patience.max(patience), ..of_method }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn many_classes_and_images_with_many_targets_have_one_row_a_sample_unless_it_is_said_otherwise() {
        let rows =
            |(targets, outputs): (usize, usize), task: Task, image: Option<Geometry>, given: Option<RowsPerSample>| {
                let config = Config { data: Some("csv:t".to_owned()), rows_per_sample: given, ..Config::default() };
                let (samples, rows) = (20_000, 22_000);
                let facts =
                    Facts { samples, rows, targets, outputs, task, validation: true, validation_share: 0.1, image };
                Settings::complete(&config, facts, &[]).unwrap().rows_per_sample.unwrap()
            };
        let (image, regression) = (Some(Geometry::new(32, 32, 1)), Task::Regression);
        let of = |k: usize| (k, k);
        assert_eq!(rows(of(136), regression, image, None), RowsPerSample::One);
        assert_eq!(rows(of(16), regression, image, None), RowsPerSample::Exact);
        assert_eq!(rows(of(136), regression, None, None), RowsPerSample::Exact);
        assert_eq!(rows(of(136), regression, image, Some(RowsPerSample::Exact)), RowsPerSample::Exact);
        assert_eq!(rows(of(136), regression, None, Some(RowsPerSample::One)), RowsPerSample::One);
        for (classes, expected) in [(2, RowsPerSample::Exact), (3, RowsPerSample::One), (100, RowsPerSample::One)] {
            assert_eq!(rows((1, classes), Task::Classification, None, None), expected);
            assert_eq!(rows((1, classes), Task::Classification, image, None), expected);
        }
        assert_eq!(rows(of(6), Task::Classification, None, None), RowsPerSample::Exact, "labels by themselves");
    }

    #[test]
    fn momentum_is_long_for_regressions_of_few_targets_and_many_classes_of_images() {
        let momentum = |task: Task, (targets, outputs): (usize, usize), image: bool| {
            let config = Config { data: Some("csv:t".to_owned()), ..Config::default() };
            let image = image.then(|| Geometry::new(32, 32, 3));
            let (samples, rows, validation, validation_share) = (20_000, 22_000, true, 0.1);
            let facts = Facts { samples, rows, targets, outputs, task, validation, validation_share, image };
            Settings::complete(&config, facts, &[]).unwrap().momentum
        };
        let (regression, classes) = (Task::Regression, Task::Classification);
        assert_eq!([1, 16, 136].map(|targets| momentum(regression, (targets, targets), true)), [0.95, 0.95, 0.9]);
        assert_eq!([1, 136].map(|targets| momentum(regression, (targets, targets), false)), [0.95, 0.95]);
        assert_eq!([2, 3, 10].map(|outputs| momentum(classes, (1, outputs), true)), [0.9, 0.95, 0.95]);
        assert_eq!(momentum(classes, (1, 10), false), 0.9);
    }

    #[test]
    fn the_rate_is_bold_where_the_damping_of_one_row_is_absolute() {
        let rate = |outputs: usize, more: &[(&str, &str)]| {
            let mut config = Config { data: Some("csv:t".to_owned()), ..Config::default() };
            for (name, value) in more {
                config.set(name, value).unwrap();
            }
            let (samples, rows, task, targets) = (20_000, 22_000, Task::Classification, 1);
            let (validation, validation_share, image) = (true, 0.1, Some(Geometry::new(32, 32, 3)));
            let facts = Facts { samples, rows, targets, outputs, task, validation, validation_share, image };
            Settings::complete(&config, facts, &[]).unwrap().learning_rate
        };
        assert_eq!([rate(10, &[]), rate(2, &[])], [0.8, 0.1]);
        assert_eq!(rate(10, &[("damping", "0.1")]), 0.1);
        assert_eq!(rate(10, &[("rows-per-sample", "exact")]), 0.1);
        assert_eq!(rate(10, &[("rows-per-sample", "one"), ("adversarial", "l2:0.5:pgd:10")]), 0.2);
    }

    #[test]
    fn rate_and_momentum_are_those_of_the_batch_whoever_chose_it() {
        let of = |samples: usize, image: bool, batch: Option<&str>| {
            let mut config = Config { data: Some("csv:t".to_owned()), ..Config::default() };
            if let Some(rows) = batch {
                config.set("batch-size", rows).unwrap();
            }
            let image = image.then(|| Geometry::new(28, 28, 1));
            let (rows, targets, outputs, task) = (samples, 1, 1, Task::Regression);
            let (validation, validation_share) = (true, 0.1);
            let facts = Facts { samples, rows, targets, outputs, task, validation, validation_share, image };
            let settings = Settings::complete(&config, facts, &[]).unwrap();
            (settings.learning_rate, settings.momentum)
        };
        let (full, part) = ((1.0, 0.0), (0.1, 0.95));
        assert_eq!([of(500, false, None), of(20_000, false, None)], [full, part]);
        assert_eq!([of(20_000, false, Some("full")), of(20_000, false, Some("20000"))], [full, full]);
        assert_eq!([of(500, false, Some("64")), of(500, false, Some("499"))], [part, part]);
        assert_eq!([of(500, true, None), of(500, true, Some("full"))], [part, full]);
    }

    #[test]
    fn few_images_are_waited_for_by_steps() {
        let of = |samples: usize, image: bool, more: &[(&str, &str)]| {
            let mut config = Config { data: Some("csv:t".to_owned()), ..Config::default() };
            for (name, value) in more {
                config.set(name, value).unwrap();
            }
            let (rows, targets, outputs, task) = (samples, 1, 10, Task::Classification);
            let (validation, validation_share) = (true, 0.1);
            let image = image.then(|| Geometry::new(28, 28, 1));
            let facts = Facts { samples, rows, targets, outputs, task, validation, validation_share, image };
            let settings = Settings::complete(&config, facts, &[]).unwrap();
            (settings.epochs, settings.patience.unwrap())
        };
        let adam = [("optimizer", "adam")];
        assert_eq!([of(20_000, true, &[]), of(20_000, true, &adam)], [(100, 10), (500, 30)]);
        assert_eq!(of(448, true, &[]), (286, 29), "7 batches an epoch");
        assert_eq!(of(448, true, &[("batch-size", "448")]), (2000, 200));
        assert_eq!(of(448, true, &[("batch-size", "1")]), (100, 10));
        assert_eq!(of(256, true, &adam), (1000, 100));
        assert_eq!(of(448, true, &[("epochs", "3"), ("patience", "2")]), (3, 2));
        assert_eq!(of(256, false, &adam), (500, 30), "tables");
    }

    #[test]
    fn the_rows_of_a_step_follow_from_what_it_has_to_solve() {
        let config = Config { data: Some("csv:t".to_owned()), ..Config::default() };
        let rows = |outputs: usize, image: Option<Geometry>| {
            let (samples, rows, task) = (20_000, 22_000, Task::Regression);
            let facts =
                Facts { samples, rows, targets: 1, outputs, task, validation: true, validation_share: 0.1, image };
            Settings::complete(&config, facts, &[]).unwrap().batch_size
        };
        let image = Some(Geometry::new(32, 32, 1));
        for (outputs, table, images) in [(1, 512, 128), (10, 51, 128), (64, 32, 32), (136, 15, 32), (5000, 8, 32)] {
            assert_eq!(rows(outputs, None), BatchSize::Rows(table), "{outputs}");
            assert_eq!(rows(outputs, image), BatchSize::Rows(images), "{outputs}");
        }
    }

    #[test]
    fn many_classes_are_one_equation_a_row_unless_it_is_said_otherwise() {
        let batch = |samples: usize, classes: usize, more: &[(&str, &str)], image: Option<Geometry>| {
            let mut config = Config { data: Some("csv:t".to_owned()), ..Config::default() };
            for (name, value) in more {
                config.set(name, value).unwrap();
            }
            let (rows, task) = (samples, Task::Classification);
            let facts = Facts {
                samples,
                rows,
                targets: 1,
                outputs: classes,
                task,
                validation: true,
                validation_share: 0.1,
                image,
            };
            let BatchSize::Rows(rows) = Settings::complete(&config, facts, &[]).unwrap().batch_size else { return 0 };
            rows
        };
        assert_eq!(batch(2000, 100, &[], None), 32);
        assert_eq!(batch(2000, 100, &[("rows-per-sample", "exact")], None), 20);
        assert_eq!(batch(2000, 100, &[("adversarial", "l2:0.5:pgd:10")], None), 20);
        let image = Some(Geometry::new(32, 32, 3));
        for (classes, one, exact) in [(2, 128, 128), (10, 64, 128), (200, 64, 10)] {
            assert_eq!(batch(5000, classes, &[], image), one, "{classes}");
            assert_eq!(batch(5000, classes, &[("rows-per-sample", "exact")], image), exact, "{classes}");
        }
    }
}
