//! A table from columns in memory.

use std::collections::{HashMap, HashSet};

use super::delimited::is_missing;
use super::{Cells, Column, Table, TextCells};
use crate::error::{Error, Result};

impl Table {
    /// A table from columns of equal length; `origin` is what messages call it.
    ///
    /// # Errors
    /// If columns differ in length or two have one name.
    pub fn from_columns(origin: &str, columns: Vec<Column>) -> Result<Self> {
        let rows = columns.first().map_or(0, Column::len);
        let mut taken = HashSet::new();
        for (at, column) in columns.iter().enumerate() {
            if column.len() != rows {
                let (origin, line) = (origin.to_owned(), column.len().min(rows) as u64 + 1);
                return Err(Error::Ragged { origin, line, expected: columns.len(), found: at });
            }
            if !taken.insert(&column.name) {
                return Err(Error::DuplicateColumn { origin: origin.to_owned(), column: column.name.clone() });
            }
        }
        Ok(Self::new(origin.to_owned(), columns, (1..=rows as u64).collect(), Vec::new()))
    }
}

impl Cells {
    /// Cells of text as a file has them: marks of gaps are gaps, and where all others are numbers it is a column of
    /// numbers.
    #[must_use]
    pub fn of_text(cells: &[Option<&str>]) -> Self {
        let trimmed = cells.iter().map(|cell| cell.map(str::trim).filter(|cell| !is_missing(cell)));
        let text = TextCells::new(&trimmed.collect::<Vec<_>>());
        let numbers =
            || text.values.iter().map(|value| value.parse::<f64>()).collect::<std::result::Result<Vec<f64>, _>>();
        match numbers() {
            Ok(values) => Self::Numbers(
                text.codes.iter().map(|&code| values.get(code as usize).copied().unwrap_or(f64::NAN)).collect(),
            ),
            Err(_) => Self::Text(text),
        }
    }
}

impl TextCells {
    /// Cells of text; one that is a number counts as that number.
    #[must_use]
    pub fn new(cells: &[Option<&str>]) -> Self {
        let mut places: HashMap<String, u32> = HashMap::new();
        let mut text = Self { values: Vec::new(), codes: Vec::with_capacity(cells.len()), numbers: 0, first_text: 0 };
        let mut all_numbers = true;
        for (row, cell) in cells.iter().enumerate() {
            let Some(cell) = cell else {
                text.codes.push(Self::MISSING);
                continue;
            };
            let number = cell.trim().parse::<f64>().ok();
            match number {
                Some(_) => text.numbers += 1,
                None if all_numbers => (text.first_text, all_numbers) = (row, false),
                None => {}
            }
            let value = number.map_or_else(|| (*cell).to_owned(), |number| number.to_string());
            let next = text.values.len() as u32;
            text.codes.push(*places.entry(value).or_insert_with_key(|value| {
                text.values.push(value.clone());
                next
            }));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::table_of;

    #[test]
    fn columns_in_memory_are_those_of_a_file() {
        let file = table_of("a,b\n1,x\n,007\n3,\n");
        let text = TextCells::new(&[Some("x"), Some("007"), None]);
        let columns = vec![
            Column { name: "a".to_owned(), cells: Cells::Numbers(vec![1.0, f64::NAN, 3.0]) },
            Column { name: "b".to_owned(), cells: Cells::Text(text) },
        ];
        let memory = Table::from_columns("frame", columns).unwrap();
        for (ours, theirs) in memory.columns().iter().zip(file.columns()) {
            assert!((0..3).all(|row| ours.text(row) == theirs.text(row)), "{ours:?} {theirs:?}");
        }
    }

    #[test]
    fn text_in_memory_is_read_as_a_file_is() {
        let file = table_of("a,b,c\n1,x,?\n?,NA, 2\n 3e2,y,\n");
        let cells = [["1", "?", " 3e2"], ["x", "NA", "y"], ["?", " 2", ""]];
        for (cells, theirs) in cells.into_iter().zip(file.columns()) {
            let ours = Column { name: theirs.name.clone(), cells: Cells::of_text(&cells.map(Some)) };
            assert_eq!(matches!(ours.cells, Cells::Numbers(_)), matches!(theirs.cells, Cells::Numbers(_)));
            assert!((0..3).all(|row| ours.text(row) == theirs.text(row)), "{ours:?} {theirs:?}");
        }
    }

    #[test]
    fn columns_of_different_length_or_one_name_are_refused() {
        let column = |name: &str, rows| Column { name: name.to_owned(), cells: Cells::Numbers(vec![0.0; rows]) };
        assert!(Table::from_columns("frame", vec![column("a", 2), column("b", 3)]).is_err());
        assert!(Table::from_columns("frame", vec![column("a", 2), column("a", 2)]).is_err());
    }
}
