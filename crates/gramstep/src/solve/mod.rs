//! Linear systems of the step: (G + λI) c = r, dense or through products alone. Everything here is `f64`, and every
//! solve says what happened.

mod among;
mod bounded_minimum;
mod cholesky;
mod conjugate_gradient;
mod damped;
mod eigen;
mod gaussian;
mod golden_section;
mod products;
mod solver;
mod vector;

pub use conjugate_gradient::{ConjugateGradient, conjugate_gradient};
pub use damped::Damped;
pub(crate) use eigen::rounding;
pub use eigen::{Eigen, eigen, eigenvalues};
pub use gaussian::Gaussian;
pub use golden_section::golden_section;
pub use solver::{SolveInfo, Solver};

pub(crate) use bounded_minimum::{Bounds, minimise};
pub(crate) use cholesky::Cholesky;
pub(crate) use products::{lower_self_product, self_product};
pub(crate) use vector::{dot, norm};
