//! The second walk: cells become values, each column in its meaning.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Meaning;
use super::cells::cells;
use super::evidence::Evidence;
use super::layout::Layout;
use super::missing::{is_missing, is_own_mark, is_weak, is_word};
use super::records::walk;
use crate::data::{Cells, Column, TextCells};
use crate::error::Result;
use crate::format::date::seconds;
use crate::format::number_cell::NumberCell;
use crate::format::number_form::NumberForm;

/// Which words that stand for gaps are values in a column of text.
#[derive(Clone, Debug, Default)]
pub(super) enum Words {
    /// None is.
    #[default]
    Gaps,
    /// All are.
    Values,
    /// These are.
    These(BTreeSet<String>),
}

impl Words {
    fn are_values(&self, cell: &str) -> bool {
        match self {
            Self::Gaps => false,
            Self::Values => true,
            Self::These(words) => words.contains(cell),
        }
    }
}

/// The words among the values of columns of text that would be gaps elsewhere.
pub(super) fn words<'a>(columns: impl Iterator<Item = &'a Column>) -> BTreeMap<String, BTreeSet<String>> {
    let of = |column: &Column| {
        let Cells::Text(text) = &column.cells else { return None };
        let words: BTreeSet<String> = text.values.iter().filter(|value| is_word(value)).cloned().collect();
        (!words.is_empty()).then(|| (column.name.clone(), words))
    };
    columns.filter_map(of).collect()
}

/// What is to be read of a column.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) meaning: Meaning,
    pub(super) words: Words,
    /// Of text: how many of its cells are numbers, if it was meant to be numeric, and the first row that is none.
    pub(super) numbers: usize,
    pub(super) first_text: usize,
}

impl Plan {
    /// Of a column that is what it seems to be.
    pub(super) fn sure(meaning: Meaning) -> Self {
        Self { meaning, words: Words::Gaps, numbers: 0, first_text: 0 }
    }

    /// Text where numbers were meant, perhaps; `skipped` records are no rows.
    pub(super) fn doubtful(evidence: &Evidence, skipped: usize) -> Self {
        let numbers = evidence.numbers + if evidence.numbers > evidence.texts { evidence.weak } else { 0 };
        let first_text = evidence.first_misfit().saturating_sub(skipped);
        Self { numbers, first_text, ..Self::sure(Meaning::Text) }
    }

    /// Text where numbers were asked for.
    pub(super) fn faulty(evidence: &Evidence, skipped: usize) -> Self {
        let all = evidence.numbers + evidence.texts + evidence.dates + evidence.weak;
        Self { numbers: all, ..Self::doubtful(evidence, skipped) }
    }

    /// The first word that is taken for a gap in a column of text.
    pub(super) fn gap_word(&self, evidence: &Evidence) -> Option<String> {
        let is_text = matches!(self.meaning, Meaning::Text | Meaning::Shortened);
        let word = evidence.first_word.as_ref().filter(|(_, word)| is_text && !self.words.are_values(word));
        word.map(|(_, word)| word.clone())
    }

    /// Whether a cell of text is a gap; the user's own marks always are.
    fn is_gap(&self, cell: &str, missing: &[String]) -> bool {
        let is_value = || is_word(cell) && self.words.are_values(cell) && !is_own_mark(cell, missing);
        is_missing(cell, missing) && !is_value()
    }
}

/// A column while it is filled.
pub(super) struct Filling<'a> {
    plan: &'a Plan,
    pub(super) cells: Cells,
    codes: HashMap<String, u32>,
    /// The first cell that is no date where a date was asked for.
    pub(super) fault: Option<(usize, String)>,
}

impl<'a> Filling<'a> {
    /// An empty column with room for that number of rows.
    pub(super) fn new(plan: &'a Plan, rows: usize) -> Self {
        let cells = match plan.meaning {
            Meaning::Number { .. } => Cells::Numbers(Vec::with_capacity(rows)),
            Meaning::Date { .. } => Cells::Dates(Vec::with_capacity(rows)),
            Meaning::Text | Meaning::Shortened => Cells::Text(TextCells {
                values: Vec::new(),
                codes: Vec::with_capacity(rows),
                numbers: plan.numbers,
                first_text: plan.first_text,
            }),
        };
        Self { plan, cells, codes: HashMap::new(), fault: None }
    }

    /// Adds a trimmed cell.
    pub(super) fn push(&mut self, cell: &str, missing: &[String]) {
        match (&mut self.cells, &self.plan.meaning) {
            (Cells::Numbers(values), Meaning::Number { form, .. }) => values.push(match cell.parse() {
                // Most cells, and no gap is among them.
                Ok(value) if *form == NumberForm::PLAIN && missing.is_empty() => value,
                _ if is_missing(cell, missing) || is_weak(cell) => f64::NAN,
                _ => NumberCell::of(cell).map_or(f64::NAN, |number| number.signed(form.value(number.digits))),
            }),
            (Cells::Dates(values), Meaning::Date { order }) => {
                let gap = is_missing(cell, missing) || is_weak(cell);
                let value = seconds(cell, *order);
                if !gap && value.is_none() && self.fault.is_none() {
                    self.fault = Some((values.len(), cell.to_owned()));
                }
                values.push(value.unwrap_or(f64::NAN));
            }
            (Cells::Text(text), _) if self.plan.is_gap(cell, missing) => text.codes.push(TextCells::MISSING),
            (Cells::Text(text), meaning) => {
                let short = matches!(meaning, Meaning::Shortened).then(|| shortened(cell)).flatten();
                let value = short.as_deref().unwrap_or(cell);
                let next = text.values.len() as u32;
                let code = self.codes.get(value).copied().unwrap_or_else(|| {
                    self.codes.insert(value.to_owned(), next);
                    text.values.push(value.to_owned());
                    next
                });
                text.codes.push(code);
            }
            (Cells::Numbers(_) | Cells::Dates(_) | Cells::Images(_), _) => {}
        }
    }
}

/// The shortest form of what is a number.
fn shortened(cell: &str) -> Option<String> {
    cell.parse::<f64>().ok().map(|number| number.to_string())
}

/// What the second walk makes.
pub(super) struct Filled {
    pub(super) columns: Vec<Cells>,
    /// Column, row and text of the first cell that is no date where dates were asked for.
    pub(super) fault: Option<(usize, usize, String)>,
    /// The cells of some columns as they stand.
    pub(super) verbatim: Vec<Vec<String>>,
}

/// The cells of all columns, and as they stand those of the columns `verbatim`.
pub(super) fn fill(
    (layout, origin, bytes): (Layout, &str, &[u8]),
    (plans, rows, headless): (&[Plan], usize, bool),
    (missing, verbatim): (&[String], &[usize]),
) -> Result<Filled> {
    let mut columns: Vec<Filling<'_>> = plans.iter().map(|plan| Filling::new(plan, rows)).collect();
    let mut kept = vec![Vec::new(); verbatim.len()];
    let mut header = !headless;
    walk(layout, origin, bytes, |_, record| {
        if std::mem::take(&mut header) {
            return Ok(());
        }
        for (cell, column) in cells(record).zip(&mut columns) {
            column.push(cell, missing);
        }
        for (&j, kept) in verbatim.iter().zip(&mut kept) {
            kept.push(record.get(j).unwrap_or_default().trim().to_owned());
        }
        Ok(())
    })?;
    let mut faults = columns.iter_mut().enumerate().filter_map(|(j, column)| Some((j, column.fault.take()?)));
    let fault = faults.next().map(|(j, (row, cell))| (j, row, cell));
    Ok(Filled { fault, columns: columns.into_iter().map(|column| column.cells).collect(), verbatim: kept })
}
