//! How long a training has lasted.

use std::time::{Duration, Instant};

/// The time since a training began, over all its sessions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) start: Instant,
    pub(super) earlier: Duration,
    /// Spent on judging and not on training, where that is not counted.
    pub(super) judging: Duration,
}

impl Clock {
    pub(super) fn elapsed(self) -> Duration {
        self.earlier + self.start.elapsed().saturating_sub(self.judging)
    }
}
