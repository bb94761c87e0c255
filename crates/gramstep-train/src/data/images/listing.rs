//! The files of a folder of images, before any of them is decoded.

use std::path::PathBuf;

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
}
