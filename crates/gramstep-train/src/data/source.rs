//! Where a table comes from: a file, a folder of images or a built-in real data set.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::images::{self, ImageSettings, Progress};
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
    /// A folder of images: a folder a class, `<age>/<111|112>/*` as AFAD, a `.csv` and a folder of images as the
    /// bone-age set of the RSNA, or a pair of IDX files as MNIST.
    ImageFolder(PathBuf),
    /// A file of IDX images, its labels beside it.
    Idx(PathBuf),
}

impl Source {
    /// Reads the whole table; images with the default settings.
    ///
    /// # Errors
    /// When the file cannot be read or is not a table.
    pub fn read(&self) -> Result<Table> {
        self.read_with(&ImageSettings::default(), &mut |_, _| {})
    }

    /// Reads the whole table; `images` and `progress` matter to images alone.
    ///
    /// # Errors
    /// When a file cannot be read, or is not a table or an image.
    pub fn read_with(&self, images: &ImageSettings, progress: &mut Progress<'_>) -> Result<Table> {
        match self {
            Self::Builtin(builtin) => Ok(builtin.table()),
            Self::Delimited(path) => delimited::read(path),
            Self::ImageFolder(path) => images::read(path, images, progress),
            Self::Idx(path) => images::read_idx(path, images),
        }
    }

    /// The test rows that come with the data, if they do.
    #[must_use]
    pub fn test(&self) -> Option<Self> {
        match self {
            Self::ImageFolder(path) => images::test_pair(path).map(Self::Idx),
            _ => None,
        }
    }

    /// A short name, fit for the name of a folder.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Builtin(builtin) => builtin.name().to_owned(),
            Self::Delimited(path) | Self::ImageFolder(path) | Self::Idx(path) => {
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
            _ if path.is_dir() => Ok(Self::ImageFolder(path.to_owned())),
            _ if images::is_idx(path) => Ok(Self::Idx(path.to_owned())),
            _ => Err(Error::UnknownSource { source_text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(builtin) => write!(f, "builtin:{}", builtin.name()),
            Self::Delimited(path) | Self::ImageFolder(path) | Self::Idx(path) => write!(f, "{}", path.display()),
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
