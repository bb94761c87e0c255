//! Binary cross-entropy on one logit per output.

use super::{Curvature, Loss, REACH_OF_LOGARITHMS};

/// Logistic loss: ln(1 + e^f) − y·f per output, y ∈ [0, 1] the probability of class 1 and f its logit; reported is the mean
/// over outputs.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogisticLoss;

fn sigmoid(f: f64) -> f64 {
    if f >= 0.0 { 1.0 / (1.0 + (-f).exp()) } else { f.exp() / (1.0 + f.exp()) }
}

impl Loss for LogisticLoss {
    fn name(&self) -> &'static str {
        "logistic"
    }

    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        f.iter().zip(y).map(|(f, y)| f.max(0.0) + (-f.abs()).exp().ln_1p() - y * f).sum()
    }

    fn reported(&self, f: &[f64], y: &[f64]) -> f64 {
        self.value(f, y) / f.len() as f64
    }

    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        for ((g, &f), y) in g.iter_mut().zip(f).zip(y) {
            *g = sigmoid(f) - y;
        }
    }

    fn ascent(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        self.gradient(f, y, g);
        // Every logit so sure of its class that nothing is left of σ(f) − y: away from the classes.
        if g.iter().all(|&g| g == 0.0) && y.iter().all(|y| [0.0, 1.0].contains(y)) {
            g.iter_mut().zip(y).for_each(|(g, y)| *g = 1.0 - 2.0 * y);
        }
    }

    fn curvature(&self) -> Curvature {
        Curvature::Diagonal
    }

    fn factor(&self, f: &[f64], y: &[f64], factor: &mut [f64], z: &mut [f64]) {
        for (((b, z), &f), y) in factor.iter_mut().zip(z).zip(f).zip(y) {
            // √(p(1 − p)) by half logarithms of both, which do not underflow together with p.
            let half = |x: f64| (-0.5 * (x.max(0.0) + (-x.abs()).exp().ln_1p()).min(60.0)).exp();
            *b = half(f) * half(-f);
            *z = (sigmoid(f) - y) / *b;
        }
    }

    fn reach(&self) -> Option<f64> {
        Some(REACH_OF_LOGARITHMS)
    }

    fn objection(&self, y: &[f64]) -> Option<(f64, &'static str)> {
        y.iter().find(|y| !(0.0..=1.0).contains(*y)).map(|&y| (y, "is no probability"))
    }
}
