//! The explicit Jacobian: the twin that tests compare with, and rows of it for the primal solve of small networks.

use std::ops::Range;

use super::TangentFeatures;
use super::part::{Part, Term};
use crate::scalar::Scalar;
use crate::view::Matrix;

impl<T: Scalar> TangentFeatures<T> {
    /// J, n·k×p, written out. For tests and tiny problems: it is as large as n·k copies of the network.
    ///
    /// Columns of frozen spans hold their derivatives too; `gram`, `jvp` and `vjp` leave them out.
    #[must_use]
    pub fn jacobian(&self) -> Matrix<T> {
        self.jacobian_rows(0..self.samples, self.parameters, |term| Some((term.offset, 1.0)))
    }

    /// Rows of J S^½ of some samples with the columns of `trainable` alone: ranges of θ, in order, that cover all
    /// spans of weight > 0.
    pub(crate) fn trainable_rows(&self, samples: Range<usize>, trainable: &[Range<usize>]) -> Matrix<T> {
        let before = |offset: usize| trainable.iter().map(|run| run.end.min(offset).saturating_sub(run.start)).sum();
        let columns = before(self.parameters);
        self.jacobian_rows(samples, columns, |term| {
            (term.weight > 0.0).then(|| (before(term.offset), term.weight.sqrt()))
        })
    }

    /// Rows of J of some samples in a matrix of `columns` columns; `place` says at which column a term's parameters
    /// start and by what they are multiplied, or leaves them out.
    fn jacobian_rows(
        &self,
        samples: Range<usize>,
        columns: usize,
        place: impl Fn(Term) -> Option<(usize, f64)>,
    ) -> Matrix<T> {
        let k = self.outputs;
        let mut jacobian = Matrix::zeros(samples.len() * k, columns);
        let place = |term: Term| place(term).map(|(column, factor)| (column, T::from_f64(term.scale * factor)));
        for part in &self.parts {
            match part {
                Part::Linear(part) => {
                    let (weights, biases) = (place(part.weight), part.bias.and_then(&place));
                    if weights.is_none() && biases.is_none() {
                        continue;
                    }
                    let (t, d_in, d_out) = (part.places, part.inputs, part.outputs);
                    let unfolded = part.unfolded_rows(&self.device.operations::<T>(), samples.clone());
                    let a = match &unfolded {
                        Some(rows) => rows.tile(0, samples.len() * t, d_in),
                        None => part.activation_rows(samples.clone()),
                    };
                    let a = a.host();
                    let d = part.delta_rows(samples.clone(), k).host();
                    for row in 0..samples.len() * k {
                        let line = jacobian.row_mut(row);
                        for place in 0..t {
                            let a = &a[((row / k) * t + place) * d_in..][..d_in];
                            let d = &d[(row * t + place) * d_out..][..d_out];
                            if let Some((column, factor)) = weights {
                                let weight = &mut line[column..][..d_in * d_out];
                                for (line, &d) in weight.chunks_exact_mut(d_in).zip(d) {
                                    let d = d * factor;
                                    for (w, &a) in line.iter_mut().zip(a) {
                                        *w += d * a;
                                    }
                                }
                            }
                            if let Some((column, factor)) = biases {
                                for (b, &d) in line[column..][..d_out].iter_mut().zip(d) {
                                    *b += d * factor;
                                }
                            }
                        }
                    }
                }
                Part::Explicit(part) => {
                    let Some((column, scale)) = place(part.term) else { continue };
                    let gradients =
                        part.gradients.tile(samples.start * k * part.length, samples.len() * k, part.length);
                    for (row, gradient) in gradients.host().chunks_exact(part.length.max(1)).enumerate() {
                        let line = &mut jacobian.row_mut(row)[column..][..part.length];
                        for (out, &g) in line.iter_mut().zip(gradient) {
                            *out += g * scale;
                        }
                    }
                }
            }
        }
        jacobian
    }
}
