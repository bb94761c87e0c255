//! The two forms of a part's share of G, by positions or by gradients, and which of them is cheaper.

use std::ops::Range;

use super::TangentFeatures;
use super::part::{LinearPart, Part};
use crate::scalar::Scalar;

/// Bytes of gradients that are written out together: what the last cache holds.
const NEAR: usize = 1 << 24;

/// How many samples there are, with how many Jacobian rows each.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    pub(super) samples: usize,
    pub(super) outputs: usize,
}

impl Extent {
    /// n·m·T²d_in/2 + (nk)(mq)T²d_out/2 against (nk + mq)/2·T·d_in·d_out + (nk)(mq)d_in·d_out/2 multiplications, for n
    /// samples with k rows here and m with q there (the same: a symmetric G).
    pub(super) fn positions_are_cheaper(self, theirs: Self, (places, inputs, outputs): (usize, usize, usize)) -> bool {
        let [n, k, m, q] = [self.samples, self.outputs, theirs.samples, theirs.outputs].map(|v| v as f64);
        let [t, d_in, d_out] = [places, inputs, outputs].map(|v| v as f64);
        let (rows, columns) = (n * k, m * q);
        let positions = n * m * t * t * d_in / 2.0 + rows * columns * t * t * d_out / 2.0;
        let gradients = rows.midpoint(columns) * t * d_in * d_out + rows * columns * d_in * d_out / 2.0;
        positions < gradients
    }
}

/// Whether the k gradients of a sample are fewer numbers than what they are made of, its image and k deltas. Else they are made,
/// multiplied and forgotten layer by layer, while they are near: to write them out and read them twice costs more.
pub(super) fn gradients_are_small(image: usize, k: usize, (places, inputs, outputs): (usize, usize, usize)) -> bool {
    k * inputs * outputs <= image + k * places * outputs
}

impl<T: Scalar> LinearPart<T> {
    /// Whether activations and deltas make its share of G with fewer multiplications than gradients.
    pub(super) fn positions_are_cheaper(&self, ours: Extent, theirs: Extent) -> bool {
        let dense = self.places == 1 && self.window.is_none();
        dense || ours.positions_are_cheaper(theirs, (self.places, self.inputs, self.outputs))
    }

    /// Whether the gradients of a sample are few numbers beside activations and deltas.
    fn is_small(&self, k: usize) -> bool {
        gradients_are_small(self.kept_activations(), k, (self.places, self.inputs, self.outputs))
    }
}

impl<T: Scalar> TangentFeatures<T> {
    /// Parts in groups whose written-out gradients fit the memory budget together.
    pub(super) fn groups(&self, columns: &Self) -> Vec<Range<usize>> {
        let mut groups: Vec<Range<usize>> = Vec::new();
        let mut used = 0;
        for (at, part) in self.parts.iter().enumerate() {
            let bytes = match part {
                Part::Linear(part) if !part.positions_are_cheaper(self.extent(), columns.extent()) => {
                    (self.rows() + columns.rows()) * part.weight_len() * size_of::<T>()
                }
                _ => 0,
            };
            match groups.last_mut() {
                Some(group) if used + bytes <= self.memory_budget.min(NEAR) => {
                    group.end = at + 1;
                    used += bytes;
                }
                _ => {
                    groups.push(at..at + 1);
                    used = bytes;
                }
            }
        }
        groups
    }

    /// A part in the form in which its block of G with other features is cheaper: as it is, or as gradients. Both sides
    /// come to the same decision.
    pub(super) fn prepare(&self, part: &Part<T>, others: &Self) -> Vec<Part<T>> {
        let operations = self.device().operations::<T>();
        match part {
            Part::Linear(linear) if !linear.positions_are_cheaper(self.extent(), others.extent()) => {
                let gradients = linear.gradients(&operations, &self.memory, (self.samples, self.outputs));
                gradients.into_iter().map(Part::Explicit).collect()
            }
            Part::Linear(linear) if linear.window.is_some() => {
                vec![Part::Linear(linear.unfolded(&operations, self.samples).into_owned())]
            }
            _ => vec![part.clone()],
        }
    }

    fn extent(&self) -> Extent {
        Extent { samples: self.samples, outputs: self.outputs }
    }

    /// The same features with the gradients of convolutions written out and kept, as far as the memory budget goes and
    /// where `samples` samples have a G that is cheaper so: every later product with J reads them instead of convolving
    /// again. The budget is asked about `most` samples, the most that a process has.
    pub(super) fn with_gradients_kept(mut self, samples: usize, most: usize) -> Self {
        let extent = Extent { samples, outputs: self.outputs };
        let operations = self.device.operations::<T>();
        let written: usize = self.parts.iter().map(|part| part.written_length(most * self.outputs)).sum();
        let mut left = self.memory_budget.saturating_sub(written * size_of::<T>());
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in std::mem::take(&mut self.parts) {
            match part {
                Part::Linear(linear)
                    if !linear.positions_are_cheaper(extent, extent) && linear.is_small(self.outputs) =>
                {
                    let bytes = most * self.outputs * linear.weight_len() * size_of::<T>();
                    if bytes <= left {
                        left -= bytes;
                        let gradients = linear.gradients(&operations, &self.memory, (self.samples, self.outputs));
                        parts.extend(gradients.into_iter().map(Part::Explicit));
                    } else {
                        parts.push(Part::Linear(linear));
                    }
                }
                other => parts.push(other),
            }
        }
        self.parts = parts;
        self
    }
}
