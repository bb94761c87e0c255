//! The part of a configuration that is about the data.

use std::path::{Path, PathBuf};

use super::paths::Paths;
use super::{Config, Settings};
use crate::data::{DataOptions, Learning, Portion, ReadOptions, Source, TypedColumn};
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
            learning: self.learning(),
            test: self.test.clone(),
            validation: self.validation.clone(),
            reading: self.read_options()?,
            split: self.split.clone().unwrap_or_default(),
            images: self.image_settings(),
            seed: self.seed.unwrap_or_default(),
            ..DataOptions::of(source)
        })
    }

    /// How a regression learns its targets.
    #[must_use]
    pub fn learning(&self) -> Learning {
        Learning { loss: self.loss.clone(), transform: self.target_transform }
    }

    /// The files and folders that it reads rows from.
    #[must_use]
    pub fn sources(&self) -> Vec<PathBuf> {
        let parts = [&self.test, &self.validation].into_iter().filter_map(|part| match part {
            Some(Portion::File(path)) => Some(path.display().to_string()),
            _ => None,
        });
        let texts = self.data.clone().into_iter().chain(parts);
        texts.filter_map(|text| text.parse::<Source>().ok()?.path().map(Path::to_owned)).collect()
    }

    /// What it says about the cells of tables.
    ///
    /// # Errors
    /// [`Error::Setting`] for a type that there is not.
    pub fn read_options(&self) -> Result<ReadOptions> {
        let mut options = ReadOptions::marks(self.delimiter.unwrap_or_default(), self.decimal, self.thousands);
        options.missing.clone_from(&self.missing);
        options.header = self.header.unwrap_or_default();
        options.types = TypedColumn::list(&self.types)?;
        Ok(options)
    }

    /// The paths that it names.
    pub(crate) fn paths(&mut self) -> Paths<'_> {
        Paths {
            data: self.data.as_mut(),
            test: self.test.as_mut(),
            validation: self.validation.as_mut(),
            init: self.init.as_mut(),
        }
    }
}

impl Settings {
    /// The paths that they name.
    pub(crate) fn paths(&mut self) -> Paths<'_> {
        Paths {
            data: Some(&mut self.data),
            test: Some(&mut self.test),
            validation: Some(&mut self.validation),
            init: self.init.as_mut(),
        }
    }
}
