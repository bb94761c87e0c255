//! The configuration: every setting that a user may give, on the command line or in `config.toml`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    Adversary, BatchSize, DampingChoice, OptimizerName, Precision, Preset, RidgeChoice, TimeLimit, all_processors,
};
use crate::data::{Augmentation, BrokenImages, Colour, ImageSettings, ImageSize, Portion, Task};
use crate::error::{Error, Result, outside};

/// Version of `config.toml`.
pub const FORMAT_VERSION: u32 = 1;

/// What a user asks for; what is left out is decided from the data ([`super::Settings`]).
///
/// ```
/// use gramstep_train::settings::Config;
/// let config = Config { data: Some("builtin:diabetes".to_owned()), epochs: Some(20), ..Config::default() };
/// config.validate()?;
/// # Ok::<(), gramstep_train::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Version of the file's format.
    pub format_version: u32,
    /// Where the data are: `builtin:NAME` or a file.
    pub data: Option<String>,
    /// The columns to learn; empty for the last one.
    pub target: Vec<String>,
    /// The columns to leave out.
    pub drop: Vec<String>,
    /// The column with the weight of every row.
    pub weights: Option<String>,
    /// Regression or classification.
    pub task: Option<Task>,
    /// Rows that are only judged at the end.
    pub test: Option<Portion>,
    /// Rows that choose when to stop.
    pub validation: Option<Portion>,
    /// Size that images are brought to, such as `32` or `64x48`.
    pub image_size: Option<ImageSize>,
    /// Grey or colour images.
    pub colour: Option<Colour>,
    /// What becomes of images that cannot be read.
    pub broken_images: Option<BrokenImages>,
    /// Random changes of training images.
    pub augment: Option<Augmentation>,
    /// The folder of an earlier run, of which preprocessing, network and parameters are taken.
    pub init: Option<PathBuf>,
    /// The architecture, such as `mlp:256,256:gelu`.
    pub model: Option<String>,
    /// How much time the defaults may take.
    pub preset: Option<Preset>,
    /// Networks, of which the average is the model.
    pub ensemble: Option<usize>,
    /// The method of training.
    pub optimizer: Option<OptimizerName>,
    /// η.
    pub learning_rate: Option<f64>,
    /// λ relative to the mean diagonal of G.
    pub damping: Option<DampingChoice>,
    /// κ: weight decay.
    pub ridge: Option<RidgeChoice>,
    /// μ: SPRING momentum of Gram-Gauss-Newton, momentum of SGD, β₁ of Adam.
    pub momentum: Option<f64>,
    /// Rows of one step.
    pub batch_size: Option<BatchSize>,
    /// What the network is trained against.
    pub adversarial: Option<Adversary>,
    /// R: every layer stays within R/√m of its start, m the largest number of hidden units.
    pub ball: Option<f64>,
    /// Epochs in which the radius of the adversary rises to its full size.
    pub warm_up: Option<usize>,
    /// The most epochs.
    pub epochs: Option<usize>,
    /// The longest time.
    pub time_limit: Option<TimeLimit>,
    /// Epochs without a better validation loss before training stops.
    pub patience: Option<usize>,
    /// Of initialisation, shuffles and split.
    pub seed: Option<u64>,
    /// Number type of the parameters.
    pub precision: Option<Precision>,
    /// Threads.
    pub threads: Option<usize>,
    /// How many processes a distributed run had: written, not asked for. `threads` are those of each.
    pub processes: Option<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            format_version: FORMAT_VERSION,
            data: None,
            target: Vec::new(),
            drop: Vec::new(),
            weights: None,
            task: None,
            test: None,
            validation: None,
            image_size: None,
            colour: None,
            broken_images: None,
            augment: None,
            init: None,
            model: None,
            preset: None,
            ensemble: None,
            optimizer: None,
            learning_rate: None,
            damping: None,
            ridge: None,
            momentum: None,
            batch_size: None,
            adversarial: None,
            ball: None,
            warm_up: None,
            epochs: None,
            time_limit: None,
            patience: None,
            seed: None,
            precision: None,
            threads: None,
            processes: None,
        }
    }
}

impl Config {
    /// Reads a `config.toml`.
    ///
    /// # Errors
    /// When the file cannot be read, is of another version, or has an unknown or malformed setting.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let mut config = Self::parse(path, &text)?;
        config.paths().seen_from(path.parent().unwrap_or(path));
        Ok(config)
    }

    /// Reads the text of a `config.toml`; `path` is for messages.
    ///
    /// # Errors
    /// Like [`read`](Self::read).
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let wrong = |error: toml::de::Error| Error::Configuration {
            path: path.to_owned(),
            reason: error.to_string().trim_end().to_owned(),
        };
        let version =
            text.parse::<toml::Table>().map_err(wrong)?.get("format_version").and_then(toml::Value::as_integer);
        if let Some(found) = version.filter(|&found| found != i64::from(FORMAT_VERSION)) {
            let found = u32::try_from(found).unwrap_or(0);
            return Err(Error::FormatVersion { path: path.to_owned(), found, supported: FORMAT_VERSION });
        }
        toml::from_str(text).map_err(wrong)
    }

    /// Takes every setting that `over` gives and keeps the others.
    #[must_use]
    pub fn overridden_by(self, over: Self) -> Self {
        let list = |over: Vec<String>, own| if over.is_empty() { own } else { over };
        Self {
            format_version: self.format_version,
            data: over.data.or(self.data),
            target: list(over.target, self.target),
            drop: list(over.drop, self.drop),
            weights: over.weights.or(self.weights),
            task: over.task.or(self.task),
            test: over.test.or(self.test),
            validation: over.validation.or(self.validation),
            image_size: over.image_size.or(self.image_size),
            colour: over.colour.or(self.colour),
            broken_images: over.broken_images.or(self.broken_images),
            augment: over.augment.or(self.augment),
            init: over.init.or(self.init),
            model: over.model.or(self.model),
            preset: over.preset.or(self.preset),
            ensemble: over.ensemble.or(self.ensemble),
            optimizer: over.optimizer.or(self.optimizer),
            learning_rate: over.learning_rate.or(self.learning_rate),
            damping: over.damping.or(self.damping),
            ridge: over.ridge.or(self.ridge),
            momentum: over.momentum.or(self.momentum),
            batch_size: over.batch_size.or(self.batch_size),
            adversarial: over.adversarial.or(self.adversarial),
            ball: over.ball.or(self.ball),
            warm_up: over.warm_up.or(self.warm_up),
            epochs: over.epochs.or(self.epochs),
            time_limit: over.time_limit.or(self.time_limit),
            patience: over.patience.or(self.patience),
            seed: over.seed.or(self.seed),
            precision: over.precision.or(self.precision),
            threads: over.threads.or(self.threads),
            processes: over.processes.or(self.processes),
        }
    }

    /// How images are read.
    #[must_use]
    pub fn image_settings(&self) -> ImageSettings {
        let mut settings = ImageSettings::default();
        settings.size = self.image_size;
        settings.colour = self.colour.unwrap_or(settings.colour);
        settings.broken = self.broken_images.unwrap_or(settings.broken);
        settings.threads = self.threads.unwrap_or_else(all_processors);
        settings
    }

    /// Checks every number against its range.
    ///
    /// # Errors
    /// [`Error::Setting`] with the first one outside.
    pub fn validate(&self) -> Result<()> {
        let real = |name, value: Option<f64>, allowed: fn(f64) -> bool, range| match value {
            Some(value) if !allowed(value) => Err(outside(name, &value, range)),
            _ => Ok(()),
        };
        let count = |name, value: Option<usize>| match value {
            Some(0) => Err(outside(name, &0, "a whole number of at least 1")),
            _ => Ok(()),
        };
        real("learning-rate", self.learning_rate, |v| v > 0.0 && v.is_finite(), "a number above 0")?;
        real("momentum", self.momentum, |v| (0.0..1.0).contains(&v), "at least 0 and below 1")?;
        real("ball", self.ball, |v| v > 0.0 && v.is_finite(), "a number above 0")?;
        let adversarial = [("ball", self.ball.is_some()), ("warm-up", self.warm_up.is_some())];
        if let Some((name, _)) = adversarial.iter().find(|(_, given)| *given && self.adversarial.is_none()) {
            return Err(outside(name, &"without adversarial", "a setting of adversarial training alone"));
        }
        count("ensemble", self.ensemble)?;
        count("epochs", self.epochs)?;
        count("patience", self.patience)?;
        count("threads", self.threads)?;
        // TOML's integers end at i64::MAX, and config.toml has to hold the seed.
        match self.seed.filter(|seed| i64::try_from(*seed).is_err()) {
            Some(seed) => Err(outside("seed", &seed, "a whole number below 2⁶³")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path)
    }

    #[test]
    fn a_file_may_hold_words_and_numbers() {
        let config = read("batch_size = \"full\"\ndamping = 0.5\ntime_limit = \"2m\"\ntest = \"t.csv\"\n").unwrap();
        assert_eq!(config.batch_size, Some(BatchSize::Full));
        assert_eq!(config.damping, Some(DampingChoice::Fixed(0.5)));
        assert_eq!(config.test, Some(Portion::File("t.csv".into())));
        let config = read("batch_size = 64\ndamping = \"auto\"\nvalidation = 0\n").unwrap();
        assert_eq!(config.batch_size, Some(BatchSize::Rows(64)));
        assert_eq!(config.validation, Some(Portion::Fraction(0.0)));
    }

    #[test]
    fn unknown_settings_and_other_versions_are_refused() {
        let error = read("epoch = 3\n").unwrap_err().to_string();
        assert!(error.contains("unknown field `epoch`") && error.contains("line 1"), "{error}");
        let error = read("epochs = \"many\"\n").unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
        assert!(matches!(read("format_version = 9\n"), Err(Error::FormatVersion { found: 9, .. })));
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        let bad = [
            Config { learning_rate: Some(0.0), ..Config::default() },
            Config { learning_rate: Some(f64::NAN), ..Config::default() },
            Config { momentum: Some(1.0), ..Config::default() },
            Config { ball: Some(1.0), ..Config::default() },
            Config { ensemble: Some(0), ..Config::default() },
            Config { epochs: Some(0), ..Config::default() },
            Config { patience: Some(0), ..Config::default() },
            Config { threads: Some(0), ..Config::default() },
            Config { seed: Some(u64::MAX), ..Config::default() },
        ];
        for config in bad {
            let error = config.validate().unwrap_err();
            assert!(matches!(error, Error::Setting { .. }) && error.is_usage());
        }
    }
}
