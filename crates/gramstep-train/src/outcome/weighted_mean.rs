//! Means by the weights of rows.

/// Σ w_i f(i)/Σ w_i; all weights the same where there are none.
pub(crate) fn weighted_mean(rows: usize, weights: Option<&[f64]>, f: impl Fn(usize) -> f64) -> f64 {
    match weights {
        None => (0..rows).map(f).sum::<f64>() / rows as f64,
        Some(weights) => (0..rows).map(|i| weights[i] * f(i)).sum::<f64>() / weights.iter().sum::<f64>(),
    }
}
