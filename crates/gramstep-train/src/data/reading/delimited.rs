//! From the bytes of a delimited file to a table.

use super::cells::cells;
use super::decide::{Facts, decide};
use super::evidence::{Evidence, Rules};
use super::fill::{fill, words};
use super::header::Names;
use super::layout::Layout;
use super::options::ReadOptions;
use super::order::{DATES, NO_DATE};
use super::patterns::resolved;
use super::records::walk;
use crate::data::{Column, Table};
use crate::error::{Error, Result};
use crate::format::bounded::check_numbers;
use crate::format::encoding::utf8;
use crate::format::number_form::{NumberForm, Thousands};

/// Reads a table; `usual` is the mark between cells that the name of the file tells.
pub(in crate::data) fn parse(origin: String, bytes: &[u8], usual: Option<u8>, options: &ReadOptions) -> Result<Table> {
    let Some((bytes, encoding)) = utf8(bytes) else { return Err(Error::NotText { line: first_fault(bytes), origin }) };
    let bytes = &*bytes;
    let earlier = options.earlier.as_ref().and_then(|earlier| earlier.separator);
    let layout = Layout::of(bytes, options.separator, earlier, usual);
    let missing = options.marks_of_gaps();
    let rules = rules(options, &missing);

    let mut first: Vec<String> = Vec::new();
    let mut columns: Vec<Evidence> = Vec::new();
    let mut lines = Vec::new();
    walk(layout, &origin, bytes, |line, record| {
        if lines.is_empty() {
            first = cells(record).map(str::to_owned).collect();
            columns = vec![Evidence::default(); record.len()];
        } else {
            for ((cell, column), first) in cells(record).zip(&mut columns).zip(&first) {
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
    notes.extend(encoding.map(|encoding| format!("{origin}: not UTF-8, read as {encoding}")));
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

    check_numbers("the table", lines.len(), names.len())?;
    let separator = layout.separator;
    let facts = Facts { origin: &origin, lines: &lines, names: &names, separator, headless, says_gaps: false, options };
    let decision = decide(&facts, &columns)?;
    notes.extend(decision.notes.into_iter().map(|note| format!("{origin}: {note}")));
    let texts = decision.plans.iter().zip(&columns).map(|(plan, evidence)| plan.gap_word(evidence));
    let gap_words = names.iter().zip(texts).filter_map(|(name, word)| Some((name.clone(), word?))).collect();
    let place = |name: &str| names.iter().position(|own| own == name);
    let verbatim = resolved(&options.verbatim, &names);
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
    table.reading.words = words(table.columns.iter());
    table.reading.places = if headless { table.columns.len() } else { 0 };
    table.verbatim = kept;
    table.gap_words = gap_words;
    Ok(table)
}

/// The line of the first byte that is in no text, else of the first that is not UTF-8.
fn first_fault(bytes: &[u8]) -> u64 {
    let valid = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), |_| bytes.len());
    let at = bytes.iter().position(|&byte| byte == 0).unwrap_or(valid);
    bytes[..at].split(|&byte| byte == b'\n').count() as u64
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Cells, TypedColumn};

    fn read(text: impl AsRef<[u8]>) -> Result<Table> {
        parse("t.csv".to_owned(), text.as_ref(), None, &ReadOptions::default())
    }

    fn numbers(table: &Table, name: &str) -> Vec<f64> {
        table.numbers(table.column(name).unwrap()).unwrap().to_vec()
    }

    #[test]
    fn numbers_text_gaps_and_quotes_are_read() {
        let table = read("a,\"b c\",d\n1, x y ,3e2\n,\"x, y\",NA\n-2.5,,7\n").unwrap();
        assert_eq!(table.rows(), 3);
        let a = numbers(&table, "a");
        assert!(a[0] == 1.0 && a[1].is_nan() && a[2] == -2.5);
        let text: Vec<_> = (0..3).map(|row| table.column("b c").unwrap().text(row)).collect();
        assert_eq!(text, [Some("x y".to_owned()), Some("x, y".to_owned()), None]);
        assert!(numbers(&table, "d")[1].is_nan());
    }

    #[test]
    fn marks_at_the_start_line_ends_of_windows_and_old_encodings_do_no_harm() {
        assert_eq!(numbers(&read("\u{feff}a,b\r\n1,2\r\n").unwrap(), "a"), [1.0]);
        let old = read(b"gr\xf6\xdfe;y\n1,5;2\n").unwrap();
        assert_eq!(numbers(&old, "größe"), [1.5]);
        assert!(old.notes()[0].contains("Windows-1252"));
        let table = read("a,y,\n1,2,\n3,4,\n").unwrap();
        assert!(table.columns().len() == 2 && table.notes().is_empty(), "{table:?}");
        let table = read("a,b\n1,2,\n3,,\n").unwrap();
        assert_eq!((table.columns().len(), numbers(&table, "a")), (2, vec![1.0, 3.0]));
        let late = format!("a,b\n{}5,6,7\n", "1,2,\n".repeat(120));
        assert_eq!(read(late).unwrap_err().to_string(), "t.csv:122: 3 cells where the first line has 2");
    }

    #[test]
    fn faults_name_their_line_and_column() {
        assert_eq!(read("a,b\n1,2\n3\n").unwrap_err().to_string(), "t.csv:3: 1 cell where the first line has 2");
        let error = |text: &str| {
            let table = read(text).unwrap();
            table.numbers(table.column("b").unwrap()).unwrap_err().to_string()
        };
        assert_eq!(error("a,b\n1,2\n3,oops\n5,6\n"), "t.csv:3: column `b`: `oops` is not a number");
        assert_eq!(error("sep=,\na,b\n1,2\n3,oops\n5,6\n"), "t.csv:4: column `b`: `oops` is not a number");
        for word in ["inf", "-Infinity", "1e999"] {
            assert_eq!(error(&format!("a,b\n1,2\n3,{word}\n")), "t.csv:3: column `b`: infinite value");
        }
    }

    #[test]
    fn what_is_not_a_table_is_refused() {
        assert!(matches!(read(""), Err(Error::EmptyFile { .. })));
        assert!(matches!(read("\n\n"), Err(Error::EmptyFile { .. })));
        assert!(matches!(read("a,b\n"), Err(Error::HeaderOnly { .. })));
        assert!(matches!(read(b"a,b\n1,\x81\xfe\n"), Err(Error::NotText { line: 2, .. })));
        assert!(matches!(read(b"a\0,b\n"), Err(Error::NotText { line: 1, .. })));
    }

    #[test]
    fn what_columns_meant_is_asked_of_later_tables() {
        let first = read("a;c;y\n1.234;007;2,5\n959;012;3,5\n").unwrap();
        let wanted = ["a", "c", "y"].map(str::to_owned).to_vec();
        let options = ReadOptions::default().like(first.reading.clone(), wanted);
        let later = parse("u.csv".to_owned(), b"a;c;y\n1.500;7;2,5\n1.600;012;3\n", None, &options).unwrap();
        assert_eq!(numbers(&later, "a"), [1500.0, 1600.0]);
        assert_eq!(later.column("c").unwrap().text(0).as_deref(), Some("7"));
        assert!(later.notes().iter().all(|note| !note.contains("thousands")), "{:?}", later.notes());
        // What cannot be read so is read by its own evidence, and said.
        let other = parse("v.csv".to_owned(), b"a,c,y\n1500.5,7,2.5\n1600.25,012,3.25\n", None, &options).unwrap();
        assert_eq!(numbers(&other, "a"), [1500.5, 1600.25]);
    }

    /// The later table, read as the first one was; `types` are said of both.
    fn later(first: &str, later: &str, types: &[&str]) -> Result<Table> {
        let types: Vec<String> = types.iter().map(|&typed| typed.to_owned()).collect();
        let options = ReadOptions { types: TypedColumn::list(&types)?, ..ReadOptions::default() };
        let first = parse("t.csv".to_owned(), first.as_bytes(), None, &options)?;
        let wanted = first.columns().iter().map(|column| column.name.clone()).collect();
        parse("u.csv".to_owned(), later.as_bytes(), None, &options.like(first.reading, wanted))
    }

    #[test]
    fn a_type_that_is_said_again_leaves_what_the_column_meant() {
        for types in [&[][..], &["p=number"]] {
            let table = later("p,y\n1.234.567,1\n2.345,2\n", "p,y\n2.345,1\n3.456,2\n", types).unwrap();
            assert_eq!(numbers(&table, "p"), [2345.0, 3456.0], "{types:?}");
        }
        for types in [&[][..], &["d=date"]] {
            let table = later("d,y\n31/01/1970,1\n02/01/1970,2\n", "d,y\n02/01/1970,1\n03/01/1970,2\n", types);
            let table = table.unwrap();
            let Cells::Dates(dates) = &table.column("d").unwrap().cells else { panic!("dates") };
            assert_eq!(dates, &[86_400.0, 172_800.0], "{types:?}");
        }
        let said = ["d=date:mdy"];
        let table = later("d,y\n02/01/1970,1\n01/31/1970,2\n", "d,y\n01/02/1970,1\n", &said).unwrap();
        assert!(matches!(&table.column("d").unwrap().cells, Cells::Dates(dates) if dates[..] == [86_400.0]));
    }

    #[test]
    fn decimal_commas_of_training_leave_a_point_to_thousands() {
        let first = "p,y\n\"1,5\",1\n\"999,25\",2\n";
        let table = later(first, "p,y\n1.234,1\n2.500,2\n", &[]).unwrap();
        assert_eq!(numbers(&table, "p"), [1234.0, 2500.0]);
        // What can be read in one way alone is read so.
        let table = later(first, "p,y\n1.25,1\n2.500,2\n", &[]).unwrap();
        assert_eq!(numbers(&table, "p"), [1.25, 2.5]);
    }

    #[test]
    fn percents_of_which_some_lack_the_sign_are_refused_later_too_unless_that_is_said() {
        let (pure, mixed) = ("p,y\n45%,1\n5%,2\n", "p,y\n45%,1\n0.45,2\n");
        let error = later(pure, mixed, &[]).unwrap_err().to_string();
        assert_eq!(error, "u.csv:3: column `p`: `0.45` may be 0.45 % or 45 % beside cells with a sign");
        let options = ReadOptions { types: TypedColumn::list(&["p=number".to_owned()]).unwrap(), ..Default::default() };
        let first =
            |text: &str, options: &_| parse("t.csv".to_owned(), text.as_bytes(), None, options).unwrap().reading;
        let wanted = || vec!["p".to_owned()];
        let said_now = options.like(first(pure, &ReadOptions::default()), wanted());
        let said_then = ReadOptions::default().like(first(mixed, &options), wanted());
        for options in [said_now, said_then] {
            let table = parse("u.csv".to_owned(), mixed.as_bytes(), None, &options).unwrap();
            assert_eq!(numbers(&table, "p"), [45.0, 0.45]);
        }
        let units = later("p,y\n5 kg,1\n7 kg,2\n", "p,y\n5 kg,1\n300,2\n", &[]).unwrap();
        assert!(
            units.notes().iter().any(|note| note.contains("1 in `kg` and 1 without a unit")),
            "{:?}",
            units.notes()
        );
    }
}
