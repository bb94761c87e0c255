//! Every setting of a run, decided: of networks or of a kernel regression.

use std::path::Path;
use std::time::Duration;

use gramstep::Scalar;

use crate::data::Problem;
use crate::error::{Error, Result};
use crate::settings::{Candidates, Config, OptimizerName, Settings, all_processors};

/// What is about to be done.
#[derive(Clone)]
pub(super) enum Plan {
    Networks(Box<Settings>),
    /// A configuration in which all that matters to a kernel is said.
    Kernel(Box<Config>),
    /// A configuration that leaves the architecture open.
    Open(Box<Config>),
}

impl Plan {
    pub(super) fn networks<T: Scalar>(config: &Config, problem: &Problem<T>) -> Result<Self> {
        Ok(Self::Networks(Box::new(Settings::resolve(config, problem)?)))
    }

    /// The text of a `config.toml` that repeats the run from its folder.
    pub(super) fn to_toml_in(&self, folder: &Path) -> Result<String> {
        let mut own = self.clone();
        match &mut own {
            Self::Networks(settings) => settings.paths().keep_in(folder),
            Self::Kernel(config) | Self::Open(config) => config.paths().keep_in(folder),
        }
        own.to_toml()
    }

    /// The text of a `config.toml` that repeats the run from the working directory.
    pub(super) fn to_toml(&self) -> Result<String> {
        match self {
            Self::Networks(settings) => toml::to_string(settings),
            Self::Kernel(config) | Self::Open(config) => toml::to_string(config),
        }
        .map_err(|error| Error::Configuration { path: "config.toml".into(), reason: error.to_string() })
    }

    pub(super) fn optimizer(&self) -> Option<OptimizerName> {
        match self {
            Self::Networks(settings) => Some(settings.optimizer),
            Self::Kernel(_) | Self::Open(_) => None,
        }
    }

    /// What may take the place of what is fitted.
    pub(super) fn candidates(&self) -> Candidates {
        match self {
            Self::Networks(settings) => settings.candidates,
            Self::Kernel(_) | Self::Open(_) => Candidates::NETWORKS,
        }
    }

    /// As in [`Settings::judges_by_chance`]; kernels leave out single rows where chance decides.
    pub(super) fn judges_by_chance(&self) -> bool {
        match self {
            Self::Networks(settings) => settings.judges_by_chance(),
            Self::Kernel(_) | Self::Open(_) => true,
        }
    }

    /// Of the whole run.
    pub(super) fn time_limit(&self) -> Option<Duration> {
        match self {
            Self::Networks(settings) => settings.time_limit.map(|limit| limit.0),
            Self::Kernel(_) | Self::Open(_) => None,
        }
    }

    pub(super) fn threads(&self) -> usize {
        match self {
            Self::Networks(settings) => settings.threads,
            Self::Kernel(config) | Self::Open(config) => config.threads.unwrap_or_else(all_processors),
        }
    }

    pub(super) fn seed(&self) -> u64 {
        match self {
            Self::Networks(settings) => settings.seed,
            Self::Kernel(config) | Self::Open(config) => config.seed.unwrap_or_default(),
        }
    }
}
