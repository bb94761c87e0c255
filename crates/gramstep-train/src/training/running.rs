//! What the steps of an epoch say of the training loss.

use gramstep::optim::StepInfo;

/// The losses of the steps of one epoch.
#[derive(Default)]
pub(super) struct Running {
    pub(super) sum: f64,
    pub(super) weight: f64,
    pub(super) after: Option<f64>,
}

impl Running {
    pub(super) fn add(&mut self, info: &StepInfo, weight: f64) {
        self.sum += info.loss * weight;
        self.weight += weight;
        self.after = info.loss_after;
    }
}
