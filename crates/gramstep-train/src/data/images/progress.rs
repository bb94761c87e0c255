//! How far reading is.

/// Told how many of how many images are read.
pub type Progress<'a> = dyn FnMut(usize, usize) + 'a;
