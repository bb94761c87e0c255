//! How numbers are written: the decimal mark and the mark between thousands.
//!
//! A cell alone may be read in several ways (`1,234` is 1234 or 1.234); a column of them mostly in one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::format::words::words;

words! {
    /// The mark before the decimals.
    #[derive(Default)]
    Decimal as "decimal" {
        /// As in 3.14.
        #[default]
        Point = ".",
        /// As in 3,14.
        Comma = ",",
    }
}

words! {
    /// The mark between groups of three digits.
    #[derive(Default)]
    Thousands as "thousands" {
        /// Digits in one run.
        #[default]
        None = "none",
        /// As in 1,234; also in groups of two before the last one, 12,34,567.
        Comma = ",",
        /// As in 1.234.
        Point = ".",
        /// A space of any width, breaking or not.
        Space = "space",
        /// As in 1'234, straight or curly.
        Apostrophe = "'",
        /// As in 1_234.
        Underscore = "_",
    }
}

impl Decimal {
    const fn mark(self) -> char {
        match self {
            Self::Point => '.',
            Self::Comma => ',',
        }
    }
}

impl Thousands {
    fn is_mark(self, mark: char) -> bool {
        match self {
            Self::None => false,
            Self::Comma => mark == ',',
            Self::Point => mark == '.',
            Self::Space => is_space(mark),
            Self::Apostrophe => matches!(mark, '\'' | '\u{2019}'),
            Self::Underscore => mark == '_',
        }
    }
}

/// A space that may stand between thousands.
pub(crate) const fn is_space(mark: char) -> bool {
    matches!(mark, ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}')
}

/// One way to write numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct NumberForm {
    /// The mark before the decimals.
    pub decimal: Decimal,
    /// The mark between thousands; numbers without one are read too.
    pub thousands: Thousands,
}

impl NumberForm {
    /// As programs write numbers.
    pub(crate) const PLAIN: Self = Self { decimal: Decimal::Point, thousands: Thousands::None };

    /// Every way, the plainest first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let of = |decimal| Thousands::ALL.iter().map(move |&thousands| Self { decimal, thousands });
        Decimal::ALL.iter().flat_map(move |&decimal| of(decimal)).filter(|form| form.is_possible())
    }

    fn is_possible(self) -> bool {
        !self.thousands.is_mark(self.decimal.mark())
    }

    /// Whether digits and marks, without a sign and an exponent, are a number.
    fn reads(self, mantissa: &str) -> bool {
        let (whole, decimals) = mantissa.split_once(self.decimal.mark()).unwrap_or((mantissa, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        digits(decimals)
            && mantissa.len() > usize::from(mantissa.len() > whole.len())
            && (digits(whole) || self.is_grouped(whole))
    }

    /// Whether it is digits in groups: three each, after a first one of at most three that does not begin with 0; between
    /// commas also two each before the last three.
    fn is_grouped(self, whole: &str) -> bool {
        let groups: Vec<&str> = whole.split(|mark| self.thousands.is_mark(mark)).collect();
        let [first, middle @ .., last] = &groups[..] else { return false };
        let digits = |text: &str, least: usize, most: usize| {
            (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let equal = |size: usize| digits(first, 1, size) && middle.iter().all(|group| digits(group, size, size));
        let pairs = self.thousands == Thousands::Comma && !middle.is_empty() && equal(2);
        !first.starts_with('0') && digits(last, 3, 3) && (equal(3) || pairs)
    }

    /// The value of digits and marks that this way reads ([`Forms::of`]); NaN of others.
    pub(crate) fn value(self, digits: &str) -> f64 {
        let plain = match self.decimal {
            Decimal::Point => digits.parse().ok(),
            Decimal::Comma if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
            Decimal::Comma => None,
        };
        plain.unwrap_or_else(|| {
            let kept = digits.chars().filter(|&mark| !self.thousands.is_mark(mark));
            let plain = |mark| match mark {
                'd' | 'D' => 'e',
                _ if mark == self.decimal.mark() => '.',
                _ => mark,
            };
            let text: String = kept.map(plain).collect();
            text.parse().unwrap_or(f64::NAN)
        })
    }
}

/// A set of ways to write numbers: those that a cell, or every cell of a column, is a number in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forms(u16);

impl Forms {
    pub(crate) const NONE: Self = Self(0);
    /// With the decimal point: no mark, spaces, apostrophes or underscores between thousands, and commas.
    const POINT: Self = Self(0b11_1011);
    /// With the decimal comma.
    const COMMA: Self = Self(0b11_1101 << 6);
    pub(crate) const ALL: Self = Self(Self::POINT.0 | Self::COMMA.0);

    const fn bit(form: NumberForm) -> u16 {
        1 << (6 * form.decimal as u16 + form.thousands as u16)
    }

    const fn one(form: NumberForm) -> Self {
        Self(Self::bit(form))
    }

    /// Those of a decimal mark.
    pub(crate) const fn with(decimal: Decimal) -> Self {
        match decimal {
            Decimal::Point => Self::POINT,
            Decimal::Comma => Self::COMMA,
        }
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn contains(self, form: NumberForm) -> bool {
        self.0 & Self::bit(form) != 0
    }

    /// Whether the decimal mark makes no difference: a form and its twin with the other mark are both there.
    pub(crate) const fn is_without_decimals(self) -> bool {
        // Without a mark, with spaces, apostrophes or underscores.
        const ALIKE: u16 = 0b11_1001;
        self.0 & ALIKE != 0 && self.0 & ALIKE == (self.0 >> 6) & ALIKE
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = NumberForm> {
        NumberForm::all().filter(move |form| self.contains(*form))
    }

    /// The ways in which digits and marks, with or without an exponent, are a number; a sign is none of them.
    pub(crate) fn of(digits: &str) -> Self {
        let bytes = without_exponent(digits).as_bytes();
        // Digits alone, or with one point or comma: nearly every cell.
        let Some(at) = bytes.iter().position(|byte| !byte.is_ascii_digit()) else {
            return if bytes.is_empty() { Self::NONE } else { Self::ALL };
        };
        let mark = bytes[at];
        let rest = &bytes[at + 1..];
        if matches!(mark, b'.' | b',') && rest.iter().all(u8::is_ascii_digit) {
            if bytes.len() == 1 {
                return Self::NONE;
            }
            let (decimal, other) =
                if mark == b'.' { (Decimal::Point, Decimal::Comma) } else { (Decimal::Comma, Decimal::Point) };
            let thousands = if mark == b'.' { Thousands::Point } else { Thousands::Comma };
            let grouped = (1..=3).contains(&at) && rest.len() == 3 && bytes[0] != b'0';
            let between = if grouped { Self::one(NumberForm { decimal: other, thousands }) } else { Self::NONE };
            return Self::with(decimal).or(between);
        }
        if ["inf", "infinity"].iter().any(|word| digits.eq_ignore_ascii_case(word)) {
            return Self::ALL;
        }
        let mantissa = without_exponent(digits);
        NumberForm::all().filter(|form| form.reads(mantissa)).collect()
    }
}

impl FromIterator<NumberForm> for Forms {
    fn from_iter<I: IntoIterator<Item = NumberForm>>(forms: I) -> Self {
        forms.into_iter().fold(Self::NONE, |set, form| set.or(Self::one(form)))
    }
}

/// What stands before `e` and a whole number, or Fortran's `d`.
fn without_exponent(digits: &str) -> &str {
    let Some(at) = digits.bytes().rposition(|byte| matches!(byte, b'e' | b'E' | b'd' | b'D')) else { return digits };
    if is_exponent(&digits.as_bytes()[at..]) { &digits[..at] } else { digits }
}

/// Whether it is `e`, a sign or none, and digits; after `d` there has to be a sign, else it counts days.
pub(crate) fn is_exponent(bytes: &[u8]) -> bool {
    let ([b'e' | b'E' | b'd' | b'D', b'+' | b'-', rest @ ..] | [b'e' | b'E', rest @ ..]) = bytes else { return false };
    !rest.is_empty() && rest.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(decimal: Decimal, thousands: Thousands) -> NumberForm {
        NumberForm { decimal, thousands }
    }

    #[test]
    fn the_short_way_to_the_forms_of_a_cell_is_the_long_one() {
        for digits in
            ["1", "1.5", "1,5", "1.234", "1,234", "0.234", "0,234", "1234.567", "12,34,567", ".5", "5.", ",", "."]
        {
            let long = NumberForm::all().filter(|form| form.reads(digits));
            assert_eq!(Forms::of(digits).iter().collect::<Vec<_>>(), long.collect::<Vec<_>>(), "{digits}");
        }
    }

    #[test]
    fn groups_have_three_digits_or_between_commas_two() {
        let read = |digits: &str| Forms::of(digits).iter().collect::<Vec<_>>();
        assert_eq!(read("1,234,567.5"), [form(Decimal::Point, Thousands::Comma)]);
        assert_eq!(read("12,34,567"), [form(Decimal::Point, Thousands::Comma)]);
        assert_eq!(read("1.234.567,5"), [form(Decimal::Comma, Thousands::Point)]);
        assert_eq!(read("1'234,5"), [form(Decimal::Comma, Thousands::Apostrophe)]);
        assert_eq!(read("1 234").len(), 2);
        for digits in ["1,23,45", "01,234.5", "1,2345.6", "1 23", "1..2", "1.2.3", "", "e5"] {
            assert!(Forms::of(digits).is_empty(), "{digits}");
        }
    }

    #[test]
    fn a_number_has_one_value_in_a_form() {
        let german = form(Decimal::Comma, Thousands::Point);
        assert_eq!([german.value("1.234,5e-2"), german.value("1500"), german.value("0,5")], [12.345, 1500.0, 0.5]);
        assert_eq!(form(Decimal::Point, Thousands::Space).value("1\u{202f}234\u{a0}567.5"), 1_234_567.5);
        assert_eq!(NumberForm::default().value("inf"), f64::INFINITY);
        assert_eq!((german.value("1,5D-01"), NumberForm::default().value("1.5d+3")), (0.15, 1500.0));
    }
}
