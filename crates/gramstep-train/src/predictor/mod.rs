//! What was learned: networks or a kernel regression, with the preprocessing of their data, one file and one way to error
//! bars. Uses `folder` and below.

mod class_sets;
mod combination;
mod conformal;
mod draws;
pub mod file;
mod gaps;
mod gaussian_process;
mod importance;
mod joined;
mod joint;
mod kernel_choice;
mod kernel_model;
mod kernel_regressor;
mod kernel_solution;
mod known;
mod learned;
mod spread;
mod table;
mod temperature;
mod uncertainty;
mod whole;

pub use class_sets::ClassSets;
pub use combination::{Combination, Part, View};
pub(crate) use combination::{KernelPart, PartModel, joined as combined};
pub use conformal::half_width;
pub use file::Metadata;
pub use gaussian_process::GaussianProcess;
pub use kernel_choice::{Kernel, KernelChoice};
pub use kernel_model::{KernelFitting, KernelModel};
pub use kernel_regressor::KernelRegressor;
pub use known::Known;
pub use learned::{Learned, Network};
pub use spread::Spread;
pub use table::ErrorBars;
pub(crate) use temperature::{inverse_temperature, inverse_temperature_of_labels};
pub use uncertainty::Uncertainty;
pub use whole::Predictor;
