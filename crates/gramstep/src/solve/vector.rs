//! Sums over vectors.

/// Euclidean norm.
pub(crate) fn norm(values: &[f64]) -> f64 {
    dot(values, values).sqrt()
}

/// Inner product, summed in chunks of fixed size.
pub(crate) fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.chunks(256).zip(y.chunks(256)).map(|(x, y)| x.iter().zip(y).map(|(a, b)| a * b).sum::<f64>()).sum()
}
