//! A table turned into what training needs: preprocessing and the three datasets.

use gramstep::Scalar;

use super::folds::fold;
use super::identity::DataHasher;
use super::sharing::{sets, share_out};
use super::usable::{Usable, WeightedRows, target_columns};
use super::{
    Cells, DataHash, DataOptions, Dataset, ImageSettings, Learning, Portion, Preprocessing, Progress, ReadOptions,
    Source, Split, Table, Targets, Task,
};
use crate::error::Result;

/// Share of the rows that is kept for the test, unless the user says otherwise.
const TEST: f64 = 0.2;

/// Fewer different rows than these are not split where the user leaves it open: each of them stands for many.
const FEW: usize = 10;

/// Rows of G (samples × outputs) up to which a full batch is cheap.
pub(crate) const FULL_BATCH_ROWS: usize = 2048;

/// Share of the rows that decides when to stop, unless the user says otherwise: few rows judge badly.
#[must_use]
pub fn validation_share(rows: usize, targets: usize, images: bool) -> f64 {
    if rows * targets <= FULL_BATCH_ROWS && !images { 0.2 } else { 0.1 }
}

/// Whether rows that are left when copies are joined stay together unless the user splits them.
pub(crate) fn is_too_few_to_split(rows: usize, copies: usize) -> bool {
    copies > 0 && rows < FEW
}

/// A learning problem, ready to train on.
///
/// Weights are relative: their mean over the training rows is 1. What they were before, `weight_unit` tells: an
/// absolute κ of the loss ½Σwr² + ½κ‖θ‖² is κ/`weight_unit` here.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Problem<T = f64> {
    /// Short name of the data.
    pub name: String,
    /// What the data are known by.
    pub hash: DataHash,
    /// Decided on the training rows.
    pub preprocessing: Preprocessing,
    /// Rows to fit.
    pub train: Dataset<T>,
    /// Rows that choose when to stop.
    pub validation: Option<Dataset<T>>,
    /// The number of a set for each of these, where those of a set are more alike than by chance: they are of one group, or of
    /// one stretch of time.
    pub validation_sets: Option<Vec<usize>>,
    /// Rows that are only judged at the end.
    pub test: Option<Dataset<T>>,
    /// The lines of the test rows in the data; none where they have a file of their own.
    pub test_lines: Vec<u64>,
    /// The mean weight of the training rows.
    pub weight_unit: f64,
    /// Which rows are the test rows: as the user says, or as the data come.
    pub test_portion: Portion,
    /// The share of the rows that are for validation unless the user says otherwise.
    pub validation_share: f64,
    /// What was guessed, repaired or left out, in sentences.
    pub notes: Vec<String>,
}

impl Problem {
    /// Reads data, splits them and decides the preprocessing.
    ///
    /// # Errors
    /// When data cannot be read or do not make a learning problem.
    pub fn load(options: &DataOptions) -> Result<Self> {
        Self::load_with(options, None, &mut |_, _| {})
    }

    /// The same with the preprocessing of an earlier run, where there is one; `progress` is told how many images are
    /// read.
    ///
    /// # Errors
    /// Like [`load`](Self::load), and when the data do not have the columns of the earlier run.
    pub fn load_with(
        options: &DataOptions,
        earlier: Option<&Preprocessing>,
        progress: &mut Progress<'_>,
    ) -> Result<Self> {
        options.source.check_options(&options.reading)?;
        let table =
            options.source.read_with(&read_options(options, earlier), &image_settings(options, earlier), progress)?;
        Self::make(&table, options, earlier, progress)
    }

    /// The rows that a run with these options and this preprocessing was judged on at its end, in their table, with their
    /// weights; and what the data are known by now.
    ///
    /// # Errors
    /// When data cannot be read.
    pub(crate) fn test_rows(
        options: &DataOptions,
        preprocessing: &Preprocessing,
        progress: &mut Progress<'_>,
    ) -> Result<(Table, WeightedRows, DataHash)> {
        let images = image_settings(options, Some(preprocessing));
        let table = options.source.read_with(&read_options(options, Some(preprocessing)), &images, progress)?;
        let (columns, mut notes) = (preprocessing.targets.columns(), Vec::new());
        let options = &options.of_table(&table, &mut notes);
        let task = preprocessing.targets.task();
        let division = Division::new(&table, (columns, task), options, &mut notes)?;
        let reading = preprocessing.read_options(&options.reading);
        let (mut hasher, mut own) = (DataHasher::default(), None);
        hasher.table(&table);
        for (file, test) in [(&division.validation_file, false), (&division.test_file, true)] {
            let Some(file) = file else { continue };
            let table = file.read_with(&reading, &images, progress)?;
            hasher.table(&table);
            own = own.or(test.then_some(table));
        }
        let hash = hasher.finish();
        let (table, usable, rows) = match own {
            None => (table, division.usable, division.split.test),
            Some(table) => {
                let usable = Usable::all(&table, columns, options.weights.as_deref(), &mut notes)?;
                let rows = usable.rows.clone();
                (table, usable, rows)
            }
        };
        let weights = usable.weights(&rows, 1.0);
        Ok((table, (rows, weights), hash))
    }

    /// The table of some data, read as the options say.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn table(options: &DataOptions, progress: &mut Progress<'_>) -> Result<Table> {
        options.source.check_options(&options.reading)?;
        options.source.read_with(&read_options(options, None), &image_settings(options, None), progress)
    }

    /// Makes a problem of a table that is read already, whatever the source.
    ///
    /// # Errors
    /// When it does not make a learning problem.
    pub fn of_table(table: &Table, options: &DataOptions) -> Result<Self> {
        Self::make(table, options, None, &mut |_, _| {})
    }

    fn make(
        table: &Table,
        options: &DataOptions,
        earlier: Option<&Preprocessing>,
        progress: &mut Progress<'_>,
    ) -> Result<Self> {
        let mut notes = table.notes().to_vec();
        let options = &options.of_table(table, &mut notes);
        let columns = match earlier {
            Some(earlier) => earlier.targets.columns().to_vec(),
            None => target_columns(table, options, &mut notes)?,
        };
        let task = match earlier {
            Some(earlier) => earlier.targets.task(),
            None => options.task.map_or_else(|| Targets::guess(table, &columns), Ok)?,
        };
        let Division { split, usable, test_file, validation_file, test_portion, validation_share } =
            Division::new(table, (&columns, task), options, &mut notes)?;
        let validation_sets =
            if validation_file.is_none() { sets(table, &split.validation, &options.split)? } else { None };
        let unit = usable.mean_weight(&split.train);
        let preprocessing = if let Some(earlier) = earlier {
            earlier.clone()
        } else {
            let weights = usable.weights(&split.train, unit);
            let learning = learning(options, table, &usable.rows, (&columns, task))?;
            let options = DataOptions { learning, ..options.clone() };
            Preprocessing::fit(&options, table, (&split.train, weights.as_deref()), &columns, &mut notes)?
        };
        let images = image_settings(options, Some(&preprocessing));
        let reading = preprocessing.read_options(&options.reading);

        let mut hasher = DataHasher::default();
        hasher.table(table);
        let dataset = |table: &Table, usable: &Usable, rows: &[usize], notes: &mut Vec<String>| {
            preprocessing.targets.check_rows(table, rows)?;
            preprocessing.dataset(table, rows, notes)?.with_weights(usable.weights(rows, unit))
        };
        let mut part = |rows: &[usize], file: Option<Source>| match file {
            Some(source) => {
                let table = source.read_with(&reading, &images, progress)?;
                hasher.table(&table);
                notes.extend_from_slice(table.notes());
                let usable = Usable::all(&table, &columns, options.weights.as_deref(), &mut notes)?;
                let rows = dataset(&table, &usable, &usable.rows, &mut notes)?;
                // In the unit of the training rows, of which some may stand for several.
                let each = (rows.weights.is_none() && unit != 1.0).then(|| vec![1.0 / unit; rows.rows()]);
                Ok(Some(if each.is_some() { rows.with_weights(each)? } else { rows }))
            }
            None if rows.is_empty() => Ok(None),
            None => dataset(table, &usable, rows, &mut notes).map(Some),
        };
        let validation = part(&split.validation, validation_file)?;
        let test = part(&split.test, test_file)?;
        let train = dataset(table, &usable, &split.train, &mut notes)?;
        Ok(Self {
            name: options.source.name(),
            hash: hasher.finish(),
            preprocessing,
            train,
            validation,
            validation_sets,
            test,
            test_lines: split.test.iter().map(|&row| table.lines[row]).collect(),
            weight_unit: unit,
            test_portion,
            validation_share,
            notes,
        })
    }
}

impl<T: Scalar> Problem<T> {
    /// Keeps the inputs within bounds that the training rows decide, for networks: see [`Bound`](super::Bound).
    pub fn bound_inputs(&mut self) {
        let inputs = &mut self.preprocessing.inputs;
        let changes = inputs.decide_bounds(&self.train);
        for rows in std::iter::once(&mut self.train).chain(&mut self.validation).chain(&mut self.test) {
            inputs.bound(&mut rows.inputs, &changes);
        }
    }

    /// The same without bounds, as for a model that is linear in the inputs.
    pub(crate) fn without_bounds(mut self) -> Self {
        let inputs = &mut self.preprocessing.inputs;
        for rows in std::iter::once(&mut self.train).chain(&mut self.validation).chain(&mut self.test) {
            inputs.unbound(&mut rows.inputs);
        }
        inputs.bounds = Vec::new();
        self
    }

    /// The same in another number type; nothing is copied where it is the same type.
    #[must_use]
    pub fn into_type<U: Scalar>(self) -> Problem<U> {
        Problem {
            name: self.name,
            hash: self.hash,
            preprocessing: self.preprocessing,
            train: self.train.into_type(),
            validation: self.validation.map(Dataset::into_type),
            validation_sets: self.validation_sets,
            test: self.test.map(Dataset::into_type),
            test_lines: self.test_lines,
            weight_unit: self.weight_unit,
            test_portion: self.test_portion,
            validation_share: self.validation_share,
            notes: self.notes,
        }
    }
}

/// How the targets of all rows are learned.
fn learning(
    options: &DataOptions,
    table: &Table,
    rows: &[usize],
    (columns, task): (&[String], Task),
) -> Result<Learning> {
    if task == Task::Classification {
        return Ok(options.learning.clone());
    }
    let columns = columns.iter().map(|name| table.numbers(table.require(name)?)).collect::<Result<Vec<_>>>()?;
    Ok(options.learning.of_all(columns.iter().flat_map(|values| rows.iter().map(|&row| values[row]))))
}

/// Which rows of a table are for what.
struct Division {
    split: Split,
    usable: Usable,
    /// Where the rows are read instead.
    test_file: Option<Source>,
    validation_file: Option<Source>,
    test_portion: Portion,
    validation_share: f64,
}

impl Division {
    fn new(
        table: &Table,
        (columns, task): (&[String], Task),
        options: &DataOptions,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let usable = Usable::distinct(table, (columns, task), options, notes)?;
        let units = usable.units();
        let images_there = table.columns().iter().any(|column| matches!(column.cells, Cells::Images(_)));
        let share = validation_share(usable.rows.len(), columns.len(), images_there);
        let open = |share| if is_too_few_to_split(units.len(), usable.copies) { 0.0 } else { share };
        let validation_share = open(share);
        let test_portion = options.test_or_own().unwrap_or(Portion::Fraction(open(TEST)));
        let (test, test_file) = fraction_or_source(&test_portion)?;
        let validation = options.validation.clone().unwrap_or(Portion::Fraction(validation_share));
        let (validation, validation_file) = fraction_or_source(&validation)?;
        let shares = (test, validation);
        let classes = if task == Task::Classification { columns } else { &[] };
        if let Some(part) = options.fold {
            let (test, others) = fold(table, &units, (&options.split, classes), part, options.seed)?;
            let split = share_out(table, &others, &options.split, classes, (0.0, validation), options.seed, notes)?;
            let split = whole(&usable, Split { test, ..split });
            return Ok(Self { split, usable, test_file: None, validation_file, test_portion, validation_share });
        }
        let split = share_out(table, &units, &options.split, classes, shares, options.seed, notes)?;
        let split = whole(&usable, split);
        Ok(Self { split, usable, test_file, validation_file, test_portion, validation_share })
    }
}

/// All rows of the units that were shared out.
fn whole(usable: &Usable, Split { train, validation, test }: Split) -> Split {
    Split { train: usable.whole(&train), validation: usable.whole(&validation), test: usable.whole(&test) }
}

/// How a table is read: as in an earlier preprocessing, where there is one.
fn read_options(options: &DataOptions, earlier: Option<&Preprocessing>) -> ReadOptions {
    let own = options.read_options();
    match earlier {
        Some(earlier) => earlier.read_options(&own),
        None => own,
    }
}

/// How images are read: in the size and colour that an earlier preprocessing has, where there is one.
fn image_settings(options: &DataOptions, earlier: Option<&Preprocessing>) -> ImageSettings {
    let own = options.images;
    earlier.map_or(own, |earlier| earlier.inputs.image_settings(own.broken, own.threads))
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
    use crate::data::{Standardisation, table_of};

    fn whole(text: &str, weights: Option<&str>) -> Problem {
        let none = Some(Portion::Fraction(0.0));
        let options = DataOptions {
            target: vec!["y".to_owned()],
            weights: weights.map(str::to_owned),
            test: none.clone(),
            validation: none,
            ..DataOptions::of("csv:t".parse().unwrap())
        };
        Problem::of_table(&table_of(text), &options).unwrap()
    }

    fn scale(problem: &Problem) -> &Standardisation {
        match &problem.preprocessing.targets {
            Targets::Regression { standardisation, .. } => standardisation,
            _ => panic!("the target is a number"),
        }
    }

    #[test]
    fn the_preprocessing_does_not_see_validation_and_test_rows() {
        let problem = Problem::load(&DataOptions::of("builtin:diabetes".parse().unwrap())).unwrap();
        let (train, test) = (&problem.train, problem.test.as_ref().unwrap());
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        assert!(mean(train.targets.as_slice()).abs() < 1e-12);
        assert!(mean(test.targets.as_slice()).abs() > 1e-6);
        assert_eq!((train.rows(), test.rows()), (266, 88));
        assert!(problem.notes[0].contains("`progression`"));
    }

    #[test]
    fn a_row_of_weight_two_is_two_rows_and_both_are_one_row_of_twice_the_weight() {
        let weighted = whole("a,w,y\n1,2,5\n,1,6\n4,1,9\n", Some("w"));
        let twice = whole("a,y\n1,5\n1,5\n,6\n4,9\n", None);
        assert_eq!(weighted.preprocessing.inputs.columns, twice.preprocessing.inputs.columns);
        assert_eq!(scale(&weighted), scale(&twice));
        assert!((scale(&twice).mean[0] - 6.25).abs() < 1e-12);
        assert_eq!((&weighted.train, weighted.weight_unit), (&twice.train, twice.weight_unit));
        let mut weights = twice.train.weights.clone().unwrap();
        weights.sort_by(f64::total_cmp);
        assert_eq!(weights, [0.75, 0.75, 1.5]);
        assert!(twice.notes.iter().any(|note| note.contains("1 exact copy of another row")), "{:?}", twice.notes);
    }

    #[test]
    fn few_rows_that_repeat_are_not_split_unless_the_user_says_so() {
        let text = format!("a,b,y\n{}", "0,0,1\n0,1,2\n1,0,2\n1,1,1\n".repeat(25));
        let options = DataOptions::of("csv:t".parse().unwrap());
        let problem = Problem::of_table(&table_of(&text), &options).unwrap();
        assert_eq!((problem.train.rows(), problem.validation.is_none(), problem.test.is_none()), (4, true, true));
        let options = DataOptions { test: Some(Portion::Fraction(0.25)), ..options };
        assert_eq!(Problem::of_table(&table_of(&text), &options).unwrap().train.rows(), 3);
    }

    #[test]
    fn the_scale_of_the_weights_is_no_part_of_the_problem_and_a_weight_of_0_is_absence() {
        let own = whole("a,w,y\n1,2,5\n3,1,6\n4,1,9\n", Some("w"));
        let scaled = whole("a,w,y\n1,2e-6,5\n3,1e-6,6\n4,1e-6,9\n7,0,1e9\n", Some("w"));
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-14);
        assert!(close(own.train.weights.as_ref().unwrap(), scaled.train.weights.as_ref().unwrap()));
        assert!(close(own.train.inputs.as_slice(), scaled.train.inputs.as_slice()));
        assert!((scaled.weight_unit / own.weight_unit - 1e-6).abs() < 1e-18);
    }
}
