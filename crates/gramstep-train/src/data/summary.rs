//! What is known of a column of numbers by a few of them: ends, middle, what is there.

use super::quantile::quantile;

/// The lowest and the highest of some numbers.
pub(crate) fn range(values: &[f64]) -> [f64; 2] {
    values.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &v| [low.min(v), high.max(v)])
}

/// The values that are there, and their weights.
pub(crate) fn present(
    values: impl ExactSizeIterator<Item = f64>,
    weights: Option<&[f64]>,
) -> (Vec<f64>, Option<Vec<f64>>) {
    match weights {
        None => (values.filter(|value| !value.is_nan()).collect(), None),
        Some(weights) => {
            let (values, weights) = values.zip(weights).filter(|(value, _)| !value.is_nan()).unzip();
            (values, Some(weights))
        }
    }
}

/// The value with half of the weight on either side; the mean of the two middle ones where there are two.
pub(crate) fn median(mut values: Vec<f64>, weights: Option<&[f64]>) -> f64 {
    if let Some(weights) = weights {
        return quantile(&values, Some(weights), 0.5);
    }
    let (middle, odd) = (values.len() / 2, values.len() % 2 == 1);
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if odd {
        return upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    f64::midpoint(lower, upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_of_values_is_the_mean_of_the_middle_two() {
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0], None), 2.5);
        assert_eq!(median(vec![5.0, 1.0, 3.0], None), 3.0);
        assert_eq!(median(vec![5.0], None), 5.0);
    }

    #[test]
    fn a_weighted_median_is_that_of_copies_and_knows_no_scale() {
        let (values, weights) = ([4.0, 1.0, 3.0, 2.0, 9.0], [2.0, 1.0, 1.0, 3.0, 1.0]);
        let copies = vec![4.0, 4.0, 1.0, 3.0, 2.0, 2.0, 2.0, 9.0];
        for scale in [1.0, 1e-6, 1.0 / 3.0, 1e9] {
            let scaled: Vec<f64> = weights.iter().map(|weight| weight * scale).collect();
            assert_eq!(median(values.to_vec(), Some(&scaled)), median(copies.clone(), None), "{scale}");
        }
        assert_eq!(median(vec![4.0, 1.0, 3.0], Some(&[0.3; 3])), 3.0);
    }
}
