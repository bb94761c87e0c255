//! What an attack drives up.

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

    /// g ← ∂value/∂f up to a positive factor, or a direction that leads out of a plateau where that is 0.
    ///
    /// Where it stays 0 although the value could rise, as the squared loss at f = y, a [`Search`](super::Search) tries
    /// every output up and down by itself.
    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]);

    /// g ← the direction of f along which attacks of several steps climb, where a better one than the gradient is known.
    fn ascent(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        self.gradient(f, y, g);
    }

    /// Whether f is so near to where the value is least that its gradient is rounding; `epsilon` is that of the model's
    /// numbers.
    fn rests(&self, _f: &[f64], _y: &[f64], _epsilon: f64) -> bool {
        false
    }

    /// Why these targets do not fit this goal, and which of them, if they do not.
    fn objection(&self, _y: &[f64]) -> Option<(f64, &'static str)> {
        None
    }
}

/// Roundings by which an output that was meant to be a target may miss it.
const ROUNDINGS: f64 = 16.0;

/// The largest loss.
///
/// ```
/// use gramstep::attack::{Goal, LargestLoss};
/// use gramstep::loss::SquaredLoss;
/// assert_eq!(LargestLoss(&SquaredLoss).value(&[3.0], &[1.0]), 2.0);
/// ```
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

    fn rests(&self, f: &[f64], y: &[f64], epsilon: f64) -> bool {
        let largest = y.iter().fold(0.0, |most: f64, y| most.max(y.abs()));
        f.iter().zip(y).all(|(f, y)| (f - y).abs() <= ROUNDINGS * epsilon * largest)
    }

    fn objection(&self, y: &[f64]) -> Option<(f64, &'static str)> {
        self.0.objection(y)
    }
}

/// The output `output`, pushed up (`sign` = 1) or down (`sign` = −1).
///
/// ```
/// use gramstep::attack::{Goal, Shift};
/// assert_eq!(Shift::up(1).value(&[3.0, 5.0], &[0.0, 0.0]), 5.0);
/// assert_eq!(Shift::down(0).value(&[3.0, 5.0], &[0.0, 0.0]), -3.0);
/// ```
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
///
/// ```
/// use gramstep::attack::{Goal, Reach};
/// assert_eq!(Reach.value(&[3.0], &[1.0]), -2.0);
/// ```
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
