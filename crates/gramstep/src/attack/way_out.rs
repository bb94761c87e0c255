//! What a sample does where its goal rests.

/// What a sample does where its goal rests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum WayOut {
    /// It has not rested yet.
    NotNeeded,
    /// It rests and has no direction yet.
    Wanted,
    /// Drives an output up (1) or down (−1).
    Along(usize, f64),
}

impl WayOut {
    /// g ← the direction out; asks for one if there is none.
    pub(super) fn take(&mut self, g: &mut [f64]) {
        g.fill(0.0);
        match *self {
            Self::Along(output, sign) => g[output] = sign,
            Self::NotNeeded | Self::Wanted => *self = Self::Wanted,
        }
    }
}
