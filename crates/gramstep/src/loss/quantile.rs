//! The loss whose best constant is a quantile.

use super::absolute::{rounded, weight};
use super::{Curvature, Loss};
use crate::error::{Result, check_setting};

/// Quantile loss (koenker1978): per output ρ(r) = ½|r| + (τ − ½)r with r = y − f, |r| rounded at 0 as in
/// [`AbsoluteLoss`](super::AbsoluteLoss). Of several levels τ the outputs are those of the first target, level by level,
/// then those of the next one; the targets are repeated alike.
///
/// ```
/// use gramstep::loss::{Loss, QuantileLoss};
/// let loss = QuantileLoss::new(vec![0.1, 0.9])?;
/// assert!((loss.reported(&[1.0, 1.0], &[3.0, 3.0]) - 1.0).abs() < 1e-15); // (0.1·2 + 0.9·2)/2
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct QuantileLoss {
    levels: Vec<f64>,
}

impl QuantileLoss {
    /// The loss of these levels.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if there is none, or one is not between 0 and 1.
    pub fn new(levels: Vec<f64>) -> Result<Self> {
        let inside = levels.iter().all(|level| *level > 0.0 && *level < 1.0);
        let text = levels.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
        check_setting(inside && !levels.is_empty(), "quantile", &text, "levels between 0 and 1")?;
        Ok(Self { levels })
    }

    /// τ of every output, over and over.
    fn pairs<'a>(&'a self, f: &'a [f64], y: &'a [f64]) -> impl Iterator<Item = (f64, f64)> + 'a {
        f.iter().zip(y).zip(self.levels.iter().cycle()).map(|((f, y), level)| (y - f, *level))
    }
}

/// −∂ρ/∂f.
fn slope(r: f64, level: f64) -> f64 {
    0.5 * r * weight(r) + (level - 0.5)
}

impl Loss for QuantileLoss {
    fn name(&self) -> &'static str {
        "quantile"
    }

    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        self.pairs(f, y).map(|(r, level)| 0.5 * rounded(r) + (level - 0.5) * r).sum()
    }

    /// The mean over the outputs, without rounding.
    fn reported(&self, f: &[f64], y: &[f64]) -> f64 {
        self.pairs(f, y).map(|(r, level)| 0.5 * r.abs() + (level - 0.5) * r).sum::<f64>() / f.len() as f64
    }

    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        for (g, (r, level)) in g.iter_mut().zip(self.pairs(f, y)) {
            *g = -slope(r, level);
        }
    }

    fn curvature(&self) -> Curvature {
        Curvature::Diagonal
    }

    fn factor(&self, f: &[f64], y: &[f64], factor: &mut [f64], z: &mut [f64]) {
        for ((b, z), (r, level)) in factor.iter_mut().zip(z).zip(self.pairs(f, y)) {
            *b = (0.5 * weight(r)).sqrt();
            *z = -slope(r, level) / *b;
        }
    }
}
