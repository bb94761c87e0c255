//! The inputs of samples: an array of numbers, or a table of columns of any kind.

use std::hash::{DefaultHasher, Hash as _};

use gramstep::{Error as CoreError, Matrix, MatrixView, Scalar};

use crate::data::keys::{Keyed, TableKeys, bits};
use crate::data::{
    DataHasher, Dataset, Encoding, InputColumn, Inputs, Preprocessing, Standardisation, Table, Targets, median,
    present, range,
};
use crate::error::Result;

/// What is known of every row.
#[derive(Clone, Debug)]
pub(super) enum Given<'a, T> {
    /// Numbers, n×d.
    Array {
        columns: Vec<String>,
        values: MatrixView<'a, T>,
        /// Whether a gap is no error.
        impute: bool,
    },
    /// Columns of any kind, with gaps.
    Table(&'a Table),
}

impl<T: Scalar> Given<'_, T> {
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Array { values, .. } => values.rows(),
            Self::Table(table) => table.rows(),
        }
    }

    /// The same names as columns.
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Array { columns, values, .. } if columns.len() != values.columns() => {
                let (expected, got) = (values.columns(), columns.len());
                Err(CoreError::Shape { what: "names of the columns", expected, got }.into())
            }
            _ => Ok(()),
        }
    }

    /// Adds names and values to what the data are known by.
    pub(super) fn hash(&self, hasher: &mut DataHasher) {
        match self {
            Self::Array { columns, values, .. } => {
                hasher.texts(columns);
                for i in 0..values.rows() {
                    hasher.numbers((0..values.columns()).map(|j| values.get(i, j).to_f64()));
                }
            }
            Self::Table(table) => hasher.table(table),
        }
    }

    /// Everything that is decided on the training rows; `weights` are theirs.
    pub(super) fn fit(
        &self,
        rows: &[usize],
        weights: Option<&[f64]>,
        targets: Targets,
        notes: &mut Vec<String>,
    ) -> Result<Preprocessing> {
        match self {
            Self::Array { columns, values, impute } => {
                let inputs = fit_array(columns, values, *impute, (rows, weights))?;
                Ok(Preprocessing::new(inputs, targets))
            }
            Self::Table(table) => {
                notes.extend_from_slice(table.notes());
                let inputs = Inputs::fit(table, (rows, weights), &[], &[], notes)?;
                Ok(Preprocessing::of_table(inputs, targets, table))
            }
        }
    }

    /// Rows as a network sees them.
    pub(super) fn dataset(&self, inputs: &Inputs, rows: &[usize], targets: Matrix<T>) -> Result<Dataset<T>> {
        let inputs = match self {
            Self::Array { values, .. } => inputs.apply_array(*values, rows.iter().copied())?,
            Self::Table(table) => inputs.apply(table, rows, &mut Vec::new())?.into_type(),
        };
        Dataset::new(inputs, targets)
    }
}

fn fit_array<T: Scalar>(
    names: &[String],
    x: &MatrixView<'_, T>,
    impute: bool,
    (rows, weights): (&[usize], Option<&[f64]>),
) -> Result<Inputs> {
    let mut standardisation = Standardisation::default();
    let mut columns = Vec::with_capacity(names.len());
    for (j, name) in names.iter().enumerate() {
        let mut values: Vec<f64> = rows.iter().map(|&i| x.get(i, j).to_f64()).collect();
        if values.iter().any(|v| v.is_infinite() || (v.is_nan() && !impute)) {
            return Err(CoreError::NonFinite { what: "input", layer: None }.into());
        }
        let flag = (0..x.rows()).any(|i| x.get(i, j).to_f64().is_nan());
        let (present, present_weights) = present(values.iter().copied(), weights);
        let known = (!present.is_empty()).then(|| range(&present));
        let median = if present.is_empty() { 0.0 } else { median(present, present_weights.as_deref()) };
        values.iter_mut().filter(|v| v.is_nan()).for_each(|v| *v = median);
        standardisation.push(&values, weights);
        if flag {
            standardisation.push(&[0.0], None);
        }
        columns.push(InputColumn { name: name.clone(), encoding: Encoding::Number { median, flag, range: known } });
    }
    Ok(Inputs { columns, standardisation, ..Inputs::default() })
}

impl<T: Scalar> Keyed for Given<'_, T> {
    fn feed(&self, row: usize, hasher: &mut DefaultHasher) {
        match self {
            Self::Array { values, .. } => {
                (0..values.columns()).for_each(|j| bits(values.get(row, j).to_f64()).hash(hasher));
            }
            Self::Table(table) => TableKeys::without(table, &[]).feed(row, hasher),
        }
    }

    fn same(&self, a: usize, b: usize) -> bool {
        match self {
            Self::Array { values, .. } => {
                let bits_of = |i: usize, j: usize| bits(values.get(i, j).to_f64());
                (0..values.columns()).all(|j| bits_of(a, j) == bits_of(b, j))
            }
            Self::Table(table) => TableKeys::without(table, &[]).same(a, b),
        }
    }
}
