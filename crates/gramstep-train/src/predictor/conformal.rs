//! Widths of intervals: of a normal distribution, and from the scores of rows that were not seen.

use gramstep::Activation;

/// With fewer scores an interval is that of a normal distribution.
pub(super) const FEWEST: usize = 20;

/// The ⌈(m + 1)·level⌉-th smallest of m ascending scores (vovk2005); of few scores the normal quantile times `unit`, the
/// standard deviation in their unit.
pub(super) fn quantile(scores: &[f64], level: f64, unit: f64) -> f64 {
    let m = scores.len();
    if m < FEWEST {
        return unit * half_width(level);
    }
    // So near to 1 that no score tells: the largest one, stretched as a normal distribution would be.
    ranked(scores, level).unwrap_or_else(|| scores[m - 1] * half_width(level) / half_width(m as f64 / (m + 1) as f64))
}

/// The ⌈(m + 1)·level⌉-th smallest of m ascending scores; none where these are too few for the level.
pub(super) fn ranked(scores: &[f64], level: f64) -> Option<f64> {
    #[allow(clippy::cast_sign_loss)] // a level is above 0
    let rank = ((scores.len() + 1) as f64 * level).ceil() as usize;
    scores.get(rank.max(1) - 1).copied()
}

/// The half width, in standard deviations, of a Gaussian interval of this probability: √2·erf⁻¹(q).
///
/// ```
/// use gramstep_train::predictor::half_width;
/// assert!((half_width(0.95) - 1.959_963_984_540_054).abs() < 1e-9);
/// assert!((half_width(0.5) - 0.674_489_750_196_082).abs() < 1e-9);
/// ```
#[must_use]
pub fn half_width(probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, 10.0);
    // erf grows: halve until the interval is below rounding.
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        let below = Activation::Erf.value(middle / std::f64::consts::SQRT_2) < probability;
        if below { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}
