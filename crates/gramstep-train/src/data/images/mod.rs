//! Images as a column of a table: folders and IDX files are listed, decoded, brought to one size and colour, and kept
//! as bytes until a data set needs them as numbers.

mod augmentation;
mod cache;
mod decode;
mod folder;
mod idx;
mod listing;
mod pixels;
mod progress;
mod read;
mod settings;

pub use augmentation::Augmentation;
pub(super) use idx::is_images as is_idx;
pub(super) use pixels::retain;
pub use pixels::{Geometry, Images};
pub use progress::Progress;
pub(super) use read::{read, read_idx, test_pair};
pub use settings::{BrokenImages, Colour, ImageSettings, ImageSize};
