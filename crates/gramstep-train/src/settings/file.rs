//! Reading `config.toml`.

use std::path::Path;

use super::{Config, FORMAT_VERSION};
use crate::error::{Error, Result};

impl Config {
    /// Reads a `config.toml`. Paths in it are relative to its folder, or to the working directory where nothing is there.
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Portion;
    use crate::settings::{BatchSize, DampingChoice};

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
}
