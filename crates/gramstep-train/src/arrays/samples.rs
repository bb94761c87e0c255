//! Arrays and how they become what a network sees.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _};

use gramstep::{Error as CoreError, Matrix, MatrixView, Scalar};

use super::inputs::Given;
use crate::data::alike::Alike;
use crate::data::copies::{Distinct, mean_weight};
use crate::data::keys::{Keyed, bits};
use crate::data::sharing::by_strata;
use crate::data::strata::by_rarest;
use crate::data::{
    DataHash, DataHasher, Dataset, Labels, Learning, Portion, Preprocessing, Problem, Split, Table, Targets,
    is_too_few_to_split, validation_share,
};
use crate::error::{Error, Result};

/// What messages call the data.
const ORIGIN: &str = "the data";

/// What is to be learned.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ArrayTargets {
    /// Numbers, n×k.
    Numbers {
        /// A name for each of k.
        columns: Vec<String>,
        /// In their own units.
        values: Matrix<f64>,
    },
    /// Classes, by their place in the list.
    Classes {
        /// The classes' names.
        classes: Vec<String>,
        /// The class of every row.
        labels: Vec<usize>,
        /// What the names stand for.
        kind: Labels,
    },
    /// Several labels of two values each.
    MultiLabel {
        /// A name for each of k.
        columns: Vec<String>,
        /// Its two values.
        classes: Vec<[String; 2]>,
        /// What the values of each stand for.
        kinds: Vec<Labels>,
        /// Whether each row has the second value; n×k of 0 and 1.
        values: Matrix<f64>,
    },
}

impl ArrayTargets {
    /// Numbers without names.
    #[must_use]
    pub fn numbers(values: Matrix<f64>) -> Self {
        let columns = match values.columns() {
            1 => vec!["y".to_owned()],
            k => (0..k).map(|a| format!("y{a}")).collect(),
        };
        Self::Numbers { columns, values }
    }

    /// Classes by their place in a list of names, which are text.
    #[must_use]
    pub fn classes(classes: Vec<String>, labels: Vec<usize>) -> Self {
        Self::Classes { classes, labels, kind: Labels::Text }
    }

    fn rows(&self) -> usize {
        match self {
            Self::Numbers { values, .. } | Self::MultiLabel { values, .. } => values.rows(),
            Self::Classes { labels, .. } => labels.len(),
        }
    }
}

/// Inputs, targets and weights as the caller has them.
#[derive(Clone, Debug)]
pub struct Samples<'a, T> {
    inputs: Given<'a, T>,
    targets: ArrayTargets,
    weights: Option<Vec<f64>>,
    learning: Learning,
}

impl<'a, T: Scalar> Samples<'a, T> {
    /// Inputs (n×d) and their targets; all rows count the same, and a gap (NaN) is an error.
    #[must_use]
    pub fn new(inputs: MatrixView<'a, T>, targets: ArrayTargets) -> Self {
        let columns = (0..inputs.columns()).map(|j| format!("x{j}")).collect();
        let inputs = Given::Array { columns, values: inputs, impute: false };
        Self { inputs, targets, weights: None, learning: Learning::default() }
    }

    /// All columns of a table, whatever they hold, and the targets of its rows; gaps are filled and marked.
    #[must_use]
    pub fn of_table(table: &'a Table, targets: ArrayTargets) -> Self {
        Self { inputs: Given::Table(table), targets, weights: None, learning: Learning::default() }
    }

    /// The same with names for the columns of an array.
    #[must_use]
    pub fn with_columns(mut self, names: Vec<String>) -> Self {
        if let Given::Array { columns, .. } = &mut self.inputs {
            *columns = names;
        }
        self
    }

    /// The same learned so.
    #[must_use]
    pub fn with_learning(mut self, learning: Learning) -> Self {
        self.learning = learning;
        self
    }

    /// The same with a weight ≥ 0 for each row; rows of weight 0 are not there.
    #[must_use]
    pub fn with_weights(mut self, weights: Option<Vec<f64>>) -> Self {
        self.weights = weights;
        self
    }

    /// The same, with gaps of an array filled by the median of the training rows and marked by a column, as in a table.
    #[must_use]
    pub fn with_imputation(mut self, fill: bool) -> Self {
        if let Given::Array { impute, .. } = &mut self.inputs {
            *impute = fill;
        }
        self
    }

    /// The share of the rows that are for validation where the caller leaves it open, as in a table.
    ///
    /// # Errors
    /// Those of [`problem`](Self::problem).
    pub fn validation_share(&self) -> Result<f64> {
        let outputs = match &self.targets {
            ArrayTargets::Numbers { values, .. } | ArrayTargets::MultiLabel { values, .. } => values.columns(),
            ArrayTargets::Classes { .. } => 1,
        };
        let distinct = self.usable()?;
        let share = validation_share(distinct.rows.len(), outputs, false);
        Ok(if is_too_few_to_split(self.alike(&distinct).firsts().len(), distinct.copies) { 0.0 } else { share })
    }

    /// Splits off a share of the rows for validation, and standardises all by the others. Exact copies of a row are one
    /// row of their summed weight.
    ///
    /// # Errors
    /// If sizes differ, a value is not finite, a weight is out of range, or there are too few rows.
    pub fn problem(&self, validation: f64, seed: u64) -> Result<Problem<T>> {
        let distinct = self.usable()?;
        if validation == 0.0 && !distinct.rows.is_empty() {
            // One row is a beginning, where others are to follow.
            return self.learned(&distinct.rows, &[], &distinct);
        }
        let alike = self.alike(&distinct);
        let firsts = alike.firsts();
        let split = match self.strata(&firsts) {
            Some(strata) => by_strata(ORIGIN, (&firsts, &strata), (0.0, validation), seed)?,
            None => Split::new(ORIGIN, &firsts, 0.0, validation, seed)?,
        };
        let train = if split.validation.is_empty() { distinct.rows.clone() } else { alike.whole(&split.train) };
        self.learned(&train, &alike.whole(&split.validation), &distinct)
    }

    /// The strata of some rows, where they are classified.
    fn strata(&self, rows: &[usize]) -> Option<Vec<usize>> {
        match &self.targets {
            ArrayTargets::Numbers { .. } => None,
            ArrayTargets::Classes { labels, .. } => by_rarest(vec![rows.iter().map(|&row| labels[row]).collect()]),
            ArrayTargets::MultiLabel { values, .. } => {
                let label = |a: usize| rows.iter().map(|&row| usize::from(values[(row, a)] == 1.0)).collect();
                by_rarest((0..values.columns()).map(label).collect())
            }
        }
    }

    /// Rows by their inputs, where these come again with other classes.
    fn alike(&self, distinct: &Distinct) -> Alike {
        let classes = !matches!(self.targets, ArrayTargets::Numbers { .. });
        if classes && (distinct.copies > 0 || distinct.weights.is_some()) {
            return Alike::new(&distinct.rows, &self.inputs);
        }
        Alike::apart(&distinct.rows)
    }

    /// Standardised by the training rows.
    fn learned(&self, train: &[usize], validation: &[usize], distinct: &Distinct) -> Result<Problem<T>> {
        let weights = Weights::of(distinct, train);
        let (targets, own) = (self.fit_targets(train, distinct, &weights)?, weights.of_rows(train));
        let mut notes: Vec<String> = distinct.note().into_iter().collect();
        let preprocessing = self.inputs.fit(train, own.as_deref(), targets, &mut notes)?;
        self.make(preprocessing, (train, validation), &weights, (distinct, notes))
    }

    /// All rows to learn from, preprocessed as other rows were before.
    ///
    /// # Errors
    /// Those of [`problem`](Self::problem), and if columns or targets are not those of the preprocessing.
    pub fn problem_as(&self, preprocessing: &Preprocessing) -> Result<Problem<T>> {
        let distinct = self.usable()?;
        let weights = Weights::of(&distinct, &distinct.rows);
        let notes = distinct.note().into_iter().collect();
        self.make(preprocessing.clone(), (&distinct.rows, &[]), &weights, (&distinct, notes))
    }

    fn make(
        &self,
        preprocessing: Preprocessing,
        (train, validation): (&[usize], &[usize]),
        weights: &Weights,
        (distinct, notes): (&Distinct, Vec<String>),
    ) -> Result<Problem<T>> {
        let judged = (!validation.is_empty()).then(|| self.dataset(&preprocessing, validation, weights)).transpose()?;
        let share = validation.len() as f64 / distinct.rows.len() as f64;
        Ok(Problem {
            name: "arrays".to_owned(),
            hash: self.hash(),
            train: self.dataset(&preprocessing, train, weights)?,
            validation: judged,
            validation_sets: None,
            test: None,
            test_lines: Vec::new(),
            preprocessing,
            weight_unit: weights.unit,
            test_portion: Portion::Fraction(0.0),
            validation_share: share,
            notes,
        })
    }

    /// What the data are known by.
    fn hash(&self) -> DataHash {
        let mut hasher = DataHasher::default();
        self.inputs.hash(&mut hasher);
        match &self.targets {
            ArrayTargets::Numbers { columns, values } => {
                hasher.texts(columns);
                hasher.numbers(values.as_slice().iter().copied());
            }
            ArrayTargets::Classes { classes, labels, .. } => {
                hasher.texts(classes);
                hasher.numbers(labels.iter().map(|&label| label as f64));
            }
            ArrayTargets::MultiLabel { columns, classes, values, .. } => {
                hasher.texts(columns);
                hasher.texts(classes.as_flattened());
                hasher.numbers(values.as_slice().iter().copied());
            }
        }
        hasher.numbers(self.weights.iter().flatten().copied());
        hasher.finish()
    }

    /// Rows of weight above 0, copies joined unless they are observations of a few inputs.
    fn usable(&self) -> Result<Distinct> {
        let n = self.inputs.rows();
        self.inputs.check()?;
        let lengths = [
            ("rows of the targets", n, self.targets.rows()),
            ("sample weights", n, self.weights.as_ref().map_or(n, Vec::len)),
        ];
        for (what, expected, got) in lengths {
            if expected != got {
                return Err(CoreError::Shape { what, expected, got }.into());
            }
        }
        if let Some(weight) = self.weights.iter().flatten().find(|weight| !(**weight >= 0.0 && weight.is_finite())) {
            let (name, range) = ("sample weight", "finite and ≥ 0");
            return Err(CoreError::Setting { name, value: weight.to_string(), range }.into());
        }
        let rows: Vec<usize> =
            (0..n).filter(|&i| self.weights.as_ref().is_none_or(|weights| weights[i] > 0.0)).collect();
        let weight = |row: usize| self.weights.as_ref().map_or(1.0, |weights| weights[row]);
        Ok(Distinct::of(&rows, (&self.inputs, &self.targets), &weight))
    }

    fn fit_targets(&self, rows: &[usize], distinct: &Distinct, weights: &Weights) -> Result<Targets> {
        match &self.targets {
            ArrayTargets::Numbers { columns, values } => {
                let column = |a: usize| rows.iter().map(|&i| values[(i, a)]).collect();
                let learned: Vec<Vec<f64>> = (0..values.columns()).map(column).collect();
                let learning = self.learning.of_all(distinct.rows.iter().flat_map(|&i| values.row(i).iter().copied()));
                Targets::regression(columns.clone(), &learned, weights.of_rows(rows).as_deref(), &learning)
            }
            ArrayTargets::Classes { .. } | ArrayTargets::MultiLabel { .. } if self.learning != Learning::default() => {
                Err(self.learning.refused(&["y".to_owned()]))
            }
            ArrayTargets::Classes { classes, kind, .. } => {
                Ok(Targets::Classification { column: "y".to_owned(), classes: classes.clone(), labels: *kind })
            }
            ArrayTargets::MultiLabel { columns, classes, kinds, .. } => {
                Ok(Targets::MultiLabel { columns: columns.clone(), classes: classes.clone(), labels: kinds.clone() })
            }
        }
    }

    fn dataset(&self, preprocessing: &Preprocessing, rows: &[usize], weights: &Weights) -> Result<Dataset<T>> {
        let k = preprocessing.targets.outputs();
        let targets = match (&self.targets, &preprocessing.targets) {
            (ArrayTargets::Numbers { values, .. }, targets @ Targets::Regression { columns, .. })
                if values.columns() == columns.len() =>
            {
                let mut learned = Matrix::<f64>::zeros(rows.len(), k);
                for (i, &row) in rows.iter().enumerate() {
                    for a in 0..columns.len() {
                        if let Some(reason) = targets.refusal(values[(row, a)]) {
                            let reason = format!("{reason} (row {row})");
                            return Err(Error::Target { column: columns[a].clone(), reason });
                        }
                        targets.place(a, values[(row, a)], learned.row_mut(i));
                    }
                }
                learned.cast()
            }
            (ArrayTargets::Classes { labels, .. }, Targets::Classification { .. }) => {
                if let Some((sample, &label)) = labels.iter().enumerate().find(|(_, label)| **label >= k) {
                    let (loss, reason) = ("cross-entropy", "is not the number of a class");
                    return Err(CoreError::Target { loss, sample, value: label as f64, reason }.into());
                }
                Matrix::from_fn(rows.len(), k, |i, a| if labels[rows[i]] == a { T::ONE } else { T::ZERO })
            }
            (ArrayTargets::MultiLabel { values, .. }, Targets::MultiLabel { columns, .. })
                if values.columns() == columns.len() =>
            {
                values.select_rows(rows).cast()
            }
            _ => {
                let got = match &self.targets {
                    ArrayTargets::Numbers { values, .. } | ArrayTargets::MultiLabel { values, .. } => values.columns(),
                    ArrayTargets::Classes { classes, .. } => classes.len(),
                };
                return Err(CoreError::Shape { what: "columns of the targets", expected: k, got }.into());
            }
        };
        self.inputs.dataset(&preprocessing.inputs, rows, targets)?.with_weights(weights.of_rows(rows))
    }
}

impl Keyed for ArrayTargets {
    fn feed(&self, row: usize, hasher: &mut DefaultHasher) {
        match self {
            Self::Numbers { values, .. } | Self::MultiLabel { values, .. } => {
                values.row(row).iter().for_each(|&y| bits(y).hash(hasher));
            }
            Self::Classes { labels, .. } => labels[row].hash(hasher),
        }
    }

    fn same(&self, a: usize, b: usize) -> bool {
        match self {
            Self::Numbers { values, .. } | Self::MultiLabel { values, .. } => {
                values.row(a).iter().zip(values.row(b)).all(|(&y, &other)| bits(y) == bits(other))
            }
            Self::Classes { labels, .. } => labels[a] == labels[b],
        }
    }
}

/// How much rows count, in units of the mean over the training rows.
struct Weights {
    /// Of every row that is used; none where all count the same.
    by_row: Option<HashMap<usize, f64>>,
    unit: f64,
}

impl Weights {
    fn of(distinct: &Distinct, train: &[usize]) -> Self {
        let Some(weights) = &distinct.weights else { return Self { by_row: None, unit: 1.0 } };
        let by_row: HashMap<usize, f64> = distinct.rows.iter().copied().zip(weights.iter().copied()).collect();
        let unit = mean_weight(train.iter().map(|row| by_row[row]));
        Self { by_row: Some(by_row), unit }
    }

    fn of_rows(&self, rows: &[usize]) -> Option<Vec<f64>> {
        self.by_row.as_ref().map(|weights| rows.iter().map(|row| weights[row] / self.unit).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[f64]) -> Matrix<f64> {
        Matrix::from_vec(values.len(), 1, values.to_vec()).unwrap()
    }

    #[test]
    fn rows_of_weight_0_are_not_there() {
        let (x, y) = (column(&[1.0, 2.0, 1e9, 4.0]), column(&[1.0, 2.0, -1e9, 4.0]));
        let samples = Samples::new(x.view(), ArrayTargets::numbers(y)).with_weights(Some(vec![1.0, 1.0, 0.0, 1.0]));
        let (x, y) = (column(&[1.0, 2.0, 4.0]), column(&[1.0, 2.0, 4.0]));
        let without = Samples::new(x.view(), ArrayTargets::numbers(y)).problem(0.0, 0).unwrap();
        let with = samples.problem(0.0, 0).unwrap();
        assert_eq!(with.preprocessing, without.preprocessing);
        assert_eq!(with.train.inputs, without.train.inputs);
    }

    #[test]
    fn a_gap_is_an_error_or_the_median_and_a_mark() {
        let (x, y) = (column(&[1.0, f64::NAN, 3.0, 8.0]), column(&[0.0, 1.0, 2.0, 3.0]));
        let samples = Samples::new(x.view(), ArrayTargets::numbers(y));
        assert!(samples.problem(0.0, 0).is_err());
        let problem = samples.with_imputation(true).problem(0.0, 0).unwrap();
        let (inputs, scale) = (&problem.train.inputs, &problem.preprocessing.inputs.standardisation);
        assert_eq!((inputs.columns(), inputs[(1, 1)], inputs[(0, 1)]), (2, 1.0, 0.0));
        assert!((inputs[(1, 0)] * scale.scale[0] + scale.mean[0] - 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_rare_class_is_in_training() {
        let labels: Vec<usize> = (0..60).map(|i| if i == 17 { 2 } else { i % 2 }).collect();
        let x = Matrix::from_fn(60, 1, |i, _| i as f64);
        let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
        for seed in 0..12 {
            let targets =
                ArrayTargets::Classes { classes: classes.clone(), labels: labels.clone(), kind: Labels::default() };
            let problem = Samples::new(x.view(), targets).problem(0.2, seed).unwrap();
            let judged = problem.validation.unwrap();
            let of = |class: usize, rows: &Dataset<f64>| {
                (0..rows.rows()).filter(|&i| rows.targets[(i, class)] == 1.0).count()
            };
            assert_eq!([0, 1, 2].map(|class| of(class, &judged)), [6, 6, 0], "{seed}");
            assert_eq!(of(2, &problem.train), 1, "{seed}");
        }
    }

    #[test]
    fn validation_rows_do_not_decide_the_preprocessing() {
        let x = Matrix::from_fn(50, 2, |i, j| (i * (j + 1)) as f64);
        let y = Matrix::from_fn(50, 1, |i, _| i as f64);
        let problem = Samples::new(x.view(), ArrayTargets::numbers(y)).problem(0.2, 3).unwrap();
        assert_eq!((problem.train.rows(), problem.validation.as_ref().map(Dataset::rows)), (40, Some(10)));
        let mean: f64 = (0..40).map(|i| problem.train.inputs[(i, 0)]).sum();
        assert!(mean.abs() < 1e-10);
    }
}
