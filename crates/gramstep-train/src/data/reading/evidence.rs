//! What one walk through a file learns of a column: in which ways all of its cells can be read.

use super::missing::{is_missing, is_own_mark, is_weak, is_word};
use crate::format::date::{Orders, is_stamp};
use crate::format::number_cell::{NumberCell, is_currency};
use crate::format::number_form::{Decimal, Forms, NumberForm};

/// Longer whole numbers lose digits as a double.
const MOST_DIGITS: usize = 15;

/// A cell worth showing: the number of its record and its text.
pub(super) type Shown = Option<(usize, String)>;

/// What is known of the cells of a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Evidence {
    /// The ways in which all numbers can be read.
    pub(super) forms: Forms,
    /// The orders in which all dates can be read.
    pub(super) orders: Orders,
    /// Cells that are numbers in some way.
    pub(super) numbers: usize,
    /// Cells that are dates in some way, and no numbers.
    pub(super) dates: usize,
    /// Cells that are neither.
    pub(super) texts: usize,
    /// Marks of gaps that are gaps among numbers alone.
    pub(super) weak: usize,
    /// Words that stand for gaps where they are no values: the first one, and how many.
    pub(super) first_word: Shown,
    pub(super) words: usize,
    /// Numbers that are digits alone.
    pub(super) whole: usize,
    /// Numbers that may be dates: 20240531.
    pub(super) stamps: usize,
    /// A number of four digits or more without a mark between thousands.
    pub(super) ungrouped: bool,
    /// Percent, currency or unit of the first number that has one, and how many have it.
    pub(super) affix: String,
    pub(super) affixed: usize,
    /// Another one, and how many have another one.
    pub(super) other_affix: Option<String>,
    pub(super) others_affixed: usize,
    /// Numbers beside 0 without any.
    pub(super) bare: usize,
    pub(super) first_text: Option<usize>,
    pub(super) first_affixed: Option<usize>,
    pub(super) first_bare: Shown,
    /// The first number that cannot be read in the way of those before it.
    pub(super) first_other: Option<usize>,
    pub(super) first_weak: Shown,
    /// The first number that is not plain, or that may be something else.
    pub(super) marked: Shown,
    /// Digits alone that begin with 0, or are more than a double holds.
    pub(super) code: Shown,
    pub(super) brackets: Shown,
    /// A number of thousands, millions or billions.
    pub(super) counted: Shown,
    pub(super) date: Shown,
    /// A date whose day and month may be changed over.
    pub(super) turned: Shown,
    /// Whether the cell of the first record comes again.
    pub(super) first_again: bool,
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            forms: Forms::ALL,
            orders: Orders::ALL,
            numbers: 0,
            dates: 0,
            texts: 0,
            weak: 0,
            first_word: None,
            words: 0,
            whole: 0,
            stamps: 0,
            ungrouped: false,
            affix: String::new(),
            affixed: 0,
            other_affix: None,
            others_affixed: 0,
            bare: 0,
            first_text: None,
            first_affixed: None,
            first_bare: None,
            first_other: None,
            first_weak: None,
            marked: None,
            code: None,
            brackets: None,
            counted: None,
            date: None,
            turned: None,
            first_again: false,
        }
    }
}

/// What the user says of all columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    /// The forms that numbers may have.
    pub(super) allowed: Forms,
    /// More marks of gaps.
    pub(super) missing: &'a [String],
}

impl Evidence {
    /// Of one cell, for what is known of it alone.
    pub(super) fn of(cell: &str, rules: Rules<'_>) -> Self {
        let mut evidence = Self::default();
        evidence.see(0, cell, rules);
        evidence
    }

    /// Adds the cell of a record.
    pub(super) fn see(&mut self, record: usize, cell: &str, rules: Rules<'_>) {
        if !self.see_plain(cell, rules) {
            self.see_any(record, cell, rules);
        }
    }

    /// The short way of nearly every cell of a table of numbers: digits, perhaps with a minus and a point, that tell
    /// nothing which is not known. False where the cell has to go the long way.
    fn see_plain(&mut self, cell: &str, rules: Rules<'_>) -> bool {
        let bytes = cell.as_bytes();
        let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
        let before = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (forms, is_whole) = match digits[before..] {
            [] if (1..=MOST_DIGITS).contains(&before) && (before == 1 || digits[0] != b'0') => {
                (Forms::ALL, digits.len() == bytes.len())
            }
            [b'.', ref after @ ..] if before > 0 && after.len() != 3 && after.iter().all(u8::is_ascii_digit) => {
                (Forms::with(Decimal::Point), false)
            }
            _ => return false,
        };
        let both = self.forms.and(forms).and(rules.allowed);
        if both.is_empty() || self.first_bare.is_none() || self.affixed > 0 || !rules.missing.is_empty() {
            return false;
        }
        self.forms = both;
        self.numbers += 1;
        self.bare += usize::from(cell != "0");
        self.whole += usize::from(is_whole);
        self.stamps += usize::from(is_whole && is_stamp(cell));
        self.ungrouped |= is_whole && before >= 4;
        true
    }

    fn see_any(&mut self, record: usize, cell: &str, rules: Rules<'_>) {
        if is_missing(cell, rules.missing) {
            if is_word(cell) && !is_own_mark(cell, rules.missing) {
                self.words += 1;
                show(&mut self.first_word, record, cell);
            }
            return;
        }
        if is_weak(cell) {
            self.weak += 1;
            show(&mut self.first_weak, record, cell);
            return;
        }
        let number = NumberCell::of(cell).map(|number| (number, number.forms()));
        match number.filter(|(_, forms)| !forms.and(rules.allowed).is_empty()) {
            Some((number, forms)) => self.see_number(record, cell, number, (forms, rules.allowed)),
            None => self.see_date_or_text(record, cell),
        }
    }

    fn see_number(&mut self, record: usize, cell: &str, number: NumberCell<'_>, (forms, allowed): (Forms, Forms)) {
        if number.affix.is_empty() {
            self.bare += usize::from(cell != "0");
            if cell != "0" {
                show(&mut self.first_bare, record, cell);
            }
        } else if self.affixed == 0 {
            number.affix.clone_into(&mut self.affix);
            (self.affixed, self.first_affixed) = (1, Some(record));
        } else if self.affix == number.affix {
            self.affixed += 1;
        } else {
            self.other_affix.get_or_insert_with(|| number.affix.to_owned());
            self.others_affixed += 1;
            self.text(record);
            return;
        }
        self.numbers += 1;
        let both = self.forms.and(forms).and(allowed);
        if both.is_empty() {
            self.first_other = Some(first(self.first_other, record));
            return;
        }
        self.forms = both;
        if number.is_whole() {
            self.whole += 1;
            let digits = number.digits.len();
            self.stamps += usize::from(is_stamp(cell));
            self.ungrouped |= digits >= 4;
            if digits > MOST_DIGITS || (digits > 1 && number.digits.starts_with('0')) {
                show(&mut self.code, record, cell);
            }
        }
        if forms != Forms::ALL && (!forms.contains(NumberForm::PLAIN) || has_both(forms)) {
            show(&mut self.marked, record, cell);
        }
        if number.factor != 1.0 {
            show(&mut self.counted, record, cell);
        }
        if number.brackets {
            show(&mut self.brackets, record, cell);
        }
    }

    fn see_date_or_text(&mut self, record: usize, cell: &str) {
        let possible = (cell.len() >= 6 || cell.contains(':')) && cell.bytes().any(|byte| byte.is_ascii_digit());
        let orders = if possible { Orders::of(cell) } else { Orders::NONE };
        let both = self.orders.and(orders);
        if both.is_empty() {
            self.text(record);
            return;
        }
        self.orders = both;
        self.dates += 1;
        show(&mut self.date, record, cell);
        if orders.can_be_turned(cell) {
            show(&mut self.turned, record, cell);
        }
    }

    fn text(&mut self, record: usize) {
        self.texts += 1;
        self.first_text = Some(first(self.first_text, record));
    }

    /// Whether cells are numbers and gaps, and nothing else.
    pub(super) fn is_numeric(&self) -> bool {
        self.texts == 0 && self.dates == 0 && self.first_other.is_none() && !self.is_partly_affixed()
    }

    /// Whether cells are dates and gaps, and nothing else.
    pub(super) fn is_date(&self) -> bool {
        self.dates > 0 && self.texts == 0 && self.numbers == 0
    }

    /// Whether cells are numbers that are all dates of the 20th or 21st century, and gaps: few other numbers are.
    pub(super) fn are_stamps(&self) -> bool {
        self.is_numeric() && self.stamps > 0 && self.stamps == self.numbers
    }

    /// Whether some numbers have a unit and others have none: `3` and `3a` are not the same. A currency may be left away.
    pub(super) fn is_partly_affixed(&self) -> bool {
        self.affixed > 0 && self.bare > 0 && !is_currency(&self.affix)
    }

    /// Whether cells are text, and not numbers among which some are spoilt.
    pub(super) fn is_text(&self) -> bool {
        self.texts > 0 && self.texts + self.dates >= self.numbers
    }

    /// Another unit than that of most, if all cells are numbers with one.
    pub(super) fn mixed_unit(&self) -> Option<&str> {
        let all = self.texts == self.others_affixed && self.bare == 0 && self.dates == 0 && self.code.is_none();
        self.other_affix.as_deref().filter(|_| all)
    }

    /// Whether there is no cell but gaps.
    pub(super) fn is_empty(&self) -> bool {
        self.numbers + self.dates + self.texts + self.weak == 0
    }

    /// Whether digits stand for something that is not counted: `007`, `12345678901234501`.
    pub(super) fn is_coded(&self) -> bool {
        self.code.is_some() && self.whole == self.numbers
    }

    /// Whether marks can be read in two ways that give different numbers.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.forms != Forms::ALL && has_both(self.forms) && self.marked.is_some()
    }

    /// The record of the first cell that is no number as the others are.
    pub(super) fn first_misfit(&self) -> usize {
        let bare = self.first_bare.as_ref().map(|(record, _)| *record);
        let affixed = if self.affixed > self.bare { bare } else { self.first_affixed };
        let partly = affixed.filter(|_| self.is_partly_affixed());
        let other = self.date.as_ref().map(|(record, _)| *record);
        [self.first_text, self.first_other, partly, other].into_iter().flatten().min().unwrap_or(0)
    }
}

/// Whether there are ways with either decimal mark.
fn has_both(forms: Forms) -> bool {
    let some = |decimal| !forms.and(Forms::with(decimal)).is_empty();
    // A space or an apostrophe between thousands is read alike by both.
    some(Decimal::Point) && some(Decimal::Comma) && !forms.is_without_decimals()
}

fn first(known: Option<usize>, record: usize) -> usize {
    known.map_or(record, |known| known.min(record))
}

fn show(shown: &mut Shown, record: usize, cell: &str) {
    if shown.is_none() {
        *shown = Some((record, cell.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_of_a_cell_tells_the_same_as_the_long_one() {
        let cells = [
            "1",
            "0",
            "-0",
            "12",
            "-12",
            "007",
            "1234",
            "-1234",
            "1.5",
            "-1.5",
            "1.",
            ".5",
            "-.5",
            "0.125",
            "1.234",
            "1234.567",
            "1,5",
            "1,234",
            "1e5",
            "1234567890123456",
            "20240531",
            "-20240531",
            "20240631",
            "-1234567890123456",
            "00.5",
            "",
            "-",
            "x",
            "5%",
            "inf",
            "+5",
            "1.5.5",
        ];
        for missing in [&[][..], &["12".to_owned()]] {
            for allowed in [Forms::ALL, Forms::with(Decimal::Comma)] {
                let rules = Rules { allowed, missing };
                for first in cells {
                    for second in cells {
                        let (mut short, mut long) = (Evidence::default(), Evidence::default());
                        for (record, cell) in [first, second, first, second].into_iter().enumerate() {
                            short.see(record, cell, rules);
                            long.see_any(record, cell, rules);
                        }
                        assert_eq!(short, long, "`{first}`, `{second}`");
                    }
                }
            }
        }
    }
}
