//! Kernel matrices of data: into a file of any size, in parts, and what they look like. Uses `run` and
//! below.

mod job;
mod join;
mod matrix_file;
mod page;
mod summary;

pub use job::{Choice, Job, Part, compute};
pub use join::join;
pub use summary::Summary;
