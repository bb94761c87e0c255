//! Goals of attacks on classifiers: away from the right class, to a class that the attacker wishes, to one rival.

use super::goal::Goal;

/// τ of the smooth maximum over rivals, as a share of the range of the outputs.
const TEMPERATURE: f64 = 0.1;

/// The margin by which another class beats the right one: max_{a≠c} f_a − f_c for one-hot y with y_c = 1.
///
/// Defined from two classes on. One output is a decision between two classes by its sign: −f for y = 1, f for y = 0
/// or −1. Unlike cross-entropy it does not fade where the network is sure. The ratio loss of croce2020 divides the
/// margin by a gap of logits, which needs three classes; steps are normalised here without it.
///
/// Several steps climb a smooth maximum over the rivals, along Σ_a w_a f_a − f_c with w = softmax(f/τ) and τ a tenth of
/// the range of f: between the strongest rival alone, to which an attack commits itself too early, and cross-entropy,
/// which depends on the unit of f.
///
/// ```
/// use gramstep::attack::{Goal, Margin};
/// // Of three classes, and of two by the sign of one output.
/// assert_eq!(Margin.value(&[2.0, 1.0, 5.0], &[1.0, 0.0, 0.0]), 3.0);
/// assert_eq!(Margin.value(&[0.7], &[1.0]), -0.7);
/// ```
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

    fn ascent(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        if f.len() < 2 {
            return self.gradient(f, y, g);
        }
        let (right, most) = (class(y), rival(f, y).map_or(0.0, |a| f[a]));
        let range = f.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b)) - f.iter().fold(f64::INFINITY, |a, b| a.min(*b));
        let temperature = (TEMPERATURE * range).max(f64::MIN_POSITIVE);
        for (a, (g, f)) in g.iter_mut().zip(f).enumerate() {
            *g = if a == right { 0.0 } else { ((f - most) / temperature).exp() };
        }
        let sum: f64 = g.iter().sum();
        for g in g.iter_mut() {
            *g /= sum.max(1.0);
        }
        g[right] = -1.0;
    }

    fn objection(&self, y: &[f64]) -> Option<(f64, &'static str)> {
        no_class(y)
    }
}

/// The margin by which the class of y, the attacker's wish, beats the strongest other one: f_c − max_{a≠c} f_a.
///
/// The [`Margin`] with its sign turned, and defined where that is.
///
/// ```
/// use gramstep::attack::{Goal, Targeted};
/// assert_eq!(Targeted.value(&[2.0, 1.0, 5.0], &[1.0, 0.0, 0.0]), -3.0);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Targeted;

impl Goal for Targeted {
    fn name(&self) -> &'static str {
        "targeted class"
    }

    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        -Margin.value(f, y)
    }

    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        Margin.gradient(f, y, g);
        turn(g);
    }

    fn ascent(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        Margin.ascent(f, y, g);
        turn(g);
    }

    fn objection(&self, y: &[f64]) -> Option<(f64, &'static str)> {
        no_class(y)
    }
}

/// f_a − f_c: one rival a of the right class c, however strong the others are; 0 where a is the right class itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overtake(pub(super) usize);

impl Goal for Overtake {
    fn name(&self) -> &'static str {
        "margin of one rival"
    }

    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        f[self.0] - f[class(y)]
    }

    fn gradient(&self, _f: &[f64], y: &[f64], g: &mut [f64]) {
        g.fill(0.0);
        g[self.0] += 1.0;
        g[class(y)] -= 1.0;
    }

    fn objection(&self, y: &[f64]) -> Option<(f64, &'static str)> {
        no_class(y)
    }
}

fn turn(g: &mut [f64]) {
    for g in g {
        *g = -*g;
    }
}

/// The class of one-hot targets.
pub(super) fn class(y: &[f64]) -> usize {
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

pub(super) fn no_class(y: &[f64]) -> Option<(f64, &'static str)> {
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
