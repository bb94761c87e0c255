//! What a model says of the rows of a table, and the files that it is written to.

use std::io::{self, Write};
use std::path::Path;

use gramstep::Matrix;

use crate::data::{Gap, Table};
use crate::error::Result;
use crate::format::cell::text_cell;
use crate::format::npy;
use crate::format::whole_file::write_whole;
use crate::outcome::metrics::Metrics;

/// Predictions for the rows of a table.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Predictions {
    /// Names of the columns of values: `predicted_TARGET`, with error bars `std_TARGET`, `lower_TARGET` and
    /// `upper_TARGET`, for classes also `probability_CLASS`, for several targets `probability_TARGET_CLASS`.
    pub header: Vec<String>,
    /// The predicted class of every row, of each target of a classification; empty of a regression.
    pub classes: Vec<Vec<String>>,
    /// A name for every row, such as that of its image file; empty if rows have none.
    pub names: Vec<String>,
    /// Columns of the rows that are carried along: name and cells.
    pub kept: Vec<(String, Vec<String>)>,
    /// Predicted targets in their own units (and their error bars), or the probability of every class. A row that could not
    /// be predicted, of an image that cannot be read, is NaN, and empty in a CSV.
    pub values: Matrix<f64>,
    /// How good they are, if the table has the targets.
    pub metrics: Option<Metrics>,
    /// What the user should know, in sentences.
    pub notes: Vec<String>,
}

impl Predictions {
    /// Carries columns of the table along, empty in the rows of gaps; names may be parts of a list that was cut at commas.
    ///
    /// # Errors
    /// [`Error::UnknownColumn`](crate::Error::UnknownColumn).
    pub fn keep(&mut self, table: &Table, columns: &[String]) -> Result<()> {
        for name in table.resolve(columns)? {
            let mut cells = table.verbatim(&name)?;
            for gap in table.gaps() {
                cells.insert(gap.row.min(cells.len()), String::new());
            }
            self.kept.push((name, cells));
        }
        Ok(())
    }

    /// Writes them to a file, which is there whole or not at all: `values` alone, n×columns, where its name ends in `.npy`, else a CSV.
    ///
    /// # Errors
    /// [`Error::Write`](crate::Error::Write).
    pub fn write(&self, path: &Path) -> Result<()> {
        let npy = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"));
        write_whole(path, |file| if npy { npy::write(&self.values, file) } else { self.write_csv(file) })
    }

    /// The same with an empty row at the place of every row that could not be predicted.
    #[must_use]
    pub(crate) fn with_gaps(mut self, gaps: &[Gap]) -> Self {
        if gaps.is_empty() {
            return self;
        }
        let (rows, columns) = (self.values.rows() + gaps.len(), self.values.columns());
        let mut values = Vec::with_capacity(rows * columns);
        let (mut gaps_left, mut known) = (gaps.iter().peekable(), 0);
        for row in 0..rows {
            if let Some(gap) = gaps_left.next_if(|gap| gap.row == row) {
                values.extend(std::iter::repeat_n(f64::NAN, columns));
                self.names.insert(row.min(self.names.len()), gap.name.clone());
                for classes in &mut self.classes {
                    classes.insert(row.min(classes.len()), String::new());
                }
            } else {
                values.extend_from_slice(self.values.row(known));
                known += 1;
            }
        }
        self.values = Matrix::from_fn(rows, columns, |i, j| values[i * columns + j]);
        self
    }

    /// Writes a CSV with a header; numbers so that they are read back to the last bit, text so that no spreadsheet takes it
    /// for a formula.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write_csv(&self, out: impl Write) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        let file = (!self.names.is_empty()).then_some("file");
        let kept = self.kept.iter().map(|(name, _)| name.as_str());
        let header = file.into_iter().chain(kept).chain(self.header.iter().map(String::as_str));
        writer.write_record(header.map(|name| text_cell(name).into_owned()))?;
        for i in 0..self.values.rows() {
            let name = self.names.get(i).map(|name| text_cell(name).into_owned());
            let kept = self.kept.iter().map(|(_, cells)| text_cell(&cells[i]).into_owned());
            let class = self.classes.iter().map(|classes| text_cell(&classes[i]).into_owned());
            let cell = |value: &f64| if value.is_nan() { String::new() } else { value.to_string() };
            let values = self.values.row(i).iter().map(cell);
            writer.write_record(name.into_iter().chain(kept).chain(class).chain(values))?;
        }
        writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_could_not_be_predicted_is_empty_at_its_place() {
        let predictions = Predictions {
            kept: Vec::new(),
            header: vec!["predicted_kind".to_owned(), "probability_a".to_owned()],
            classes: vec![vec!["=a".to_owned(), "-".to_owned()]],
            names: vec!["1.png".to_owned(), "@3(.png".to_owned()],
            values: Matrix::from_vec(2, 1, vec![0.25, 1.0]).unwrap(),
            metrics: None,
            notes: Vec::new(),
        };
        let gap = |row, name: &str| Gap { row, name: name.to_owned() };
        let mut bytes = Vec::new();
        predictions.with_gaps(&[gap(0, "0.png"), gap(2, "2.png"), gap(4, "4.png")]).write_csv(&mut bytes).unwrap();
        let rows = "file,predicted_kind,probability_a\n0.png,,\n1.png,'=a,0.25\n2.png,,\n'@3(.png,-,1\n4.png,,\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), rows);
    }
}
