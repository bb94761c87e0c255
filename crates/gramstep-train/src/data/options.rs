//! What a user says about the data: where they are, what is learned from them, how they are read and split.

use super::index_columns::index_columns;
use super::reading::{ColumnType, resolved};
use super::siblings::siblings;
use super::{Fold, ImageSettings, Learning, Portion, ReadOptions, Source, SplitBy, Table, Task};

/// Where the data are, what is learned from them, and which rows are for what.
///
/// ```
/// use gramstep_train::data::{DataOptions, Problem};
/// let problem = Problem::load(&DataOptions::of("builtin:diabetes".parse()?))?;
/// assert_eq!(problem.preprocessing.targets.columns(), ["progression"]);
/// # Ok::<(), gramstep_train::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DataOptions {
    /// Where the data are.
    pub source: Source,
    /// The columns to learn: names, ranges `x0..x67`, patterns `*_x`; empty for the last one.
    pub target: Vec<String>,
    /// The columns to leave out.
    pub drop: Vec<String>,
    /// The column with the weight of every row.
    pub weights: Option<String>,
    /// Regression or classification; none to see it from the targets.
    pub task: Option<Task>,
    /// How a regression learns its targets.
    pub learning: Learning,
    /// How the cells of a table are read.
    pub reading: ReadOptions,
    /// What decides which rows are for what.
    pub split: SplitBy,
    /// The fold of a cross-validation that takes the place of the test rows.
    pub fold: Option<Fold>,
    /// Rows that are only judged at the end; none for what suits the data.
    pub test: Option<Portion>,
    /// Rows that choose when to stop; none for what suits the data.
    pub validation: Option<Portion>,
    /// Whether exact copies of a row are joined to one of their summed weight. Kernel matrices want every row.
    pub join_copies: bool,
    /// How images are read.
    pub images: ImageSettings,
    /// Of the split.
    pub seed: u64,
}

impl DataOptions {
    /// All columns of a source, the last one to learn, split as suits the data.
    #[must_use]
    pub fn of(source: Source) -> Self {
        Self {
            source,
            target: Vec::new(),
            drop: Vec::new(),
            weights: None,
            task: None,
            learning: Learning::default(),
            reading: ReadOptions::default(),
            split: SplitBy::default(),
            fold: None,
            test: None,
            validation: None,
            join_copies: true,
            images: ImageSettings::default(),
            seed: 0,
        }
    }

    /// The same with all rows as they stand, to learn from: none is joined, left out or kept for judging.
    #[must_use]
    pub fn whole(self) -> Self {
        let none = Some(Portion::Fraction(0.0));
        Self { test: none.clone(), validation: none, join_copies: false, ..self }
    }

    /// How the table is read: labels and groups as text, and columns that are left out without a question.
    pub(super) fn read_options(&self) -> ReadOptions {
        let mut options = self.reading.clone();
        let typed = |wanted: ColumnType| {
            let of = move |typed: &&super::TypedColumn| typed.of == wanted;
            self.reading.types.iter().filter(of).map(|typed| typed.column.clone())
        };
        // The order of the rows is as much a use of a column as its values.
        let orders = |name: &String| matches!(&self.split, SplitBy::Time(column) if column == name);
        options.unused.extend(self.drop.iter().filter(|name| !orders(name)).cloned());
        if let SplitBy::Group(column) = &self.split {
            options.labels.push(column.clone());
        }
        if self.task == Some(Task::Classification) {
            options.labels.extend(self.target.iter().cloned());
            let others = self.drop.iter().cloned().chain(typed(ColumnType::Drop)).chain(self.weights.clone());
            options.last_is_label_but = self.target.is_empty().then(|| others.collect());
        } else if self.task.is_none() && self.target.len() > 1 {
            options.labels_together.clone_from(&self.target);
        }
        options
    }

    /// The same for a table that is there: names with commas are put together, and the columns to leave out are all of
    /// them: those whose type says so, those that number the rows, and the one that names the groups of the split.
    pub(super) fn of_table(&self, table: &Table, notes: &mut Vec<String>) -> Self {
        let is_column = |name: &str| table.column(name).is_some();
        let names = table.column_names();
        let target = resolved(&self.target, &names);
        if target.len() > self.target.len() {
            notes.push(format!(
                "{} columns are learned, from `{}` to `{}`",
                target.len(),
                target[0],
                target[target.len() - 1]
            ));
        }
        let mut drop = resolved(&self.drop, &names);
        let types = &self.reading.types;
        let dropped = types.iter().filter(|typed| typed.of == ColumnType::Drop).map(|typed| typed.column.clone());
        drop.extend(dropped.filter(|name| is_column(name)));
        if let SplitBy::Group(column) = &self.split
            && !target.contains(column)
            && !drop.contains(column)
        {
            drop.push(column.clone());
        }
        let mut spoken_of: Vec<String> = target.iter().chain(&drop).chain(&self.weights).cloned().collect();
        spoken_of.extend(types.iter().map(|typed| typed.column.clone()));
        spoken_of.extend(self.split.column().map(str::to_owned));
        for name in index_columns(table, &spoken_of) {
            notes.push(format!("`{name}` is left out: it numbers the rows; --types {name}=number keeps it"));
            drop.push(name);
        }
        if !target.is_empty() {
            // What the data come with as targets is no input where some of it is learned, unless the user says so.
            let others: Vec<&String> = table.targets.iter().filter(|name| !spoken_of.contains(name)).collect();
            if let Some(first) = others.first() {
                let more = if others.len() > 1 { format!(" and {} more", others.len() - 1) } else { String::new() };
                let keep = format!("--types {first}=number takes it for input");
                notes.push(format!("`{first}`{more} is a target of these data too, and left out: {keep}"));
            }
            drop.extend(others.into_iter().cloned());
            let inputs = |name: &&str| !spoken_of.iter().chain(&drop).any(|other| other == name);
            notes.extend(siblings(&target, &names.iter().copied().filter(inputs).collect::<Vec<_>>()));
        }
        Self { target, drop, ..self.clone() }
    }

    /// The rows to test on: as the user says, or as they come with the source.
    pub(super) fn test_or_own(&self) -> Option<Portion> {
        let own = || self.source.test().map(|source| Portion::File(source.to_string().into()));
        self.test.clone().or_else(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Problem, table_of};

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_dropped_column_that_orders_the_rows_is_read_with_care() {
        let options = |split: &str| {
            let drop = names(&["day"]);
            DataOptions { drop, split: split.parse().unwrap(), ..DataOptions::of("csv:t".parse().unwrap()) }
        };
        assert_eq!(options("random").read_options().unused, ["day"]);
        assert!(options("time:day").read_options().unused.is_empty());
        assert_eq!(options("time:hour").read_options().unused, ["day"]);
    }

    #[test]
    fn targets_are_ranges_and_patterns_and_what_is_called_like_them_is_said() {
        let row = |i: usize| format!("{i},{},{},{},{}\n", i % 3, i % 5, i % 7, i % 4);
        let table = table_of(&format!("size,x0,y0,x1,y1\n{}", (0..40).map(row).collect::<String>()));
        let of = |target: &[&str], drop: &[&str]| {
            let (target, drop) = (names(target), names(drop));
            let options = DataOptions { target, drop, ..DataOptions::of("csv:t".parse().unwrap()) };
            Problem::of_table(&table, &options).unwrap()
        };
        let problem = of(&["x0..x1"], &[]);
        assert_eq!(problem.preprocessing.targets.columns(), ["x0", "x1"]);
        let said = |problem: &Problem| problem.notes.join("\n").contains("called like the targets");
        assert!(said(&problem), "{:?}", problem.notes);
        let problem = of(&["x*"], &["y0..y1"]);
        assert_eq!(problem.preprocessing.targets.columns(), ["x0", "x1"]);
        assert_eq!(problem.preprocessing.inputs.names(), ["size"]);
        assert!(!said(&problem) && !said(&of(&["x*", "y*"], &[])));
    }

    #[test]
    fn targets_that_data_come_with_are_no_inputs_where_some_are_learned() {
        let row = |i: usize| format!("{i},{},{}\n", i % 3, i % 5);
        let mut table = table_of(&format!("a,first,second\n{}", (0..40).map(row).collect::<String>()));
        table.targets = names(&["first", "second"]);
        let mut options = DataOptions { target: names(&["first"]), ..DataOptions::of("csv:t".parse().unwrap()) };
        let problem = Problem::of_table(&table, &options).unwrap();
        assert_eq!(problem.preprocessing.inputs.names(), ["a"]);
        assert!(problem.notes.iter().any(|note| note.starts_with("`second` is a target of these data too")));
        options.reading.types = super::super::TypedColumn::list(&names(&["second=number"])).unwrap();
        let problem = Problem::of_table(&table, &options).unwrap();
        assert_eq!(problem.preprocessing.inputs.names(), ["a", "second"]);
    }
}
