//! Quantiles of weighted numbers.

/// The value below which a share of the weight lies; the mean of the two values where one share ends and the other
/// begins; of no values 0. A whole weight is that many copies.
pub(crate) fn quantile(values: &[f64], weights: Option<&[f64]>, share: f64) -> f64 {
    match weights {
        Some(weights) => weighted(values, weights, share),
        None => unweighted(values, share),
    }
}

/// By selection: a sort of ten million numbers takes longer than reading them.
fn unweighted(values: &[f64], share: f64) -> f64 {
    let (n, below) = (values.len(), share * values.len() as f64);
    if n == 0 {
        return 0.0;
    }
    let mut values = values.to_vec();
    // The share to rounding: between two values.
    let between = below.round() >= 1.0 && (below.round() - below).abs() <= 1e-12 * n as f64;
    #[allow(clippy::cast_sign_loss)] // shares are at least 0
    let at = if between { below.round() as usize - 1 } else { below as usize }.min(n - 1);
    let (_, &mut value, above) = values.select_nth_unstable_by(at, f64::total_cmp);
    let next = above.iter().copied().min_by(f64::total_cmp).filter(|_| between);
    next.map_or(value, |next| f64::midpoint(value, next))
}

fn weighted(values: &[f64], weights: &[f64], share: f64) -> f64 {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let all: f64 = order.iter().map(|&at| weights[at]).sum();
    let mut below = 0.0;
    for (place, &at) in order.iter().enumerate() {
        below += weights[at];
        // The share to rounding: as between two values.
        if (below - share * all).abs() <= 1e-12 * all {
            let next = order.get(place + 1).unwrap_or(&at);
            return f64::midpoint(values[at], values[*next]);
        }
        if below > share * all {
            return values[at];
        }
    }
    order.last().map_or(0.0, |&at| values[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_copies_and_their_scale_is_nothing() {
        assert_eq!(quantile(&[3.0, 1.0, 2.0], None, 0.5), 2.0);
        assert_eq!(quantile(&[4.0, 1.0, 2.0, 3.0], None, 0.5), 2.5);
        assert_eq!(quantile(&[4.0, 1.0, 2.0, 3.0], None, 0.25), 1.5);
        for scale in [1.0, 1e-9, 3e7] {
            let weights = [2.0 * scale, scale, scale];
            assert_eq!(quantile(&[5.0, 1.0, 7.0], Some(&weights), 0.5), quantile(&[5.0, 5.0, 1.0, 7.0], None, 0.5));
        }
        assert_eq!(quantile(&[], None, 0.5), 0.0);
    }
    #[test]
    fn no_weights_are_equal_ones() {
        let mut values: Vec<f64> = (0..60).map(|i| f64::from((i * 37) % 23) - 7.5).collect();
        while !values.is_empty() {
            for share in [0.0, 0.1, 0.25, 0.3, 1.0 / 3.0, 0.5, 0.75, 0.99, 1.0] {
                let ones = vec![1.0; values.len()];
                assert_eq!(quantile(&values, None, share), quantile(&values, Some(&ones), share), "{values:?} {share}");
            }
            values.pop();
        }
    }
}
