//! Quantiles of weighted numbers.

/// The value below which a share of the weight lies; the mean of the two values where one share ends and the other
/// begins; of no values 0. A whole weight is that many copies.
pub(crate) fn quantile(values: &[f64], weights: Option<&[f64]>, share: f64) -> f64 {
    let weight = |at: usize| weights.map_or(1.0, |weights| weights[at]);
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let all: f64 = order.iter().map(|&at| weight(at)).sum();
    let mut below = 0.0;
    for (place, &at) in order.iter().enumerate() {
        below += weight(at);
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
}
