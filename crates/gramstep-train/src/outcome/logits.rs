//! Logits of classes and their probabilities.

/// log Σ exp, without overflow.
pub(crate) fn log_sum_exp(logits: &[f64]) -> f64 {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + logits.iter().map(|logit| (logit - largest).exp()).sum::<f64>().ln()
}

/// exp(f_a)/Σ exp(f_b), in place.
pub(crate) fn softmax(f: &mut [f64]) {
    let normaliser = log_sum_exp(f);
    for f in f.iter_mut() {
        *f = (*f - normaliser).exp();
    }
}

/// Place of the largest value; the first one among equals.
pub(crate) fn largest(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}
