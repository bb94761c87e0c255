//! One layer's contribution to the Jacobian.

use std::sync::Arc;

use crate::device::{Buffer, Tile};
use crate::error::{Error, Result};
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
#[derive(Clone, Debug)]
pub struct LinearPart<T> {
    pub(super) places: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// n·T×d_in
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
        Self { places, inputs, outputs, activations, deltas, weight, bias }
    }

    /// A_l of some samples, one row per (sample, place).
    pub(super) fn activation_rows(&self, samples: std::ops::Range<usize>) -> Tile<'_, T> {
        let row = self.places * self.inputs;
        self.activations.tile(samples.start * row, samples.len() * self.places, self.inputs)
    }

    /// D_l of some samples with k Jacobian rows each, one row per (sample, output, place).
    pub(super) fn delta_rows(&self, samples: std::ops::Range<usize>, k: usize) -> Tile<'_, T> {
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
        Self { length, gradients: Arc::new(Buffer::upload(gradients)), term }
    }
}

impl<T: Scalar> Part<T> {
    pub(super) fn check(&self, samples: usize, outputs: usize, parameters: usize) -> Result<()> {
        let equal = |what, expected, got| {
            if expected == got { Ok(()) } else { Err(Error::Shape { what, expected, got }) }
        };
        let inside = |term: Term, length: usize| {
            if term.offset + length <= parameters {
                Ok(())
            } else {
                let got = term.offset + length;
                Err(Error::Shape { what: "end of a part's parameters in θ", expected: parameters, got })
            }
        };
        match self {
            Self::Linear(part) => {
                let (a, d) = (samples * part.places * part.inputs, samples * outputs * part.places * part.outputs);
                equal("activations of a part", a, part.activations.len())?;
                equal("deltas of a part", d, part.deltas.len())?;
                inside(part.weight, part.weight_len())?;
                part.bias.map_or(Ok(()), |bias| inside(bias, part.outputs))
            }
            Self::Explicit(part) => {
                equal("gradients of a part", samples * outputs * part.length, part.gradients.len())?;
                inside(part.term, part.length)
            }
        }
    }

    pub(super) fn cast<U: Scalar>(&self) -> Part<U> {
        let convert = |buffer: &Buffer<T>| {
            let values = buffer.tile(0, 1, buffer.len());
            Arc::new(Buffer::upload(values.host().iter().map(|&v| U::from_f64(v.to_f64())).collect()))
        };
        match self {
            Self::Linear(part) => Part::Linear(LinearPart {
                places: part.places,
                inputs: part.inputs,
                outputs: part.outputs,
                activations: convert(&part.activations),
                deltas: convert(&part.deltas),
                weight: part.weight,
                bias: part.bias,
            }),
            Self::Explicit(part) => Part::Explicit(ExplicitPart {
                length: part.length,
                gradients: convert(&part.gradients),
                term: part.term,
            }),
        }
    }
}
