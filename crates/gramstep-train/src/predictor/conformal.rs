//! Widths of intervals: of a normal distribution, and from the scores of rows that were not seen.

use gramstep::Activation;

/// With fewer scores an interval is that of a normal distribution.
pub(super) const FEWEST: usize = 20;

/// Relative rounding of sums of weights, at most.
const ROUNDING: f64 = 1e-12;

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

/// Scores of rows that count by their weights, ascending: of n rows the j-th is the smallest up to which j/n of the weight
/// lies. With equal weights they are the scores themselves.
pub(super) fn by_weight(scores: Vec<f64>, weights: Option<&[f64]>) -> Vec<f64> {
    let mut of: Vec<(f64, f64)> =
        scores.into_iter().enumerate().map(|(i, score)| (score, weights.map_or(1.0, |weights| weights[i]))).collect();
    of.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    if weights.is_none() {
        return of.into_iter().map(|(score, _)| score).collect();
    }
    let (n, total) = (of.len(), of.iter().map(|(_, weight)| weight).sum::<f64>());
    let (mut sorted, mut below) = (Vec::with_capacity(n), 0.0);
    for (at, &(score, weight)) in of.iter().enumerate() {
        below += weight;
        // Sums of weights are rounded; the last row holds all of them.
        #[allow(clippy::cast_sign_loss)] // weights are not negative
        let up_to = if at + 1 == n { n } else { (below / total * n as f64 * (1.0 + ROUNDING)) as usize };
        sorted.resize(up_to.clamp(sorted.len(), n), score);
    }
    sorted
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_count_by_weight_whatever_its_unit() {
        let scores = vec![0.7, 0.1, 0.5, 0.3];
        assert_eq!(by_weight(scores.clone(), None), [0.1, 0.3, 0.5, 0.7]);
        for unit in [0.1, 1.0, 3e7] {
            let of = |weights: [f64; 4]| by_weight(scores.clone(), Some(&weights.map(|weight| unit * weight)));
            assert_eq!(of([1.0; 4]), [0.1, 0.3, 0.5, 0.7]);
            assert_eq!(of([0.0, 1.0, 1.0, 2.0]), [0.1, 0.3, 0.3, 0.5]);
            assert_eq!(of([97.0, 1.0, 1.0, 1.0]), [0.7; 4]);
        }
        assert_eq!(by_weight(Vec::new(), Some(&[])), [0.0; 0]);
    }

    /// Rows of weight w tell the levels that w copies of them tell.
    #[test]
    fn a_weight_is_a_number_of_copies() {
        let score = |i: usize| (i as f64 * 0.618).fract();
        let count = |i: usize| 1 + i % 4;
        let copies: Vec<f64> = (0..400).flat_map(|i| std::iter::repeat_n(score(i), count(i))).collect();
        let weights: Vec<f64> = (0..400).map(|i| count(i) as f64).collect();
        let (one, other) = (by_weight((0..400).map(score).collect(), Some(&weights)), by_weight(copies, None));
        for level in [0.2, 0.5, 0.8, 0.9] {
            let (one, other) = (quantile(&one, level, 1.0), quantile(&other, level, 1.0));
            assert!((one - other).abs() < 0.01, "{level}: {one} {other}");
        }
    }
}
