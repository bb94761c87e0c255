//! From the bytes of a delimited file to a table.

use super::decide::{Facts, decide};
use super::evidence::{Evidence, Rules};
use super::fill::fill;
use super::header::Names;
use super::layout::Layout;
use super::options::{ReadOptions, resolved};
use super::order::{DATES, NO_DATE};
use super::records::walk;
use crate::data::{Column, Table};
use crate::error::{Error, Result};
use crate::format::number_form::{NumberForm, Thousands};

/// Reads a table; `usual` is the mark between cells that the name of the file tells.
pub(in crate::data) fn parse(origin: String, bytes: &[u8], usual: Option<u8>, options: &ReadOptions) -> Result<Table> {
    if let Some(at) = bytes.iter().position(|&b| b == 0) {
        let line = bytes[..at].split(|&b| b == b'\n').count() as u64;
        return Err(Error::NotText { origin, line });
    }
    let earlier = options.earlier.as_ref().and_then(|earlier| earlier.separator);
    let layout = Layout::of(bytes, options.separator, earlier, usual);
    let missing = options.marks_of_gaps();
    let rules = rules(options, &missing);

    let mut first: Vec<String> = Vec::new();
    let mut columns: Vec<Evidence> = Vec::new();
    let mut lines = Vec::new();
    walk(layout, &origin, bytes, |line, record| {
        if lines.is_empty() {
            first = record.iter().map(str::to_owned).collect();
            columns = vec![Evidence::default(); record.len()];
        } else {
            for ((cell, column), first) in record.iter().zip(&mut columns).zip(&first) {
                column.see(lines.len(), cell, rules);
                column.first_again = column.first_again || cell == first;
            }
        }
        lines.push(line);
        Ok(())
    })?;
    if lines.is_empty() {
        return Err(Error::EmptyFile { origin });
    }
    let Names { columns: names, headless, notes: said } = Names::of(&first, &columns, options, rules);
    let mut notes = Vec::new();
    if usual.is_none() && layout.separator != b',' {
        notes.push(format!("{origin}: cells are separated by {:?}", char::from(layout.separator)));
    }
    notes.extend(said.into_iter().map(|note| format!("{origin}: {note}")));
    if headless {
        for (cell, column) in first.iter().zip(&mut columns) {
            column.see(0, cell, rules);
        }
    } else {
        lines.remove(0);
    }
    if lines.is_empty() {
        return Err(Error::HeaderOnly { origin });
    }

    let facts = Facts { origin: &origin, lines: &lines, names: &names, separator: layout.separator, headless, options };
    let decision = decide(&facts, &columns)?;
    notes.extend(decision.notes.into_iter().map(|note| format!("{origin}: {note}")));
    let place = |name: &str| names.iter().position(|own| own == name);
    let verbatim = resolved(&options.verbatim, |name| place(name).is_some());
    let verbatim: Vec<usize> = verbatim.iter().filter_map(|name| place(name)).collect();
    let inputs = (layout, origin.as_str(), bytes);
    let filled = fill(inputs, (&decision.plans, lines.len(), headless), (&missing, &verbatim))?;
    if let Some((j, row, value)) = filled.fault {
        let (line, column) = (lines[row], names[j].clone());
        return Err(Error::Cell { origin, line, column, value, reason: NO_DATE.to_owned(), hint: DATES });
    }
    let kept = verbatim.iter().map(|&j| names[j].clone()).zip(filled.verbatim).collect();
    let unnamed: Vec<bool> = first.iter().map(|cell| cell.is_empty() && !headless).collect();
    let columns = names.into_iter().zip(filled.columns).map(|(name, cells)| Column { name, cells });
    // A mark at the end of every line makes a column without name and cells.
    let columns: Vec<Column> = columns
        .zip(unnamed)
        .filter(|(column, unnamed)| !(*unnamed && column.is_empty()))
        .map(|(column, _)| column)
        .collect();
    if columns.is_empty() {
        return Err(Error::EmptyFile { origin });
    }
    let mut table = Table::new(origin, columns, lines, notes);
    table.reading = decision.reading;
    table.verbatim = kept;
    Ok(table)
}

/// What the user says of all columns.
pub(super) fn rules<'a>(options: &ReadOptions, missing: &'a [String]) -> Rules<'a> {
    let fits = |form: &NumberForm| {
        options.decimal.is_none_or(|decimal| form.decimal == decimal)
            && options.thousands.is_none_or(|mark| form.thousands == Thousands::None || form.thousands == mark)
    };
    Rules { allowed: NumberForm::all().filter(fits).collect(), missing }
}

/// A table from text, for tests.
#[cfg(test)]
pub(crate) fn table_of(text: &str) -> Table {
    parse("t.csv".to_owned(), text.as_bytes(), None, &ReadOptions::default()).unwrap()
}
