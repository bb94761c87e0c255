//! Training of overparameterised networks from one matrix: G = J Jᵀ, the Gram matrix of per-sample gradients.
//!
//! For a network f(θ, x) with n samples, k outputs and p parameters, the Jacobian J = ∂f/∂θ is n·k×p: far too large to
//! write down. Its Gram matrix G = J Jᵀ, the empirical neural tangent kernel, is only n·k×n·k. It gives the
//! Gram-Gauss-Newton step of [cai2019](https://arxiv.org/abs/1905.11675), a second-order step for networks with more
//! parameters than data:
//!
//! ```text
//! r = f(θ, x) − y,    θ ← θ − η Jᵀ(G + λI)⁻¹ r
//! ```
//!
//! G, J v and Jᵀc all follow from two small arrays a layer, the inputs A_l and the deltas D_l of its weight; J is never
//! formed. This crate is the mathematics alone: no files, no clock, no terminal.
//!
//! # A network from start to end
//!
//! ```
//! use gramstep::optim::{AdaptiveDamping, Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer};
//! use gramstep::{Activation, Matrix, Model};
//!
//! // Eight points of a curve, and a network with many more parameters than points.
//! let x = Matrix::from_fn(8, 1, |i, _| i as f64 / 4.0 - 0.875);
//! let y = Matrix::from_fn(8, 1, |i, _| (3.0 * x[(i, 0)]).sin());
//! let mut model = Model::<f64>::mlp(&[1, 64, 1], Activation::Tanh).seed(7).build()?;
//! assert_eq!(model.parameter_count(), 193);
//!
//! // The tangent features of the batch know J without storing it: G is J Jᵀ, entry by entry.
//! let tangent = model.tangent(&x)?;
//! let (gram, jacobian) = (tangent.gram(), tangent.jacobian());
//! for i in 0..8 {
//!     for j in 0..8 {
//!         let product: f64 = jacobian.row(i).iter().zip(jacobian.row(j)).map(|(a, b)| a * b).sum();
//!         assert!((gram[(i, j)] - product).abs() < 1e-12 * gram[(i, i)].max(gram[(j, j)]));
//!     }
//! }
//!
//! // G = J ∘ Jᵀ as operators, too.
//! let c = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
//! let column = tangent.jvp(&tangent.vjp(&c)?)?;
//! assert!((column[3] - gram[(3, 0)]).abs() < 1e-12 * gram[(0, 0)]);
//!
//! // Full-batch steps with Levenberg–Marquardt damping reach interpolation.
//! let config = GramGaussNewtonConfig::default().with_damping(Damping::Adaptive(AdaptiveDamping::default()));
//! let mut optimizer = GramGaussNewton::new(config)?;
//! let batch = Batch::new(&x, &y);
//! for _ in 0..40 {
//!     let info = optimizer.step(&mut model, &batch)?;
//!     assert!(info.solve.is_some_and(|solve| solve.residual < 1e-6));
//! }
//! assert!(batch.loss(&model)? < 1e-10);
//! # Ok::<(), gramstep::Error>(())
//! ```
//!
//! # The way of the data
//!
//! 1. A [`Specification`] says what the network is; a [`Model`] adds parameters (one flat vector θ with named spans)
//!    and a [`Device`].
//! 2. [`Model::tangent`] walks the batch forwards, keeping A_l, and backwards, keeping D_l. The result is
//!    [`TangentFeatures`], which other programs can also make [from parts](TangentFeatures::from_parts) of their own.
//! 3. [`gram`](TangentFeatures::gram), [`cross_gram`](TangentFeatures::cross_gram), [`jvp`](TangentFeatures::jvp) and
//!    [`vjp`](TangentFeatures::vjp) combine them.
//! 4. A [`loss::Loss`] gives its gradient and a factor of its curvature, which make any step a least-squares step.
//! 5. [`solve`] finds c = (G + λI)⁻¹r in `f64`, and a [`solve::SolveInfo`] says how well.
//! 6. An [`optim::Optimizer`] adds −η Jᵀc to θ and returns an [`optim::StepInfo`].
//!
//! # Modules
//!
//! | module | what is there |
//! |---|---|
//! | [`device`] | where arithmetic runs; operations on tiles of samples |
//! | [`communicator`] | what processes of a distributed run say to one another |
//! | [`random`] | random streams named by seed, purpose, sample and step |
//! | [`solve`] | Cholesky with a reported fallback, eigen-decomposition, conjugate gradients |
//! | [`model`] | specification, parameters, layers, activations, the walk through them |
//! | [`loss`] | squared, Huber, hinge, cross-entropy, logistic, or your own |
//! | [`tangent`] | G, J v, Jᵀc from activations and deltas |
//! | [`optim`] | Gram-Gauss-Newton, SGD, Adam |
//! | [`kernel`] | kernels of infinite and finite width or with a scale for every column, what follows from them |
//! | [`attack`] | threat models, adversarial attacks on classifiers and regressors |
//! | [`theory`] | claims of papers as programs: assumptions, predicted and measured, verdict |
//!
//! A module uses only modules above it in this table. Matrices of public signatures are [`Matrix`] and [`MatrixView`]
//! (features `ndarray` and `faer` convert from and to these crates' matrices), numbers are [`Scalar`]s (`f32` or `f64`),
//! and everything that can fail returns an [`Error`] with its numbers and a [hint](Error::hint).
//!
//! # Conventions
//!
//! Rows of J, G, c and r are ordered (sample, output). Weights have shape (out, in). A step decreases the *sum* of
//! losses, so λ is not divided by n; [`optim::Damping::Relative`] measures it against the mean diagonal of G. Reported
//! losses are means: of r² for the squared loss. The same seed gives the same bits on the same machine with the same
//! number of threads.

pub mod attack;
pub mod communicator;
#[cfg(any(feature = "faer", feature = "ndarray"))]
mod conversions;
pub mod device;
mod error;
pub mod kernel;
pub mod loss;
pub mod model;
pub mod optim;
pub mod random;
mod scalar;
pub mod solve;
pub mod tangent;
pub mod theory;
mod view;

pub use device::Device;
pub use error::{Error, Result};
pub use model::{Activation, Architecture, Model, Specification};
pub use scalar::Scalar;
pub use tangent::TangentFeatures;
pub use view::{Matrix, MatrixView};
