//! Hinge losses: zero from the margin 1 on.

use super::{Curvature, Loss};

/// Hinge loss: Σ_a max(0, 1 − y_a f_a), y = ±1; reported as the mean over outputs (gao2019).
///
/// It has no curvature. A step takes that of the re-weighted squared hinge, q = 1/max(1 − yf, 10⁻³) on active
/// outputs (1 − yf > 0) and 0 elsewhere, whose undamped step ends at yf = 1 as the squared hinge's does.
#[derive(Clone, Copy, Debug, Default)]
pub struct HingeLoss;

/// Squared hinge loss: ½ Σ_a max(0, 1 − y_a f_a)², y = ±1; reported as the mean over outputs of max(0, 1 − yf)².
///
/// B = 1 and z = f − y on active outputs (1 − yf > 0), both 0 elsewhere: a Gram-Gauss-Newton step sees active rows
/// only.
#[derive(Clone, Copy, Debug, Default)]
pub struct SquaredHingeLoss;

/// Where 1/(1 − yf) stops growing.
const SMALLEST_SHORTFALL: f64 = 1e-3;

/// How much f falls short of the margin: max(0, 1 − yf).
fn shortfall(f: f64, y: f64) -> f64 {
    (1.0 - y * f).max(0.0)
}

/// g ← −y where the gradient vanishes, with every margin kept: the way back to the hinge.
fn leave_plateau(y: &[f64], g: &mut [f64]) {
    if g.iter().all(|&g| g == 0.0) {
        g.iter_mut().zip(y).for_each(|(g, y)| *g = -y);
    }
}

fn no_sign(y: &[f64]) -> Option<(f64, &'static str)> {
    y.iter().find(|y| y.abs() != 1.0).map(|&y| (y, "is neither −1 nor 1"))
}

impl Loss for HingeLoss {
    fn name(&self) -> &'static str {
        "hinge"
    }

    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        f.iter().zip(y).map(|(&f, &y)| shortfall(f, y)).sum()
    }

    fn reported(&self, f: &[f64], y: &[f64]) -> f64 {
        self.value(f, y) / f.len() as f64
    }

    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        for ((g, &f), &y) in g.iter_mut().zip(f).zip(y) {
            *g = if shortfall(f, y) > 0.0 { -y } else { 0.0 };
        }
    }

    fn ascent(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        self.gradient(f, y, g);
        leave_plateau(y, g);
    }

    fn curvature(&self) -> Curvature {
        Curvature::Diagonal
    }

    fn factor(&self, f: &[f64], y: &[f64], factor: &mut [f64], z: &mut [f64]) {
        for (((b, z), &f), &y) in factor.iter_mut().zip(z).zip(f).zip(y) {
            let short = shortfall(f, y);
            (*b, *z) = (0.0, 0.0);
            if short > 0.0 {
                let root = short.max(SMALLEST_SHORTFALL).sqrt();
                (*b, *z) = (1.0 / root, -y * root);
            }
        }
    }

    fn objection(&self, y: &[f64]) -> Option<(f64, &'static str)> {
        no_sign(y)
    }
}

impl Loss for SquaredHingeLoss {
    fn name(&self) -> &'static str {
        "squared hinge"
    }

    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        0.5 * f.iter().zip(y).map(|(&f, &y)| shortfall(f, y).powi(2)).sum::<f64>()
    }

    fn reported(&self, f: &[f64], y: &[f64]) -> f64 {
        2.0 * self.value(f, y) / f.len() as f64
    }

    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        for ((g, &f), &y) in g.iter_mut().zip(f).zip(y) {
            *g = -y * shortfall(f, y);
        }
    }

    fn ascent(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        self.gradient(f, y, g);
        leave_plateau(y, g);
    }

    fn curvature(&self) -> Curvature {
        Curvature::Diagonal
    }

    fn factor(&self, f: &[f64], y: &[f64], factor: &mut [f64], z: &mut [f64]) {
        self.gradient(f, y, z);
        for (b, z) in factor.iter_mut().zip(z) {
            *b = if *z == 0.0 { 0.0 } else { 1.0 };
        }
    }

    fn objection(&self, y: &[f64]) -> Option<(f64, &'static str)> {
        no_sign(y)
    }
}
