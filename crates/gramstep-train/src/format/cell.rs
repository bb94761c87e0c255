//! Text in tables that people open with a spreadsheet.

use std::borrow::Cow;

/// A text as the cell of a CSV. One that a spreadsheet would take for a formula gets an apostrophe before it; a number is
/// none, whatever its sign.
pub(crate) fn text_cell(text: &str) -> Cow<'_, str> {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    if formula { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_a_formula_is_text_and_numbers_and_other_text_stay() {
        for formula in ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "-", "--x"] {
            assert_eq!(text_cell(formula), format!("'{formula}"));
        }
        for plain in ["-1", "+5", "-1e-3", "a=1", "", "7", "x-y", "'=1"] {
            assert_eq!(text_cell(plain), plain);
        }
    }
}
