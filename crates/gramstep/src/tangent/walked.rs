//! Tangent features of a model: what a forward and a backward walk leave behind.

use std::sync::Arc;

use super::form::{Extent, gradients_are_small};
use super::part::{ExplicitPart, LinearPart, Part, Term};
use super::{MEMORY_BUDGET, TangentFeatures};
use crate::device::Buffer;
use crate::error::Result;
use crate::model::layer::{LinearUse, ParameterUse};
use crate::model::network::Node;
use crate::model::walk::{Seed, SeedFunction, Trace, TracePart, Trained, Writing};
use crate::model::{Model, Span};
use crate::scalar::Scalar;
use crate::view::{Matrix, MatrixView};

impl<T: Scalar> Model<T> {
    /// The tangent features of a batch: one forward and one backward walk. x: n×inputs.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if x has the wrong number of columns, [`Error::NonFinite`](crate::Error::NonFinite) naming the layer if an output is
    /// infinite or not a number.
    pub fn tangent<'x>(&self, x: impl Into<MatrixView<'x, T>>) -> Result<TangentFeatures<T>> {
        self.tangent_keeping(x.into(), 0)
    }

    /// The same with the gradients of convolutions written out and kept by the walk itself, as
    /// [`TangentFeatures::with_gradients_kept`] does afterwards, in at most `budget` bytes.
    pub(crate) fn tangent_keeping(&self, x: MatrixView<'_, T>, budget: usize) -> Result<TangentFeatures<T>> {
        let (x, samples) = self.upload(x)?;
        let k = self.outputs();
        let writing = self.kept_gradients((samples, k), budget);
        let trace =
            self.enter(samples, 1 + k, || self.walker().trace(&x, samples, Seed::Outputs, Some(&writing), false));
        let features = self.features(trace, (samples, k), false)?;
        if features.predictions.as_slice().iter().all(|value| value.is_finite()) {
            Ok(features)
        } else {
            Err(self.non_finite(&x, samples))
        }
    }

    /// Tangent features of one linear functional of the outputs per sample: row i of their Jacobian is u_iᵀ J_i with
    /// the cotangents u that `seed` writes. Σ_i of the rows is the gradient of a loss whose output gradients are u.
    ///
    /// The walk itself keeps written-out gradients of convolutions in at most `budget` bytes.
    pub(crate) fn functional(
        &self,
        x: MatrixView<'_, T>,
        seed: &SeedFunction<'_, T>,
        budget: usize,
    ) -> Result<TangentFeatures<T>> {
        let (x, samples) = self.upload(x)?;
        let writing = self.kept_gradients((samples, 1), budget);
        let trace =
            self.enter(samples, 2, || self.walker().trace(&x, samples, Seed::Given(seed), Some(&writing), false));
        self.features(trace, (samples, 1), false)
    }

    /// The same for the sum of the rows alone, of `vjp` without cotangents: convolutions leave their gradients summed.
    pub(crate) fn summed_functional(
        &self,
        x: MatrixView<'_, T>,
        seed: &SeedFunction<'_, T>,
    ) -> Result<TangentFeatures<T>> {
        let (x, samples) = self.upload(x)?;
        let is_convolution = |parameters| matches!(parameters, ParameterUse::Linear(LinearUse { window: Some(_), .. }));
        let writing = self.writing(true, is_convolution);
        let trace =
            self.enter(samples, 2, || self.walker().trace(&x, samples, Seed::Given(seed), Some(&writing), false));
        self.features(trace, (samples, 1), true)
    }

    /// Which gradients a walk writes out: of the nodes that are `wanted`, those of trained parameters.
    fn writing(&self, summed: bool, mut wanted: impl FnMut(ParameterUse) -> bool) -> Writing {
        let mut nodes = vec![None; self.network().nodes.len()];
        for (at, node, parameters) in self.network().parametric_nodes() {
            let spans = &self.spans()[node.spans.clone()];
            let is_trained = |index: usize| spans.get(index).is_some_and(|span| span.weight > 0.0);
            let trained = Trained { weight: is_trained(0), bias: is_trained(1) };
            nodes[at] = wanted(parameters).then_some(trained);
        }
        Writing { nodes, summed }
    }

    /// Gradients of convolutions that a step over n samples with k rows each keeps, in at most `budget` bytes.
    fn kept_gradients(&self, (samples, outputs): (usize, usize), budget: usize) -> Writing {
        let extent = Extent { samples, outputs };
        let mut left = budget;
        self.writing(false, |parameters| {
            let ParameterUse::Linear(LinearUse { window: Some(window), inputs, outputs: channels, .. }) = parameters
            else {
                return false;
            };
            let bytes = samples * outputs * inputs * channels * size_of::<T>();
            let dimensions = (window.places(), inputs, channels);
            let is_small = gradients_are_small(window.image_len(), outputs, dimensions);
            let kept = (1..=left).contains(&bytes) && is_small && !extent.positions_are_cheaper(extent, dimensions);
            left -= if kept { bytes } else { 0 };
            kept
        })
    }

    /// `summed`: whether gradients that were written out are sums.
    fn features(
        &self,
        trace: Trace<T>,
        (samples, rows_per_sample): (usize, usize),
        summed: bool,
    ) -> Result<TangentFeatures<T>> {
        let spans = self.spans();
        let term = |index: usize, scale: f64| Term { offset: spans[index].offset, scale, weight: spans[index].weight };
        let (mut parts, mut sums) = (Vec::new(), Vec::new());
        let explicit = |index: usize, scale: f64, gradients: Buffer<T>| {
            ExplicitPart::from_buffer(spans[index].len(), gradients, term(index, scale))
        };
        for ((_, node, parameters), left) in self.network().parametric_nodes().zip(trace.parts) {
            match (parameters, left) {
                (ParameterUse::Linear(linear), TracePart::Linear { activations, deltas }) => {
                    parts.push(Part::Linear(LinearPart {
                        places: linear.places(),
                        inputs: linear.inputs,
                        outputs: linear.outputs,
                        window: linear.window,
                        activations,
                        deltas: Arc::new(deltas),
                        weight: term(node.spans.start, linear.scale),
                        bias: linear.bias_scale.map(|scale| term(node.spans.start + 1, scale)),
                    }));
                }
                (_, TracePart::Explicit(gradients)) => parts.extend(self.explicit_parts(node, gradients)),
                (ParameterUse::Linear(linear), TracePart::Written { weight, bias }) => {
                    let first = node.spans.start;
                    let weight = weight.map(|gradients| explicit(first, linear.scale, gradients));
                    let bias =
                        bias.zip(linear.bias_scale).map(|(gradients, scale)| explicit(first + 1, scale, gradients));
                    let written = weight.into_iter().chain(bias);
                    if summed {
                        sums.extend(written);
                    } else {
                        parts.extend(written.map(Part::Explicit));
                    }
                }
                (_, TracePart::Linear { .. } | TracePart::Written { .. }) => {}
            }
        }
        Ok(TangentFeatures {
            device: self.device().clone(),
            samples,
            outputs: rows_per_sample,
            parameters: self.parameter_count(),
            predictions: Matrix::from_vec(samples, self.outputs(), trace.outputs.into_host())?,
            parts,
            sums,
            memory_budget: MEMORY_BUDGET,
            memory: self.network().memory.clone(),
        })
    }

    /// The written-out gradients of a node, span by span.
    pub(crate) fn explicit_parts(&self, node: &Node<T>, gradients: Buffer<T>) -> Vec<Part<T>> {
        let spans = &self.spans()[node.spans.clone()];
        let width = node.theta.len();
        let part = |offset: usize, weight: f64, length: usize, gradients: Buffer<T>| {
            Part::Explicit(ExplicitPart::from_buffer(length, gradients, Term { offset, scale: 1.0, weight }))
        };
        if let [span] = spans {
            return vec![part(span.offset, span.weight, width, gradients)];
        }
        let rows = gradients.into_host();
        let columns = |span: &Span| {
            let from = span.offset - node.theta.start;
            Buffer::upload(rows.chunks_exact(width).flat_map(|row| row[from..from + span.len()].to_vec()).collect())
        };
        spans.iter().map(|span| part(span.offset, span.weight, span.len(), columns(span))).collect()
    }
}
