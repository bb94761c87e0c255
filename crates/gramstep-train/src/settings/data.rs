//! The part of a configuration that is about the data.

use super::Config;
use crate::data::DataOptions;
use crate::error::{Error, Result};

impl Config {
    /// What it says about the data.
    ///
    /// # Errors
    /// [`Error::NoData`] if it names none, and those of an unknown source.
    pub fn data_options(&self) -> Result<DataOptions> {
        let source = self.data.as_deref().ok_or(Error::NoData)?.parse()?;
        Ok(DataOptions {
            target: self.target.clone(),
            drop: self.drop.clone(),
            weights: self.weights.clone(),
            task: self.task,
            test: self.test.clone(),
            validation: self.validation.clone(),
            images: self.image_settings(),
            seed: self.seed.unwrap_or_default(),
            ..DataOptions::of(source)
        })
    }
}
