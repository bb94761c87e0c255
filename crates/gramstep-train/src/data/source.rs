//! Where a table comes from: a file or a built-in real data set.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{Builtin, Table, delimited};
use crate::error::{Error, Result};

/// A place that a [`Table`] can be read from, written `builtin:NAME` or as the path of a file.
///
/// ```
/// use gramstep_train::data::Source;
/// let source: Source = "builtin:diabetes".parse()?;
/// assert_eq!(source.name(), "diabetes");
/// assert!("builtin:unknown".parse::<Source>().is_err());
/// # Ok::<(), gramstep_train::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// A data set that comes with the program.
    Builtin(Builtin),
    /// A text file of delimited columns (`.csv`, `.tsv`).
    Delimited(PathBuf),
}

impl Source {
    /// Reads the whole table.
    ///
    /// # Errors
    /// When the file cannot be read or is not a table.
    pub fn read(&self) -> Result<Table> {
        match self {
            Self::Builtin(builtin) => Ok(builtin.table()),
            Self::Delimited(path) => delimited::read(path),
        }
    }

    /// A short name, fit for the name of a folder.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Builtin(builtin) => builtin.name().to_owned(),
            Self::Delimited(path) => {
                path.file_stem().map_or_else(|| "data".to_owned(), |stem| stem.to_string_lossy().into_owned())
            }
        }
    }
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(name) = text.strip_prefix("builtin:") {
            return Builtin::from_name(name)
                .map(Self::Builtin)
                .ok_or_else(|| Error::UnknownBuiltin { name: name.to_owned() });
        }
        let path = Path::new(text);
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        match extension.as_str() {
            "csv" | "tsv" => Ok(Self::Delimited(path.to_owned())),
            _ => Err(Error::UnknownSource { source_text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(builtin) => write!(f, "builtin:{}", builtin.name()),
            Self::Delimited(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_written_as_it_was_read() {
        for text in ["builtin:diabetes", "builtin:winequality", "a/b.csv", "x.TSV"] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_unknown_kind_of_file_is_refused_with_a_hint() {
        let error = "pictures.zip".parse::<Source>().unwrap_err();
        assert!(error.hint().unwrap().contains("builtin:"));
    }
}
