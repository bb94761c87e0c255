//! What was learned: networks or a kernel regression, with the preprocessing of their data, one file and one way to error
//! bars. Uses `folder` and below.

pub mod file;
mod gaps;
mod joined;
mod kernel_model;
mod known;
mod learned;
mod table;
mod temperature;
mod uncertainty;
mod whole;

pub use file::Metadata;
pub use kernel_model::KernelModel;
pub use known::Known;
pub use learned::{Learned, Network};
pub use table::ErrorBars;
pub(crate) use temperature::{inverse_temperature, inverse_temperature_of_labels};
pub use uncertainty::{Uncertainty, half_width};
pub use whole::Predictor;
