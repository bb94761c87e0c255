//! Fitted slopes.

/// A least-squares line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Slope {
    pub(super) value: f64,
    /// Standard error of the slope; 0 for fewer than three points.
    pub(super) error: f64,
}

/// The line through (x, y) by least squares; not a number if fewer than two x differ.
pub(super) fn slope(points: &[(f64, f64)]) -> Slope {
    let n = points.len() as f64;
    let (mean_x, mean_y) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let sxx: f64 = points.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
    let sxy: f64 = points.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum();
    let value = sxy / sxx;
    let intercept = mean_y - value * mean_x;
    let left: f64 = points.iter().map(|p| (p.1 - intercept - value * p.0).powi(2)).sum();
    let error = if points.len() > 2 { (left / (n - 2.0) / sxx).sqrt() } else { 0.0 };
    Slope { value, error }
}

/// The exponent s of y ≈ c·xˢ: the slope of log y over log x. Points of y = 0 are left out: they lie below every power.
/// Not a number where a point is negative or not finite: a run that was lost is not hidden by the others.
pub(super) fn exponent(points: &[(f64, f64)]) -> Slope {
    let lies = |p: &(f64, f64)| p.0 > 0.0 && p.0.is_finite() && p.1 >= 0.0 && p.1.is_finite();
    if !points.iter().all(lies) {
        return Slope { value: f64::NAN, error: f64::NAN };
    }
    let positive = points.iter().filter(|p| p.1 > 0.0);
    slope(&positive.map(|p| (p.0.ln(), p.1.ln())).collect::<Vec<_>>())
}

/// The mean; not a number for none.
pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values {
        sum += value;
        count += 1.0;
    }
    sum / count
}

/// The largest value, not a number if one of them is, −∞ for none.
pub(super) fn largest(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(f64::NEG_INFINITY, |a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) })
}

/// The smallest value, not a number if one of them is, ∞ for none.
pub(super) fn smallest(values: impl IntoIterator<Item = f64>) -> f64 {
    -largest(values.into_iter().map(|value| -value))
}

/// The value farthest from 1, not a number if one of them is, 1 for none.
pub(super) fn farthest_from_one(values: impl IntoIterator<Item = f64>) -> f64 {
    let off = |value: f64| if value.is_nan() { f64::INFINITY } else { (value - 1.0).abs() };
    values.into_iter().fold(1.0, |worst, value| if off(value) > off(worst) { value } else { worst })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_law_is_found_with_its_error() {
        let exact: Vec<(f64, f64)> = [1.0_f64, 2.0, 4.0, 8.0].iter().map(|&x| (x, 3.0 * x.powf(-0.5))).collect();
        let fitted = exponent(&exact);
        assert!((fitted.value + 0.5).abs() < 1e-14 && fitted.error < 1e-14);
        // Residuals (1, −2, 1)/… of y = x: slope 1, s² = 6δ²/1, Sxx = 2.
        for lost in [f64::NAN, f64::INFINITY, -1.0] {
            let with_it: Vec<(f64, f64)> = exact.iter().copied().chain([(16.0, lost)]).collect();
            assert!(exponent(&with_it).value.is_nan(), "{lost}");
        }
        let fitted = slope(&[(0.0, 0.1), (1.0, 0.8), (2.0, 2.1)]);
        assert!((fitted.value - 1.0).abs() < 1e-14);
        assert!((fitted.error - (0.06_f64 / 2.0).sqrt()).abs() < 1e-14);
        assert!(slope(&[(1.0, 2.0), (1.0, 3.0)]).value.is_nan());
    }

    #[test]
    fn one_that_is_not_a_number_is_not_hidden() {
        assert!(largest([1.0, f64::NAN, 3.0]).is_nan() && smallest([f64::NAN, 1.0]).is_nan());
        assert!(farthest_from_one([1.5, f64::NAN, 0.1]).is_nan());
        assert_eq!(farthest_from_one([1.2, 0.3, 1.0]), 0.3);
        assert_eq!((largest([1.0, 3.0]), smallest([2.0, 1.0])), (3.0, 1.0));
    }
}
