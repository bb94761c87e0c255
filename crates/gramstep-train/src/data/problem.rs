//! A table turned into what training needs: preprocessing and the three datasets.

use serde::{Deserialize, Serialize};

use super::{Cells, Dataset, ImageSettings, Inputs, Portion, Progress, Source, Split, Table, Targets, Task};
use crate::error::{Error, Result};
use crate::settings::{Config, FULL_BATCH_ROWS};

/// Share of the rows that is kept for the test, unless the user says otherwise.
const TEST: f64 = 0.2;

/// Share of the rows that decides when to stop, unless the user says otherwise: few rows judge badly.
#[must_use]
pub fn validation_share(rows: usize, targets: usize, images: bool) -> f64 {
    if rows * targets <= FULL_BATCH_ROWS && !images { 0.2 } else { 0.1 }
}

/// Everything that was decided on the training rows; stored with the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Preprocessing {
    /// From columns to the network's input.
    pub inputs: Inputs,
    /// From columns to the network's targets.
    pub targets: Targets,
}

impl Preprocessing {
    /// Decides from the given rows.
    fn fit(
        config: &Config,
        table: &Table,
        (rows, weights): (&[usize], Option<&[f64]>),
        columns: &[String],
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let guess = Targets::guess(table, columns)?;
        if config.task.is_none() && guess == Task::Classification && table.task.is_none() {
            notes.push(format!("`{}` is text: --task classification", columns.join("`, `")));
        }
        let targets = Targets::fit(table, rows, weights, columns, config.task.unwrap_or(guess))?;
        notes.extend(targets.heavy_tails(table, rows)?);
        let left_out: Vec<String> = config.drop.iter().chain(&config.weights).cloned().collect();
        Ok(Self { inputs: Inputs::fit(table, (rows, weights), columns, &left_out, notes)?, targets })
    }

    /// Whether its parts fit together, as those of a damaged file may not.
    ///
    /// # Errors
    /// What does not fit.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        self.inputs.check()?;
        self.targets.check()
    }

    /// Inputs and targets of rows that have a value in every target.
    ///
    /// # Errors
    /// For a wrong set of columns and for cells that do not fit.
    pub fn dataset(&self, table: &Table, rows: &[usize], notes: &mut Vec<String>) -> Result<Dataset<f64>> {
        Dataset::new(self.inputs.apply(table, rows, notes)?, self.targets.apply(table, rows)?)
    }
}

/// A learning problem, ready to train on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Problem {
    /// Short name of the data.
    pub name: String,
    /// Decided on the training rows.
    pub preprocessing: Preprocessing,
    /// Rows to fit.
    pub train: Dataset<f64>,
    /// Rows that choose when to stop.
    pub validation: Option<Dataset<f64>>,
    /// Rows that are only judged at the end.
    pub test: Option<Dataset<f64>>,
    /// Which rows are the test rows: as the user says, or as the data come.
    pub test_portion: Portion,
    /// The share of the rows that are for validation unless the user says otherwise.
    pub validation_share: f64,
    /// What was guessed, repaired or left out, in sentences.
    pub notes: Vec<String>,
}

impl Problem {
    /// Reads the data that a configuration names, splits them and decides the preprocessing.
    ///
    /// # Errors
    /// When data cannot be read or do not make a learning problem.
    pub fn load(config: &Config) -> Result<Self> {
        Self::load_with(config, None, &mut |_, _| {})
    }

    /// The same with the preprocessing of an earlier run, where there is one; `progress` is told how many images are
    /// read.
    ///
    /// # Errors
    /// Like [`load`](Self::load), and when the data do not have the columns of the earlier run.
    pub fn load_with(config: &Config, earlier: Option<&Preprocessing>, progress: &mut Progress<'_>) -> Result<Self> {
        let source: Source = config.data.as_deref().ok_or(Error::NoData)?.parse()?;
        let table = source.read_with(&image_settings(config, earlier), progress)?;
        Self::make(source.name(), &table, own_test(&source).as_ref(), config, earlier, progress)
    }

    /// The rows that a run with this configuration and preprocessing was judged on at its end, in their table; and the
    /// preprocessing that the data give now.
    ///
    /// # Errors
    /// When data cannot be read.
    pub(crate) fn test_rows(
        config: &Config,
        preprocessing: &Preprocessing,
        progress: &mut Progress<'_>,
    ) -> Result<(Table, Vec<usize>, Preprocessing)> {
        let source: Source = config.data.as_deref().ok_or(Error::NoData)?.parse()?;
        let images = image_settings(config, Some(preprocessing));
        let table = source.read_with(&images, progress)?;
        let (columns, mut notes) = (preprocessing.targets.columns(), Vec::new());
        let division = Division::new(&table, columns, own_test(&source).as_ref(), config, &mut notes)?;
        let fitted = match config.init {
            None => fit(config, &table, &division.split.train, columns, &mut notes)?,
            Some(_) => preprocessing.clone(),
        };
        let Some(file) = division.test_file else {
            return Ok((table, division.split.test, fitted));
        };
        let table = file.read_with(&images, progress)?;
        let rows = usable_rows(&table, columns, config.weights.as_deref(), &mut notes)?;
        Ok((table, rows, fitted))
    }

    /// Makes a problem of a table that is read already; `config.data` is not looked at.
    ///
    /// # Errors
    /// When it does not make a learning problem.
    pub fn of_table(name: &str, table: &Table, config: &Config) -> Result<Self> {
        Self::make(name.to_owned(), table, None, config, None, &mut |_, _| {})
    }

    fn make(
        name: String,
        table: &Table,
        own_test: Option<&Portion>,
        config: &Config,
        earlier: Option<&Preprocessing>,
        progress: &mut Progress<'_>,
    ) -> Result<Self> {
        let mut notes = table.notes().to_vec();

        let columns = match earlier {
            Some(earlier) => earlier.targets.columns().to_vec(),
            None => target_columns(table, config, &mut notes)?,
        };

        let Division { split, test_file, validation_file, test_portion, validation_share } =
            Division::new(table, &columns, own_test, config, &mut notes)?;

        let preprocessing = if let Some(earlier) = earlier {
            earlier.clone()
        } else {
            fit(config, table, &split.train, &columns, &mut notes)?
        };
        let images = image_settings(config, Some(&preprocessing));

        let weights = config.weights.as_deref();
        let dataset = |table: &Table, rows: &[usize], notes: &mut Vec<String>| {
            preprocessing.dataset(table, rows, notes)?.with_weights(weights_of_rows(table, weights, rows)?)
        };
        let mut part = |rows: &[usize], file: Option<Source>| match file {
            Some(source) => {
                let table = source.read_with(&images, progress)?;
                notes.extend_from_slice(table.notes());
                let rows = usable_rows(&table, &columns, weights, &mut notes)?;
                dataset(&table, &rows, &mut notes).map(Some)
            }
            None if rows.is_empty() => Ok(None),
            None => dataset(table, rows, &mut notes).map(Some),
        };
        let validation = part(&split.validation, validation_file)?;
        let test = part(&split.test, test_file)?;
        let train = dataset(table, &split.train, &mut notes)?;
        Ok(Self { name, preprocessing, train, validation, test, test_portion, validation_share, notes })
    }
}

/// Which rows of a table are for what.
struct Division {
    split: Split,
    /// Where the rows are read instead.
    test_file: Option<Source>,
    validation_file: Option<Source>,
    test_portion: Portion,
    validation_share: f64,
}

impl Division {
    fn new(
        table: &Table,
        columns: &[String],
        own_test: Option<&Portion>,
        config: &Config,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let rows = usable_rows(table, columns, config.weights.as_deref(), notes)?;
        let images_there = table.columns().iter().any(|column| matches!(column.cells, Cells::Images(_)));
        let validation_share = validation_share(rows.len(), columns.len(), images_there);
        let test_portion = config.test.as_ref().or(own_test).cloned().unwrap_or(Portion::Fraction(TEST));
        let (test, test_file) = fraction_or_source(&test_portion)?;
        let validation = config.validation.clone().unwrap_or(Portion::Fraction(validation_share));
        let (validation, validation_file) = fraction_or_source(&validation)?;
        let split = Split::new(table.origin(), &rows, test, validation, config.seed.unwrap_or_default())?;
        Ok(Self { split, test_file, validation_file, test_portion, validation_share })
    }
}

/// The preprocessing that the training rows ask for.
fn fit(
    config: &Config,
    table: &Table,
    rows: &[usize],
    columns: &[String],
    notes: &mut Vec<String>,
) -> Result<Preprocessing> {
    let weights = weights_of_rows(table, config.weights.as_deref(), rows)?;
    Preprocessing::fit(config, table, (rows, weights.as_deref()), columns, notes)
}

/// How images are read: in the size and colour that an earlier preprocessing has, where there is one.
fn image_settings(config: &Config, earlier: Option<&Preprocessing>) -> ImageSettings {
    let own = config.image_settings();
    earlier.map_or(own, |earlier| earlier.inputs.image_settings(own.broken, own.threads))
}

/// The rows to test on that come with a source.
fn own_test(source: &Source) -> Option<Portion> {
    source.test().map(|source| Portion::File(source.to_string().into()))
}

fn target_columns(table: &Table, config: &Config, notes: &mut Vec<String>) -> Result<Vec<String>> {
    for name in config.target.iter().chain(&config.drop).chain(&config.weights) {
        table.require(name)?;
    }
    if let Some(name) = config.weights.iter().find(|name| config.target.contains(name)) {
        return Err(Error::Target { column: name.clone(), reason: "also the column of weights".to_owned() });
    }
    if let Some(name) = config.target.iter().find(|name| config.drop.contains(name)) {
        return Err(Error::Target { column: name.clone(), reason: "also among the dropped columns".to_owned() });
    }
    if let Some(name) = config.target.iter().enumerate().find(|(i, name)| config.target[..*i].contains(name)) {
        return Err(Error::Target { column: name.1.clone(), reason: "named twice".to_owned() });
    }
    if !config.target.is_empty() {
        return Ok(config.target.clone());
    }
    if !table.targets.is_empty() {
        return Ok(table.targets.clone());
    }
    let other = |name: &String| config.drop.contains(name) || config.weights.as_ref() == Some(name);
    let last = table.columns().iter().rev().find(|column| !other(&column.name));
    let last = last.ok_or_else(|| Error::NoInputs { origin: table.origin().to_owned(), reason: String::new() })?;
    notes.push(format!("the target is the last column, `{}`", last.name));
    Ok(vec![last.name.clone()])
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

/// The weights of some rows, where there is a column of weights.
fn weights_of_rows(table: &Table, name: Option<&str>, rows: &[usize]) -> Result<Option<Vec<f64>>> {
    let weights = name.map(|name| weights_of(table, name)).transpose()?;
    Ok(weights.map(|weights| rows.iter().map(|&row| weights[row]).collect()))
}

/// The rows that have a value in every target and a weight above 0.
fn usable_rows(
    table: &Table,
    columns: &[String],
    weights: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<Vec<usize>> {
    let mut rows = Targets::rows(table, columns)?;
    let without = table.rows() - rows.len();
    if without > 0 {
        notes.push(format!(
            "{}: {without} {} no target and {} not used",
            table.origin(),
            if without == 1 { "row has" } else { "rows have" },
            if without == 1 { "is" } else { "are" }
        ));
    }
    if let Some(weights) = weights.map(|name| weights_of(table, name)).transpose()? {
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
    Ok(rows)
}

/// The fraction to cut off the data, or the source to read instead.
fn fraction_or_source(portion: &Portion) -> Result<(f64, Option<Source>)> {
    Ok(match portion {
        Portion::Fraction(fraction) => (*fraction, None),
        Portion::File(path) => (0.0, Some(path.display().to_string().parse()?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preprocessing_does_not_see_validation_and_test_rows() {
        let config = Config { data: Some("builtin:diabetes".to_owned()), ..Config::default() };
        let problem = Problem::load(&config).unwrap();
        let (train, test) = (&problem.train, problem.test.as_ref().unwrap());
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        assert!(mean(train.targets.as_slice()).abs() < 1e-12);
        assert!(mean(test.targets.as_slice()).abs() > 1e-6);
        assert_eq!((train.rows(), test.rows()), (265, 88));
        assert!(problem.notes[0].contains("`progression`"));
    }

    #[test]
    fn a_row_of_weight_two_standardises_as_two_rows() {
        let of = |text: &str, weights: Option<String>| {
            let table = Table::parse("t", text.as_bytes(), crate::data::Format::Csv).unwrap();
            let none = Some(Portion::Fraction(0.0));
            let config =
                Config { test: none.clone(), validation: none, target: vec!["y".into()], weights, ..Config::default() };
            Problem::of_table("t", &table, &config).unwrap().preprocessing
        };
        let weighted = of("a,w,y\n1,2,5\n,1,6\n4,1,9\n", Some("w".into()));
        let twice = of("a,y\n1,5\n1,5\n,6\n4,9\n", None);
        let scale = |preprocessing: &Preprocessing| match &preprocessing.targets {
            Targets::Regression { standardisation, .. } => standardisation.clone(),
            Targets::Classification { .. } => unreachable!("the target is a number"),
        };
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        let (one, other) = (scale(&weighted), scale(&twice));
        assert!(close(&one.mean, &other.mean) && close(&one.scale, &other.scale));
        assert!((one.mean[0] - 6.25).abs() < 1e-12);
    }
}
