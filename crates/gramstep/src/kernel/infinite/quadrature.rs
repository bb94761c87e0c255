//! Dual activations by quadrature: slow, for any activation, kinked or not; the twin of the closed forms and series.

use std::f64::consts::PI;

use crate::device::{Order, Pointwise};
use crate::model::Activation;

/// Nodes of a panel.
const NODES: usize = 24;
/// Panels of the radius, up to RADIUS, and of each sector of the angle.
const RADIAL: usize = 10;
const ANGULAR: usize = 3;
/// e^(−RADIUS²/2) = 1e-18.
const RADIUS: f64 = 9.2;

/// (E[φ(x)φ(y)], E[φ′(x)φ′(y)]) for normal (x, y) with mean 0, variances a and b and correlation ρ.
///
/// In polar coordinates x = √a·R cos α, y = √b·R cos(α − arccos ρ), so that a kink of φ at 0 falls on four known angles;
/// between them, Gauss–Legendre panels.
///
/// ```
/// use gramstep::{Activation, kernel::infinite::quadrature::dual};
/// let (value, slope) = dual(Activation::Relu, 1.0, 1.0, 0.0);
/// assert!((value - 0.5 / std::f64::consts::PI).abs() < 1e-12 && (slope - 0.25).abs() < 1e-12);
/// ```
#[must_use]
pub fn dual(activation: Activation, a: f64, b: f64, rho: f64) -> (f64, f64) {
    integral(&activation, a, b, rho)
}

/// The same of any function, smooth but for a kink or a step at 0.
#[must_use]
pub fn integral(function: &dyn Pointwise<f64>, a: f64, b: f64, rho: f64) -> (f64, f64) {
    let (nodes, weights) = gauss_legendre(NODES);
    let t = rho.clamp(-1.0, 1.0).acos();
    let mut corners = [-PI / 2.0, PI / 2.0, t - PI / 2.0, t + PI / 2.0].map(|angle| angle.rem_euclid(2.0 * PI));
    corners.sort_by(f64::total_cmp);
    let radii: Vec<_> = panels(0.0, RADIUS, RADIAL)
        .flat_map(|panel| on_panel(panel, &nodes, &weights))
        .map(|(r, weight)| (r, weight * r * (-0.5 * r * r).exp()))
        .collect();
    let mut sums = (0.0, 0.0);
    for (at, &from) in corners.iter().enumerate() {
        let to = corners.get(at + 1).copied().unwrap_or(corners[0] + 2.0 * PI);
        for (alpha, weight) in panels(from, to, ANGULAR).flat_map(|panel| on_panel(panel, &nodes, &weights)) {
            let (cx, cy) = (a.sqrt() * alpha.cos(), b.sqrt() * (alpha - t).cos());
            let arguments: Vec<f64> = radii.iter().flat_map(|(r, _)| [r * cx, r * cy]).collect();
            let (mut values, mut slopes) = (vec![0.0; arguments.len()], vec![0.0; arguments.len()]);
            function.evaluate(Order::Value, &arguments, &mut values);
            function.evaluate(Order::First, &arguments, &mut slopes);
            for ((_, radial), (value, slope)) in radii.iter().zip(values.chunks_exact(2).zip(slopes.chunks_exact(2))) {
                let weight = weight * radial / (2.0 * PI);
                sums.0 += weight * value[0] * value[1];
                sums.1 += weight * slope[0] * slope[1];
            }
        }
    }
    sums
}

fn panels(from: f64, to: f64, count: usize) -> impl Iterator<Item = (f64, f64)> {
    let step = (to - from) / count as f64;
    (0..count).map(move |k| (from + step * k as f64, from + step * (k + 1) as f64))
}

fn on_panel((from, to): (f64, f64), nodes: &[f64], weights: &[f64]) -> Vec<(f64, f64)> {
    let half = 0.5 * (to - from);
    nodes.iter().zip(weights).map(|(x, w)| (from + half * (1.0 + x), half * w)).collect()
}

/// Nodes and weights on −1..1, by Newton's method on Legendre polynomials.
fn gauss_legendre(count: usize) -> (Vec<f64>, Vec<f64>) {
    let n = count as f64;
    (0..count)
        .map(|i| {
            let mut x = -(PI * (i as f64 + 0.75) / (n + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..20 {
                let (mut before, mut now) = (1.0, x);
                for k in 2..=count {
                    let k = k as f64;
                    (before, now) = (now, ((2.0 * k - 1.0) * x * now - (k - 1.0) * before) / k);
                }
                slope = n * (x * now - before) / (x * x - 1.0);
                x -= now / slope;
            }
            (x, 2.0 / ((1.0 - x * x) * slope * slope))
        })
        .unzip()
}
