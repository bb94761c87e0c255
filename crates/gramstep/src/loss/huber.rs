//! Huber's loss: quadratic near the target, linear far from it.

use super::{Curvature, Loss, reweighted};
use crate::error::{Result, check_positive};

/// Huber loss: per output ½r² for |r| ≤ δ, δ|r| − ½δ² beyond (Huber 1964).
///
/// Its curvature is that of the re-weighted squared loss, q = min(1, δ/|r|), which is positive where the true second
/// derivative is 0.
#[derive(Clone, Copy, Debug)]
pub struct HuberLoss {
    delta: f64,
}

impl HuberLoss {
    /// The loss with its corner at |r| = `delta` > 0, in units of the target.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if `delta` is not a positive number.
    pub fn new(delta: f64) -> Result<Self> {
        check_positive("huber delta", delta)?;
        Ok(Self { delta })
    }

    fn weight(self, r: f64) -> f64 {
        if r.abs() <= self.delta { 1.0 } else { self.delta / r.abs() }
    }
}

impl Loss for HuberLoss {
    fn name(&self) -> &'static str {
        "huber"
    }

    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        let one = |r: f64| if r.abs() <= self.delta { 0.5 * r * r } else { self.delta * (r.abs() - 0.5 * self.delta) };
        f.iter().zip(y).map(|(f, y)| one(f - y)).sum()
    }

    fn reported(&self, f: &[f64], y: &[f64]) -> f64 {
        2.0 * self.value(f, y) / f.len() as f64
    }

    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        reweighted::gradient(f, y, g, |r| self.weight(r));
    }

    fn curvature(&self) -> Curvature {
        Curvature::Diagonal
    }

    fn factor(&self, f: &[f64], y: &[f64], factor: &mut [f64], z: &mut [f64]) {
        reweighted::factor(f, y, factor, z, |r| self.weight(r));
    }
}
