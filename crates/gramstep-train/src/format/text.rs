//! Numbers as people read them: one way for the terminal and for reports.

/// A number with five significant digits, in plain notation where that is short.
///
/// ```
/// use gramstep_train::format::text::number;
/// assert_eq!([number(49_712.345), number(0.012_345_678), number(1e12)], ["49712", "0.012346", "1.0000e12"]);
/// ```
#[must_use]
pub fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let exponent = value.abs().log10().floor();
    if !exponent.is_finite() || !(-4.0..7.0).contains(&exponent) {
        return format!("{value:.4e}");
    }
    #[allow(clippy::cast_sign_loss)] // at least 0
    let decimals = (4.0 - exponent).max(0.0) as usize;
    format!("{value:.decimals$}")
}

/// A time in seconds.
#[must_use]
pub fn seconds(value: f64) -> String {
    if value < 100.0 { format!("{value:.2} s") } else { format!("{value:.0} s") }
}

/// A count in groups of three digits: `68 609`.
#[must_use]
pub fn count(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_five_digits_at_any_size() {
        let cases = [
            (0.0, "0"),
            (3.0, "3.0000"),
            (49_712.345, "49712"),
            (0.012_345_678, "0.012346"),
            (-2.5, "-2.5000"),
            (1.5e-9, "1.5000e-9"),
            (1e12, "1.0000e12"),
            (f64::NAN, "NaN"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1 000", "1 234 567"]);
    }
}
