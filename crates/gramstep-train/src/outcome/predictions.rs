//! What a model says of the rows of a table, and the files that it is written to.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use gramstep::Matrix;

use crate::data::Table;
use crate::error::{Error, Result};
use crate::format::npy;
use crate::outcome::metrics::Metrics;

/// Predictions for the rows of a table.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Predictions {
    /// Names of the columns of values: `predicted_TARGET`, with error bars `std_TARGET`, `lower_TARGET` and
    /// `upper_TARGET`, for classes also `probability_CLASS`.
    pub header: Vec<String>,
    /// The predicted class of every row, of a classification.
    pub classes: Option<Vec<String>>,
    /// A name for every row, such as that of its image file; empty if rows have none.
    pub names: Vec<String>,
    /// Columns of the rows that are carried along: name and cells.
    pub kept: Vec<(String, Vec<String>)>,
    /// Predicted targets in their own units (and their error bars), or the probability of every class.
    pub values: Matrix<f64>,
    /// How good they are, if the table has the targets.
    pub metrics: Option<Metrics>,
    /// What the user should know, in sentences.
    pub notes: Vec<String>,
}

impl Predictions {
    /// Carries columns of the table along; names may be parts of a list that was cut at commas.
    ///
    /// # Errors
    /// [`Error::UnknownColumn`].
    pub fn keep(&mut self, table: &Table, columns: &[String]) -> Result<()> {
        for name in table.resolve(columns)? {
            let cells = table.verbatim(&name)?;
            self.kept.push((name, cells));
        }
        Ok(())
    }

    /// Writes them to a file: `values` alone, n×columns, where its name ends in `.npy`, else a CSV.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write(&self, path: &Path) -> Result<()> {
        let fail = |source| Error::Write { path: path.to_owned(), source };
        let file = BufWriter::new(File::create(path).map_err(fail)?);
        let npy = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"));
        if npy { npy::write(&self.values, file) } else { self.write_csv(file) }.map_err(fail)
    }

    /// Writes a CSV with a header; numbers so that they are read back to the last bit.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write_csv(&self, out: impl Write) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        let file = (!self.names.is_empty()).then_some("file");
        let kept = self.kept.iter().map(|(name, _)| name.as_str());
        writer.write_record(file.into_iter().chain(kept).chain(self.header.iter().map(String::as_str)))?;
        for i in 0..self.values.rows() {
            let name = self.names.get(i).cloned();
            let class = self.classes.iter().map(|classes| classes[i].clone());
            let values = self.values.row(i).iter().map(f64::to_string);
            let kept = self.kept.iter().map(|(_, cells)| cells[i].clone());
            writer.write_record(name.into_iter().chain(kept).chain(class).chain(values))?;
        }
        writer.flush()
    }
}
