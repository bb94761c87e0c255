//! Losses whose curvature is that of a re-weighted squared loss: with a weight q(r) of every residual the gradient is
//! q·r, and q the curvature.

/// g ← q(r)·r, r = f − y.
pub(super) fn gradient(f: &[f64], y: &[f64], g: &mut [f64], weight: impl Fn(f64) -> f64) {
    for ((g, f), y) in g.iter_mut().zip(f).zip(y) {
        *g = (f - y) * weight(f - y);
    }
}

/// B ← √q, z ← √q·r, so that B z is the gradient.
pub(super) fn factor(f: &[f64], y: &[f64], factor: &mut [f64], z: &mut [f64], weight: impl Fn(f64) -> f64) {
    for (((b, z), f), y) in factor.iter_mut().zip(z).zip(f).zip(y) {
        *b = weight(f - y).sqrt();
        *z = *b * (f - y);
    }
}
