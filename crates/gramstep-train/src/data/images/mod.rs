//! Images as a column of a table: folders and IDX files are listed, decoded, brought to one size and colour, and kept
//! as bytes until a data set needs them as numbers.

mod augmentation;
mod cache;
mod check;
#[cfg(feature = "images")]
mod decode;
#[cfg(not(feature = "images"))]
#[path = "undecoded.rs"]
mod decode;
mod decoded;
mod folder;
mod idx;
#[cfg(feature = "images")]
mod jpeg;
mod listing;
#[cfg(feature = "images")]
mod open;
mod pixels;
mod progress;
mod read;
mod settings;

pub use augmentation::Augmentation;
pub use check::{check_idx, check_image};
pub(super) use idx::is_images as is_idx;
pub(super) use pixels::retain;
pub use pixels::{Gap, Geometry, Images};
pub use progress::Progress;
pub(super) use read::{read, read_idx, test_pair};
pub use settings::{BrokenImages, Colour, ImageSettings, ImageSize};

/// Grey (1 channel) or coloured (3) pixels as a PNG file.
pub(crate) fn png(pixels: &[u8], geometry: Geometry) -> std::result::Result<Vec<u8>, String> {
    decode::png(pixels, geometry)
}
