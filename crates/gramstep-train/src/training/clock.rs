//! The time of a training, over all its sessions.

use std::time::{Duration, Instant};

/// The time since a training began, over all its sessions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
    earlier: Duration,
    /// Spent on judging and not on training, where that is not counted.
    judging: Duration,
}

impl Clock {
    /// Begins, or goes on after so many seconds of earlier sessions.
    pub(super) fn after(seconds: f64) -> Self {
        let earlier = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Self { start: Instant::now(), earlier, judging: Duration::ZERO }
    }

    pub(super) fn elapsed(self) -> Duration {
        self.earlier + self.start.elapsed().saturating_sub(self.judging)
    }

    /// The share of a limit that is over.
    pub(super) fn share(self, limit: Duration) -> f64 {
        self.elapsed().as_secs_f64() / limit.as_secs_f64()
    }

    /// Leaves out what was spent since a moment.
    pub(super) fn leave_out_since(&mut self, moment: Instant) {
        self.judging += moment.elapsed();
    }
}
