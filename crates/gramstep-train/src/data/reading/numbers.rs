//! The form of a column of numbers.
//!
//! Where marks may be read in two ways that give different numbers (`1,234`), the first of these decides: what the user
//! says; columns of the same file that can be read in one way alone; what the column meant in the table that the model was
//! learned from; the mark between cells (a comma leaves no decimal commas, and beside a semicolon a comma is one); a number
//! of four digits without a mark, which is against marks between thousands. Where none does, both are equally likely, and
//! that is an error.

use super::Meaning;
use super::decide::{Choice, Earlier, Given};
use super::fill::Plan;
use crate::error::{Error, Result};
use crate::format::number_cell::NumberCell;
use crate::format::number_form::{Decimal, Forms, NumberForm, Thousands};

impl Choice<'_> {
    /// A column of numbers; `asked` where that is no guess, so that other cells are faults.
    pub(super) fn numbers(&mut self, column: &Given<'_>, earlier: Option<&Earlier>, asked: bool) -> Result<Plan> {
        let evidence = column.evidence;
        let fits = evidence.texts == 0 && evidence.dates == 0 && evidence.first_other.is_none();
        if !fits {
            return Ok(if asked {
                Plan::faulty(evidence, self.skipped())
            } else {
                Plan::doubtful(evidence, self.skipped())
            });
        }
        let form = self.form(column, earlier.map(|earlier| earlier.form))?;
        let mixed = evidence.is_partly_affixed();
        if mixed && column.is_used && earlier.is_some_and(|earlier| !earlier.mixed) {
            if evidence.affix == "%" {
                return Err(self.share(column));
            }
            let (affix, affixed, bare) = (&evidence.affix, evidence.affixed, evidence.bare);
            let text = format!(": {affixed} in `{affix}` and {bare} without a unit are taken as they stand");
            self.remark(column, "mixed affix", text);
        }
        if let Some(Earlier { affix, .. }) = earlier
            && *affix != evidence.affix
            && evidence.numbers > 0
        {
            let way =
                |affix: &str| if affix.is_empty() { "without a unit".to_owned() } else { format!("in `{affix}`") };
            let text = format!(
                ": numbers {} are taken as they stand, though those of training were {}",
                way(&evidence.affix),
                way(affix)
            );
            self.remark(column, "other affix", text);
        }
        // What was said of the training table is not said again.
        if earlier.is_some_and(|earlier| earlier.form == form && earlier.affix == evidence.affix) {
            self.say_gaps(column);
        } else {
            self.say(column, form);
        }
        Ok(Plan::sure(Meaning::Number { form, affix: evidence.affix.clone(), mixed }))
    }

    /// The form of a column of numbers.
    fn form(&self, column: &Given<'_>, earlier: Option<NumberForm>) -> Result<NumberForm> {
        let evidence = column.evidence;
        let plainest = |forms: Forms| forms.iter().next().unwrap_or_default();
        let with = |decimal| evidence.forms.and(Forms::with(decimal));
        if !evidence.is_ambiguous() {
            let own = earlier.filter(|form| evidence.forms.contains(*form));
            return Ok(own.unwrap_or_else(|| plainest(evidence.forms)));
        }
        if let Some(decimal) = self.proof.filter(|&decimal| !with(decimal).is_empty()) {
            return Ok(plainest(with(decimal)));
        }
        if let Some(form) = earlier.filter(|form| evidence.forms.contains(*form)) {
            return Ok(form);
        }
        // Decimal commas stay what they are beside marks between thousands; a point may have been all that was needed.
        let commas = with(Decimal::Comma);
        if earlier.is_some_and(|form| form.decimal == Decimal::Comma) && !commas.is_empty() {
            return Ok(plainest(commas));
        }
        // The mark in question, and how it would be read by either.
        let comma = evidence.forms.contains(NumberForm { decimal: Decimal::Comma, thousands: Thousands::None });
        let decided = match (self.facts.separator, comma) {
            (b',', true) => (!evidence.ungrouped).then_some(Decimal::Point),
            (b';', true) => Some(Decimal::Comma),
            (b';', false) => evidence.ungrouped.then_some(Decimal::Point),
            (_, true) => evidence.ungrouped.then_some(Decimal::Comma),
            (_, false) => Some(Decimal::Point),
        };
        if let Some(decimal) = decided {
            return Ok(plainest(with(decimal)));
        }
        if !column.is_used {
            return Ok(plainest(evidence.forms));
        }
        let (record, cell) = evidence.marked.clone().unwrap_or_default();
        let value = |decimal| value(&cell, plainest(with(decimal)));
        Err(Error::Cell {
            origin: self.facts.origin.to_owned(),
            line: self.line(record),
            column: column.name.to_owned(),
            reason: format!("may be {} or {}", value(Decimal::Point), value(Decimal::Comma)),
            value: cell,
            hint: "say which mark stands before decimals: --decimal . or --decimal ,",
        })
    }

    /// The error of percents of which some lack the sign: they may be percents too, or shares of 1.
    pub(super) fn share(&self, column: &Given<'_>) -> Error {
        let (record, cell) = column.evidence.first_bare.clone().unwrap_or_default();
        let value = value(&cell, NumberForm::PLAIN);
        Error::Cell {
            origin: self.facts.origin.to_owned(),
            line: self.line(record),
            column: column.name.to_owned(),
            reason: format!("may be {value} % or {} % beside cells with a sign", 100.0 * value),
            value: cell,
            hint: "give all cells the sign or none; --types COL=number takes the numbers as they stand",
        }
    }

    /// What is said of numbers that are not plain.
    fn say(&mut self, column: &Given<'_>, form: NumberForm) {
        let evidence = column.evidence;
        let other = |form: NumberForm| {
            let decimal = if form.decimal == Decimal::Point { Decimal::Comma } else { Decimal::Point };
            let cell = evidence.marked.as_ref().map_or("", |(_, cell)| cell.as_str());
            let twin = evidence.forms.and(Forms::with(decimal)).iter().next().filter(|_| evidence.is_ambiguous());
            twin.map_or_else(String::new, |twin| format!("; --decimal {decimal} reads {}", value(cell, twin)))
        };
        if let Some((_, cell)) = evidence.marked.as_ref().filter(|_| form != NumberForm::PLAIN) {
            let between = match form.thousands {
                Thousands::None => None,
                Thousands::Comma => Some("a comma"),
                Thousands::Point => Some("a point"),
                Thousands::Space => Some("a space"),
                Thousands::Apostrophe => Some("an apostrophe"),
                Thousands::Underscore => Some("an underscore"),
            };
            let how = match (between, form.decimal) {
                (Some(between), _) => format!("{between} between thousands"),
                (None, Decimal::Comma) => "a decimal comma".to_owned(),
                (None, Decimal::Point) => String::new(),
            };
            if !how.is_empty() {
                let text = format!(": `{cell}` is {}, with {how}{}", value(cell, form), other(form));
                self.remark(column, &format!("marks {how}"), text);
            }
        }
        if !evidence.affix.is_empty() {
            let affix = &evidence.affix;
            let bare = if evidence.bare > 0 { format!(", {} without", evidence.bare) } else { String::new() };
            self.remark(
                column,
                &format!("affix {affix}"),
                format!(": numbers in `{affix}`{bare}; --types COL=text keeps text"),
            );
        }
        if let Some((_, cell)) = &evidence.counted {
            let text = format!(": `{cell}` is {}, of thousands, millions and billions", value(cell, form));
            self.remark(column, "counted", text);
        }
        if let Some((_, cell)) = &evidence.brackets {
            let text = format!(": `{cell}` is {}, brackets for the sign", value(cell, form));
            self.remark(column, "brackets", text);
        }
        self.say_gaps(column);
    }
}

/// What a cell is in a form, as it would be shown.
fn value(cell: &str, form: NumberForm) -> f64 {
    NumberCell::of(cell).map_or(f64::NAN, |number| number.signed(form.value(number.digits)))
}
