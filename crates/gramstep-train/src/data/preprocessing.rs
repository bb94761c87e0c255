//! Everything about the data that is decided on the training rows and kept with the model.

use serde::{Deserialize, Serialize};

use super::usable::{Usable, WeightedRows};
use super::{Cells, DataOptions, Dataset, Inputs, Reading, Table, Targets, Task};
use crate::error::Result;

/// From columns of a table to inputs and targets of a network; stored with the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Preprocessing {
    /// From columns to the network's input.
    pub inputs: Inputs,
    /// From columns to the network's targets.
    pub targets: Targets,
    /// The column with the weight of every row, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// What the cells of the training table meant; none in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
}

/// Whether several targets have two values each.
fn are_labels(table: &Table, rows: &[usize], columns: &[String]) -> bool {
    let has_two = |name: &String| {
        let Some(Cells::Numbers(values)) = table.column(name).map(|column| &column.cells) else { return false };
        let first = values[rows[0]];
        let mut others = rows.iter().map(|&row| values[row]).filter(|&value| value != first);
        others.next().is_some_and(|second| others.all(|value| value == second))
    };
    columns.len() > 1 && !rows.is_empty() && columns.iter().all(has_two)
}

impl Preprocessing {
    /// Of arrays, whose columns are numbers.
    pub(crate) fn new(inputs: Inputs, targets: Targets) -> Self {
        Self { inputs, targets, weights: None, reading: Some(Reading::default()) }
    }

    /// Of the columns of a table that the inputs use; the targets stand beside it.
    pub(crate) fn of_table(inputs: Inputs, targets: Targets, table: &Table) -> Self {
        let mut made = Self { inputs, targets, weights: None, reading: None };
        made.reading = Some(made.kept_reading(table));
        made
    }

    /// Decides from the given rows, of which the ones of weight w count as w rows.
    pub(super) fn fit(
        options: &DataOptions,
        table: &Table,
        (rows, weights): (&[usize], Option<&[f64]>),
        columns: &[String],
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let guess = Targets::guess(table, columns)?;
        if options.task.is_none() && guess == Task::Classification && table.task.is_none() {
            let be = if columns.len() == 1 { "is" } else { "are" };
            notes.push(format!("`{}` {be} text: --task classification", columns.join("`, `")));
        }
        if options.task.is_none() && guess == Task::Regression && are_labels(table, rows, columns) {
            let names = columns.join("`, `");
            notes.push(format!("`{names}` are numbers of two values: --task classification learns them as labels"));
        }
        let task = options.task.unwrap_or(guess);
        let targets = Targets::fit(table, rows, weights, columns, task, &options.learning)?;
        notes.extend(targets.heavy_tails(table, rows, weights)?);
        let left_out: Vec<String> = options.drop.iter().chain(&options.weights).cloned().collect();
        let inputs = Inputs::fit(table, (rows, weights), columns, &left_out, notes)?;
        let mut fitted = Self { inputs, targets, weights: options.weights.clone(), reading: None };
        fitted.reading = Some(fitted.kept_reading(table));
        Ok(fitted)
    }

    /// Whether its parts fit together, as those of a damaged file may not.
    ///
    /// # Errors
    /// What does not fit.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        self.inputs.check()?;
        self.targets.check()
    }

    /// The rows of a table by which a model can be judged, and how much each counts; all the same where the table lacks
    /// the column of weights.
    ///
    /// # Errors
    /// If a target is not there or has no place in the model, or a weight is no usable number.
    pub(crate) fn judged(&self, table: &Table) -> Result<WeightedRows> {
        let rows = Targets::rows(table, self.targets.columns())?;
        if rows.is_empty() {
            return Ok((rows, None));
        }
        let usable = self.usable(table)?;
        self.targets.check_rows(table, &usable.rows)?;
        let weights = usable.weights(&usable.rows, 1.0);
        Ok((usable.rows, weights))
    }

    fn usable(&self, table: &Table) -> Result<Usable> {
        let weights = self.weights.as_deref().filter(|name| table.column(name).is_some());
        Usable::all(table, self.targets.columns(), weights, &mut Vec::new())
    }

    /// Inputs and targets of rows that have a value in every target.
    ///
    /// # Errors
    /// For a wrong set of columns and for cells that do not fit.
    pub fn dataset(&self, table: &Table, rows: &[usize], notes: &mut Vec<String>) -> Result<Dataset<f64>> {
        Dataset::new(self.inputs.features(table, rows, notes)?, self.targets.apply(table, rows)?)
    }
}
