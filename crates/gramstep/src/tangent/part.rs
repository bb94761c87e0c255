//! One layer's contribution to the Jacobian.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::device::{Buffer, Operations, Pool, Tile, TileMut, Window, WriteMode};
use crate::error::{Error, Result, check_extent};
use crate::scalar::Scalar;

/// A part of the Jacobian: the columns of one layer's parameters.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Part<T> {
    /// A weight used as a linear map at one or several places of a sample.
    Linear(LinearPart<T>),
    /// A few parameters whose gradients are written out, sample by sample.
    Explicit(ExplicitPart<T>),
}

/// Where parameters lie in θ, and how they count.
///
/// ```
/// use gramstep::tangent::Term;
/// let frozen = Term { weight: 0.0, ..Term::at(10) };
/// assert_eq!((frozen.offset, frozen.scale), (10, 1.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Term {
    /// Index of the first parameter in θ.
    pub offset: usize,
    /// Constant factor with which the parameters enter the function (NTK parameterisation).
    pub scale: f64,
    /// Weight s of the span: s = 0 freezes it.
    pub weight: f64,
}

impl Term {
    /// Parameters at `offset` that enter plainly.
    #[must_use]
    pub fn at(offset: usize) -> Self {
        Self { offset, scale: 1.0, weight: 1.0 }
    }

    /// s·scale², their factor in G.
    pub(super) fn in_gram(self) -> f64 {
        self.weight * self.scale * self.scale
    }
}

/// Activations and deltas of a weight W (d_out×d_in) used at T places of every sample.
///
/// ```
/// use gramstep::tangent::{LinearPart, Part, Term};
/// use gramstep::{Device, Matrix, TangentFeatures};
/// // f = w·x of two samples of three values: A = x, D = 1.
/// let part = LinearPart::new(1, (3, vec![1.0, 2.0, 3.0, 0.0, 1.0, 0.0]), (1, vec![1.0, 1.0]), Term::at(0), None);
/// let features = TangentFeatures::from_parts(Device::cpu(1), 3, Matrix::zeros(2, 1), vec![Part::Linear(part)])?;
/// assert_eq!(features.gram().as_slice(), [14.0, 2.0, 2.0, 1.0]);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LinearPart<T> {
    pub(super) places: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// The windows that are the rows of A, where images are kept in their place.
    pub(super) window: Option<Window>,
    /// n·T×d_in, or n×image
    pub(super) activations: Arc<Buffer<T>>,
    /// n·k·T×d_out
    pub(super) deltas: Arc<Buffer<T>>,
    pub(super) weight: Term,
    pub(super) bias: Option<Term>,
}

impl<T: Scalar> LinearPart<T> {
    /// `activations`: n·T×d_in, rows (sample, place); `deltas`: n·k·T×d_out, rows (sample, output, place).
    #[must_use]
    pub fn new(
        places: usize,
        (inputs, activations): (usize, Vec<T>),
        (outputs, deltas): (usize, Vec<T>),
        weight: Term,
        bias: Option<Term>,
    ) -> Self {
        let (activations, deltas) = (Arc::new(Buffer::upload(activations)), Arc::new(Buffer::upload(deltas)));
        Self { places, inputs, outputs, window: None, activations, deltas, weight, bias }
    }

    /// A convolution: the rows of A are the windows of `images` (n×image). `deltas` as above, with T windows.
    #[must_use]
    pub fn convolution(
        window: Window,
        images: Vec<T>,
        (outputs, deltas): (usize, Vec<T>),
        weight: Term,
        bias: Option<Term>,
    ) -> Self {
        let part = Self::new(window.places(), (window.len(), images), (outputs, deltas), weight, bias);
        Self { window: Some(window), ..part }
    }

    /// Number of values of A that are kept for a sample.
    pub(super) fn kept_activations(&self) -> usize {
        self.window.map_or(self.places * self.inputs, |window| window.image_len())
    }

    /// The images whose windows are the rows of A.
    pub(super) fn images(&self, samples: Range<usize>) -> Tile<'_, T> {
        let row = self.kept_activations();
        self.activations.tile(samples.start * row, samples.len(), row)
    }

    /// A_l of some samples, one row per (sample, place). Not of a part that keeps images: see [`Self::unfolded`].
    pub(super) fn activation_rows(&self, samples: Range<usize>) -> Tile<'_, T> {
        debug_assert!(self.window.is_none());
        let row = self.places * self.inputs;
        self.activations.tile(samples.start * row, samples.len() * self.places, self.inputs)
    }

    /// The same part with the rows of A written out.
    pub(super) fn unfolded(&self, operations: &dyn Operations<T>, samples: usize) -> Cow<'_, Self> {
        self.unfolded_rows(operations, 0..samples).map_or(Cow::Borrowed(self), |activations| {
            Cow::Owned(Self { window: None, activations: Arc::new(activations), ..self.clone() })
        })
    }

    /// A_l of some samples of a part that keeps images, one row per (sample, place).
    pub(super) fn unfolded_rows(&self, operations: &dyn Operations<T>, samples: Range<usize>) -> Option<Buffer<T>> {
        let window = self.window.as_ref()?;
        let rows = samples.len() * self.places;
        let mut activations = Buffer::zeros(rows * self.inputs);
        operations.unfold(activations.tile_mut(0, rows, self.inputs), window, self.images(samples));
        Some(activations)
    }

    /// y_it = scale·W A_it, or added to what is there. w: d_out×d_in, out: n·T×d_out.
    pub(super) fn apply(&self, operations: &dyn Operations<T>, out: TileMut<'_, T>, w: Tile<'_, T>) {
        let (scale, samples) = (T::from_f64(self.weight.scale), out.rows() / self.places);
        match &self.window {
            None => {
                operations.product(out, WriteMode::Accumulate, scale, self.activation_rows(0..samples), w.t());
            }
            Some(window) => {
                let out = out.reshape(self.places * self.outputs);
                operations.convolve(out, WriteMode::Accumulate, scale, window, self.images(0..samples), w);
            }
        }
    }

    /// out += α Σ_it E_it ⊗ A_it. e: n·T×d_out, out: d_out×d_in.
    pub(super) fn add_outer(&self, operations: &dyn Operations<T>, out: TileMut<'_, T>, alpha: T, e: Tile<'_, T>) {
        let samples = e.rows() / self.places;
        match &self.window {
            None => operations.product(out, WriteMode::Accumulate, alpha, e.t(), self.activation_rows(0..samples)),
            Some(window) => {
                let e = e.reshape(self.places * self.outputs);
                operations.convolve_gradient_sum(out, alpha, window, self.images(0..samples), e);
            }
        }
    }

    /// The gradients of every (sample, output) written out: P_ia = Σ_t D_iat ⊗ A_it, and Σ_t D_iat for a bias.
    pub(super) fn gradients(
        &self,
        operations: &dyn Operations<T>,
        memory: &Arc<Pool<T>>,
        (samples, k): (usize, usize),
    ) -> Vec<ExplicitPart<T>> {
        let (rows, length) = (samples * k, self.weight_len());
        let deltas = self.wide_deltas(rows);
        let mut explicit = Vec::new();
        if self.weight.weight > 0.0 {
            let mut gradients = Buffer::lent(memory, rows * length);
            match &self.window {
                Some(window) => {
                    let out = gradients.tile_mut(0, rows, length);
                    operations.convolve_gradients(out, window, self.images(0..samples), deltas);
                }
                None => {
                    for row in 0..rows {
                        let d = self.delta_rows(row / k..row / k + 1, k);
                        let d = d.row_range(row % k * self.places..(row % k + 1) * self.places);
                        let a = self.activation_rows(row / k..row / k + 1);
                        let out = gradients.tile_mut(row * length, self.outputs, self.inputs);
                        operations.product(out, WriteMode::Replace, T::ONE, d.t(), a);
                    }
                }
            }
            explicit.push(ExplicitPart::from_buffer(length, gradients, self.weight));
        }
        if let Some(bias) = self.bias.filter(|bias| bias.weight > 0.0) {
            let mut sums = vec![T::ZERO; rows * self.outputs];
            for (out, d) in sums.chunks_exact_mut(self.outputs).zip(deltas.host().chunks_exact(deltas.columns())) {
                let d = Tile::new(d, self.places, self.outputs);
                operations.column_sums(TileMut::new(out, 1, self.outputs), T::ONE, d);
            }
            explicit.push(ExplicitPart::new(self.outputs, sums, bias));
        }
        explicit
    }

    /// D_l of some samples with k Jacobian rows each, one row per (sample, output, place).
    pub(super) fn delta_rows(&self, samples: Range<usize>, k: usize) -> Tile<'_, T> {
        let row = k * self.places * self.outputs;
        self.deltas.tile(samples.start * row, samples.len() * k * self.places, self.outputs)
    }

    /// D_l of the whole batch with all places of a (sample, output) in one row.
    pub(super) fn wide_deltas(&self, rows: usize) -> Tile<'_, T> {
        self.deltas.tile(0, rows, self.places * self.outputs)
    }

    /// Number of parameters of the weight.
    pub(super) fn weight_len(&self) -> usize {
        self.inputs * self.outputs
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.weight.weight == 0.0 && self.bias.is_none_or(|bias| bias.weight == 0.0)
    }
}

/// Written-out gradients of a stretch of parameters.
///
/// ```
/// use gramstep::tangent::{ExplicitPart, Part, Term};
/// use gramstep::{Device, Matrix, TangentFeatures};
/// // The gradients themselves, of two samples by two parameters.
/// let part = ExplicitPart::new(2, vec![1.0, 2.0, 3.0, 4.0], Term::at(0));
/// let features = TangentFeatures::from_parts(Device::cpu(1), 2, Matrix::zeros(2, 1), vec![Part::Explicit(part)])?;
/// assert_eq!(features.jvp(&[1.0, -1.0])?, [-1.0, -1.0]);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ExplicitPart<T> {
    pub(super) length: usize,
    /// n·k×length
    pub(super) gradients: Arc<Buffer<T>>,
    pub(super) term: Term,
}

impl<T: Scalar> ExplicitPart<T> {
    /// `gradients`: n·k×`length`, rows (sample, output).
    #[must_use]
    pub fn new(length: usize, gradients: Vec<T>, term: Term) -> Self {
        Self::from_buffer(length, Buffer::upload(gradients), term)
    }

    /// The same numbers of another type.
    pub(super) fn cast<U: Scalar>(&self) -> ExplicitPart<U> {
        ExplicitPart { length: self.length, gradients: converted(&self.gradients), term: self.term }
    }

    pub(super) fn from_buffer(length: usize, gradients: Buffer<T>, term: Term) -> Self {
        Self { length, gradients: Arc::new(gradients), term }
    }
}

/// The same numbers of another type.
fn converted<T: Scalar, U: Scalar>(buffer: &Buffer<T>) -> Arc<Buffer<U>> {
    let values = buffer.tile(0, 1, buffer.len());
    Arc::new(Buffer::upload(values.host().iter().map(|&v| U::from_f64(v.to_f64())).collect()))
}

impl<T: Scalar> Part<T> {
    /// Whether another part is the same layer's: same use of the same parameters, whatever the samples.
    pub(super) fn is_of_the_same_parameters(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Linear(a), Self::Linear(b)) => {
                (a.inputs, a.outputs, a.window, a.weight, a.bias) == (b.inputs, b.outputs, b.window, b.weight, b.bias)
            }
            (Self::Explicit(a), Self::Explicit(b)) => (a.length, a.term) == (b.length, b.term),
            _ => false,
        }
    }

    /// The stretches of θ that it is about, with their terms.
    pub(super) fn terms(&self) -> Vec<(Term, usize)> {
        match self {
            Self::Linear(part) => {
                let bias = part.bias.map(|bias| (bias, part.outputs));
                std::iter::once((part.weight, part.weight_len())).chain(bias).collect()
            }
            Self::Explicit(part) => vec![(part.term, part.length)],
        }
    }

    /// Numbers of `rows` gradients, if they are written out.
    pub(super) fn written_length(&self, rows: usize) -> usize {
        match self {
            Self::Linear(_) => 0,
            Self::Explicit(part) => rows * part.length,
        }
    }

    pub(super) fn check(&self, samples: usize, outputs: usize, parameters: usize) -> Result<()> {
        let inside = |term: Term, length: usize| {
            if term.offset + length <= parameters {
                Ok(())
            } else {
                let last = (term.offset + length).saturating_sub(1);
                Err(Error::OutOfRange { what: "last parameter of a part", index: last, count: parameters })
            }
        };
        match self {
            Self::Linear(part) => {
                let (a, d) = (samples * part.kept_activations(), samples * outputs * part.places * part.outputs);
                check_extent("activations of a part", a, part.activations.len())?;
                check_extent("deltas of a part", d, part.deltas.len())?;
                inside(part.weight, part.weight_len())?;
                part.bias.map_or(Ok(()), |bias| inside(bias, part.outputs))
            }
            Self::Explicit(part) => {
                check_extent("gradients of a part", samples * outputs * part.length, part.gradients.len())?;
                inside(part.term, part.length)
            }
        }
    }

    pub(super) fn cast<U: Scalar>(&self) -> Part<U> {
        match self {
            Self::Linear(part) => Part::Linear(LinearPart {
                places: part.places,
                inputs: part.inputs,
                outputs: part.outputs,
                window: part.window,
                activations: converted(&part.activations),
                deltas: converted(&part.deltas),
                weight: part.weight,
                bias: part.bias,
            }),
            Self::Explicit(part) => Part::Explicit(part.cast()),
        }
    }
}
