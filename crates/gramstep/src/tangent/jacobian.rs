//! The explicit Jacobian: the twin that tests compare with, and rows of it for the primal solve of small networks.

use super::TangentFeatures;
use super::part::Part;
use crate::scalar::Scalar;
use crate::view::Matrix;

impl<T: Scalar> TangentFeatures<T> {
    /// J, n·k×p, written out. For tests and tiny problems: it is as large as n·k copies of the network.
    ///
    /// Columns of frozen spans hold their derivatives too; `gram`, `jvp` and `vjp` leave them out.
    #[must_use]
    pub fn jacobian(&self) -> Matrix<T> {
        self.jacobian_rows(0..self.samples, |_| 1.0)
    }

    /// Rows of J of some samples, with the columns of every span times a function of its weight.
    pub(crate) fn jacobian_rows(&self, samples: std::ops::Range<usize>, factor: impl Fn(f64) -> f64) -> Matrix<T> {
        let k = self.outputs;
        let mut jacobian = Matrix::zeros(samples.len() * k, self.parameters);
        for part in &self.parts {
            match part {
                Part::Linear(part) => {
                    let part = part.unfolded(&self.device.operations::<T>(), self.samples);
                    let (t, d_in, d_out) = (part.places, part.inputs, part.outputs);
                    let a = part.activation_rows(samples.clone()).host();
                    let d = part.delta_rows(samples.clone(), k).host();
                    let weight_factor = T::from_f64(part.weight.scale * factor(part.weight.weight));
                    for row in 0..samples.len() * k {
                        let line = jacobian.row_mut(row);
                        for place in 0..t {
                            let a = &a[((row / k) * t + place) * d_in..][..d_in];
                            let d = &d[(row * t + place) * d_out..][..d_out];
                            let weight = &mut line[part.weight.offset..][..d_in * d_out];
                            for (line, &d) in weight.chunks_exact_mut(d_in).zip(d) {
                                let d = d * weight_factor;
                                for (w, &a) in line.iter_mut().zip(a) {
                                    *w += d * a;
                                }
                            }
                            if let Some(bias) = part.bias {
                                let bias_factor = T::from_f64(bias.scale * factor(bias.weight));
                                for (b, &d) in line[bias.offset..][..d_out].iter_mut().zip(d) {
                                    *b += d * bias_factor;
                                }
                            }
                        }
                    }
                }
                Part::Explicit(part) => {
                    let scale = T::from_f64(part.term.scale * factor(part.term.weight));
                    let gradients =
                        part.gradients.tile(samples.start * k * part.length, samples.len() * k, part.length);
                    for (row, gradient) in gradients.host().chunks_exact(part.length.max(1)).enumerate() {
                        let line = &mut jacobian.row_mut(row)[part.term.offset..][..part.length];
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
