//! Gradients in the weights, of each sample or summed: S[frequency] = Σ over tiles of (A δ Aᵀ) ⊗ (Bᵀ d B), then Gᵀ S G.
//!
//! Vectors run along input channels and broadcast numbers along outputs, so that a gradient comes out as W lies,
//! outputs×3×3×inputs.

use pulp::{Simd, WithSimd};

use super::Shape;
use super::memory::{Memory, pad, touch};
use super::product::{self, Strided};
use super::transform::{self, AREA, Lanes, REACH};

/// Tiles that are transformed at a time.
const BLOCK: usize = 64;

/// The gradients of some images, each with `cotangents` deltas.
pub(super) struct Gradients<'a> {
    pub(super) shape: &'a Shape,
    pub(super) images: &'a [f32],
    pub(super) deltas: &'a [f32],
    pub(super) cotangents: usize,
    /// One gradient for each delta, or one for all of them.
    pub(super) out: &'a mut [f32],
    pub(super) summed: bool,
    pub(super) memory: &'a mut [f32],
}

impl Gradients<'_> {
    /// Numbers that it needs for its work.
    pub(super) fn memory(shape: &Shape) -> usize {
        AREA * (v_step(shape) + e_step(shape) + sums_step(shape)) + REACH * REACH * shape.inputs.max(shape.outputs)
    }
}

impl WithSimd for Gradients<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if self.shape.inputs.is_multiple_of(2 * S::F32_LANES) {
            run::<S, 2>(Lanes(simd), self);
        } else {
            run::<S, 1>(Lanes(simd), self);
        }
    }
}

/// Transformed tiles: V (channels of images) and E (channels of deltas), and S[frequency][panel][output][N].
struct Work<'a, S: Simd> {
    shape: &'a Shape,
    images: &'a [S::f32s],
    deltas: &'a [S::f32s],
    cotangents: usize,
    v: &'a mut [f32],
    e: &'a mut [f32],
    sums: &'a mut [S::f32s],
    patch: &'a mut [S::f32s],
}

#[inline(always)]
fn run<S: Simd, const N: usize>(o: Lanes<S>, work: Gradients<'_>) {
    let Gradients { shape, images, deltas, cotangents, out, summed, memory } = work;
    let mut memory = Memory::new(memory);
    let mut work = Work::<S> {
        shape,
        images: S::as_simd_f32s(images).0,
        deltas: S::as_simd_f32s(deltas).0,
        cotangents,
        v: memory.take(AREA * v_step(shape)),
        e: memory.take(AREA * e_step(shape)),
        sums: S::as_mut_simd_f32s(memory.take(AREA * sums_step(shape))).0,
        patch: S::as_mut_simd_f32s(memory.take(REACH * REACH * shape.inputs.max(shape.outputs))).0,
    };
    let out = S::as_mut_simd_f32s(out).0;
    let tiles = shape.tiling.tiles();
    let count = deltas.len() / (shape.tiling.pixels() * shape.outputs);
    if summed {
        work.gather::<N>(o, 0, count * tiles);
        work.finish::<N>(o, out);
        return;
    }
    for (at, out) in out.chunks_exact_mut(9 * shape.inputs * shape.outputs / S::F32_LANES).enumerate() {
        if tiles <= BLOCK {
            work.transform(o, at * tiles, tiles);
            work.at_once::<N>(o, tiles, out);
        } else {
            work.gather::<N>(o, at * tiles, (at + 1) * tiles);
            work.finish::<N>(o, out);
        }
    }
}

const fn v_step(shape: &Shape) -> usize {
    pad(BLOCK * shape.inputs)
}

const fn e_step(shape: &Shape) -> usize {
    pad(BLOCK * shape.outputs)
}

const fn sums_step(shape: &Shape) -> usize {
    pad(shape.inputs * shape.outputs)
}

impl<S: Simd> Work<'_, S> {
    /// V and E of `count` tiles, numbered delta by delta.
    #[inline(always)]
    fn transform(&mut self, o: Lanes<S>, first: usize, count: usize) {
        let Shape { tiling, inputs, outputs } = self.shape;
        let (input, output) = (inputs / S::F32_LANES, outputs / S::F32_LANES);
        for i in 0..count {
            let place = tiling.place(first + i);
            let begins = (first + i).is_multiple_of(tiling.tiles());
            let length = tiling.pixels() * input;
            let image = &self.images[place.image / self.cotangents * length..][..length];
            if begins {
                touch(o, image);
            }
            let rows = tiling.seen(image, place, input, self.patch, o.zero());
            let v = S::as_mut_simd_f32s(&mut self.v[i * inputs..]).0;
            transform::input(o, rows, input, v, v_step(self.shape) / S::F32_LANES);
            let length = tiling.pixels() * output;
            let delta = &self.deltas[place.image * length..][..length];
            if begins {
                touch(o, delta);
            }
            let rows = tiling.covered(delta, place, output, self.patch, o.zero());
            let e = S::as_mut_simd_f32s(&mut self.e[i * outputs..]).0;
            transform::delta(o, rows, output, e, e_step(self.shape) / S::F32_LANES);
        }
    }

    /// Σ over `count` tiles of E ⊗ V in one frequency, for the outputs from `at` on and a panel of inputs.
    #[inline(always)]
    fn outer<const N: usize>(
        &self,
        o: Lanes<S>,
        (f, count): (usize, usize),
        (panel, at): (usize, usize),
        out: &mut [S::f32s],
        add: bool,
    ) {
        let e = Strided { values: &self.e[f * e_step(self.shape) + at..], step: self.shape.outputs };
        let v = S::as_simd_f32s(&self.v[f * v_step(self.shape)..]).0;
        let v = Strided { values: &v[panel * N..], step: self.shape.inputs / S::F32_LANES };
        let rows = out.len() / N;
        product::over_rows::<S, N>(o, count, e, v, out, (add, rows));
    }

    /// S of the tiles from..to.
    #[inline(always)]
    fn gather<const N: usize>(&mut self, o: Lanes<S>, from: usize, to: usize) {
        let (panels, outputs) = (self.shape.inputs / (N * S::F32_LANES), self.shape.outputs);
        for start in (from..to).step_by(BLOCK) {
            let count = BLOCK.min(to - start);
            self.transform(o, start, count);
            let sums = std::mem::take(&mut self.sums);
            for (f, sums) in sums.chunks_exact_mut(sums_step(self.shape) / S::F32_LANES).enumerate() {
                for panel in 0..panels {
                    let out = &mut sums[panel * outputs * N..][..outputs * N];
                    self.outer::<N>(o, (f, count), (panel, 0), out, start > from);
                }
            }
            self.sums = sums;
        }
    }

    /// Gᵀ S G to outputs×3×3×inputs.
    #[inline(always)]
    fn finish<const N: usize>(&self, o: Lanes<S>, out: &mut [S::f32s]) {
        let (inputs, outputs) = (self.shape.inputs / S::F32_LANES, self.shape.outputs);
        for output in 0..outputs {
            for input in 0..inputs {
                let at = (input / N * outputs + output) * N + input % N;
                let taps = transform::gradient(o, &self.sums[at..], sums_step(self.shape) / S::F32_LANES);
                put(taps, &mut out[output * 9 * inputs + input..], inputs);
            }
        }
    }

    /// The gradient of `count` tiles that are all transformed. The sums of a few outputs and a panel of inputs, in all
    /// frequencies, stay in the first cache until they are transformed back: all sums of a layer fit into no second one.
    #[inline(always)]
    fn at_once<const N: usize>(&mut self, o: Lanes<S>, count: usize, out: &mut [S::f32s]) {
        /// Outputs at a time.
        const CORNER: usize = 8;
        let (inputs, outputs) = (self.shape.inputs / S::F32_LANES, self.shape.outputs);
        let sums = std::mem::take(&mut self.sums);
        for panel in 0..inputs / N {
            for at in (0..outputs).step_by(CORNER) {
                for (f, sums) in sums[..AREA * CORNER * N].chunks_exact_mut(CORNER * N).enumerate() {
                    self.outer::<N>(o, (f, count), (panel, at), sums, false);
                }
                for i in 0..CORNER {
                    for lane in 0..N {
                        let taps = transform::gradient(o, &sums[i * N + lane..], CORNER * N);
                        put(taps, &mut out[(at + i) * 9 * inputs + panel * N + lane..], inputs);
                    }
                }
            }
        }
        self.sums = sums;
    }
}

/// Writes the nine taps `step` apart.
#[inline(always)]
fn put<V: Copy>(taps: [[V; 3]; 3], out: &mut [V], step: usize) {
    let out = &mut out[..=8 * step];
    for i in 0..3 {
        for j in 0..3 {
            out[(3 * i + j) * step] = taps[i][j];
        }
    }
}
