//! Convolutions of 3×3 windows by Winograd's F(4×4, 3×3): 36 products for 16 results in place of 144.
//!
//! Single precision, stride 1 and a border of one pixel, channels in multiples of 16: what residual networks are made
//! of. The direct form of `convolution.rs` does everything else, and is its twin. A result is the same for any number of
//! threads and images at a time: tiles meet nothing but the weights, and sums over tiles are cut by shape alone.
//!
//! Rounding, norm-wise, is held below 10⁻⁶ by tests, the direct form's below 5·10⁻⁷. So numbers that have to be exact to
//! the last digits are made in double precision, which is always direct.

#![allow(clippy::needless_range_loop, reason = "several arrays are read at one index, as the formulas have it")]

mod forward;
mod gradients;
mod memory;
mod product;
#[cfg(test)]
mod tests;
mod tiling;
mod transform;
pub(super) mod weights;

use std::any::TypeId;

use pulp::Simd;

use self::forward::Forward;
use self::gradients::Gradients;
use self::tiling::Tiling;
use self::weights::Source;
pub(super) use self::weights::Way;
use super::threads::CpuOperations;
use crate::device::operations::WriteMode;
use crate::device::tile::{Tile, TileMut};
use crate::device::window::Window;
use crate::scalar::Scalar;

/// What the numbers of channels are multiples of: vectors of every unit, and half of the widest panel.
const CHANNELS: usize = 16;

/// A layer that this form can do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    tiling: Tiling,
    inputs: usize,
    outputs: usize,
}

impl Shape {
    /// The convolution of a window to `outputs` channels, if numbers are single and its form pays: tiles that stand out
    /// over the edge are computed for nothing, so they may add half of the image at most.
    pub(super) fn new<T: Scalar>(operations: &CpuOperations, window: &Window, outputs: usize) -> Option<Self> {
        let inputs = window.channels();
        let fits = window.kernel() == (3, 3) && window.stride() == 1 && window.padding() == 1;
        let whole = inputs.is_multiple_of(CHANNELS) && outputs.is_multiple_of(CHANNELS) && outputs > 0;
        let tiling = Tiling::new(window);
        let filled = 2 * tiling.tiles() * transform::SIDE * transform::SIDE <= 3 * window.places();
        let single = TypeId::of::<T>() == TypeId::of::<f32>() && !operations.cpu.direct;
        (single && fits && whole && filled).then_some(Self { tiling, inputs, outputs })
    }

    /// The layer that takes deltas of the outputs to those of the inputs.
    fn backward(self) -> Self {
        Self { inputs: self.outputs, outputs: self.inputs, ..self }
    }

    /// Channels of a panel of `outputs`: two vectors where they fit.
    #[inline(always)]
    const fn panel<S: Simd>(outputs: usize) -> usize {
        if outputs.is_multiple_of(2 * S::F32_LANES) { 2 * S::F32_LANES } else { S::F32_LANES }
    }

    /// out (+)= α·weight ∗ images, or with deltas for images its transpose.
    pub(super) fn convolve<T: Scalar>(
        self,
        operations: &CpuOperations,
        out: TileMut<'_, T>,
        (mode, alpha): (WriteMode, T),
        images: Tile<'_, T>,
        weight: Tile<'_, T>,
        way: Way,
    ) {
        let shape = if way == Way::Forward { self } else { self.backward() };
        let source = Source { inputs: shape.inputs, outputs: shape.outputs, way, alpha: alpha.to_f64() as f32 };
        let memory = &operations.cpu.scratch;
        let weights = operations.known.transformed(memory, source, single(weight.host()));
        operations.by_rows(out, 9 * shape.inputs, |first, mut out| {
            let images = single(images.row_range(first..first + out.rows()).host());
            memory.lend(Forward::memory(&shape), |memory| {
                let work = Forward {
                    shape: &shape,
                    weights: weights.values(),
                    images,
                    out: single_mut(out.host()),
                    add: mode == WriteMode::Accumulate,
                    memory,
                };
                pulp::Arch::new().dispatch(work);
            });
        });
    }

    /// The weight gradients of images, `cotangents` deltas each: one for every delta, or their sum.
    pub(super) fn gradients<T: Scalar>(
        &self,
        operations: &CpuOperations,
        (out, summed): (&mut [T], bool),
        images: &[T],
        deltas: &[T],
        cotangents: usize,
    ) {
        operations.cpu.scratch.lend(Gradients::memory(self), |memory| {
            let work = Gradients {
                shape: self,
                images: single(images),
                deltas: single(deltas),
                cotangents,
                out: single_mut(out),
                summed,
                memory,
            };
            pulp::Arch::new().dispatch(work);
        });
    }

    /// Images whose gradients are summed at a time: enough that the way back, once a sum, counts for little.
    pub(super) fn summed_images(&self, fewest: usize) -> usize {
        const TILES: usize = 128;
        TILES.div_ceil(self.tiling.tiles()).max(fewest)
    }
}

/// Numbers that are single, as such. Only a [`Shape`] leads here, and there is none for others.
fn single<T: Scalar>(values: &[T]) -> &[f32] {
    bytemuck::cast_slice(values)
}

fn single_mut<T: Scalar>(values: &mut [T]) -> &mut [f32] {
    bytemuck::cast_slice_mut(values)
}
