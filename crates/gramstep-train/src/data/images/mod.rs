//! Images as a column of a table: folders and IDX files are listed, decoded, brought to one size and colour, and kept
//! as bytes until a data set needs them as numbers.

mod augmentation;
mod cache;
mod check;
mod decode;
mod folder;
mod idx;
mod jpeg;
mod listing;
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
