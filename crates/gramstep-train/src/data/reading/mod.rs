//! Reading CSV and TSV: what the cells of each column mean, decided once for the column.
//!
//! The file is read into memory once and walked twice: first to see in which ways every cell of a column can be read
//! (`evidence.rs`), then, when that is decided (`decide.rs`), to fill the columns.

mod cells;
mod decide;
mod delimited;
mod evidence;
mod fill;
mod frame;
mod header;
mod layout;
mod meaning;
mod missing;
mod numbers;
mod options;
mod order;
mod patterns;
mod records;
mod separator;

pub(super) use delimited::parse;
pub use frame::FrameCells;
pub(super) use header::numbered;
pub use meaning::{Meaning, Reading};
pub use options::{ColumnType, Header, ReadOptions, TypedColumn};
pub(super) use patterns::resolved;
pub use separator::Separator;

#[cfg(test)]
pub(crate) use delimited::table_of;
