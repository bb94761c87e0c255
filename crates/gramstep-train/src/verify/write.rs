//! The files of a verification.

use std::path::Path;

use super::page;
use super::verification::Verification;
use crate::error::{Error, Result};
use crate::format::whole_file::write_atomically;

impl Verification {
    /// Writes `certificates.json` and `report.html` into a folder.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::Chart`].
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
        let path = folder.join("certificates.json");
        let json = serde_json::to_string_pretty(self)
            .map_err(|error| Error::Write { path: path.clone(), source: error.into() })?;
        write_atomically(&path, (json + "\n").as_bytes())?;
        write_atomically(&folder.join("report.html"), page::page(self)?.as_bytes())
    }
}
