//! What was learned: a network, an average of networks or a kernel regression, its file and its error bars. Uses
//! `folder` and below.

pub(crate) mod average;
mod kernel_model;
pub mod model_file;
mod trained;
pub mod uncertainty;

pub use kernel_model::KernelModel;
pub use trained::TrainedModel;
