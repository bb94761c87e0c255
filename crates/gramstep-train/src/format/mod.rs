//! Bytes and values: how files are written, numbers spelled and words read. Uses nothing of this crate but its errors.

pub(crate) mod bounded;
pub(crate) mod cell;
pub(crate) mod date;
pub(crate) mod disk;
pub(crate) mod encoding;
pub(crate) mod json_number;
pub(crate) mod lock;
pub(crate) mod memory;
pub(crate) mod npy;
pub(crate) mod number_cell;
pub(crate) mod number_form;
pub(crate) mod remarks;
pub mod text;
pub(crate) mod text_or_number;
pub(crate) mod whole_file;
pub(crate) mod words;
