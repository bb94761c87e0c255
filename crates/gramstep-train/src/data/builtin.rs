//! Real data sets that come with the program, from the crate `linfa-datasets`.

use super::{Cells, Column, Table};

/// A built-in data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Builtin {
    /// Progress of diabetes after one year from 10 measurements of 441 patients (Efron and others, 2004).
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
        let origin = format!("builtin:{}", self.name());
        match self {
            Self::Diabetes => {
                let set = linfa_datasets::diabetes();
                // The crate names the six blood serum measurements loosely; these are the names of the publication's data.
                let names = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"];
                assemble(origin, &names, "progression", |i, j| set.records()[(i, j)], set.targets().iter().copied())
            }
            Self::WineQuality => {
                let set = linfa_datasets::winequality();
                let names: Vec<&str> = set.feature_names().iter().map(String::as_str).collect();
                let quality = set.targets().iter().map(|&q| q as f64);
                assemble(origin, &names, "quality", |i, j| set.records()[(i, j)], quality)
            }
        }
    }
}

fn assemble(
    origin: String,
    names: &[&str],
    target: &str,
    entry: impl Fn(usize, usize) -> f64,
    targets: impl Iterator<Item = f64>,
) -> Table {
    let targets: Vec<f64> = targets.collect();
    let rows = targets.len();
    let number = |name: &str, values| Column { name: name.to_owned(), cells: Cells::Numbers(values) };
    let mut columns: Vec<Column> =
        (names.iter().enumerate()).map(|(j, name)| number(name, (0..rows).map(|i| entry(i, j)).collect())).collect();
    columns.push(number(target, targets));
    Table::new(origin, columns, (1..=rows as u64).collect(), Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_table_is_complete_and_numeric() {
        for (builtin, rows, columns) in [(Builtin::Diabetes, 441, 11), (Builtin::WineQuality, 1599, 12)] {
            let table = builtin.table();
            assert_eq!((table.rows(), table.columns().len()), (rows, columns));
            for column in table.columns() {
                let Cells::Numbers(values) = &column.cells else { panic!("{} is text", column.name) };
                assert!(values.len() == rows && values.iter().all(|v| v.is_finite()));
            }
        }
    }
}
