//! Arrays and how they become what a network sees.

use gramstep::{Error as CoreError, Matrix, MatrixView, Scalar};

use crate::data::{
    Dataset, Encoding, InputColumn, Inputs, Preprocessing, Split, Standardisation, Targets, Task, median, range,
    validation_share,
};
use crate::error::Result;

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

    /// Classes by their place in a list of names.
    #[must_use]
    pub fn classes(classes: Vec<String>, labels: Vec<usize>) -> Self {
        Self::Classes { classes, labels }
    }

    fn rows(&self) -> usize {
        match self {
            Self::Numbers { values, .. } => values.rows(),
            Self::Classes { labels, .. } => labels.len(),
        }
    }
}

/// Inputs, targets and weights as the caller has them.
#[derive(Clone, Debug)]
pub struct Samples<'a, T> {
    columns: Vec<String>,
    inputs: MatrixView<'a, T>,
    targets: ArrayTargets,
    weights: Option<Vec<f64>>,
    impute: bool,
}

/// Split and standardised data of one number type.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Prepared<T> {
    /// From the caller's columns to the network's.
    pub preprocessing: Preprocessing,
    /// Rows to learn from.
    pub train: Dataset<T>,
    /// Rows that choose when to stop.
    pub validation: Option<Dataset<T>>,
}

impl<'a, T: Scalar> Samples<'a, T> {
    /// Inputs (n×d) and their targets; all rows count the same, and a gap (NaN) is an error.
    #[must_use]
    pub fn new(inputs: MatrixView<'a, T>, targets: ArrayTargets) -> Self {
        let columns = (0..inputs.columns()).map(|j| format!("x{j}")).collect();
        Self { columns, inputs, targets, weights: None, impute: false }
    }

    /// The same with names for the columns.
    #[must_use]
    pub fn with_columns(mut self, columns: Vec<String>) -> Self {
        self.columns = columns;
        self
    }

    /// The same with a weight ≥ 0 for each row; rows of weight 0 are not there.
    #[must_use]
    pub fn with_weights(mut self, weights: Option<Vec<f64>>) -> Self {
        self.weights = weights;
        self
    }

    /// The same, with gaps filled by the median of the training rows and marked by a column, as in a table.
    #[must_use]
    pub fn with_imputation(mut self, impute: bool) -> Self {
        self.impute = impute;
        self
    }

    /// The share of the rows that are for validation where the caller leaves it open, as in a table.
    #[must_use]
    pub fn validation_share(&self) -> f64 {
        let outputs = match &self.targets {
            ArrayTargets::Numbers { values, .. } => values.columns(),
            ArrayTargets::Classes { .. } => 1,
        };
        validation_share(self.inputs.rows(), outputs, false)
    }

    /// Splits off a share of the rows for validation, and standardises all by the others.
    ///
    /// # Errors
    /// If sizes differ, a value is not finite, a weight is out of range, or there are too few rows.
    pub fn prepare(&self, validation: f64, seed: u64) -> Result<Prepared<T>> {
        let rows = self.usable()?;
        let split = Split::new(ORIGIN, &rows, 0.0, validation, seed)?;
        let train = if split.validation.is_empty() { rows } else { split.train };
        let preprocessing = Preprocessing { inputs: self.fit_inputs(&train)?, targets: self.fit_targets(&train) };
        let validation = (!split.validation.is_empty()).then(|| self.dataset(&preprocessing, &split.validation));
        Ok(Prepared {
            train: self.dataset(&preprocessing, &train)?,
            validation: validation.transpose()?,
            preprocessing,
        })
    }

    /// All rows to learn from, preprocessed as other rows were before.
    ///
    /// # Errors
    /// Those of [`prepare`](Self::prepare), and if columns or targets are not those of the preprocessing.
    pub fn prepare_as(&self, preprocessing: &Preprocessing) -> Result<Prepared<T>> {
        let rows = self.usable()?;
        let train = self.dataset(preprocessing, &rows)?;
        Ok(Prepared { preprocessing: preprocessing.clone(), train, validation: None })
    }

    /// Rows of weight above 0.
    fn usable(&self) -> Result<Vec<usize>> {
        let n = self.inputs.rows();
        let lengths = [
            ("names of the columns", self.inputs.columns(), self.columns.len()),
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
        Ok((0..n).filter(|&i| self.weights.as_ref().is_none_or(|weights| weights[i] > 0.0)).collect())
    }

    fn weights_of(&self, rows: &[usize]) -> Option<Vec<f64>> {
        self.weights.as_ref().map(|weights| rows.iter().map(|&i| weights[i]).collect())
    }

    fn fit_inputs(&self, rows: &[usize]) -> Result<Inputs> {
        let weights = self.weights_of(rows);
        let mut standardisation = Standardisation::default();
        let mut columns = Vec::with_capacity(self.columns.len());
        for (j, name) in self.columns.iter().enumerate() {
            let mut values: Vec<f64> = rows.iter().map(|&i| self.inputs.get(i, j).to_f64()).collect();
            if values.iter().any(|v| v.is_infinite() || (v.is_nan() && !self.impute)) {
                return Err(CoreError::NonFinite { what: "input", layer: None }.into());
            }
            let mut present: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
            let flag = (0..self.inputs.rows()).any(|i| self.inputs.get(i, j).to_f64().is_nan());
            let known = (!present.is_empty()).then(|| range(&present));
            let median = if present.is_empty() { 0.0 } else { median(&mut present) };
            values.iter_mut().filter(|v| v.is_nan()).for_each(|v| *v = median);
            standardisation.push(&values, weights.as_deref());
            if flag {
                standardisation.push(&[0.0], None);
            }
            columns.push(InputColumn { name: name.clone(), encoding: Encoding::Number { median, flag, range: known } });
        }
        Ok(Inputs { columns, dropped: Vec::new(), standardisation })
    }

    fn fit_targets(&self, rows: &[usize]) -> Targets {
        match &self.targets {
            ArrayTargets::Numbers { columns, values } => {
                let weights = self.weights_of(rows);
                let mut standardisation = Standardisation::default();
                for a in 0..values.columns() {
                    let column: Vec<f64> = rows.iter().map(|&i| values[(i, a)]).collect();
                    standardisation.push(&column, weights.as_deref());
                }
                Targets::Regression { columns: columns.clone(), standardisation }
            }
            ArrayTargets::Classes { classes, .. } => {
                Targets::Classification { column: "y".to_owned(), classes: classes.clone() }
            }
        }
    }

    fn dataset(&self, preprocessing: &Preprocessing, rows: &[usize]) -> Result<Dataset<T>> {
        let inputs = apply(&preprocessing.inputs, self.inputs, rows)?;
        let k = preprocessing.targets.outputs();
        let targets = match (&self.targets, &preprocessing.targets) {
            (ArrayTargets::Numbers { values, .. }, Targets::Regression { standardisation, .. })
                if values.columns() == k =>
            {
                let mut selected = values.select_rows(rows);
                standardisation.apply(selected.as_mut_slice());
                selected.cast()
            }
            (ArrayTargets::Classes { labels, .. }, Targets::Classification { .. }) => {
                if let Some((sample, &label)) = labels.iter().enumerate().find(|(_, label)| **label >= k) {
                    let (loss, reason) = ("cross-entropy", "is not the number of a class");
                    return Err(CoreError::Target { loss, sample, value: label as f64, reason }.into());
                }
                Matrix::from_fn(rows.len(), k, |i, a| if labels[rows[i]] == a { T::ONE } else { T::ZERO })
            }
            _ => {
                let got = match &self.targets {
                    ArrayTargets::Numbers { values, .. } => values.columns(),
                    ArrayTargets::Classes { classes, .. } => classes.len(),
                };
                return Err(CoreError::Shape { what: "columns of the targets", expected: k, got }.into());
            }
        };
        Dataset::new(inputs, targets)?.with_weights(self.weights_of(rows))
    }
}

/// The network's input for some rows of an array whose columns are all numbers.
///
/// # Errors
/// If the array has another number of columns, or an infinite value. A gap (NaN) becomes the median.
pub(super) fn apply<T: Scalar>(inputs: &Inputs, x: MatrixView<'_, T>, rows: &[usize]) -> Result<Matrix<T>> {
    if x.columns() != inputs.columns.len() {
        let (what, expected, got) = ("columns of the input", inputs.columns.len(), x.columns());
        return Err(CoreError::Shape { what, expected, got }.into());
    }
    let standardisation = &inputs.standardisation;
    let mut out = Vec::with_capacity(rows.len() * inputs.width());
    for &i in rows {
        let mut at = 0;
        for (j, column) in inputs.columns.iter().enumerate() {
            let Encoding::Number { median, flag, .. } = &column.encoding else {
                let what = "columns that hold text (an array has none; give a table)";
                return Err(CoreError::Shape { what, expected: 0, got: 1 }.into());
            };
            let value = x.get(i, j).to_f64();
            let gap = value.is_nan();
            if value.is_infinite() {
                return Err(CoreError::NonFinite { what: "input", layer: None }.into());
            }
            let filled = if gap { *median } else { value };
            out.push(T::from_f64((filled - standardisation.mean[at]) / standardisation.scale[at]));
            at += 1;
            if *flag {
                out.push(if gap { T::ONE } else { T::ZERO });
                at += 1;
            }
        }
    }
    Ok(Matrix::from_vec(rows.len(), inputs.width(), out)?)
}

/// Whether a preprocessing is a classification's.
pub(super) fn is_classification(preprocessing: &Preprocessing) -> bool {
    preprocessing.targets.task() == Task::Classification
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
        let without = Samples::new(x.view(), ArrayTargets::numbers(y)).prepare(0.0, 0).unwrap();
        let with = samples.prepare(0.0, 0).unwrap();
        assert_eq!(with.preprocessing, without.preprocessing);
        assert_eq!(with.train.inputs, without.train.inputs);
    }

    #[test]
    fn a_gap_is_an_error_or_the_median_and_a_mark() {
        let (x, y) = (column(&[1.0, f64::NAN, 3.0, 8.0]), column(&[0.0, 1.0, 2.0, 3.0]));
        let samples = Samples::new(x.view(), ArrayTargets::numbers(y));
        assert!(samples.prepare(0.0, 0).is_err());
        let prepared = samples.with_imputation(true).prepare(0.0, 0).unwrap();
        let (inputs, scale) = (&prepared.train.inputs, &prepared.preprocessing.inputs.standardisation);
        assert_eq!((inputs.columns(), inputs[(1, 1)], inputs[(0, 1)]), (2, 1.0, 0.0));
        assert!((inputs[(1, 0)] * scale.scale[0] + scale.mean[0] - 3.0).abs() < 1e-12);
    }

    #[test]
    fn validation_rows_do_not_decide_the_preprocessing() {
        let x = Matrix::from_fn(50, 2, |i, j| (i * (j + 1)) as f64);
        let y = Matrix::from_fn(50, 1, |i, _| i as f64);
        let prepared = Samples::new(x.view(), ArrayTargets::numbers(y)).prepare(0.2, 3).unwrap();
        assert_eq!((prepared.train.rows(), prepared.validation.as_ref().map(Dataset::rows)), (40, Some(10)));
        let mean: f64 = (0..40).map(|i| prepared.train.inputs[(i, 0)]).sum();
        assert!(mean.abs() < 1e-10);
    }
}
