//! Real data sets that come with the program.

use super::{Cells, Column, Table};

/// A built-in data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Builtin {
    /// Progress of diabetes after one year from 10 measurements of 442 patients (Efron and others, 2004).
    Diabetes,
    /// Judged quality of 1599 Portuguese red wines from 11 chemical measurements (Cortez and others, 2009).
    WineQuality,
}

impl Builtin {
    /// Every built-in data set.
    pub const ALL: [Self; 2] = [Self::Diabetes, Self::WineQuality];

    /// The name after `builtin:`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Diabetes => "diabetes",
            Self::WineQuality => "winequality",
        }
    }

    /// The data set of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|builtin| builtin.name() == name)
    }

    /// The table; its last column is the target.
    #[must_use]
    pub fn table(self) -> Table {
        let mut lines = self.text().lines();
        let names = lines.next().unwrap_or_default().split(',');
        let mut columns: Vec<(String, Vec<f64>)> = names.map(|name| (name.to_owned(), Vec::new())).collect();
        for line in lines {
            for ((_, values), cell) in columns.iter_mut().zip(line.split(',')) {
                values.push(cell.parse().unwrap_or(f64::NAN));
            }
        }
        let rows = columns.first().map_or(0, |(_, values)| values.len());
        let columns = columns.into_iter().map(|(name, values)| Column { name, cells: Cells::Numbers(values) });
        let origin = format!("builtin:{}", self.name());
        Table::new(origin, columns.collect(), (1..=rows as u64).collect(), Vec::new())
    }

    /// Names and numbers as comma-separated values without quotes; `tables/README.md` says where they come from.
    const fn text(self) -> &'static str {
        match self {
            Self::Diabetes => include_str!("../../tables/diabetes.csv"),
            Self::WineQuality => include_str!("../../tables/winequality.csv"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_table_is_complete_and_numeric() {
        for (builtin, rows, columns) in [(Builtin::Diabetes, 442, 11), (Builtin::WineQuality, 1599, 12)] {
            let table = builtin.table();
            assert_eq!((table.rows(), table.columns().len()), (rows, columns));
            for column in table.columns() {
                let Cells::Numbers(values) = &column.cells else { panic!("{} is text", column.name) };
                assert!(values.len() == rows && values.iter().all(|v| v.is_finite()));
            }
        }
    }

    /// FNV-1a over the bits of all numbers, row by row.
    fn fingerprint(table: &Table) -> u64 {
        let bits = |column: &Column, row: usize| match &column.cells {
            Cells::Numbers(values) => values[row].to_bits(),
            _ => 0,
        };
        let all = (0..table.rows()).flat_map(|row| table.columns().iter().map(move |column| bits(column, row)));
        all.fold(0xcbf2_9ce4_8422_2325, |hash, bits| (hash ^ bits).wrapping_mul(0x0100_0000_01b3))
    }

    #[test]
    fn the_numbers_are_those_of_the_publications_to_the_bit() {
        assert_eq!(fingerprint(&Builtin::Diabetes.table()), 0xdbd2_4b68_0e91_8661);
        assert_eq!(fingerprint(&Builtin::WineQuality.table()), 0xb92a_76d6_265f_1729);
    }
}
