//! The settings of one run: what the user gave, and for the rest what suits the data.

use std::num::NonZeroUsize;

use gramstep::Scalar;

use super::defaults::Defaults;
use super::{
    BatchSize, Candidates, Config, DampingChoice, FORMAT_VERSION, Facts, InputBounds, OptimizerName, Precision, Preset,
    RidgeChoice, Settings,
};
use crate::data::{BrokenImages, ImageSettings, LossChoice, Portion, Problem, SplitBy, Task};
use crate::error::{Error, Result, conflict};

/// η of Gram-Gauss-Newton against an attack, which moves between steps.
const ADVERSARIAL_LEARNING_RATE: f64 = 0.2;

/// The weight decay of AdamW, as in most programs.
const ADAMW_DECAY: f64 = 0.01;

/// Rows of the Gram matrix that is watched.
pub(crate) const MOST_WATCHED_OUTPUTS: usize = 1024;

/// With fewer rows of training and validation no choice between kinds of models is made: of 6 to 18 rows of seven public
/// tables the combination was a tenth nearer than networks alone, and never far worse than the mean.
const FEWEST_TO_CHOOSE: usize = 6;

impl Settings {
    /// Completes a configuration for a problem.
    ///
    /// # Errors
    /// When a setting is outside its range, or does not belong to the method.
    pub fn resolve<T: Scalar>(config: &Config, problem: &Problem<T>) -> Result<Self> {
        let settings = Self::complete(config, Facts::of(problem), problem.preprocessing.targets.columns())?;
        Ok(Self { test: problem.test_portion.clone(), ..settings })
    }

    /// Whether the rows that judge are a share of the data by chance, so that any other rows could do it: those of a group, of
    /// a time or of a file of their own stay apart.
    pub(crate) fn judges_by_chance(&self) -> bool {
        let at_random = self.split.as_ref().is_none_or(|split| *split == SplitBy::Random);
        matches!(self.validation, Portion::Fraction(_)) && at_random
    }

    /// The weight decay beside the loss, of methods that have one.
    fn weight_decay(config: &Config, optimizer: OptimizerName) -> Result<Option<f64>> {
        let decays = config.weight_decay.or((optimizer == OptimizerName::AdamW).then_some(ADAMW_DECAY));
        if config.weight_decay.is_some() && optimizer == OptimizerName::GramGaussNewton {
            let reason = "its weight decay is --ridge, in the units of the summed loss";
            return Err(conflict("weight-decay", format!("--optimizer {optimizer}"), reason));
        }
        if decays.is_some() && matches!(config.ridge, Some(RidgeChoice::Fixed(_))) {
            let reason = "both are weight decay; give one of them";
            return Err(conflict("ridge", format!("--optimizer {optimizer} with weight decay"), reason));
        }
        Ok(decays)
    }

    /// Completes a configuration for data of which these facts and target columns are known.
    pub(crate) fn complete(config: &Config, facts: Facts, targets: &[String]) -> Result<Self> {
        config.validate()?;
        let optimizer = config.optimizer.unwrap_or(OptimizerName::GramGaussNewton);
        let gram = optimizer == OptimizerName::GramGaussNewton;
        let of_gram = [("damping", config.damping.is_some()), ("rows-per-sample", config.rows_per_sample.is_some())];
        if let Some((setting, _)) = of_gram.into_iter().find(|&(_, given)| given && !gram) {
            let reason = "it is a setting of gram-gauss-newton alone";
            return Err(conflict(setting, format!("--optimizer {optimizer}"), reason));
        }
        let decays = Self::weight_decay(config, optimizer)?;
        if config.ridge == Some(RidgeChoice::Evidence) {
            let reason = "it is a setting of kernels, such as --model ntk:depth=3:relu";
            return Err(conflict("ridge evidence", "a network", reason));
        }
        let defaults = Defaults::of(config, optimizer, facts);
        let bold = gram && config.adversarial.is_some();
        let (default_learning_rate, default_momentum) =
            if bold { (ADVERSARIAL_LEARNING_RATE, 0.0) } else { (defaults.learning_rate, defaults.momentum) };
        let default_model = if facts.image.is_some() { "resnet32" } else { "mlp:256,256:gelu" };
        let batch_size = config.batch_size.unwrap_or(defaults.batch_size);
        // Steps on mini-batches are damped: rounding is far below their noise.
        let large = facts.image.is_some() || (!facts.are_small() && batch_size != BatchSize::Full);
        let default_precision = if large { Precision::F32 } else { Precision::F64 };
        let broken = config.broken_images.unwrap_or(BrokenImages::Refuse);
        let images = ImageSettings::of(facts.image, broken, 1);
        if config.input_bounds == Some(InputBounds::Auto) && config.adversarial.is_some() {
            let reason = "an attack is measured in the inputs' own units";
            return Err(conflict("input-bounds auto", "adversarial training", reason));
        }
        let rivals = config.candidates.is_some_and(|candidates| candidates != Candidates::NETWORKS);
        if rivals && (facts.image.is_some() || config.adversarial.is_some()) {
            let what = if facts.image.is_some() { "images" } else { "adversarial training" };
            return Err(conflict("candidates", what, "only networks take part there"));
        }
        if config.candidates.is_some_and(|candidates| candidates.kernels) && !Self::has_least_squares(config) {
            let loss = config.loss.as_ref().map_or_else(String::new, ToString::to_string);
            let reason = "kernels are fitted by least squares";
            return Err(conflict("candidates networks,kernels", format!("--loss {loss}"), reason));
        }
        let momentum = config.momentum.unwrap_or(default_momentum);
        // It is best at its end.
        let anneals = config.schedule.as_ref().is_some_and(|schedule| !schedule.is_constant());
        Self::check_data(config, facts)?;
        let settings = Self {
            format_version: FORMAT_VERSION,
            data: config.data.clone().ok_or(Error::NoData)?,
            target: targets.to_vec(),
            drop: config.drop.clone(),
            weights: config.weights.clone(),
            task: facts.task,
            loss: config.loss.clone(),
            target_transform: config.target_transform,
            class_weight: config.class_weight.clone(),
            test: config.test.clone().unwrap_or(Portion::Fraction(0.0)),
            validation: config.validation.clone().unwrap_or(Portion::Fraction(facts.validation_share)),
            split: config.split.clone(),
            folds: config.folds,
            delimiter: config.delimiter,
            decimal: config.decimal,
            thousands: config.thousands,
            missing: config.missing.clone(),
            header: config.header,
            types: config.types.clone(),
            image_size: images.size,
            colour: images.size.map(|_| images.colour),
            broken_images: images.size.map(|_| images.broken),
            augment: images.size.map(|_| config.augment.unwrap_or_default()),
            init: config.init.clone(),
            model: config.model.as_deref().unwrap_or(default_model).parse()?,
            // By now it has become a model and a number of networks.
            preset: None,
            ensemble: config.ensemble.unwrap_or(1),
            input_bounds: Self::input_bounds(config),
            candidates: config.candidates.unwrap_or(Candidates::NETWORKS),
            optimizer,
            learning_rate: config.learning_rate.unwrap_or(default_learning_rate),
            schedule: config.schedule.clone(),
            damping: gram.then(|| config.damping.unwrap_or(DampingChoice::Auto)),
            rows_per_sample: gram.then(|| config.rows_per_sample.unwrap_or_else(|| facts.rows_per_sample(config))),
            ridge: config.ridge.unwrap_or(RidgeChoice::Auto),
            weight_decay: decays,
            momentum,
            batch_size,
            adversarial: config.adversarial,
            ball: config.ball,
            warm_up: config.warm_up,
            epochs: config.epochs.unwrap_or(defaults.epochs),
            time_limit: config.time_limit,
            patience: config
                .patience
                .or((!anneals).then_some(defaults.patience))
                .filter(|_| facts.validation || config.patience.is_some()),
            watch_kernel: config.watch_kernel,
            seed: config.seed.unwrap_or(0),
            precision: config.precision.unwrap_or(default_precision),
            threads: config.threads.unwrap_or_else(all_processors),
            processes: config.processes,
        };
        let adapts = settings.damping_adapts(facts.samples);
        settings.schedule.iter().try_for_each(|schedule| schedule.check(optimizer, adapts, momentum))?;
        Ok(settings)
    }

    /// Whether the data are such that settings of some data alone have a meaning.
    fn check_data(config: &Config, facts: Facts) -> Result<()> {
        let of_images = [
            ("augment", config.augment.is_some()),
            ("image-size", config.image_size.is_some()),
            ("colour", config.colour.is_some()),
            ("broken-images", config.broken_images.is_some()),
        ];
        if let Some((setting, _)) = of_images.into_iter().find(|&(_, given)| given && facts.image.is_none()) {
            return Err(conflict(setting, "a table", "it is a setting of images alone"));
        }
        if config.watch_kernel.is_some() && facts.outputs > MOST_WATCHED_OUTPUTS {
            let reason =
                format!("the Gram matrix of a single row is {0}×{0}; at most {MOST_WATCHED_OUTPUTS}", facts.outputs);
            return Err(conflict("watch-kernel", format!("{} outputs", facts.outputs), reason));
        }
        Ok(())
    }

    /// Whether every step sees all training rows.
    #[must_use]
    pub fn is_full_batch(&self, samples: usize) -> bool {
        self.batch_size.is_full(samples)
    }

    /// Whether the damping follows the gain of every step: where it is left open and the gain ratio means something, on full
    /// batches, but not against an attack, which moves between steps.
    pub(crate) fn damping_adapts(&self, samples: usize) -> bool {
        self.damping == Some(DampingChoice::Auto) && self.adversarial.is_none() && self.is_full_batch(samples)
    }

    /// Whether a ridge that is left open falls in the course of the run: wherever early stopping chooses among models,
    /// but not on mini-batches of images or attacked rows, whose steps are small, nor from an earlier run's parameters,
    /// which a strong ridge would undo.
    pub(crate) fn has_ridge_path(&self, samples: usize) -> bool {
        let chosen = self.is_full_batch(samples) || self.is_plain_table();
        self.ridge == RidgeChoice::Auto && self.init.is_none() && chosen
    }

    /// Whether inputs are kept within bounds: of networks, but not where an attack measures them, nor those of a line.
    pub(crate) fn input_bounds(config: &Config) -> InputBounds {
        let linear = config.model.as_deref() == Some("linear");
        let plain = linear || config.adversarial.is_some();
        config.input_bounds.unwrap_or(if plain { InputBounds::None } else { InputBounds::Auto })
    }

    /// What a run tries of itself: kernels and ridge regression too, where the user leaves the model of a table open.
    pub(crate) fn candidates(config: &Config, facts: Facts) -> Candidates {
        let open = config.model.is_none() && config.init.is_none();
        let table = facts.image.is_none() && config.adversarial.is_none();
        let trained_so = config.optimizer.is_some() || config.preset == Some(Preset::Fast);
        let alone = trained_so || !Self::has_least_squares(config) || Self::no_kernels(config, facts).is_some();
        match (open && table && facts.rows >= FEWEST_TO_CHOOSE, alone) {
            (true, false) => Candidates::ALL,
            (true, true) => Candidates::NETWORKS_AND_LINE,
            (false, _) => Candidates::NETWORKS,
        }
    }

    /// Why kernels take no part whatever is asked for.
    pub(crate) fn no_kernels(config: &Config, facts: Facts) -> Option<&'static str> {
        if facts.task == Task::Classification && facts.targets > 1 {
            return Some("a kernel regression classifies one target");
        }
        config.processes.filter(|&count| count > 1).map(|_| "several processes train networks alone")
    }

    /// Whether a kernel regression is fitted by the loss of the run.
    fn has_least_squares(config: &Config) -> bool {
        config.loss.as_ref().is_none_or(|loss| *loss == LossChoice::Squared)
    }

    /// Whether the rows are those of a table, as they stand.
    pub(crate) fn is_plain_table(&self) -> bool {
        self.adversarial.is_none() && self.image_size.is_none()
    }
}

/// The threads that run by default: as many as this process may use processors.
#[must_use]
pub fn all_processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::RowsPerSample;

    fn problem() -> (Config, Problem) {
        let config = Config { data: Some("builtin:diabetes".to_owned()), ..Config::default() };
        let problem = Problem::load(&config.data_options().unwrap()).unwrap();
        (config, problem)
    }

    #[test]
    fn written_settings_are_a_configuration_that_repeats_the_run() {
        let (mut config, problem) = problem();
        for &optimizer in OptimizerName::ALL {
            config.optimizer = Some(optimizer);
            config.time_limit = Some("1.5h".parse().unwrap());
            config.adversarial = Some("l2:0.5:apgd:7:2".parse().unwrap());
            config.ball = Some(2.5);
            config.warm_up = Some(4);
            let settings = Settings::resolve(&config, &problem).unwrap();
            let read: Config = toml::from_str(&toml::to_string(&settings).unwrap()).unwrap();
            assert_eq!(Settings::resolve(&read, &problem).unwrap(), settings);
        }
    }

    #[test]
    fn kernels_take_no_part_where_they_could_not() {
        let (config, problem) = problem();
        let facts = Facts::of(&problem);
        assert_eq!(Settings::candidates(&config, facts), Candidates::ALL);
        let labels = Facts { task: Task::Classification, targets: 3, outputs: 3, ..facts };
        let processes = Config { processes: Some(2), ..config.clone() };
        for (config, facts) in [(&config, labels), (&processes, facts)] {
            assert_eq!(Settings::candidates(config, facts), Candidates::NETWORKS_AND_LINE);
            assert!(Settings::no_kernels(config, facts).is_some());
        }
        assert_eq!(Settings::no_kernels(&config, Facts { outputs: 3, targets: 3, ..facts }), None, "several numbers");
    }

    #[test]
    fn settings_of_images_are_refused_on_a_table_and_patience_needs_no_judges() {
        let (config, problem) = problem();
        for (name, value) in [("image-size", "32"), ("colour", "grey"), ("broken-images", "skip"), ("augment", "flip")]
        {
            let mut config = config.clone();
            config.set(name, value).unwrap();
            let error = Settings::resolve(&config, &problem).unwrap_err();
            assert!(error.is_usage() && error.to_string().contains(name), "{error}");
        }
        let config = Config { patience: Some(7), ..config };
        let facts = Facts { validation: false, ..Facts::of(&problem) };
        assert_eq!(Settings::complete(&config, facts, &["y".to_owned()]).unwrap().patience, Some(7));
        let open = Config { patience: None, ..config };
        assert_eq!(Settings::complete(&open, facts, &["y".to_owned()]).unwrap().patience, None);
    }

    #[test]
    fn damping_and_rows_belong_to_gram_gauss_newton() {
        let (mut config, problem) = problem();
        config.optimizer = Some(OptimizerName::Adam);
        config.damping = Some(DampingChoice::Fixed(0.1));
        assert!(Settings::resolve(&config, &problem).unwrap_err().is_usage());
        config.damping = None;
        config.rows_per_sample = Some(RowsPerSample::One);
        assert!(Settings::resolve(&config, &problem).unwrap_err().is_usage());
        config.rows_per_sample = None;
        config.schedule = Some("cosine:damping=0.1".parse().unwrap());
        assert!(Settings::resolve(&config, &problem).unwrap_err().is_usage());
        // Nor does it move one that follows the gain, nor a momentum that there is not.
        (config.optimizer, config.batch_size) = (None, Some(BatchSize::Full));
        assert!(Settings::resolve(&config, &problem).unwrap_err().is_usage());
        config.batch_size = Some(BatchSize::Rows(1000));
        assert!(Settings::resolve(&config, &problem).unwrap_err().is_usage(), "a batch of all rows");
        config.adversarial = Some("l2:0.5:pgd:3".parse().unwrap());
        assert!(Settings::resolve(&config, &problem).is_ok(), "against an attack it stays");
        (config.adversarial, config.damping) = (None, Some(DampingChoice::Fixed(0.1)));
        assert!(Settings::resolve(&config, &problem).is_ok());
        (config.schedule, config.momentum) = (Some("cosine:momentum=0.1".parse().unwrap()), Some(0.0));
        assert!(Settings::resolve(&config, &problem).unwrap_err().is_usage());
        (config.schedule, config.rows_per_sample) = (None, Some(RowsPerSample::One));
        let settings = Settings::resolve(&config, &problem).unwrap();
        assert_eq!(settings.rows_per_sample, Some(RowsPerSample::One));
    }
}
