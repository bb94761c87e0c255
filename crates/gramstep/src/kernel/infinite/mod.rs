//! Kernels of infinitely wide networks (jacot2018): the NNGP kernel K of the outputs at the start, and the tangent
//! kernel Θ, to which the Gram matrix J Jᵀ converges as all hidden widths grow.
//!
//! ```text
//! input    K = x·x′/d,  Θ = 0
//! dense    K ← w·K + b,  Θ ← w·Θ + w′·K + b′         (w, b variances; w′, b′ the same for a trained layer)
//! φ        K ← E[φ(x)φ(y)],  Θ ← Θ·E[φ′(x)φ′(y)]      for normal (x, y) with the covariance K
//! sum      K ← K + K of the branch, Θ alike
//! ```
//!
//! Images are vectors after convolutions and pools, `images/`.
//!
//! A tile of correlations is one product of matrices; then runs of pairs that fit the first-level cache go through all
//! layers before the next run starts. There is no n×n array but the result.

mod dual;
mod function;
mod gradient;
mod images;
mod kernel;
mod kernels;
mod layers;
mod padding;
mod pairs;
mod points;
pub mod quadrature;
mod slopes;
mod steps;
mod tiles;
mod walk;

pub use function::Function;
pub use kernel::InfiniteKernel;
pub(super) use layers::GROUPS;
pub use layers::{ConvolutionVariances, DenseVariances, InfiniteLayer};
pub use padding::Padding;
pub use points::InfinitePoints;
pub use tiles::InfiniteTiles;
