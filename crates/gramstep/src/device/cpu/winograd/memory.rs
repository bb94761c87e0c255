//! Scratch memory cut into pieces that begin at cache lines.

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
