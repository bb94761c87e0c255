//! From a folder or a file of images to a table.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::decoded::Decoded;
use super::listing::{Listing, name};
use super::pixels::{Gap, retain};
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
    table(listing, decoded, settings)
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
fn table(listing: Listing, mut decoded: Decoded, settings: &ImageSettings) -> Result<Table> {
    let Listing { origin, files, mut columns, mut lines, target, task, mut notes, reading, passed, without } = listing;
    notes.extend(decoded.notes(&origin, passed.as_deref()));
    let mut names: Vec<String> = files.iter().map(|file| name(file)).collect();
    let broken: Vec<usize> = decoded.broken.iter().map(|(at, _)| *at).collect();
    if settings.gaps {
        decoded.images.gaps = gaps(&names, &broken, without);
    }
    if let Some((at, reason)) = decoded.broken.first() {
        let path = files[*at].clone();
        if settings.broken == BrokenImages::Refuse || broken.len() == files.len() {
            return Err(Error::Image { path, reason: reason.clone() });
        }
        let (count, path) = (broken.len(), path.display());
        let left = if settings.gaps { "their rows stay empty" } else { "left out" };
        notes.push(format!("{origin}: {count} broken, {left}; the first is {path} ({reason})"));
        let mut kept = vec![true; files.len()];
        for &at in &broken {
            kept[at] = false;
        }
        let keep = |at: usize| kept[at];
        for column in &mut columns {
            column.cells.retain(keep);
        }
        retain(&mut lines, keep);
        retain(&mut names, keep);
    }
    let image = Column { name: "image".to_owned(), cells: Cells::Images(Arc::new(decoded.images)) };
    columns.insert(0, image);
    let table = Table::new(origin, columns, lines, notes);
    Ok(Table { names, targets: vec![target], task, reading, ..table })
}

/// The rows without image among all: those whose file is broken, and those without a file.
fn gaps(names: &[String], broken: &[usize], without: Vec<(usize, String)>) -> Vec<Gap> {
    let missing: BTreeSet<usize> = without.iter().map(|(row, _)| *row).collect();
    let rows: Vec<usize> = (0..names.len() + without.len()).filter(|row| !missing.contains(row)).collect();
    let mut gaps: Vec<Gap> = without.into_iter().map(|(row, name)| Gap { row, name }).collect();
    gaps.extend(broken.iter().map(|&at| Gap { row: rows[at], name: names[at].clone() }));
    gaps.sort_by_key(|gap| gap.row);
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_have_the_places_of_their_rows_in_the_source() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let found = gaps(&names, &[1], vec![(0, "x".to_owned()), (2, "y".to_owned())]);
        // x a y b c, of which b is broken.
        let places: Vec<_> = found.iter().map(|gap| (gap.row, gap.name.as_str())).collect();
        assert_eq!(places, [(0, "x"), (2, "y"), (3, "b")]);
    }
}
