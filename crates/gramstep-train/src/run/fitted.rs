//! What a fit leaves before it is judged: of networks and of a kernel regression alike.

use gramstep::Matrix;

use crate::data::Dataset;
use crate::outcome::{Fit, KernelFit};
use crate::predictor::Learned;

/// Something learned, and what is needed to judge it.
pub(super) struct Fitted<T> {
    pub(super) learned: Learned,
    pub(super) fit: Fit,
    /// The architecture in short.
    pub(super) name: String,
    /// κ where it was one number, for weights of mean 1.
    pub(super) ridge: Option<f64>,
    /// Whether each network had validation rows of its own.
    pub(super) circular: bool,
    /// The rows that some network was trained on, where these are not the training rows.
    pub(super) train: Option<Dataset<T>>,
    /// What rows are predicted by fits that have not seen them, and these rows; none where that is left to validation
    /// rows.
    pub(super) held_out: Option<(Matrix<f64>, Dataset<T>)>,
    /// Of a kernel regression.
    pub(super) kernel: Option<KernelFit>,
}
