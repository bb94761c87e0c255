//! Tangent features of a batch: everything that the Jacobian J = ∂f/∂θ can do, without J.
//!
//! A parametric layer is a linear map used at T places of a sample. With its inputs A (n·T×d_in) and the deltas
//! D = ∂f/∂(layer output) (n·k·T×d_out), rows ordered (sample, place) and (sample, output, place), a layer adds
//!
//! ```text
//! G[(i,a),(j,b)] += Σ_{t,s} (A_it·A_js + 1 if bias)·(D_iat·D_jbs)
//! Jᵀc            += Σ_{i,a,t} c_ia D_iat ⊗ A_it
//! (J v)_ia       += Σ_t D_iat·(V A_it)
//! ```
//!
//! Every span of parameters has a weight s ≥ 0: G = Σ s·(its part) and `vjp` = S Jᵀ, so that G = jvp ∘ vjp always
//! holds; 0 freezes a span.

mod block;
mod form;
mod gram;
mod jacobian;
mod joint;
mod part;
mod products;
mod walked;

use std::ops::Range;
use std::sync::Arc;

pub(crate) use gram::mirror;
pub(crate) use joint::JointFeatures;
pub use part::{ExplicitPart, LinearPart, Part, Term};

use crate::device::{Buffer, Device, Pool};
use crate::error::{Error, Result, check_extent, check_not_negative};
use crate::scalar::Scalar;
use crate::view::Matrix;

/// The outputs of a network on a batch, and the parts (A_l, D_l, span) that make up its Jacobian.
///
/// ```
/// use gramstep::{Activation, Matrix, Model};
/// let model = Model::<f64>::mlp(&[2, 8, 1], Activation::Tanh).seed(1).build()?;
/// let x = Matrix::from_vec(3, 2, vec![0.0, 1.0, 0.5, -0.5, 1.0, 0.2])?;
/// let tangent = model.tangent(&x)?;
/// let (gram, jacobian) = (tangent.gram(), tangent.jacobian());
/// let by_hand: f64 = jacobian.row(0).iter().zip(jacobian.row(1)).map(|(a, b)| a * b).sum();
/// assert!((gram[(0, 1)] - by_hand).abs() < 1e-12);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TangentFeatures<T> {
    device: Device,
    samples: usize,
    outputs: usize,
    parameters: usize,
    predictions: Matrix<T>,
    parts: Vec<Part<T>>,
    /// Gradients of which sums over some samples each are known, and no rows: of steps that need the sum of all rows alone.
    sums: Vec<ExplicitPart<T>>,
    /// Bytes for gradients of convolutions written out at a time.
    memory_budget: usize,
    /// Where these gradients lie.
    memory: Arc<Pool<T>>,
}

/// Bytes for gradients written out, unless the caller says otherwise.
const MEMORY_BUDGET: usize = 1 << 30;

impl<T: Scalar> TangentFeatures<T> {
    /// Tangent features from parts made elsewhere: by another framework's hooks, on another machine, in a test.
    ///
    /// `predictions` is f, n×k; `parameters` is p. A part's terms say where in θ its parameters lie.
    ///
    /// # Errors
    /// [`Error::Shape`] if a part does not have n samples and k outputs, [`Error::OutOfRange`] if its parameters lie
    /// outside θ, [`Error::Conflict`] if they are those of another part too (a weight used several times is one part with
    /// several places), [`Error::Setting`] if a weight of a term is negative or not finite.
    pub fn from_parts(device: Device, parameters: usize, predictions: Matrix<T>, parts: Vec<Part<T>>) -> Result<Self> {
        let (samples, outputs) = (predictions.rows(), predictions.columns());
        for part in &parts {
            part.check(samples, outputs, parameters)?;
        }
        check_terms(&parts)?;
        Ok(Self {
            device,
            samples,
            outputs,
            parameters,
            predictions,
            parts,
            sums: Vec::new(),
            memory_budget: MEMORY_BUDGET,
            memory: Arc::default(),
        })
    }

    /// The same features with another limit, in bytes, on the gradients of convolutions that are written out at a time
    /// (1 GiB unless set). One layer's are always allowed.
    #[must_use]
    pub fn with_memory_budget(mut self, bytes: usize) -> Self {
        self.memory_budget = bytes;
        self
    }

    /// n, the number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// k, the number of Jacobian rows per sample.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// n·k, the number of rows of J and of G.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.samples * self.outputs
    }

    /// p, the number of columns of J.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.parameters
    }

    /// f(θ, x), n×k.
    #[must_use]
    pub fn predictions(&self) -> &Matrix<T> {
        &self.predictions
    }

    /// The parts.
    #[must_use]
    pub fn parts(&self) -> &[Part<T>] {
        &self.parts
    }

    /// √s of every parameter's span, p.
    pub(crate) fn root_weights(&self) -> Vec<f64> {
        let mut roots = vec![1.0; self.parameters];
        for (term, length) in self.parts.iter().flat_map(Part::terms) {
            roots[term.offset..term.offset + length].fill(term.weight.sqrt());
        }
        roots
    }

    /// Where the parameters of weight > 0 lie in θ: in order, neighbours joined.
    pub(crate) fn trainable(&self) -> Vec<Range<usize>> {
        let terms = self.parts.iter().flat_map(Part::terms);
        let mut runs: Vec<Range<usize>> = terms
            .filter(|(term, _)| term.weight > 0.0)
            .map(|(term, length)| term.offset..term.offset + length)
            .collect();
        runs.sort_by_key(|run| run.start);
        runs.dedup_by(|next, run| {
            let joined = run.end == next.start;
            run.end = if joined { next.end } else { run.end };
            joined
        });
        runs
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// The same features in another scalar type, for products that need more digits.
    #[must_use]
    pub fn cast<U: Scalar>(&self) -> TangentFeatures<U> {
        TangentFeatures {
            device: self.device.clone(),
            samples: self.samples,
            outputs: self.outputs,
            parameters: self.parameters,
            predictions: self.predictions.cast(),
            parts: self.parts.iter().map(Part::cast).collect(),
            sums: self.sums.iter().map(ExplicitPart::cast).collect(),
            memory_budget: self.memory_budget,
            memory: Arc::default(),
        }
    }

    /// Multiplications of one product over all parts, about: what decides whether threads are worth waking.
    fn cost(&self) -> f64 {
        (self.rows() * self.parameters) as f64
    }

    fn check_rows(&self, what: &'static str, length: usize) -> Result<()> {
        check_extent(what, self.rows(), length)
    }
}

/// Weights are weights, and no parameter belongs to two parts.
fn check_terms<T: Scalar>(parts: &[Part<T>]) -> Result<()> {
    let mut terms: Vec<_> = parts.iter().flat_map(Part::terms).filter(|(_, length)| *length > 0).collect();
    terms.iter().try_for_each(|(term, _)| check_not_negative("weight of a term", term.weight))?;
    terms.sort_by_key(|(term, _)| term.offset);
    for pair in terms.windows(2) {
        let (end, next) = (pair[0].0.offset + pair[0].1, pair[1].0.offset);
        if next < end {
            let reason = format!("both use the parameters {next}..{end}; make it one part");
            return Err(Error::Conflict { what: "two parts", reason });
        }
    }
    Ok(())
}

/// A vector of rows as the device's memory.
fn upload<T: Scalar>(values: &[T]) -> Buffer<T> {
    Buffer::upload(values.to_vec())
}
