//! Kernel matrices of data: into a file of any size, in parts, and what they look like.

mod job;
mod join;
mod matrix_file;
mod page;

pub use job::{Choice, Job, Part, Summary, compute};
pub use join::join;
