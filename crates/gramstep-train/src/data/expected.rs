//! What a later table has to be, that of the training rows: the columns that are wanted of it and what their cells mean.

use std::collections::HashSet;

use super::reading::numbered;
use super::{Encoding, Meaning, Preprocessing, ReadOptions, Reading, Table, Task};

impl Preprocessing {
    /// The columns that are used.
    fn used(&self) -> impl Iterator<Item = &String> {
        let inputs = self.inputs.columns.iter().map(|column| &column.name);
        inputs.chain(self.targets.columns()).chain(&self.weights)
    }

    /// What is to be remembered of what a table's cells meant.
    pub(super) fn kept_reading(&self, table: &Table) -> Reading {
        let used: HashSet<&String> = self.used().collect();
        let mut reading = table.reading.clone();
        reading.columns.retain(|name, _| used.contains(name));
        reading.words.retain(|name, _| used.contains(name));
        reading
    }

    /// How a later table is read; `own` is what is said of it.
    #[must_use]
    pub fn read_options(&self, own: &ReadOptions) -> ReadOptions {
        let wanted = self.used().cloned().collect();
        let reading = self.reading.clone().unwrap_or_else(|| self.earlier_reading());
        let places = self.places(reading.places);
        ReadOptions { places, ..own.like(reading, wanted) }
    }

    /// At least and at most how many columns a later table has where training had `all` of them without names: as many, or
    /// fewer where no input is missing. Without a target that stands before inputs the others would move.
    fn places(&self, all: usize) -> Option<[usize; 2]> {
        let is_input = |place: &usize| self.inputs.columns.iter().any(|column| column.name == numbered(*place));
        let inputs = (1..=all).rev().find(is_input).unwrap_or(all);
        let is_before = |name: &String| (1..inputs).any(|place| *name == numbered(place));
        let fewest = if self.targets.columns().iter().any(is_before) { all } else { inputs };
        (all > 0).then_some([fewest, all])
    }

    /// Of a model of an earlier version: numbers among text were brought to their shortest form.
    fn earlier_reading(&self) -> Reading {
        let mut reading = Reading::default();
        let text = |column: &&super::InputColumn| matches!(column.encoding, Encoding::Category(_));
        for column in self.inputs.columns.iter().filter(text) {
            reading.columns.insert(column.name.clone(), Meaning::Shortened);
        }
        if self.targets.task() == Task::Classification {
            reading.columns.extend(self.targets.columns().iter().map(|column| (column.clone(), Meaning::Shortened)));
        }
        reading
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataOptions, Format, Problem, table_of};
    use crate::format::npy;

    #[test]
    fn columns_that_are_known_by_their_places_are_as_many_as_in_training() {
        let later = |target: &str, columns: usize| {
            let row = |i: usize| format!("{}.5,{},{},{}\n", i, i % 7, i % 5, i % 11);
            let training = table_of(&(0..40).map(row).collect::<String>());
            let options = DataOptions { target: vec![target.to_owned()], ..DataOptions::of("csv:t".parse().unwrap()) };
            let preprocessing = Problem::of_table(&training, &options).unwrap().preprocessing;
            let options = preprocessing.read_options(&ReadOptions::default());
            let row = vec!["1.5"; columns].join(",") + "\n";
            let text = Table::parse_with("u.csv", row.repeat(3).as_bytes(), Format::Csv, &options);
            let mut bytes = Vec::new();
            npy::write(&gramstep::Matrix::from_fn(3, columns, |_, _| 1.5), &mut bytes).unwrap();
            let array = Table::parse_with("u.npy", &bytes, Format::Npy, &options);
            let header = (1..=columns).map(super::numbered).collect::<Vec<_>>().join(",") + "\n";
            let named = Table::parse_with("v.csv", (header + &row).as_bytes(), Format::Csv, &options);
            assert!(named.is_ok(), "known by their names");
            assert_eq!(text.is_ok(), array.is_ok());
            text.map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!([later("column_4", 4), later("column_4", 3), later("column_1", 4)], [Ok(()), Ok(()), Ok(())]);
        let told = later("column_4", 5).unwrap_err();
        assert!(told.contains("u.csv has 5 columns") && told.contains("training had 4"), "{told}");
        assert!(later("column_4", 2).is_err() && later("column_1", 3).is_err() && later("column_1", 5).is_err());
    }
}
