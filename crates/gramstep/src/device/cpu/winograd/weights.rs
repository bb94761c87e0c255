//! G g Gᵀ of a layer's weights, once a walk.

use std::sync::{Arc, Mutex, PoisonError};

use pulp::{Simd, WithSimd};

use super::Shape;
use super::memory::LINE;
use super::transform::{self, AREA, Lanes};
use crate::device::buffer::Buffer;
use crate::device::memory::Pool;

/// Which way images go through a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    /// From the inputs to the outputs.
    Forward,
    /// From deltas of the outputs to those of the inputs: channels exchanged, taps turned by half a circle.
    Backward,
}

/// Transformed weights, with those that they were made from.
#[derive(Debug)]
pub(super) struct Transformed {
    source: Source,
    weight: Buffer<f32>,
    /// U[panel][frequency][input][panel of outputs].
    values: Buffer<f32>,
}

/// All that U depends on beside the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Source {
    /// Channels of the convolution that uses U.
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) way: Way,
    pub(super) alpha: f32,
}

impl Transformed {
    /// U
    pub(super) fn values(&self) -> &[f32] {
        self.values.tile(0, 1, self.values.len()).host()
    }

    fn is_of(&self, source: Source, weight: &[f32]) -> bool {
        // As bytes: the same bits make the same U, whatever numbers they are.
        let kept: &[u8] = bytemuck::cast_slice(self.weight.tile(0, 1, self.weight.len()).host());
        self.source == source && kept == bytemuck::cast_slice::<f32, u8>(weight)
    }
}

/// What was transformed lately. Tiles of a walk use the same weights one after the other.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<Vec<Arc<Transformed>>>);

impl Known {
    /// α·U of `weight`, outputs×3×3×inputs of the layer.
    pub(super) fn transformed(&self, memory: &Arc<Pool<f32>>, source: Source, weight: &[f32]) -> Arc<Transformed> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(found) = known.into_iter().find(|known| known.is_of(source, weight)) {
            return found;
        }
        let mut kept = Buffer::lent(memory, weight.len());
        kept.tile_mut(0, 1, weight.len()).host().copy_from_slice(weight);
        let length = AREA * source.inputs * source.outputs;
        let mut values = Buffer::lent(memory, length);
        let mut out = values.tile_mut(0, 1, length);
        memory.lend(weight.len(), |turned| {
            pulp::Arch::new().dispatch(Transform { source, weight, turned, out: out.host() });
        });
        let made = Arc::new(Transformed { source, weight: kept, values });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(made.clone());
        made
    }
}

struct Transform<'a> {
    source: Source,
    weight: &'a [f32],
    turned: &'a mut [f32],
    out: &'a mut [f32],
}

impl WithSimd for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let o = Lanes(simd);
        let Self { source, weight, turned, out } = self;
        let (inputs, outputs) = (source.inputs, source.outputs);
        // Outputs have to lie side by side: taps[tap·tap_step + input·step + output].
        let (taps, tap_step, step) = match source.way {
            Way::Backward => (weight, outputs, 9 * outputs),
            Way::Forward => {
                turn(weight, turned, 9 * inputs);
                (&*turned, inputs * outputs, outputs)
            }
        };
        let panel = Shape::panel::<S>(outputs);
        let (taps, out) = (S::as_simd_f32s(taps).0, S::as_mut_simd_f32s(out).0);
        let lanes = S::F32_LANES;
        let (tap_step, step, vectors) = (tap_step / lanes, step / lanes, panel / lanes);
        for (p, out) in out.chunks_exact_mut(AREA * inputs * vectors).enumerate() {
            for k in 0..inputs {
                for v in 0..vectors {
                    let mut g = [[o.zero(); 3]; 3];
                    for i in 0..3 {
                        for j in 0..3 {
                            let tap = match source.way {
                                Way::Forward => 3 * i + j,
                                Way::Backward => 8 - (3 * i + j),
                            };
                            g[i][j] = o.scale(source.alpha, taps[tap * tap_step + k * step + p * vectors + v]);
                        }
                    }
                    transform::weight(o, g, &mut out[k * vectors + v..], inputs * vectors);
                }
            }
        }
    }
}

/// The transpose of a matrix of `columns` columns.
#[inline(always)]
fn turn(matrix: &[f32], out: &mut [f32], columns: usize) {
    let rows = matrix.len() / columns;
    for i in (0..rows).step_by(LINE) {
        for j in 0..columns {
            for (at, to) in out[j * rows + i..][..LINE.min(rows - i)].iter_mut().enumerate() {
                *to = matrix[(i + at) * columns + j];
            }
        }
    }
}
