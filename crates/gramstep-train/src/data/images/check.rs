//! Whether bytes are files that the readers of images take.

use std::path::Path;

use super::idx;
use super::{Geometry, decode};
use crate::error::{Error, Result};

/// The size of the image in the bytes of a JPEG or PNG file, and whether it has colour; `path` is for messages.
///
/// # Errors
/// [`Error::Image`] where it cannot be read, or is cut off.
pub fn check_image(path: &Path, bytes: &[u8]) -> Result<Geometry> {
    decode::measure(bytes).map_err(|reason| Error::Image { path: path.to_owned(), reason })
}

/// How many images there are in the bytes of an IDX file, packed or not; `path` is for messages.
///
/// # Errors
/// [`Error::ImageFolder`] where it is none.
pub fn check_idx(path: &Path, bytes: &[u8]) -> Result<usize> {
    let ([images, ..], _) = idx::unpack::<3>(path, bytes)?;
    Ok(images)
}
