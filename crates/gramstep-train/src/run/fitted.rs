//! What a fit leaves before it is judged: of networks and of a kernel regression alike.

use super::reference::Reference;
use crate::data::Dataset;
use crate::outcome::{COMBINATION, Fit, HeldOut, KernelFit};
use crate::predictor::Learned;

/// Something learned, and what is needed to judge it.
pub(super) struct Fitted<T> {
    pub(super) learned: Learned,
    pub(super) fit: Fit,
    /// The architecture in short.
    pub(super) name: String,
    /// κ where it was one number, for weights of mean 1.
    pub(super) ridge: Option<f64>,
    /// Whether each network had validation rows of its own.
    pub(super) circular: bool,
    /// The rows that some network was trained on, where these are not the training rows.
    pub(super) train: Option<Dataset<T>>,
    /// None where judging is left to validation rows.
    pub(super) held_out: Option<HeldOut<T>>,
    /// Of a kernel regression.
    pub(super) kernel: Option<KernelFit>,
}

impl<T> Fitted<T> {
    /// What it is, in short.
    pub(super) fn what(&self) -> String {
        named(self.learned.members(), &self.name)
    }

    /// Ridge regression takes its place; the training that was for nothing is still told of.
    pub(super) fn exchange(&mut self, reference: Reference) {
        self.learned = reference.learned;
        "linear".clone_into(&mut self.name);
        self.ridge = reference.ridge;
        // It has seen the training rows alone.
        self.circular = false;
        self.train = None;
    }
}

impl<T> Fitted<T> {
    /// A combination of which it is a part takes its place.
    pub(super) fn combine(&mut self, combination: Learned) {
        self.learned = combination;
        COMBINATION.clone_into(&mut self.name);
        self.ridge = None;
        self.circular = false;
    }
}

/// Networks of an architecture, in words.
pub(super) fn named(networks: usize, architecture: &str) -> String {
    if networks > 1 { format!("{networks} networks {architecture}") } else { architecture.to_owned() }
}
