//! ℓ = ½‖f − y‖².

use super::{Curvature, Loss};

/// Squared loss: ℓ = ½‖f − y‖², reported as the mean of (f − y)² over samples and outputs.
#[derive(Clone, Copy, Debug, Default)]
pub struct SquaredLoss;

impl Loss for SquaredLoss {
    fn name(&self) -> &'static str {
        "squared"
    }

    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        0.5 * f.iter().zip(y).map(|(f, y)| (f - y) * (f - y)).sum::<f64>()
    }

    fn reported(&self, f: &[f64], y: &[f64]) -> f64 {
        2.0 * self.value(f, y) / f.len() as f64
    }

    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        for ((g, f), y) in g.iter_mut().zip(f).zip(y) {
            *g = f - y;
        }
    }

    fn curvature(&self) -> Curvature {
        Curvature::Identity
    }

    fn factor(&self, f: &[f64], y: &[f64], _factor: &mut [f64], z: &mut [f64]) {
        self.gradient(f, y, z);
    }
}
