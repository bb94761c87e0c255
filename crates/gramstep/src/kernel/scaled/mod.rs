//! Kernels with a scale for every column, and regression with them: functions of a scaled distance, products over columns,
//! the arc-cosine kernel (rasmussen2006, durrande2012, duvenaud2011).
//!
//! [`fit_scales`] finds scales, shares and the ridge from data; [`ScaledRegression`] solves with them.
//!
//! ```text
//! kind       which kernel                     points   x in the kernel's coordinates, √w_j·x_j
//! pairs      one point and a run of others: values, slopes; radial, anova, arc_cosine (profile: k(r²))
//! matrices   all pairs, by panels and runs    kernel   parameters; matrices of points
//! objective  evidence, leave-one-out          coordinates, fit   what is moved, from where, how far
//! regressor  x ↦ f(x) and its gradient        regression         fit, variance, rows left out
//! ```

mod anova;
mod arc_cosine;
mod coordinates;
mod fit;
mod kernel;
mod kind;
mod matrices;
mod objective;
mod pairs;
mod points;
mod profile;
mod radial;
mod regression;
mod regressor;
mod rescaled;

pub use fit::{ScaleOptions, ScaledFit, fit_scales};
pub use kernel::ScaledKernel;
pub use kind::ScaledKind;
pub use objective::ScaleObjective;
pub use regression::ScaledRegression;
pub use regressor::ScaledRegressor;
pub use rescaled::fit_rescaled;
