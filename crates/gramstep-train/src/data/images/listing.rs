//! The files of a folder of images, before any of them is decoded.

use std::path::{Path, PathBuf};

use crate::data::{Column, Reading, Task};

/// What a folder of images says before any of them is decoded.
pub(super) struct Listing {
    pub(super) origin: String,
    /// One file a row.
    pub(super) files: Vec<PathBuf>,
    /// Targets and whatever else belongs to an image.
    pub(super) columns: Vec<Column>,
    /// Line of every row in the table beside the images, or its number.
    pub(super) lines: Vec<u64>,
    pub(super) target: String,
    pub(super) task: Option<Task>,
    pub(super) notes: Vec<String>,
    /// What the cells of the columns meant.
    pub(super) reading: Reading,
    /// What lies beside the images and is not read.
    pub(super) passed: Option<String>,
    /// Rows of the table beside the images that have none, and what they call it; they are not among the others.
    pub(super) without: Vec<(usize, String)>,
}

/// The last part of a path. Names that are not text stay apart by their bytes.
pub(super) fn name(path: &Path) -> String {
    let Some(name) = path.file_name() else { return String::new() };
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.extend(["\\x".to_owned(), format!("{byte:02x}")]);
        }
    }
    text
}
