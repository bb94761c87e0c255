//! Scratch memory cut into pieces that begin at cache lines.

use pulp::Simd;

use super::transform::Lanes;

/// Numbers in a cache line.
pub(super) const LINE: usize = 16;

/// A length that is no multiple of many cache lines, so that pieces so far apart do not fall into the same few sets.
pub(super) const fn pad(length: usize) -> usize {
    length + LINE
}

/// Memory that is handed out piece by piece, each a multiple of a line long.
pub(super) struct Memory<'a>(&'a mut [f32]);

impl<'a> Memory<'a> {
    pub(super) fn new(memory: &'a mut [f32]) -> Self {
        Self(memory)
    }

    /// The next `length` numbers, of any value.
    #[inline(always)]
    pub(super) fn take(&mut self, length: usize) -> &'a mut [f32] {
        let (taken, rest) = std::mem::take(&mut self.0).split_at_mut(length);
        self.0 = rest;
        taken
    }
}

/// Reads one number of every cache line, in order. So memory streams in ahead of a few images' tiles, whose rows lie apart
/// and would be waited for one by one.
#[inline(always)]
pub(super) fn touch<S: Simd>(o: Lanes<S>, values: &[S::f32s]) {
    let step = (LINE / S::F32_LANES).max(1);
    let mut sum = o.zero();
    for at in (0..values.len()).step_by(step) {
        sum = o.add(sum, values[at]);
    }
    std::hint::black_box(sum);
}
