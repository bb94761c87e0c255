//! Where a table comes from: a file, a folder of images or a built-in real data set.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use flate2::read::MultiGzDecoder;

use super::images::{self, ImageSettings, Progress};
use super::{Builtin, Format, ReadOptions, Table, numpy, reading};
use crate::error::{Error, Result, conflict};
use crate::format::bounded::{read_all, read_file};

/// A place that a [`Table`] can be read from, written `builtin:NAME`, as the path of a file or folder, or as
/// `FORMAT:PATH` where the name does not tell the [`Format`] or tells the wrong one.
///
/// ```
/// use gramstep_train::data::Source;
/// let source: Source = "builtin:diabetes".parse()?;
/// assert_eq!(source.name(), "diabetes");
/// assert_eq!("csv:measured.txt".parse::<Source>()?.name(), "measured");
/// assert!("measured.txt".parse::<Source>().is_err());
/// # Ok::<(), gramstep_train::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// A data set that comes with the program.
    Builtin(Builtin),
    /// Arrays of a program, by their hash: they cannot be read again.
    Memory(String),
    /// A file or a folder.
    Stored {
        /// Where it is.
        path: PathBuf,
        /// Its format, where it is said and not guessed.
        format: Option<Format>,
    },
}

impl Source {
    /// Reads the whole table; images with the default settings.
    ///
    /// # Errors
    /// When the file cannot be read or is not a table.
    pub fn read(&self) -> Result<Table> {
        self.read_with(&ReadOptions::default(), &ImageSettings::default(), &mut |_, _| {})
    }

    /// Reads the whole table; `options` matter to text alone, `images` and `progress` to images.
    ///
    /// # Errors
    /// When a file cannot be read, or is not a table or an image.
    pub fn read_with(
        &self,
        options: &ReadOptions,
        images: &ImageSettings,
        progress: &mut Progress<'_>,
    ) -> Result<Table> {
        match self {
            Self::Builtin(builtin) => Ok(builtin.table()),
            Self::Memory(_) => Err(Error::InMemory),
            Self::Stored { path, format } => match format.or_else(|| Format::of_file(path)) {
                Some(format @ (Format::Csv | Format::Tsv | Format::Npy | Format::Npz)) => {
                    Table::of_file(path, format, options)
                }
                Some(Format::Idx) if path.is_file() => images::read_idx(path, images),
                _ => images::read(path, *format, images, options, progress),
            },
        }
    }

    /// Refuses what is said of the cells of text where there is none.
    pub(crate) fn check_options(&self, options: &ReadOptions) -> Result<()> {
        let what = match self {
            Self::Builtin(_) => "the built-in data",
            Self::Memory(_) => return Ok(()),
            Self::Stored { path, format } => match format.or_else(|| Format::of_file(path)) {
                Some(Format::Npy | Format::Npz) => "an array of numbers",
                Some(Format::Idx | Format::Classes | Format::Afad) => "images",
                _ => return Ok(()),
            },
        };
        match options.of_text() {
            Some(setting) => Err(conflict(setting, what, "it is of the cells of a table of text")),
            None => Ok(()),
        }
    }

    /// The test rows that come with the data, if they do.
    #[must_use]
    pub fn test(&self) -> Option<Self> {
        match self {
            Self::Stored { path, format: None | Some(Format::Idx) } if path.is_dir() => {
                images::test_pair(path).map(|path| Self::Stored { path, format: None })
            }
            _ => None,
        }
    }

    /// The file or folder that is read.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Stored { path, .. } => Some(path),
            Self::Builtin(_) | Self::Memory(_) => None,
        }
    }

    /// A short name, fit for the name of a folder.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Builtin(builtin) => builtin.name().to_owned(),
            Self::Memory(_) => "arrays".to_owned(),
            Self::Stored { path, .. } => {
                // Without `.gz`, where it is compressed, and without what the format is told by.
                let packed = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
                let plain = if packed { path.with_extension("") } else { path.clone() };
                plain.file_stem().map_or_else(|| "data".to_owned(), |stem| stem.to_string_lossy().into_owned())
            }
        }
    }
}

impl Table {
    /// The table in a file.
    pub(super) fn of_file(path: &Path, format: Format, options: &ReadOptions) -> Result<Self> {
        let bytes = uncompressed(read_file(path)?, path)?;
        Self::parse_with(&path.display().to_string(), &bytes, format, options)
    }

    /// The table in the bytes of a file; `origin` names it in messages.
    ///
    /// ```
    /// use gramstep_train::data::{Format, Table};
    /// let table = Table::parse("memory", b"a,y\n1,2\n3,4\n", Format::Csv)?;
    /// assert_eq!((table.rows(), table.columns().len()), (2, 2));
    /// # Ok::<(), gramstep_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// When they are not a table, or the format is one of images.
    pub fn parse(origin: &str, bytes: &[u8], format: Format) -> Result<Self> {
        Self::parse_with(origin, bytes, format, &ReadOptions::default())
    }

    /// The same, read as the options say.
    ///
    /// # Errors
    /// Like [`parse`](Self::parse), and where cells are not what the options say.
    pub fn parse_with(origin: &str, bytes: &[u8], format: Format, options: &ReadOptions) -> Result<Self> {
        let table = match format {
            Format::Csv => reading::parse(origin.to_owned(), bytes, None, options),
            Format::Tsv => reading::parse(origin.to_owned(), bytes, Some(b'\t'), options),
            Format::Npy => numpy::npy(origin, bytes),
            Format::Npz => numpy::npz(origin, bytes),
            Format::Afad | Format::Rsna | Format::Classes | Format::Idx => {
                let reason = "images are read from files and folders".to_owned();
                Err(Error::ImageFolder { path: origin.into(), reason })
            }
        }?;
        options.check_places(&table)?;
        Ok(table)
    }
}

/// The contents of a file that may be compressed, whatever its name.
fn uncompressed(bytes: Vec<u8>, path: &Path) -> Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    read_all(MultiGzDecoder::new(&bytes[..]), |source| Error::Read { path: path.to_owned(), source })
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(name) = text.strip_prefix("builtin:") {
            return Builtin::from_name(name)
                .map(Self::Builtin)
                .ok_or_else(|| Error::UnknownBuiltin { name: name.to_owned() });
        }
        if let Some(hash) = text.strip_prefix("memory:") {
            return Ok(Self::Memory(hash.to_owned()));
        }
        if let Some((format, path)) = text.split_once(':')
            && let Ok(format) = format.parse()
        {
            return Ok(Self::Stored { path: path.into(), format: Some(format) });
        }
        let path = Path::new(text);
        if Format::of_file(path).is_none() && !path.is_dir() {
            return Err(Error::UnknownSource { source_text: text.to_owned() });
        }
        Ok(Self::Stored { path: path.to_owned(), format: None })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(builtin) => write!(f, "builtin:{}", builtin.name()),
            Self::Memory(hash) => write!(f, "memory:{hash}"),
            Self::Stored { path, format: None } => write!(f, "{}", path.display()),
            Self::Stored { path, format: Some(format) } => write!(f, "{format}:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_written_as_it_was_read() {
        for text in ["builtin:diabetes", "builtin:winequality", "a/b.csv", "x.TSV", "csv:a.txt", "rsna:hands"] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_compressed_file_is_read_under_any_name() {
        use std::io::Write;
        let folder = tempfile::tempdir().unwrap();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(b"a,y\n1,2\n3,4\n").unwrap();
        let bytes = packed.finish().unwrap();
        for name in ["t.csv.gz", "t.csv", "t.CSV.GZ"] {
            let path = folder.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            let source: Source = path.display().to_string().parse().unwrap();
            assert_eq!((source.read().unwrap().rows(), source.name().as_str()), (2, "t"), "{name}");
            std::fs::write(&path, &bytes[..20]).unwrap();
            assert!(matches!(source.read(), Err(Error::Read { .. })));
        }
    }

    #[test]
    fn an_unknown_kind_of_file_is_refused_with_a_hint() {
        let error = "pictures.zip".parse::<Source>().unwrap_err();
        assert!(error.hint().unwrap().contains("builtin:"));
    }
}
