//! A table from columns in memory.

use std::collections::HashSet;

use super::{Column, Table};
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Cells;

    #[test]
    fn columns_of_different_length_or_one_name_are_refused() {
        let column = |name: &str, rows| Column { name: name.to_owned(), cells: Cells::Numbers(vec![0.0; rows]) };
        assert!(Table::from_columns("frame", vec![column("a", 2), column("b", 3)]).is_err());
        assert!(Table::from_columns("frame", vec![column("a", 2), column("a", 2)]).is_err());
    }
}
