//! Reading CSV and TSV: the `csv` crate splits the cells, this file finds out what the columns are.
//!
//! The file is read into memory once and walked twice: first to see which columns are numeric, then to fill them.

use std::collections::{HashMap, HashSet};

use super::{Cells, Column, Table, TextCells};
use crate::error::{Error, Result};

/// Cells that stand for a missing value, in lower case.
const MISSING: [&str; 7] = ["", "na", "n/a", "nan", "null", "none", "?"];

/// What separates the cells of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Delimiter {
    /// A tab.
    Tab,
    /// The comma, unless the first line has none and has `;` or tabs instead.
    Found,
}

/// How the cells of a file are written.
#[derive(Clone, Copy)]
struct Notation {
    delimiter: u8,
    /// Where `;` separates cells, a comma may stand for the decimal point.
    decimal_comma: bool,
}

impl Notation {
    fn of(bytes: &[u8], delimiter: Delimiter) -> Self {
        let first = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
        let delimiter = match delimiter {
            Delimiter::Tab => b'\t',
            Delimiter::Found => *[b',', b';', b'\t'].iter().find(|d| first.contains(d)).unwrap_or(&b','),
        };
        Self { delimiter, decimal_comma: delimiter == b';' }
    }

    fn number(self, cell: &str) -> Option<f64> {
        if self.decimal_comma && cell.contains(',') && !cell.contains('.') {
            return cell.replace(',', ".").parse().ok();
        }
        cell.parse().ok()
    }

    /// Calls `visit` with the line and the cells of every record, the header included.
    fn walk(
        self,
        origin: &str,
        bytes: &[u8],
        mut visit: impl FnMut(u64, &csv::StringRecord) -> Result<()>,
    ) -> Result<()> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .trim(csv::Trim::All)
            .from_reader(bytes);
        let mut record = csv::StringRecord::new();
        let mut cells = None;
        loop {
            match reader.read_record(&mut record) {
                Ok(false) => return Ok(()),
                Ok(true) => {}
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    return Err(Error::NotText { origin: origin.to_owned(), line });
                }
            }
            let line = record.position().map_or(0, csv::Position::line);
            let expected = *cells.get_or_insert(record.len());
            if record.len() != expected {
                return Err(Error::Ragged { origin: origin.to_owned(), line, expected, found: record.len() });
            }
            visit(line, &record)?;
        }
    }
}

pub(super) fn is_missing(cell: &str) -> bool {
    MISSING.iter().any(|missing| cell.eq_ignore_ascii_case(missing))
}

/// What the first walk learns of a column.
#[derive(Clone, Copy, Default)]
struct Seen {
    numbers: usize,
    text: usize,
    first_text: usize,
}

pub(super) fn parse(origin: String, bytes: &[u8], delimiter: Delimiter) -> Result<Table> {
    if let Some(at) = bytes.iter().position(|&b| b == 0) {
        let line = bytes[..at].split(|&b| b == b'\n').count() as u64;
        return Err(Error::NotText { origin, line });
    }
    let notation = Notation::of(bytes, delimiter);
    let mut notes = Vec::new();
    if delimiter == Delimiter::Found && notation.delimiter != b',' {
        notes.push(format!("{origin}: cells are separated by {:?}", char::from(notation.delimiter)));
    }

    let mut names: Option<Vec<String>> = None;
    let mut headless = false;
    let mut seen: Vec<Seen> = Vec::new();
    let mut lines = Vec::new();
    notation.walk(&origin, bytes, |line, record| {
        if names.is_none() {
            headless = record.iter().all(|cell| notation.number(cell).is_some());
            seen = vec![Seen::default(); record.len()];
            names = Some(column_names(&origin, record, headless, &mut notes)?);
            if !headless {
                return Ok(());
            }
        }
        for (cell, seen) in record.iter().zip(&mut seen) {
            if is_missing(cell) {
            } else if notation.number(cell).is_some() {
                seen.numbers += 1;
            } else {
                if seen.text == 0 {
                    seen.first_text = lines.len();
                }
                seen.text += 1;
            }
        }
        lines.push(line);
        Ok(())
    })?;
    let Some(names) = names else { return Err(Error::EmptyFile { origin }) };
    if lines.is_empty() {
        return Err(Error::HeaderOnly { origin });
    }

    let columns = fill(notation, &origin, bytes, headless, &seen, lines.len())?;
    let columns = names.into_iter().zip(columns).map(|(name, cells)| Column { name, cells }).collect();
    Ok(Table::new(origin, columns, lines, notes))
}

fn column_names(
    origin: &str,
    header: &csv::StringRecord,
    headless: bool,
    notes: &mut Vec<String>,
) -> Result<Vec<String>> {
    if headless {
        notes.push(format!("{origin}: no header; the columns are called column_1 to column_{}", header.len()));
    }
    let mut taken = HashSet::new();
    let mut names = Vec::with_capacity(header.len());
    for (j, cell) in header.iter().enumerate() {
        let name = if headless || cell.is_empty() { format!("column_{}", j + 1) } else { cell.to_owned() };
        if !headless && cell.is_empty() {
            notes.push(format!("{origin}: column {} has no name and is called {name}", j + 1));
        }
        if !taken.insert(name.clone()) {
            return Err(Error::DuplicateColumn { origin: origin.to_owned(), column: name });
        }
        names.push(name);
    }
    Ok(names)
}

/// The second walk.
fn fill(
    notation: Notation,
    origin: &str,
    bytes: &[u8],
    headless: bool,
    seen: &[Seen],
    rows: usize,
) -> Result<Vec<Cells>> {
    let mut columns: Vec<Cells> = (seen.iter())
        .map(|seen| match seen.text {
            0 => Cells::Numbers(Vec::with_capacity(rows)),
            _ => Cells::Text(TextCells {
                values: Vec::new(),
                codes: Vec::with_capacity(rows),
                numbers: seen.numbers,
                first_text: seen.first_text,
            }),
        })
        .collect();
    let mut dictionaries: Vec<HashMap<String, u32>> = vec![HashMap::new(); seen.len()];
    let mut header = !headless;
    notation.walk(origin, bytes, |_, record| {
        if std::mem::take(&mut header) {
            return Ok(());
        }
        for ((cell, column), dictionary) in record.iter().zip(&mut columns).zip(&mut dictionaries) {
            match column {
                Cells::Numbers(values) if is_missing(cell) => values.push(f64::NAN),
                Cells::Numbers(values) => values.push(notation.number(cell).unwrap_or(f64::NAN)),
                Cells::Text(text) if is_missing(cell) => text.codes.push(TextCells::MISSING),
                Cells::Text(text) => {
                    let value = notation.number(cell).map_or_else(|| cell.to_owned(), |number| number.to_string());
                    let next = text.values.len() as u32;
                    let code = *dictionary.entry(value).or_insert_with_key(|value| {
                        text.values.push(value.clone());
                        next
                    });
                    text.codes.push(code);
                }
                Cells::Images(_) => {}
            }
        }
        Ok(())
    })?;
    Ok(columns)
}

/// A table from text, for tests.
#[cfg(test)]
pub(crate) fn table_of(text: &str) -> Table {
    parse("t.csv".to_owned(), text.as_bytes(), Delimiter::Found).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Table> {
        parse("t.csv".to_owned(), text.as_bytes(), Delimiter::Found)
    }

    fn numbers(table: &Table, name: &str) -> Vec<f64> {
        table.numbers(table.column(name).unwrap()).unwrap().to_vec()
    }

    #[test]
    fn numbers_text_gaps_and_quotes_are_read() {
        let table = table("a,\"b c\",d\n1, x y ,3e2\n,\"x, y\",NA\n-2.5,,7\n").unwrap();
        assert_eq!(table.rows(), 3);
        let a = numbers(&table, "a");
        assert!(a[0] == 1.0 && a[1].is_nan() && a[2] == -2.5);
        let text: Vec<_> = (0..3).map(|row| table.column("b c").unwrap().text(row)).collect();
        assert_eq!(text, [Some("x y".to_owned()), Some("x, y".to_owned()), None]);
        assert!(numbers(&table, "d")[1].is_nan());
    }

    #[test]
    fn a_byte_order_mark_and_windows_line_ends_do_no_harm() {
        let table = table("\u{feff}a,b\r\n1,2\r\n").unwrap();
        assert_eq!(numbers(&table, "a"), [1.0]);
    }

    #[test]
    fn semicolons_with_decimal_commas_are_understood_and_said() {
        let table = table("a;b\n1,5;2\n").unwrap();
        assert_eq!(numbers(&table, "a"), [1.5]);
        assert!(table.notes()[0].contains("';'"));
    }

    #[test]
    fn a_table_without_header_gets_names_and_says_so() {
        let table = table("1,2\n3,4\n").unwrap();
        assert_eq!(numbers(&table, "column_2"), [2.0, 4.0]);
        assert!(table.notes()[0].contains("no header"));
    }

    #[test]
    fn a_ragged_row_names_its_line() {
        let error = table("a,b\n1,2\n3\n").unwrap_err();
        assert_eq!(error.to_string(), "t.csv:3: 1 cell where the first line has 2");
    }

    #[test]
    fn text_in_a_numeric_column_names_its_line_and_column() {
        let table = table("a,b\n1,2\n3,oops\n5,6\n").unwrap();
        let error = table.numbers(table.column("b").unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "t.csv:3: column `b`: `oops` is not a number");
    }

    #[test]
    fn an_infinite_value_names_its_line_and_column() {
        for word in ["inf", "-Infinity", "1e999"] {
            let table = table(&format!("a,b\n1,2\n3,{word}\n")).unwrap();
            let error = table.numbers(table.column("b").unwrap()).unwrap_err();
            assert_eq!(error.to_string(), "t.csv:3: column `b`: infinite value");
        }
    }

    #[test]
    fn what_is_not_a_table_is_refused() {
        assert!(matches!(table(""), Err(Error::EmptyFile { .. })));
        assert!(matches!(table("\n\n"), Err(Error::EmptyFile { .. })));
        assert!(matches!(table("a,b\n"), Err(Error::HeaderOnly { .. })));
        assert!(matches!(table("a,a\n1,2\n"), Err(Error::DuplicateColumn { .. })));
        let noise = parse("t.csv".to_owned(), b"a,b\n1,\xff\xfe\n", Delimiter::Found);
        assert!(matches!(noise, Err(Error::NotText { line: 2, .. })));
        let zeros = parse("t.csv".to_owned(), b"a\0,b\n", Delimiter::Found);
        assert!(matches!(zeros, Err(Error::NotText { line: 1, .. })));
    }
}
