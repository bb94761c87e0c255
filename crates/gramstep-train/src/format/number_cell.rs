//! What stands around the digits of a number: sign, currency, percent, unit.

use super::number_form::{Forms, is_exponent, is_space};

/// Most characters of a unit.
const LONGEST_UNIT: usize = 12;

/// Currencies that are written as words.
const CURRENCIES: [&str; 30] = [
    "USD", "EUR", "GBP", "CHF", "JPY", "CNY", "RMB", "INR", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "RUB", "TRY",
    "BRL", "MXN", "CAD", "AUD", "NZD", "SGD", "HKD", "KRW", "ZAR", "R$", "US$", "A$", "Rs.", "Rs",
];

/// A cell that is a number as far as its shape goes: its digits may be none in any form ([`Forms::of`]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NumberCell<'a> {
    pub(crate) negative: bool,
    /// Digits and marks, perhaps with an exponent.
    pub(crate) digits: &'a str,
    /// Percent, currency or unit, before or after the digits; empty where there is none.
    pub(crate) affix: &'a str,
    /// Whether brackets stand for the sign, as bookkeepers write it.
    pub(crate) brackets: bool,
    /// What the digits count: thousands, millions, billions (`$5.6M`), or ones.
    pub(crate) factor: f64,
}

impl<'a> NumberCell<'a> {
    /// The parts of a trimmed cell; none of one that is no number in any form.
    pub(crate) fn of(cell: &'a str) -> Option<Self> {
        if let Some(inner) = cell.strip_prefix('(').and_then(|cell| cell.strip_suffix(')')) {
            let inner = Self::without_brackets(inner.trim())?;
            return (!inner.negative).then_some(Self { negative: true, brackets: true, ..inner });
        }
        Self::without_brackets(cell)
    }

    fn without_brackets(cell: &'a str) -> Option<Self> {
        let (mut negative, mut rest) = unsigned(cell);
        let mut before = "";
        if !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.' || c == ',') {
            if ["inf", "infinity"].iter().any(|word| rest.eq_ignore_ascii_case(word)) {
                return Some(Self { negative, digits: rest, affix: "", brackets: false, factor: 1.0 });
            }
            (before, rest) = currency(rest)?;
            if !negative {
                (negative, rest) = unsigned(rest.trim_start());
            }
            rest = rest.trim_start();
        }
        let (digits, after) = rest.split_at(end_of_digits(rest));
        let after = after.trim_start();
        // Beside a currency alone: `5 M` may be metres.
        let factor = if before.is_empty() { None } else { factor(after) };
        let after = if factor.is_some() { "" } else { after };
        let fits = !digits.is_empty() && (after.is_empty() || (before.is_empty() && is_unit(after)));
        let affix = if after.is_empty() { before } else { after };
        fits.then_some(Self { negative, digits, affix, brackets: false, factor: factor.unwrap_or(1.0) })
    }

    /// Whether it is digits and nothing else.
    pub(crate) fn is_whole(&self) -> bool {
        !self.negative && self.affix.is_empty() && self.digits.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// The ways in which it is a number.
    pub(crate) fn forms(&self) -> Forms {
        Forms::of(self.digits)
    }

    /// Its value, given that of its digits.
    pub(crate) fn signed(&self, value: f64) -> f64 {
        self.factor * if self.negative { -value } else { value }
    }
}

/// Whether a sign is a minus, and what follows the sign.
fn unsigned(cell: &str) -> (bool, &str) {
    let mut characters = cell.chars();
    match characters.next() {
        // Also as typesetting, small and wide forms have it.
        Some('-' | '\u{2212}' | '\u{2013}' | '\u{fe63}' | '\u{ff0d}') => (true, characters.as_str().trim_start()),
        Some('+') => (false, characters.as_str().trim_start()),
        _ => (false, cell),
    }
}

/// A currency at the start, and the rest.
fn currency(cell: &str) -> Option<(&str, &str)> {
    let word = CURRENCIES.iter().find(|word| cell.starts_with(**word)).map(|word| word.len());
    let sign = || cell.chars().next().filter(|&sign| is_currency_sign(sign)).map(char::len_utf8);
    word.or_else(sign).map(|length| cell.split_at(length))
}

/// Whether what stands beside a number is a currency.
pub(crate) fn is_currency(affix: &str) -> bool {
    CURRENCIES.contains(&affix) || affix.chars().next().is_some_and(is_currency_sign)
}

const fn is_currency_sign(sign: char) -> bool {
    matches!(sign, '$' | '¢' | '£' | '¤' | '¥' | '฿' | '\u{20a0}'..='\u{20cf}')
}

/// Where digits and the marks between them end, an exponent included.
fn end_of_digits(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'0'..=b'9' | b'.' | b',' => at += 1,
            b'e' | b'E' | b'd' | b'D' if at > 0 => {
                let digits = (at + 2..=bytes.len()).take_while(|&end| is_digit(end - 1) || end == at + 2).last();
                let end = digits.filter(|&end| is_exponent(&bytes[at..end]));
                return end.unwrap_or(at);
            }
            _ => {
                let mark =
                    text[at..].chars().next().filter(|&mark| is_space(mark) || matches!(mark, '\'' | '\u{2019}' | '_'));
                match mark {
                    Some(mark) if at > 0 && is_digit(at - 1) && is_digit(at + mark.len_utf8()) => at += mark.len_utf8(),
                    _ => return at,
                }
            }
        }
    }
    at
}

/// What is counted by a letter after the digits.
fn factor(letter: &str) -> Option<f64> {
    match letter {
        "K" | "k" => Some(1e3),
        "M" | "m" | "MM" | "mn" => Some(1e6),
        "B" | "b" | "bn" | "BN" => Some(1e9),
        _ => None,
    }
}

/// Whether what follows digits may be percent, a currency or a unit: `%`, `€`, `kg`, `km/h`, `g/cm³`, `m2`.
fn is_unit(text: &str) -> bool {
    let first = |c: char| c.is_alphabetic() || matches!(c, '%' | '‰' | '°') || is_currency_sign(c);
    let later = |c: char| first(c) || c.is_alphanumeric() || matches!(c, '/' | '·' | '*' | '^' | '.' | '\u{207b}');
    text.starts_with(first) && text.chars().all(later) && text.chars().count() <= LONGEST_UNIT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_digits_and_affix_are_told_apart() {
        let parts = |cell| NumberCell::of(cell).map(|cell| (cell.negative, cell.digits, cell.affix));
        for (cell, negative, digits, affix) in [
            ("5", false, "5", ""),
            ("+5.5", false, "5.5", ""),
            ("-1,234.5e-3", true, "1,234.5e-3", ""),
            ("\u{2212}5", true, "5", ""),
            ("- 5", true, "5", ""),
            ("(1,234)", true, "1,234", ""),
            ("($5)", true, "5", "$"),
            ("-$5", true, "5", "$"),
            ("$-5", true, "5", "$"),
            ("$ 5", false, "5", "$"),
            ("CHF 1'234.50", false, "1'234.50", "CHF"),
            ("1\u{a0}234,50 €", false, "1\u{a0}234,50", "€"),
            ("5eV", false, "5", "eV"),
            ("5e3eV", false, "5e3", "eV"),
            ("5d", false, "5", "d"),
            ("1.5D+03", false, "1.5D+03", ""),
            ("45.2 %", false, "45.2", "%"),
            ("12 km/h", false, "12", "km/h"),
            ("3 m2", false, "3", "m2"),
            ("-inf", true, "inf", ""),
        ] {
            assert_eq!(parts(cell), Some((negative, digits, affix)), "{cell}");
        }
    }

    #[test]
    fn what_is_no_number_has_no_parts() {
        for cell in [
            "",
            "-",
            "x5",
            "5-6",
            "12:30",
            "2020-01-02",
            "1/2",
            "5 Main Street",
            "$",
            "((5))",
            "(-5)",
            "--5",
            "e5",
            "$5 USD",
        ] {
            assert_eq!(NumberCell::of(cell), None, "{cell}");
        }
    }
}
