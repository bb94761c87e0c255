//! Text in tables that people open with a spreadsheet.

use std::borrow::Cow;

/// A text as the cell of a CSV. One that a spreadsheet would take for a formula that does something gets an apostrophe
/// before it: a call, a reference to another program, a sum. Names of classes such as `+` and `-`, numbers and words with
/// a sign stay as they are, so that they are found again.
pub(crate) fn text_cell(text: &str) -> Cow<'_, str> {
    let mut rest = text.trim_start_matches(['\t', '\r', ' ']).chars();
    let formula = match rest.next() {
        Some('=') => !rest.as_str().is_empty(),
        Some('+' | '-' | '@') => rest.any(|c| "(|!=+*/".contains(c)) && text.parse::<f64>().is_err(),
        _ => false,
    };
    if formula { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_a_formula_is_text_and_numbers_and_other_text_stay() {
        for formula in ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "-x+y", " =A1"] {
            assert_eq!(text_cell(formula), format!("'{formula}"));
        }
        for plain in ["-1", "+5", "-1e-3", "a=1", "", "7", "x-y", "'=1", "+", "-", "=", "-abc", "@ann", "--", "-1e+3"] {
            assert_eq!(text_cell(plain), plain);
        }
    }
}
