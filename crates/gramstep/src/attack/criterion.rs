//! When an attack has reached what it wants.

use super::classes::{Margin, no_class};
use super::goal::Goal;

/// When a perturbation counts as found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Criterion {
    /// Never: only the goal's value matters.
    #[default]
    None,
    /// The right class does not win. A tie is no decision and counts as lost.
    Misclassified,
    /// The class of y, the attacker's wish, wins.
    Classified,
    /// Some output differs from that of the clean sample by at least this much, which is > 0.
    Moved(f64),
    /// Some output differs from its target by at least this much, which is > 0.
    Wrong(f64),
    /// Every output is within this distance of its target, the attacker's wish.
    Reached(f64),
}

impl Criterion {
    /// Whether outputs f, for targets y and clean outputs `clean`, meet it.
    #[must_use]
    pub fn met(self, clean: &[f64], f: &[f64], y: &[f64]) -> bool {
        let largest = |other: &[f64]| f.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        match self {
            Self::None => false,
            Self::Misclassified => Margin.value(f, y) >= 0.0,
            Self::Classified => Margin.value(f, y) < 0.0,
            Self::Moved(by) => largest(clean) >= by,
            Self::Wrong(by) => largest(y) >= by,
            Self::Reached(within) => largest(y) <= within,
        }
    }

    /// Why these targets do not fit, and which of them, if they do not.
    pub(super) fn objection(self, y: &[f64]) -> Option<(f64, &'static str)> {
        matches!(self, Self::Misclassified | Self::Classified).then(|| no_class(y)).flatten()
    }
}
