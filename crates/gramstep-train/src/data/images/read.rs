//! From a folder or a file of images to a table.

use std::path::{Path, PathBuf};

use super::decode::Decoded;
use super::listing::Listing;
use super::pixels::retain;
use super::progress::Progress;
use super::settings::{BrokenImages, ImageSettings};
use super::{cache, folder, idx};
use crate::data::{Cells, Column, Format, ReadOptions, Table};
use crate::error::{Error, Result};

/// Reads a folder of images in this layout, or in the one that it has.
pub(in crate::data) fn read(
    folder: &Path,
    format: Option<Format>,
    settings: &ImageSettings,
    reading: &ReadOptions,
    progress: &mut Progress<'_>,
) -> Result<Table> {
    if matches!(format, None | Some(Format::Idx)) {
        match idx::training_pair(folder)? {
            Some(pair) => return idx::read(&pair, settings),
            None if format.is_some() => return Err(idx::none_in(folder)),
            None => {}
        }
    }
    let listing = folder::list(folder, format, settings.broken, reading)?;
    let decoded = cache::decoded(&listing.files, settings, progress)?;
    table(listing, decoded, settings.broken)
}

/// The IDX pair of test images that comes with the training pair of a folder.
pub(in crate::data) fn test_pair(folder: &Path) -> Option<PathBuf> {
    idx::test_images(folder)
}

/// Reads the IDX pair that one file of images belongs to.
pub(in crate::data) fn read_idx(images: &Path, settings: &ImageSettings) -> Result<Table> {
    idx::read(&idx::pair_of(images)?, settings)
}

/// The table of a listing and its decoded images, without those that could not be read.
fn table(listing: Listing, decoded: Decoded, broken: BrokenImages) -> Result<Table> {
    let Listing { origin, files, mut columns, mut lines, target, task, mut notes, reading } = listing;
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
    let table = Table::new(origin, columns, lines, notes);
    Ok(Table { names, targets: vec![target], task, reading, ..table })
}
