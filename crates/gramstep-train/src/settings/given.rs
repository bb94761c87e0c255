//! What a configuration gives: settings by their names, checks of them one by one and against each other.

use super::{Config, SETTINGS, Setting, all_processors};
use crate::data::ImageSettings;
use crate::error::{Error, Result, conflict};

impl Setting {
    /// The setting of this name.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is none.
    pub fn named(name: &str) -> Result<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name).ok_or_else(|| Error::Setting {
            name: "setting",
            value: name.to_owned(),
            range: SETTINGS.iter().fold("one of".to_owned(), |text, setting| text + " " + setting.name),
        })
    }
}

impl Config {
    /// Reads a setting as the command line has it; `name` is one of [`SETTINGS`].
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if there is no such setting or the text is not a value of it; an attack
    /// that is none has the error of the mathematics.
    pub fn set(&mut self, name: &str, text: &str) -> Result<()> {
        (Setting::named(name)?.set)(self, text)
    }

    /// The settings that have a value.
    pub fn given(&self) -> impl Iterator<Item = &'static Setting> {
        SETTINGS.iter().filter(|setting| (setting.given)(self))
    }

    /// Checks every number against its range, and what is given against what it needs.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) with the first one outside,
    /// [`Error::Conflict`](crate::Error::Conflict).
    pub fn validate(&self) -> Result<()> {
        SETTINGS.iter().try_for_each(|setting| (setting.check)(self))?;
        for setting in self.given() {
            if let Some(needed) = setting.needs.filter(|needed| self.given().all(|other| other.name != *needed)) {
                let reason = format!("it is a setting of {needed} training alone");
                return Err(conflict(setting.name, format!("training without --{needed}"), reason));
            }
        }
        Ok(())
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn numbers_outside_their_range_are_refused() {
        let bad = [
            Config { learning_rate: Some(0.0), ..Config::default() },
            Config { learning_rate: Some(f64::NAN), ..Config::default() },
            Config { momentum: Some(1.0), ..Config::default() },
            Config { ball: Some(0.0), ..Config::default() },
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

    #[test]
    fn what_belongs_to_another_setting_is_refused_without_it() {
        let adversarial = "linf:0.1:pgd:10".parse().ok();
        for mut config in
            [Config { ball: Some(1.0), ..Config::default() }, Config { warm_up: Some(3), ..Config::default() }]
        {
            let error = config.validate().unwrap_err();
            assert!(matches!(error, Error::Conflict { .. }) && error.is_usage() && error.hint().is_some(), "{error}");
            config.adversarial = adversarial;
            config.validate().unwrap();
        }
        let error = Config { ball: Some(1.0), ..Config::default() }.validate().unwrap_err();
        let text =
            "--ball does not go with training without --adversarial: it is a setting of adversarial training alone";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn settings_that_there_are_not_and_texts_that_are_no_values_are_refused() {
        let refused = |name: &str, text: &str| Config::default().set(name, text).unwrap_err().to_string();
        assert!(refused("learning_rate", "1").starts_with("setting = learning_rate: one of data target drop"));
        assert_eq!(refused("epochs", "many"), "epochs = many: a whole number of at least 1");
        assert_eq!(refused("learning-rate", "fast"), "learning-rate = fast: a number above 0");
        assert_eq!(refused("validation", "1.5"), "validation = 1.5: a share of the rows is at least 0 and below 1");
        assert_eq!(refused("task", "ranking"), "task = ranking: regression or classification");
    }
}
