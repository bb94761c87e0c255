//! Whether bytes are files that the readers of images take.

use std::path::Path;

use super::idx;
use super::open::open;
use super::{Geometry, decode};
use crate::error::{Error, Result};

/// The size of the image in the bytes of a JPEG or PNG file, and whether it has colour; `path` is for messages.
///
/// # Errors
/// [`Error::Image`] where it cannot be read, or is cut off.
pub fn check_image(path: &Path, bytes: &[u8]) -> Result<Geometry> {
    let opened = open(bytes).map_err(|reason| Error::Image { path: path.to_owned(), reason })?;
    let channels = if opened.image.color().has_color() { 3 } else { 1 };
    let own = Geometry::new(opened.image.height() as usize, opened.image.width() as usize, channels);
    let small = Geometry::new(own.height.min(8), own.width.min(8), channels);
    match decode::pixels(opened, small).len() {
        length if length == small.len() => Ok(own),
        length => Err(Error::Image { path: path.to_owned(), reason: format!("{length} values make no image") }),
    }
}

/// How many images there are in the bytes of an IDX file, packed or not; `path` is for messages.
///
/// # Errors
/// [`Error::ImageFolder`] where it is none.
pub fn check_idx(path: &Path, bytes: &[u8]) -> Result<usize> {
    let parsed = idx::unpack::<3>(bytes);
    let ([images, ..], _) = parsed.map_err(|reason| Error::ImageFolder { path: path.to_owned(), reason })?;
    Ok(images)
}
