//! The absolute loss, rounded at its corner.

use super::{Curvature, Loss, reweighted};

/// Where the corner is rounded, in units of the target: standard deviations of one that is standardised.
pub(super) const CORNER: f64 = 0.02;

/// |r| rounded at 0 without losing its slope: |r| from the corner δ on, (r²/δ + δ)/2 below.
pub(super) fn rounded(r: f64) -> f64 {
    if r.abs() >= CORNER { r.abs() } else { f64::midpoint(r * r / CORNER, CORNER) }
}

/// Where that has the slope of a parabola: r·weight(r) is its derivative, and the parabola ½·weight·r² + c lies above it.
pub(super) fn weight(r: f64) -> f64 {
    r.abs().max(CORNER).recip()
}

/// Absolute loss: per output |r|, rounded for |r| < 0.02; the best constant is the median.
///
/// Its curvature is that of the re-weighted squared loss, q = 1/max(|r|, 0.02): a parabola that touches the loss and
/// lies above it, so that a step never overshoots.
#[derive(Clone, Copy, Debug, Default)]
pub struct AbsoluteLoss;

impl Loss for AbsoluteLoss {
    fn name(&self) -> &'static str {
        "absolute"
    }

    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        f.iter().zip(y).map(|(f, y)| rounded(f - y)).sum()
    }

    /// The mean of |r| over the outputs.
    fn reported(&self, f: &[f64], y: &[f64]) -> f64 {
        f.iter().zip(y).map(|(f, y)| (f - y).abs()).sum::<f64>() / f.len() as f64
    }

    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        reweighted::gradient(f, y, g, weight);
    }

    fn curvature(&self) -> Curvature {
        Curvature::Diagonal
    }

    fn factor(&self, f: &[f64], y: &[f64], factor: &mut [f64], z: &mut [f64]) {
        reweighted::factor(f, y, factor, z, weight);
    }
}
