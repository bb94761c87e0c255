//! Inputs of a network from an array whose columns are all numbers.

use gramstep::{Error as CoreError, Matrix, MatrixView, Scalar};

use super::{Encoding, Inputs};
use crate::error::Result;

impl Inputs {
    /// The network's input for some rows of an array, by their numbers.
    ///
    /// # Errors
    /// If the array has another number of columns, or an infinite value. A gap (NaN) becomes the median.
    pub(crate) fn apply_array<T: Scalar>(
        &self,
        x: MatrixView<'_, T>,
        rows: impl ExactSizeIterator<Item = usize>,
    ) -> Result<Matrix<T>> {
        if x.columns() != self.columns.len() {
            let (what, expected, got) = ("columns of the input", self.columns.len(), x.columns());
            return Err(CoreError::Shape { what, expected, got }.into());
        }
        let count = rows.len();
        let mut out = Vec::with_capacity(count * self.width());
        for i in rows {
            let mut at = 0;
            for (j, column) in self.columns.iter().enumerate() {
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
                out.push(T::from_f64(self.input(at, filled)));
                at += 1;
                if *flag {
                    out.push(if gap { T::ONE } else { T::ZERO });
                    at += 1;
                }
            }
        }
        Ok(Matrix::from_vec(count, self.width(), out)?)
    }
}
