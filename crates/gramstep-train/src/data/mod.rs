//! From a file or a folder of images to matrices: source → table → split → preprocessing → dataset. Uses `format`.

pub(crate) mod alike;
mod array;
mod bounded;
mod bounds;
mod builtin;
mod class_weights;
mod columns;
pub(crate) mod copies;
mod dataset;
mod dates;
mod encoding;
mod expected;
mod far_mark;
mod features;
mod folds;
mod format;
mod identity;
mod images;
mod index_columns;
mod inputs;
mod labels;
mod learning;
mod loss;
mod numpy;
mod options;
mod own_units;
pub(crate) mod permutation;
mod preprocessing;
mod problem;
pub(crate) mod quantile;
mod reading;
mod rows;
pub(crate) mod sharing;
mod siblings;
mod source;
mod split;
mod split_by;
mod standardisation;
pub(crate) mod strata;
mod summary;
mod table;
mod targets;
mod task;
mod usable;

pub use crate::format::date::DateOrder;
pub use crate::format::number_form::{Decimal, NumberForm, Thousands};
pub use bounds::Bound;
pub use builtin::Builtin;
pub use class_weights::ClassWeights;
pub use dataset::Dataset;
pub use dates::DateParts;
pub use encoding::{Category, Encoding};
pub use features::Features;
pub(crate) use features::InRows;
pub use folds::Fold;
pub use format::Format;
pub use identity::DataHash;
pub(crate) use identity::DataHasher;
pub(crate) use images::png;
pub use images::{
    Augmentation, BrokenImages, Colour, Gap, Geometry, ImageSettings, ImageSize, Images, Progress, check_idx,
    check_image,
};
pub(crate) use inputs::RowGaps;
pub use inputs::{InputColumn, Inputs};
pub use labels::Labels;
pub use learning::Learning;
pub use loss::{LossChoice, Transform, TransformChoice};
pub use options::DataOptions;
pub(crate) use own_units::in_pairs;
pub use preprocessing::Preprocessing;
pub(crate) use problem::{FULL_BATCH_ROWS, is_too_few_to_split};
pub use problem::{Problem, validation_share};
pub use reading::{ColumnType, FrameCells, Header, Meaning, ReadOptions, Reading, Separator, TypedColumn};
pub use source::Source;
pub use split::{Portion, Split};
pub use split_by::SplitBy;
pub use standardisation::Standardisation;
pub(crate) use summary::{median, present, range};
pub use table::{Cells, Column, Table, TextCells};
pub use targets::Targets;
pub use task::Task;
pub(crate) use usable::WeightedRows;

#[cfg(test)]
pub(crate) use reading::table_of;
