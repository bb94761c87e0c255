//! From a file or a folder of images to matrices: source → table → split → preprocessing → dataset.

mod builtin;
mod columns;
mod dataset;
mod delimited;
mod format;
mod images;
mod inputs;
mod numpy;
pub(crate) mod permutation;
mod problem;
mod source;
mod split;
mod standardisation;
mod table;
mod targets;

pub use builtin::Builtin;
pub use dataset::Dataset;
pub use format::Format;
pub use images::{Augmentation, BrokenImages, Colour, Geometry, ImageSettings, ImageSize, Images, Progress};
pub use inputs::{Category, Encoding, InputColumn, Inputs};
pub(crate) use inputs::{median, range};
pub use problem::{Preprocessing, Problem, validation_share};
pub use source::Source;
pub use split::{Portion, Split};
pub use standardisation::Standardisation;
pub use table::{Cells, Column, Table, TextCells};
pub use targets::{Targets, Task};

#[cfg(test)]
pub(crate) use delimited::table_of;
