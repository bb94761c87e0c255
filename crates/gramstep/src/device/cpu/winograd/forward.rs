//! out (+)= weights ∗ images, block of tiles by block of tiles.
//!
//! A block's pixels are transformed to V[frequency][tile][channel], which stays in the second cache; then, panel of
//! outputs by panel, one product a frequency into M[frequency][tile][panel] and back to pixels.

use pulp::{Simd, WithSimd};

use super::memory::{Memory, pad, touch};
use super::tiling::Tiling;
use super::transform::{self, AREA, Lanes, REACH, SIDE};
use super::{Shape, product};

/// Numbers of the widest panel: two vectors of the widest unit.
const WIDEST: usize = 32;
/// Tiles of a block.
const BLOCK: usize = 24;

/// The convolution of some images with transformed weights.
pub(super) struct Forward<'a> {
    pub(super) shape: &'a Shape,
    /// U[panel][frequency][input][panel of outputs], see [`super::weights`].
    pub(super) weights: &'a [f32],
    pub(super) images: &'a [f32],
    pub(super) out: &'a mut [f32],
    pub(super) add: bool,
    pub(super) memory: &'a mut [f32],
}

impl Forward<'_> {
    /// Numbers that it needs for its work.
    pub(super) fn memory(shape: &Shape) -> usize {
        let (v, m) = (pad(BLOCK * shape.inputs), pad(BLOCK * shape.outputs.min(WIDEST)));
        AREA * (v + m) + REACH * REACH * shape.inputs
    }
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if self.shape.outputs.is_multiple_of(2 * S::F32_LANES) {
            run::<S, 2>(Lanes(simd), self);
        } else {
            run::<S, 1>(Lanes(simd), self);
        }
    }
}

#[inline(always)]
fn run<S: Simd, const N: usize>(o: Lanes<S>, work: Forward<'_>) {
    let Forward { shape, weights, images, out, add, memory } = work;
    let tiling = &shape.tiling;
    let (inputs, outputs) = (shape.inputs / S::F32_LANES, shape.outputs / S::F32_LANES);
    let (images, out) = (S::as_simd_f32s(images).0, S::as_mut_simd_f32s(out).0);
    let mut memory = Memory::new(memory);
    let (step, m_step) = (pad(BLOCK * shape.inputs), pad(BLOCK * N * S::F32_LANES));
    let v = memory.take(AREA * step);
    let m = S::as_mut_simd_f32s(memory.take(AREA * m_step)).0;
    let patch = S::as_mut_simd_f32s(memory.take(REACH * REACH * shape.inputs)).0;
    let m_step = m_step / S::F32_LANES;
    let image_length = tiling.pixels() * inputs;
    let tiles = images.len() / image_length * tiling.tiles();
    let panel = AREA * inputs * S::F32_LANES * N;
    for start in (0..tiles).step_by(BLOCK) {
        let count = BLOCK.min(tiles - start);
        for i in 0..count {
            let place = tiling.place(start + i);
            let image = &images[place.image * image_length..][..image_length];
            if (start + i).is_multiple_of(tiling.tiles()) {
                touch(o, image);
            }
            let rows = tiling.seen(image, place, inputs, patch, o.zero());
            let v = S::as_mut_simd_f32s(&mut v[i * shape.inputs..]).0;
            transform::input(o, rows, inputs, v, step / S::F32_LANES);
        }
        for (at, u) in S::as_simd_f32s(weights).0.chunks_exact(panel).enumerate() {
            for (f, u) in u.chunks_exact(panel / AREA).enumerate() {
                let (v, m) = (&v[f * step..], &mut m[f * m_step..]);
                product::by_rows::<S, N>(o, shape.inputs, v, u, m, count.next_multiple_of(product::EVEN));
            }
            for i in 0..count {
                for lane in 0..N {
                    let results = transform::output(o, &m[i * N + lane..], m_step);
                    put(o, tiling, start + i, results, (at * N + lane, outputs), out, add);
                }
            }
        }
    }
}

/// Writes (or adds) a tile's results to vector `at` of the `outputs` of each pixel.
#[inline(always)]
fn put<S: Simd>(
    o: Lanes<S>,
    tiling: &Tiling,
    tile: usize,
    results: [[S::f32s; SIDE]; SIDE],
    (at, outputs): (usize, usize),
    out: &mut [S::f32s],
    add: bool,
) {
    let place = tiling.place(tile);
    let length = tiling.pixels() * outputs;
    let out = &mut out[place.image * length..][..length];
    let (rows, columns) = tiling.inside(place);
    if (rows, columns) == (SIDE, SIDE) {
        for i in 0..SIDE {
            for j in 0..SIDE {
                let out = &mut out[tiling.pixel(place, i, j) * outputs + at];
                *out = if add { o.add(*out, results[i][j]) } else { results[i][j] };
            }
        }
    } else {
        for i in 0..rows {
            for j in 0..columns {
                let out = &mut out[tiling.pixel(place, i, j) * outputs + at];
                *out = if add { o.add(*out, results[i][j]) } else { results[i][j] };
            }
        }
    }
}
