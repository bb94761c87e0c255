//! Images as a column of a table: folders and IDX files are listed, decoded, brought to one size and colour, and kept
//! as bytes until a data set needs them as numbers.

mod augmentation;
mod cache;
mod decode;
mod folder;
mod idx;
mod settings;

pub use augmentation::Augmentation;
pub use settings::{BrokenImages, Colour, ImageSettings, ImageSize};

use std::path::{Path, PathBuf};

use super::{Cells, Column, Format, Table, Task};
use crate::error::{Error, Result};

/// Pixels of equally large images, row by row, channels innermost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Images {
    /// Size and channels of every image.
    pub geometry: Geometry,
    /// One after another.
    pub pixels: Vec<u8>,
}

/// Size and channels of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Geometry {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// 1 for grey, 3 for colour.
    pub channels: usize,
}

impl Geometry {
    /// Numbers of one image.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(self) -> usize {
        // A damaged model file may ask for more than there can be.
        self.height.saturating_mul(self.width).saturating_mul(self.channels)
    }
}

impl Images {
    /// The bytes of one image.
    #[must_use]
    pub fn image(&self, row: usize) -> &[u8] {
        let length = self.geometry.len();
        &self.pixels[row * length..(row + 1) * length]
    }
}

/// Told how many of how many images are read.
pub type Progress<'a> = dyn FnMut(usize, usize) + 'a;

/// What a folder of images says before any of them is decoded.
struct Listing {
    origin: String,
    /// One file a row.
    files: Vec<PathBuf>,
    /// Targets and whatever else belongs to an image.
    columns: Vec<Column>,
    /// Line of every row in the table beside the images, or its number.
    lines: Vec<u64>,
    target: String,
    task: Option<Task>,
    notes: Vec<String>,
}

/// Reads a folder of images in this layout, or in the one that it has.
pub(super) fn read(
    folder: &Path,
    format: Option<Format>,
    settings: &ImageSettings,
    progress: &mut Progress<'_>,
) -> Result<Table> {
    if matches!(format, None | Some(Format::Idx)) {
        match idx::training_pair(folder)? {
            Some(pair) => return idx::read(&pair, settings),
            None if format.is_some() => return Err(idx::none_in(folder)),
            None => {}
        }
    }
    let listing = folder::list(folder, format, settings.broken)?;
    let decoded = cache::decoded(&listing.files, settings, progress)?;
    table(listing, decoded, settings.broken)
}

/// The IDX pair of test images that comes with the training pair of a folder.
pub(super) fn test_pair(folder: &Path) -> Option<PathBuf> {
    idx::test_images(folder)
}

/// Reads the IDX pair that one file of images belongs to.
pub(super) fn read_idx(images: &Path, settings: &ImageSettings) -> Result<Table> {
    idx::read(&idx::pair_of(images)?, settings)
}

/// Whether a path is a file of IDX images.
pub(super) fn is_idx(path: &Path) -> bool {
    idx::is_images(path)
}

/// The table of a listing and its decoded images, without those that could not be read.
fn table(listing: Listing, decoded: decode::Decoded, broken: BrokenImages) -> Result<Table> {
    let Listing { origin, files, mut columns, mut lines, target, task, mut notes } = listing;
    notes.extend(decoded.notes(&origin));
    let name = |file: &PathBuf| file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let mut names: Vec<String> = files.iter().map(name).collect();
    if let Some((at, reason)) = decoded.broken.first() {
        let path = files[*at].clone();
        if broken == BrokenImages::Refuse || decoded.broken.len() == files.len() {
            return Err(Error::Image { path, reason: reason.clone() });
        }
        let (count, path) = (decoded.broken.len(), path.display());
        notes.push(format!("{origin}: {count} broken, left out; the first is {path} ({reason})"));
        let mut kept = vec![true; files.len()];
        decoded.broken.iter().for_each(|(at, _)| kept[*at] = false);
        let keep = |at: usize| kept[at];
        for column in &mut columns {
            column.cells.retain(keep);
        }
        retain(&mut lines, keep);
        retain(&mut names, keep);
    }
    let image = Column { name: "image".to_owned(), cells: Cells::Images(decoded.images) };
    columns.insert(0, image);
    Ok(Table { origin, columns, lines, notes, names, targets: vec![target], task })
}

/// Keeps the entries of some rows.
pub(super) fn retain<V>(values: &mut Vec<V>, keep: impl Fn(usize) -> bool) {
    let mut row = 0;
    values.retain(|_| {
        row += 1;
        keep(row - 1)
    });
}
