//! Cells that stand for a missing value.

/// In any column, in lower case.
const MISSING: [&str; 19] = [
    "", "na", "n/a", "nan", "null", "none", "?", "<na>", "#n/a", "#na", "n.a.", "-nan", "nat", "(null)", "#value!",
    "#div/0!", "#ref!", "#num!", "nil",
];

/// Marks of gaps among numbers and dates; in a column of text they are values, as `-` is beside `+`.
const WEAK: [&str; 8] = ["-", "--", "---", ".", "..", "–", "—", "*"];

/// Whether a cell stands for a missing value in any column; `own` are marks of the user's.
pub(super) fn is_missing(cell: &str, own: &[String]) -> bool {
    // Nearly every cell of numbers.
    let number = matches!(cell.as_bytes(), [b'0'..=b'9', ..] | [b'-', b'0'..=b'9' | b'.', ..]);
    (!number && MISSING.iter().any(|missing| cell.eq_ignore_ascii_case(missing))) || is_own_mark(cell, own)
}

/// Whether a cell is one of the user's marks of gaps.
pub(super) fn is_own_mark(cell: &str, own: &[String]) -> bool {
    own.iter().any(|missing| cell == missing || is_same_number(cell, missing))
}

/// Whether a cell is text that stands for a missing value unless it is known to be a value: `None`, `NA`.
pub(super) fn is_word(cell: &str) -> bool {
    !cell.is_empty() && is_missing(cell, &[])
}

/// Whether both are one number: `-999` and `-999.0`.
fn is_same_number(a: &str, b: &str) -> bool {
    matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
}

/// Whether a cell stands for a missing value among numbers and dates.
pub(super) fn is_weak(cell: &str) -> bool {
    cell.len() <= 3 && WEAK.contains(&cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_gaps_are_the_usual_ones_and_the_users() {
        let own = ["-999".to_owned(), "unknown".to_owned()];
        for cell in ["", "NA", "n/a", "#N/A", "NaN", "-nan", "-999", "-999.0", "unknown"] {
            assert!(is_missing(cell, &own), "{cell}");
        }
        for cell in ["0", "-99", "none at all", "Unknown", "-", "."] {
            assert!(!is_missing(cell, &own), "{cell}");
        }
        assert!(is_word("None") && !is_word("") && !is_word("nothing") && is_own_mark("-999.0", &own));
        assert!(is_weak("-") && is_weak("–") && !is_weak("+"));
    }
}
