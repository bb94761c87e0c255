//! The least value of a function of one number.

/// The place between `low` and `high` where a function with one valley is least, to 0.618^rounds of their distance.
///
/// ```
/// use gramstep::solve::golden_section;
/// assert!((golden_section(|x| (x - 0.3).powi(2), 0.0, 1.0, 40) - 0.3).abs() < 1e-7);
/// ```
#[must_use]
pub fn golden_section(f: impl Fn(f64) -> f64, mut low: f64, mut high: f64, rounds: usize) -> f64 {
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    let inner = |low: f64, high: f64| (high - golden * (high - low), low + golden * (high - low));
    let (mut left, mut right) = inner(low, high);
    let (mut at_left, mut at_right) = (f(left), f(right));
    for _ in 0..rounds {
        // One of the two inner points is an inner point of the part that is left.
        if at_left <= at_right {
            (high, right, at_right) = (right, left, at_left);
            left = inner(low, high).0;
            at_left = f(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = inner(low, high).1;
            at_right = f(right);
        }
    }
    f64::midpoint(low, high)
}
