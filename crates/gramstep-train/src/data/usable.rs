//! Which rows of a table can be used, what is learned from them, and how much each counts.

use super::alike::Alike;
use super::copies::{Distinct, mean_weight};
use super::keys::TableKeys;
use super::{Cells, DataOptions, SplitBy, Table, Targets, Task};
use crate::error::{Error, Result};

/// Rows of a table by their numbers, and their weights where they differ.
pub(crate) type WeightedRows = (Vec<usize>, Option<Vec<f64>>);

/// Rows of a table that have a value in every target and a weight above 0.
#[derive(Clone, Debug)]
pub(super) struct Usable {
    pub(super) rows: Vec<usize>,
    /// For every row of the table; none where all count the same.
    weights: Option<Vec<f64>>,
    /// Rows that were joined to another one.
    pub(super) copies: usize,
    /// The rows by their inputs, where these come again in a classification.
    pub(super) alike: Option<Alike>,
}

impl Usable {
    /// The usable rows as they stand.
    pub(super) fn all(
        table: &Table,
        columns: &[String],
        weights: Option<&str>,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let mut rows = Targets::rows(table, columns)?;
        let without = table.rows() - rows.len();
        if without > 0 {
            let words = table.gap_words.iter().filter(|(column, _)| columns.contains(column));
            let words =
                words.map(|(column, word)| format!("; `{word}` is a gap, --types {column}=text makes it a class"));
            notes.push(format!(
                "{}: {without} {} no target and {} not used{}",
                table.origin(),
                if without == 1 { "row has" } else { "rows have" },
                if without == 1 { "is" } else { "are" },
                words.collect::<String>()
            ));
        }
        let weights = weights.map(|name| weights_of(table, name)).transpose()?.map(<[f64]>::to_vec);
        if let Some(weights) = &weights {
            let before = rows.len();
            rows.retain(|&row| weights[row] > 0.0);
            if rows.len() < before {
                notes.push(format!("{}: rows of weight 0, not used: {}", table.origin(), before - rows.len()));
            }
        }
        if rows.is_empty() {
            let purpose = "any use: the target is empty".to_owned();
            return Err(Error::TooFewRows { origin: table.origin().to_owned(), rows: 0, purpose });
        }
        Ok(Self { rows, weights, copies: 0, alike: None })
    }

    /// The usable rows with each set of exact copies as one row, unless they are observations of a few inputs.
    pub(super) fn distinct(
        table: &Table,
        (columns, task): (&[String], Task),
        options: &DataOptions,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let usable = Self::all(table, columns, options.weights.as_deref(), notes)?;
        if !options.join_copies {
            return Ok(usable);
        }
        let left_out: Vec<String> = options.drop.iter().chain(&options.weights).cloned().collect();
        // The same in another group, or at another time, is no copy: it may be on the other side of the split.
        let beside: Vec<String> =
            left_out.iter().filter(|name| options.split.column() != Some(name.as_str())).cloned().collect();
        let not_inputs: Vec<String> = beside.iter().chain(columns).cloned().collect();
        let (inputs, targets) = (TableKeys::without(table, &not_inputs), TableKeys::of(table, columns));
        let joined = Distinct::of(&usable.rows, (&inputs, &targets), &|row| usable.weight(row));
        let is_random = options.split == SplitBy::Random;
        if joined.observations.is_none() && task == Task::Regression && is_random && !inputs.has_images() {
            notes.extend(Alike::note_of_repeats(&joined.rows, &inputs, table));
        }
        let note = joined.note().filter(|_| joined.observations.is_none() || is_random);
        notes.extend(note.map(|note| format!("{}: {note}", table.origin())));
        let is_apart = joined.observations.is_some() || (joined.copies == 0 && usable.weights.is_none());
        let alike = (!is_apart && is_random && task == Task::Classification).then(|| Alike::new(&joined.rows, &inputs));
        notes.extend(alike.iter().filter_map(Alike::note).map(|note| format!("{}: {note}", table.origin())));
        let weights = joined.weights.map(|weights| {
            let mut of_table = vec![0.0; table.rows()];
            joined.rows.iter().zip(weights).for_each(|(&row, weight)| of_table[row] = weight);
            of_table
        });
        Ok(Self { rows: joined.rows, weights, copies: joined.copies, alike })
    }

    /// The rows that are shared out: of those with the same inputs the first.
    pub(super) fn units(&self) -> Vec<usize> {
        self.alike.as_ref().map_or_else(|| self.rows.clone(), Alike::firsts)
    }

    /// All rows of some units.
    pub(super) fn whole(&self, units: &[usize]) -> Vec<usize> {
        self.alike.as_ref().map_or_else(|| units.to_vec(), |alike| alike.whole(units))
    }

    /// How much a row counts.
    fn weight(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[row])
    }

    /// The weights of some rows in units of `unit`; none where all count the same.
    pub(super) fn weights(&self, rows: &[usize], unit: f64) -> Option<Vec<f64>> {
        self.weights.as_ref().map(|weights| rows.iter().map(|&row| weights[row] / unit).collect())
    }

    /// The mean weight of some rows.
    pub(super) fn mean_weight(&self, rows: &[usize]) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| mean_weight(rows.iter().map(|&row| weights[row])))
    }
}

/// The weight of every row.
fn weights_of<'a>(table: &'a Table, name: &str) -> Result<&'a [f64]> {
    let weights = table.numbers(table.require(name)?)?;
    match weights.iter().position(|weight| weight.is_nan() || *weight < 0.0) {
        None => Ok(weights),
        Some(row) => Err(Error::Weight {
            origin: table.origin().to_owned(),
            line: table.lines[row],
            column: name.to_owned(),
            value: weights[row],
        }),
    }
}

/// The columns to learn.
pub(super) fn target_columns(table: &Table, options: &DataOptions, notes: &mut Vec<String>) -> Result<Vec<String>> {
    let typed = options.reading.types.iter().map(|typed| &typed.column);
    for name in options.target.iter().chain(&options.drop).chain(&options.weights).chain(typed) {
        table.require(name)?;
    }
    if let Some(name) = options.weights.iter().find(|name| options.target.contains(name)) {
        return Err(Error::Target { column: name.clone(), reason: "also the column of weights".to_owned() });
    }
    if let Some(name) = options.target.iter().find(|name| options.drop.contains(name)) {
        return Err(Error::Target { column: name.clone(), reason: "also among the dropped columns".to_owned() });
    }
    if let Some(name) = options.target.iter().enumerate().find(|(i, name)| options.target[..*i].contains(name)) {
        return Err(Error::Target { column: name.1.clone(), reason: "named twice".to_owned() });
    }
    if !options.target.is_empty() {
        return Ok(options.target.clone());
    }
    let other = |name: &String| options.drop.contains(name) || options.weights.as_ref() == Some(name);
    match table.targets.iter().find(|name| other(name)) {
        None if !table.targets.is_empty() => return Ok(table.targets.clone()),
        // That of a file of arrays is said by its name, that beside images is the last column.
        Some(name) if !table.columns().iter().any(|column| matches!(column.cells, Cells::Images(_))) => {
            let reason = "also among the dropped columns, or the column of weights".to_owned();
            return Err(Error::Target { column: name.clone(), reason });
        }
        _ => {}
    }
    let last = table.columns().iter().rev().find(|column| !other(&column.name));
    let last = last.ok_or_else(|| Error::NoInputs { origin: table.origin().to_owned(), reason: String::new() })?;
    notes.push(format!("the target is the last column, `{}`", last.name));
    Ok(vec![last.name.clone()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Fold, Format, Problem, ReadOptions, TypedColumn, table_of};

    #[test]
    fn a_class_that_is_a_word_for_gaps_is_named_where_it_is_lost_and_kept_where_that_is_said() {
        let row = |i: usize| format!("{i},{}\n", ["None", "Mild", "Severe"][i % 3]);
        let text = format!("a,y\n{},\n", (0..30).map(row).collect::<String>());
        let of = |types: &[&str]| {
            let types: Vec<String> = types.iter().map(|&typed| typed.to_owned()).collect();
            let reading = ReadOptions { types: TypedColumn::list(&types).unwrap(), ..ReadOptions::default() };
            let table = Table::parse_with("t.csv", text.as_bytes(), Format::Csv, &reading).unwrap();
            let options = DataOptions { reading, ..DataOptions::of("csv:t.csv".parse().unwrap()) };
            let problem = Problem::of_table(&table, &options).unwrap();
            let note = problem.notes.iter().find(|note| note.contains("no target")).unwrap().clone();
            (problem.preprocessing.targets.classes()[0].to_vec(), note)
        };
        let (classes, note) = of(&[]);
        assert_eq!(classes, ["Mild", "Severe"]);
        assert!(
            note.ends_with("11 rows have no target and are not used; `None` is a gap, --types y=text makes it a class")
        );
        let (classes, note) = of(&["y=text"]);
        assert_eq!(classes, ["Mild", "None", "Severe"]);
        assert!(note.ends_with("1 row has no target and is not used"), "{note}");
    }

    #[test]
    fn a_target_that_the_source_names_is_not_learned_where_it_is_dropped_or_weighs() {
        let mut table = table_of("a,b,y\n1,1,2\n2,1,3\n");
        table.targets = vec!["y".to_owned()];
        let of = |drop: &[&str], weights: Option<&str>| {
            let drop = drop.iter().map(|&name| name.to_owned()).collect();
            let options =
                DataOptions { drop, weights: weights.map(str::to_owned), ..DataOptions::of("csv:t".parse().unwrap()) };
            target_columns(&table, &options, &mut Vec::new())
        };
        assert_eq!(of(&["a"], Some("b")).unwrap(), ["y"]);
        assert!(of(&["y"], None).unwrap_err().to_string().contains("`y`") && of(&[], Some("y")).is_err());
    }

    #[test]
    fn copies_are_joined_within_a_group_or_moment_and_never_across() {
        // Twelve rows of each person or day, each of them twice; the same ones come from all.
        let row = |i: usize| format!("p{},{},{}\n", i / 24, i % 12, if i % 12 < 6 { "yes" } else { "no" });
        let text = (0..600).map(row).collect::<String>();
        let rows = |table: &Table, split: &str, drop: &[&str], fold: Option<Fold>| {
            let drop = drop.iter().map(|&name| name.to_owned()).collect();
            let split = split.parse().unwrap();
            let options = DataOptions { drop, split, fold, ..DataOptions::of("csv:t".parse().unwrap()) };
            let problem = Problem::of_table(table, &options).unwrap();
            let parts = [Some(&problem.train), problem.validation.as_ref(), problem.test.as_ref()];
            parts.map(|part| part.map_or(0, super::super::Dataset::rows))
        };
        let groups = table_of(&format!("who,k,y\n{text}"));
        let days = table_of(&format!("day,k,y\n{}", text.replace('p', "")));
        for (table, split, drop) in
            [(&groups, "group:who", &[][..]), (&days, "time:day", &["day"]), (&days, "time:day", &[])]
        {
            assert_eq!(rows(table, split, drop, None), [180, 60, 60], "{split} {drop:?}");
        }
        let judged = |number| rows(&groups, "group:who", &[], Some(Fold { number, of: 5 }))[2];
        assert_eq!((0..5).map(judged).sum::<usize>(), 300);
        assert_eq!(rows(&groups, "random", &["who"], None).iter().sum::<usize>(), 12);
    }
}
