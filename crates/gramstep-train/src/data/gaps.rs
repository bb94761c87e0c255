//! Gaps that no training row has.

use std::collections::HashMap;
use std::ops::Range;

use gramstep::{MatrixView, Scalar};

use super::{Column, Inputs, Table};

/// A row that lacks values where no training row does, and the places of its gaps in the network's input.
pub(crate) type RowGaps = (usize, Vec<Range<usize>>);

impl Inputs {
    /// The rows of a table that lack a value where no training row does.
    pub(crate) fn unforeseen_gaps(&self, table: &Table) -> Vec<RowGaps> {
        let named: HashMap<&str, &Column> =
            table.columns().iter().map(|column| (column.name.as_str(), column)).collect();
        let columns: Vec<Option<&Column>> =
            self.columns.iter().map(|column| named.get(column.name.as_str()).copied()).collect();
        self.gaps_where(table.rows(), |row, j| columns[j].is_some_and(|column| column.is_missing(row)))
    }

    /// The same of an array, in which a gap is NaN.
    pub(crate) fn unforeseen_gaps_of_array<T: Scalar>(&self, x: MatrixView<'_, T>) -> Vec<RowGaps> {
        self.gaps_where(x.rows(), |row, j| x.get(row, j).to_f64().is_nan())
    }

    /// The rows that lack a value where no training row does, by whether a row lacks that of the column with this number.
    fn gaps_where(&self, rows: usize, is_missing: impl Fn(usize, usize) -> bool) -> Vec<RowGaps> {
        let unforeseen: Vec<(usize, Range<usize>)> = self
            .places()
            .enumerate()
            .filter(|(_, (column, _))| !column.encoding.foresees_gaps())
            .map(|(j, (_, places))| (j, places))
            .collect();
        let of_row = |row: usize| {
            let gaps = unforeseen.iter().filter(|(j, _)| is_missing(row, *j));
            (row, gaps.map(|(_, places)| places.clone()).collect::<Vec<_>>())
        };
        (0..rows).map(of_row).filter(|(_, places)| !places.is_empty()).collect()
    }
}
