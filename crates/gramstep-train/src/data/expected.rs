//! What a later table has to be, that of the training rows: the columns that are wanted of it and what their cells mean.

use std::collections::HashSet;

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
        reading
    }

    /// How a later table is read; `own` is what is said of it.
    #[must_use]
    pub fn read_options(&self, own: &ReadOptions) -> ReadOptions {
        let wanted = self.used().cloned().collect();
        own.like(self.reading.clone().unwrap_or_else(|| self.earlier_reading()), wanted)
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
