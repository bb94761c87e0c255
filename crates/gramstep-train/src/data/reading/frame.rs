//! A table from columns in memory, some of them text: read as a file is.

use super::decide::{Facts, decide};
use super::delimited::rules;
use super::evidence::Evidence;
use super::fill::{Filling, words};
use super::options::ReadOptions;
use super::order::{DATES, NO_DATE};
use crate::data::{Cells, Column, Table};
use crate::error::{Error, Result};

/// The cells of a column in memory.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_enums)]
pub enum FrameCells {
    /// Numbers; a missing value is NaN.
    Numbers(Vec<f64>),
    /// Text; none where a value is missing.
    Text(Vec<Option<String>>),
}

impl Table {
    /// A table from columns of equal length, of which text is read as that of a file; `origin` is what messages call it.
    ///
    /// ```
    /// use gramstep_train::data::{FrameCells, ReadOptions, Table};
    /// let prices = ["€1,200.50", "€800"].map(|cell| Some(cell.to_owned())).to_vec();
    /// let table = Table::of_frame("the frame", vec![("price".to_owned(), FrameCells::Text(prices))], &ReadOptions::default())?;
    /// assert_eq!(table.numbers(&table.columns()[0])?, [1200.5, 800.0]);
    /// # Ok::<(), gramstep_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// If columns differ in length or two have one name, and those of a file.
    pub fn of_frame(origin: &str, columns: Vec<(String, FrameCells)>, options: &ReadOptions) -> Result<Self> {
        let missing = options.marks_of_gaps();
        let rules = rules(options, &missing);
        let evidence: Vec<Evidence> = columns.iter().map(|(_, cells)| seen(cells, rules)).collect();
        let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
        let rows = columns.iter().map(|(_, cells)| length(cells)).max().unwrap_or(0);
        let lines: Vec<u64> = (1..=rows as u64).collect();
        // A tab leaves open what commas mean, as memory does.
        let facts =
            Facts { origin, lines: &lines, names: &names, separator: b'\t', headless: true, says_gaps: true, options };
        let decision = decide(&facts, &evidence)?;
        let mut made = Vec::with_capacity(columns.len());
        for ((name, cells), plan) in columns.into_iter().zip(&decision.plans) {
            let cells = match cells {
                FrameCells::Numbers(values) => Cells::Numbers(values),
                FrameCells::Text(cells) => {
                    let mut filling = Filling::new(plan, cells.len());
                    for cell in &cells {
                        filling.push(cell.as_deref().unwrap_or_default().trim(), &missing);
                    }
                    if let Some((row, value)) = filling.fault.take() {
                        let (origin, line, reason, hint) = (origin.to_owned(), lines[row], NO_DATE.to_owned(), DATES);
                        return Err(Error::Cell { origin, line, column: name, value, reason, hint });
                    }
                    filling.cells
                }
            };
            made.push(Column { name, cells });
        }
        let mut table = Self::from_columns(origin, made)?;
        table.notes = decision.notes.into_iter().map(|note| format!("{origin}: {note}")).collect();
        table.reading = decision.reading;
        table.reading.words = words(table.columns.iter());
        Ok(table)
    }
}

fn seen(cells: &FrameCells, rules: super::evidence::Rules<'_>) -> Evidence {
    let mut evidence = Evidence::default();
    if let FrameCells::Text(cells) = cells {
        for (row, cell) in cells.iter().enumerate() {
            evidence.see(row, cell.as_deref().unwrap_or_default().trim(), rules);
        }
    }
    evidence
}

fn length(cells: &FrameCells) -> usize {
    match cells {
        FrameCells::Numbers(values) => values.len(),
        FrameCells::Text(cells) => cells.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Format, table_of};

    #[test]
    fn text_in_memory_is_read_as_a_file_is() {
        let file = table_of("a,b,c,d,e\n1,x,?,007,2024-05-03\n?,, 2,008,\n 3e2,y,,009,2024-05-04\n");
        let cells = [
            ["1", "?", " 3e2"],
            ["x", "", "y"],
            ["?", " 2", ""],
            ["007", "008", "009"],
            ["2024-05-03", "", "2024-05-04"],
        ];
        let columns = file.columns().iter().zip(cells).map(|(column, cells)| {
            (column.name.clone(), FrameCells::Text(cells.map(|cell| Some(cell.to_owned())).to_vec()))
        });
        let frame = Table::of_frame("frame", columns.collect(), &ReadOptions::default()).unwrap();
        assert_eq!(frame.reading.columns, file.reading.columns);
        for (ours, theirs) in frame.columns().iter().zip(file.columns()) {
            assert_eq!(std::mem::discriminant(&ours.cells), std::mem::discriminant(&theirs.cells));
            assert!((0..3).all(|row| ours.text(row) == theirs.text(row)), "{ours:?} {theirs:?}");
        }
    }

    fn frame(columns: &[(&str, &[&str])], options: &ReadOptions) -> Table {
        // A gap is no cell at all.
        let cells = |cells: &[&str]| cells.iter().map(|&cell| (cell != "gap").then(|| cell.to_owned())).collect();
        let columns = columns.iter().map(|(name, own)| ((*name).to_owned(), FrameCells::Text(cells(own))));
        Table::of_frame("frame", columns.collect(), options).unwrap()
    }

    fn texts(table: &Table, name: &str) -> Vec<Option<String>> {
        (0..table.rows()).map(|row| table.column(name).unwrap().text(row)).collect()
    }

    #[test]
    fn words_for_gaps_are_values_among_text_in_memory_and_gaps_among_numbers() {
        let some = |cells: &[&str]| cells.iter().map(|&cell| Some(cell.to_owned())).collect::<Vec<_>>();
        let columns: [(&str, &[&str]); 4] = [
            ("side", &["None", "left", "gap", "NA"]),
            ("only", &["NA", "None", "gap", "NA"]),
            ("size", &["1", "NA", "gap", "2.5"]),
            ("day", &["2024-05-03", "None", "gap", "2024-05-04"]),
        ];
        let table = frame(&columns, &ReadOptions::default());
        assert_eq!(texts(&table, "side")[..2], some(&["None", "left"]));
        assert_eq!((texts(&table, "side")[2].clone(), texts(&table, "only")[2].clone()), (None, None));
        assert_eq!(texts(&table, "only")[..2], some(&["NA", "None"]));
        assert!(table.numbers(table.column("size").unwrap()).unwrap()[1].is_nan());
        assert!(matches!(&table.column("day").unwrap().cells, Cells::Dates(dates) if dates[1].is_nan()));

        // What was a value stays one, in frames and files; what was none is a gap.
        let options =
            ReadOptions::default().like(table.reading.clone(), columns.map(|(name, _)| name.to_owned()).to_vec());
        let later = frame(&[("side", &["None", "null"]), ("size", &["NA", "None"])], &options);
        let file = Table::parse_with("t.csv", b"side,size\nNone,NA\nnull,None\n", Format::Csv, &options).unwrap();
        for table in [later, file] {
            assert_eq!(texts(&table, "side"), [Some("None".to_owned()), None]);
            assert!(table.numbers(table.column("size").unwrap()).unwrap().iter().all(|size| size.is_nan()));
        }
        // The user's own marks are gaps everywhere.
        let own = ReadOptions { missing: vec!["None".to_owned()], ..ReadOptions::default() };
        assert_eq!(texts(&frame(&columns, &own), "side")[..2], [None, Some("left".to_owned())]);
    }
}
