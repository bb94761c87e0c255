//! Softmax cross-entropy with the exact factor of its curvature.

use super::{Curvature, Loss, REACH_OF_LOGARITHMS};

/// Softmax cross-entropy: ℓ = −Σ_a y_a ln p_a, p = softmax(f); y one-hot or any distribution.
///
/// Q = diag(p) − p pᵀ = B Bᵀ with B = diag(√p) − p √pᵀ exactly, and z_a = (p_a − y_a)/√p_a solves B z = p − y:
/// the sum √p·z vanishes. √p is computed as exp(½·max(ln p, −60)): where a network is sure and wrong
/// everywhere, λ is a share of p, and c ~ 1/(p λ) has to stay a number, B c one of single precision.
#[derive(Clone, Copy, Debug, Default)]
pub struct CrossEntropyLoss;

fn log_normaliser(f: &[f64]) -> f64 {
    let largest = f.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + f.iter().map(|f| (f - largest).exp()).sum::<f64>().ln()
}

impl Loss for CrossEntropyLoss {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        let log_sum = log_normaliser(f);
        f.iter().zip(y).filter(|(_, y)| **y != 0.0).map(|(f, y)| y * (log_sum - f)).sum()
    }

    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        let log_sum = log_normaliser(f);
        for ((g, f), y) in g.iter_mut().zip(f).zip(y) {
            *g = (f - log_sum).exp() - y;
        }
    }

    fn ascent(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        self.gradient(f, y, g);
        let Some(class) = y.iter().position(|&y| y == 1.0) else { return };
        // p − y over 1 − p_c, which does not vanish where the network is sure: the rivals' shares among themselves.
        let rivals = f.iter().enumerate().filter(|(a, _)| *a != class).map(|(_, &f)| f).collect::<Vec<_>>();
        if !rivals.is_empty() {
            let log_sum = log_normaliser(&rivals);
            for (a, (g, f)) in g.iter_mut().zip(f).enumerate() {
                *g = if a == class { -1.0 } else { (f - log_sum).exp() };
            }
        }
    }

    fn curvature(&self) -> Curvature {
        Curvature::Full
    }

    fn factor(&self, f: &[f64], y: &[f64], factor: &mut [f64], z: &mut [f64]) {
        let k = f.len();
        let log_sum = log_normaliser(f);
        let root = |f: f64| (0.5 * (f - log_sum).max(-60.0)).exp();
        for (a, row) in factor.chunks_exact_mut(k).enumerate() {
            let root_a = root(f[a]);
            for (b, entry) in row.iter_mut().enumerate() {
                *entry = -root_a * root_a * root(f[b]);
            }
            row[a] += root_a;
            z[a] = ((f[a] - log_sum).exp() - y[a]) / root_a;
        }
    }

    fn reach(&self) -> Option<f64> {
        Some(REACH_OF_LOGARITHMS)
    }

    fn objection(&self, y: &[f64]) -> Option<(f64, &'static str)> {
        if let Some(&y) = y.iter().find(|y| !(0.0..=1.0).contains(*y)) {
            return Some((y, "is no probability"));
        }
        let sum: f64 = y.iter().sum();
        ((sum - 1.0).abs() > 1e-6).then_some((sum, "is what the probabilities sum to, not 1"))
    }
}
