//! What an attack drives up, and when it has reached what it wants.

use std::fmt::Debug;

use crate::loss::Loss;

/// The number that an attack makes as large as it can, a function of one sample's outputs f and targets y.
///
/// ```
/// use gramstep::attack::{Goal, Margin};
/// assert_eq!(Margin.value(&[2.0, 1.0, 5.0], &[1.0, 0.0, 0.0]), 3.0);
/// ```
pub trait Goal: Sync + Debug {
    /// Its name, for messages.
    fn name(&self) -> &'static str;

    /// The number, larger is better for the attacker.
    fn value(&self, f: &[f64], y: &[f64]) -> f64;

    /// g ← ∂value/∂f, or a direction that leads out of a plateau where that is 0.
    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]);

    /// Why these targets do not fit this goal, and which of them, if they do not.
    fn objection(&self, _y: &[f64]) -> Option<(f64, &'static str)> {
        None
    }
}

/// The largest loss.
#[derive(Clone, Copy, Debug)]
pub struct LargestLoss<'a>(pub &'a dyn Loss);

impl Goal for LargestLoss<'_> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        self.0.value(f, y)
    }

    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        self.0.ascent(f, y, g);
    }

    fn objection(&self, y: &[f64]) -> Option<(f64, &'static str)> {
        self.0.objection(y)
    }
}

/// The margin by which another class beats the right one: max_{a≠c} f_a − f_c for one-hot y with y_c = 1.
///
/// Defined from two classes on. One output is a decision between two classes by its sign: −f for y = 1, f for y = 0
/// or −1. Unlike cross-entropy it does not fade where the network is sure. The ratio loss of croce2020 divides the
/// margin by a gap of logits, which needs three classes; steps are normalised here without it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Margin;

impl Goal for Margin {
    fn name(&self) -> &'static str {
        "margin"
    }

    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        match f {
            [f] => -class_sign(y) * f,
            _ => rival(f, y).map_or(0.0, |a| f[a] - f[class(y)]),
        }
    }

    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        if let [g] = g {
            *g = -class_sign(y);
            return;
        }
        g.fill(0.0);
        if let Some(a) = rival(f, y) {
            g[a] = 1.0;
            g[class(y)] = -1.0;
        }
    }

    fn objection(&self, y: &[f64]) -> Option<(f64, &'static str)> {
        no_class(y)
    }
}

/// The output `output`, pushed up (`sign` = 1) or down (`sign` = −1).
#[derive(Clone, Copy, Debug)]
pub struct Shift {
    output: usize,
    sign: f64,
}

impl Shift {
    /// Drives an output up.
    #[must_use]
    pub fn up(output: usize) -> Self {
        Self { output, sign: 1.0 }
    }

    /// Drives an output down.
    #[must_use]
    pub fn down(output: usize) -> Self {
        Self { output, sign: -1.0 }
    }
}

impl Goal for Shift {
    fn name(&self) -> &'static str {
        "shift"
    }

    fn value(&self, f: &[f64], _y: &[f64]) -> f64 {
        f.get(self.output).map_or(0.0, |f| self.sign * f)
    }

    fn gradient(&self, _f: &[f64], _y: &[f64], g: &mut [f64]) {
        g.fill(0.0);
        if let Some(g) = g.get_mut(self.output) {
            *g = self.sign;
        }
    }
}

/// Outputs as near as possible to the targets, which are the attacker's wish here: −½‖f − y‖².
#[derive(Clone, Copy, Debug, Default)]
pub struct Reach;

impl Goal for Reach {
    fn name(&self) -> &'static str {
        "targeted value"
    }

    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        -0.5 * f.iter().zip(y).map(|(f, y)| (f - y) * (f - y)).sum::<f64>()
    }

    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        g.iter_mut().zip(f.iter().zip(y)).for_each(|(g, (f, y))| *g = y - f);
    }
}

/// When a perturbation counts as found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Criterion {
    /// Never: only the goal's value matters.
    #[default]
    None,
    /// The right class does not win. A tie is no decision and counts as lost.
    Misclassified,
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
            Self::Moved(by) => largest(clean) >= by,
            Self::Wrong(by) => largest(y) >= by,
            Self::Reached(within) => largest(y) <= within,
        }
    }

    /// Why these targets do not fit, and which of them, if they do not.
    pub(super) fn objection(self, y: &[f64]) -> Option<(f64, &'static str)> {
        if self == Self::Misclassified { no_class(y) } else { None }
    }
}

/// The class of one-hot targets.
fn class(y: &[f64]) -> usize {
    (0..y.len()).fold(0, |best, a| if y[a] > y[best] { a } else { best })
}

/// The class of one output: 1 for y = 1, −1 for y = 0 or −1.
fn class_sign(y: &[f64]) -> f64 {
    if y.first().is_some_and(|&y| y > 0.5) { 1.0 } else { -1.0 }
}

/// The strongest class but the right one.
fn rival(f: &[f64], y: &[f64]) -> Option<usize> {
    let right = class(y);
    (0..f.len()).filter(|&a| a != right).reduce(|best, a| if f[a] > f[best] { a } else { best })
}

fn no_class(y: &[f64]) -> Option<(f64, &'static str)> {
    if let [y] = y {
        let fits = [-1.0, 0.0, 1.0].contains(y);
        return (!fits).then_some((*y, "is no class: one output needs 0 or ±1, a regression needs another goal"));
    }
    if let Some(&y) = y.iter().find(|y| ![0.0, 1.0].contains(*y)) {
        return Some((y, "is no class: several outputs need one-hot targets, a regression needs another goal"));
    }
    let ones: f64 = y.iter().sum();
    (ones != 1.0).then_some((ones, "is how many classes the sample has, not 1"))
}
