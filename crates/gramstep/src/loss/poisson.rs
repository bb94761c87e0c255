//! Counts, whose mean is the exponential of the output.

use super::{Curvature, Loss, REACH_OF_LOGARITHMS};

/// Exponents beyond this are cut off: e¹⁰⁰ is no rate.
const MOST: f64 = 100.0;
/// The least curvature: where the rate has vanished the quadratic model knows no bound.
const LEAST: f64 = 1e-6;

/// Poisson loss: per output eᶠ − y·f for y ≥ 0, whose mean is eᶠ, above its least: half the deviance
/// 2(y ln(y/eᶠ) − y + eᶠ), which is 0 for eᶠ = y; reported is the deviance, the mean over outputs.
///
/// Q = eᶠ is the exact curvature, down to 1e-6.
#[derive(Clone, Copy, Debug, Default)]
pub struct PoissonLoss;

fn rate(f: f64) -> f64 {
    f.min(MOST).exp()
}

/// eᶠ − y + y(ln y − f), of which rounding leaves nothing negative.
fn half_deviance(f: f64, y: f64) -> f64 {
    if y == 0.0 {
        return rate(f);
    }
    let above = f - y.ln();
    // Near the least both are nearly y.
    let excess = if f < MOST { y * above.exp_m1() } else { rate(f) - y };
    (excess - y * above).max(0.0)
}

impl Loss for PoissonLoss {
    fn name(&self) -> &'static str {
        "poisson"
    }

    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        f.iter().zip(y).map(|(f, y)| half_deviance(*f, *y)).sum()
    }

    fn reported(&self, f: &[f64], y: &[f64]) -> f64 {
        2.0 * self.value(f, y) / f.len() as f64
    }

    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        for ((g, f), y) in g.iter_mut().zip(f).zip(y) {
            *g = rate(*f) - y;
        }
    }

    fn curvature(&self) -> Curvature {
        Curvature::Diagonal
    }

    fn factor(&self, f: &[f64], y: &[f64], factor: &mut [f64], z: &mut [f64]) {
        for (((b, z), f), y) in factor.iter_mut().zip(z).zip(f).zip(y) {
            *b = rate(*f).max(LEAST).sqrt();
            *z = (rate(*f) - y) / *b;
        }
    }

    fn reach(&self) -> Option<f64> {
        Some(REACH_OF_LOGARITHMS)
    }

    fn objection(&self, y: &[f64]) -> Option<(f64, &'static str)> {
        y.iter().find(|y| **y < 0.0).map(|&y| (y, "is below 0"))
    }
}
