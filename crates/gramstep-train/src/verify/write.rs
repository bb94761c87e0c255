//! The files of a verification.

use std::path::Path;

use super::page;
use super::verification::Verification;
use crate::error::{Error, Result};
use crate::folder::check_output;
use crate::format::disk::make_folders;
use crate::format::whole_file::write_atomically;

impl Verification {
    /// Writes `certificates.json` and `report.html` into a folder.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::Chart`].
    pub fn write(&self, folder: &Path) -> Result<()> {
        make_folders(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
        let (path, report) = (folder.join("certificates.json"), folder.join("report.html"));
        check_output(&report, &[])?;
        let json = serde_json::to_string_pretty(self)
            .map_err(|error| Error::Write { path: path.clone(), source: error.into() })?;
        write_atomically(&path, (json + "\n").as_bytes())?;
        write_atomically(&report, page::page(self)?.as_bytes())
    }
}
