//! A table as it was read: columns of numbers, of text or of images, with the line of every row for messages.

use std::sync::Arc;

use super::reading::resolved;
use super::{Gap, Geometry, Images, Reading, Task, images};
use crate::error::{Error, Result};

/// A table, column by column.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) origin: String,
    pub(crate) columns: Vec<Column>,
    /// Line of every row in the file.
    pub(crate) lines: Vec<u64>,
    pub(crate) notes: Vec<String>,
    /// A name for every row, such as that of its image file; empty if rows have none.
    pub(crate) names: Vec<String>,
    /// The columns to learn unless the user names others; none for the last one.
    pub(crate) targets: Vec<String>,
    /// The task, where the kind of data tells it.
    pub(crate) task: Option<Task>,
    /// What the cells of the columns meant.
    pub(crate) reading: Reading,
    /// The cells of some columns as they stand in the file.
    pub(crate) verbatim: Vec<(String, Vec<String>)>,
    /// Columns of text of which a word is taken for a gap, and the first such word.
    pub(crate) gap_words: Vec<(String, String)>,
}

/// One named column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Name from the header.
    pub name: String,
    /// The values.
    pub cells: Cells,
}

/// The values of a column.
#[derive(Clone, Debug)]
pub enum Cells {
    /// Numbers; a missing value is NaN.
    Numbers(Vec<f64>),
    /// Dates, in seconds from 1970-01-01 00:00; a missing one is NaN.
    Dates(Vec<f64>),
    /// Text.
    Text(TextCells),
    /// Images of one size and colour.
    Images(Arc<Images>),
}

impl Cells {
    /// Keeps the cells of some rows.
    pub(super) fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        match self {
            Self::Numbers(values) | Self::Dates(values) => images::retain(values, keep),
            Self::Text(text) => text.retain(keep),
            Self::Images(images) => {
                let length = images.geometry.len();
                images::retain(&mut Arc::make_mut(images).pixels, |at| keep(at / length));
            }
        }
    }
}

/// A column of text as codes into a list of distinct values.
#[derive(Clone, Debug)]
pub struct TextCells {
    /// Distinct values in order of appearance, as they stand.
    pub values: Vec<String>,
    /// For every row the place in `values`, or [`TextCells::MISSING`].
    pub codes: Vec<u32>,
    /// How many cells are numbers: most of them, if the column was meant to be numeric.
    pub numbers: usize,
    /// First row whose cell is text and not a number.
    pub first_text: usize,
}

impl TextCells {
    /// The code of a missing value.
    pub const MISSING: u32 = u32::MAX;

    /// The value of a row, or none where it is missing.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&str> {
        self.values.get(*self.codes.get(row)? as usize).map(String::as_str)
    }

    /// Keeps the cells of some rows.
    fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let is_text = |row: usize| self.get(row).is_some_and(|value| value.trim().parse::<f64>().is_err());
        let kept: Vec<usize> = (0..self.codes.len()).filter(|&row| keep(row)).collect();
        let own = kept.iter().position(|&row| row >= self.first_text && is_text(row));
        self.first_text = own.or_else(|| kept.iter().position(|&row| is_text(row))).unwrap_or(0);
        self.codes = kept.into_iter().map(|row| self.codes[row]).collect();
    }

    /// Whether more than half of the values are numbers: then the text is taken for a mistake.
    #[must_use]
    pub fn is_mostly_numbers(&self) -> bool {
        2 * self.numbers > self.present()
    }

    /// Whether they are few values that come often: categories, whatever they are called (4, 6, 8, rotary).
    #[must_use]
    pub fn is_of_few_values(&self) -> bool {
        const MOST: usize = 12;
        const ROWS_OF_EACH: usize = 5;
        let values = self.values.len();
        (3..=MOST).contains(&values) && self.present() >= ROWS_OF_EACH * values
    }

    fn present(&self) -> usize {
        self.codes.iter().filter(|&&code| code != Self::MISSING).count()
    }
}

impl Table {
    /// Rows of its source that have no image that can be read, where these are kept apart and not refused.
    #[must_use]
    pub fn gaps(&self) -> &[Gap] {
        let images = self.columns.iter().find_map(|column| match &column.cells {
            Cells::Images(images) => Some(images),
            _ => None,
        });
        images.map_or(&[], |images| &images.gaps)
    }

    /// Columns of equal length whose rows have no names.
    pub(super) fn new(origin: String, columns: Vec<Column>, lines: Vec<u64>, notes: Vec<String>) -> Self {
        Self {
            origin,
            columns,
            lines,
            notes,
            names: Vec::new(),
            targets: Vec::new(),
            task: None,
            reading: Reading::default(),
            verbatim: Vec::new(),
            gap_words: Vec::new(),
        }
    }

    /// Where the table was read from, for messages.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// The columns, in the order of the file.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// A name for every row, such as that of its image file; empty if rows have none.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What was repaired while reading, in sentences.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What the cells of the columns meant.
    #[must_use]
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The column of that name.
    ///
    /// # Errors
    /// [`Error::UnknownColumn`] with the names that there are.
    pub fn require(&self, name: &str) -> Result<&Column> {
        self.column(name).ok_or_else(|| Error::UnknownColumn {
            origin: self.origin.clone(),
            column: name.to_owned(),
            available: self.columns.iter().map(|column| column.name.clone()).collect(),
        })
    }

    /// The names of all columns.
    pub(super) fn column_names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    /// Names of columns from parts of a list that was cut at commas, ranges and patterns among them.
    ///
    /// # Errors
    /// [`Error::UnknownColumn`].
    pub(crate) fn resolve(&self, parts: &[String]) -> Result<Vec<String>> {
        let names = resolved(parts, &self.column_names());
        names.iter().try_for_each(|name| self.require(name).map(|_| ()))?;
        Ok(names)
    }

    /// The cells of a column as they stand in the file, where they were kept; else as they are understood.
    pub(crate) fn verbatim(&self, name: &str) -> Result<Vec<String>> {
        if let Some((_, cells)) = self.verbatim.iter().find(|(own, _)| own == name) {
            return Ok(cells.clone());
        }
        let column = self.require(name)?;
        Ok((0..self.rows()).map(|row| column.text(row).unwrap_or_default()).collect())
    }

    /// The images of a column that has to hold images of this size and colour.
    pub(super) fn images<'a>(&self, column: &'a Column, geometry: Geometry) -> Result<&'a Arc<Images>> {
        let reason = match &column.cells {
            Cells::Images(images) if images.geometry == geometry => return Ok(images),
            Cells::Images(images) => format!("images of {:?}, where {geometry:?} is needed", images.geometry),
            _ => format!("the column `{}` holds no images, as the model needs", column.name),
        };
        Err(Error::ImageFolder { path: self.origin.clone().into(), reason })
    }

    /// The numbers of a column that has to be numeric; missing values are NaN.
    ///
    /// # Errors
    /// [`Error::TextInNumbers`] or [`Error::Infinite`] with the line of the first such cell.
    pub fn numbers<'a>(&self, column: &'a Column) -> Result<&'a [f64]> {
        match &column.cells {
            Cells::Numbers(values) => match values.iter().position(|v| v.is_infinite()) {
                None => Ok(values),
                Some(row) => Err(Error::Infinite {
                    origin: self.origin.clone(),
                    line: self.lines[row],
                    column: column.name.clone(),
                }),
            },
            Cells::Text(text) => Err(Error::TextInNumbers {
                origin: self.origin.clone(),
                line: self.lines.get(text.first_text).copied().unwrap_or(0),
                column: column.name.clone(),
                value: text.get(text.first_text).unwrap_or_default().to_owned(),
            }),
            Cells::Dates(_) | Cells::Images(_) => {
                let kind = if matches!(column.cells, Cells::Images(_)) { "images" } else { "dates" };
                let reason = format!("a column of {kind}, where numbers are needed");
                Err(Error::Target { column: column.name.clone(), reason })
            }
        }
    }
}

impl Column {
    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        match &self.cells {
            Cells::Numbers(values) | Cells::Dates(values) => values.len(),
            Cells::Text(text) => text.codes.len(),
            Cells::Images(images) => images.pixels.len() / images.geometry.len().max(1),
        }
    }

    /// The seconds of a column that has to hold dates.
    pub(super) fn dates(&self) -> Result<&[f64]> {
        match &self.cells {
            Cells::Dates(values) => Ok(values),
            // A column without a value may be of any kind.
            Cells::Numbers(values) if values.iter().all(|value| value.is_nan()) => Ok(values),
            _ => Err(Error::Target {
                column: self.name.clone(),
                reason: "no column of dates, where the model needs one".to_owned(),
            }),
        }
    }

    /// Whether no row has a value.
    pub(crate) fn is_empty(&self) -> bool {
        (0..self.len()).all(|row| self.is_missing(row))
    }

    /// The value of a row as text (numbers in their shortest form), or none where it is missing.
    #[must_use]
    pub fn text(&self, row: usize) -> Option<String> {
        match &self.cells {
            Cells::Numbers(values) | Cells::Dates(values) => (!values[row].is_nan()).then(|| values[row].to_string()),
            Cells::Text(text) => text.get(row).map(str::to_owned),
            Cells::Images(_) => None,
        }
    }

    /// Whether the value of a row is missing.
    #[must_use]
    pub fn is_missing(&self, row: usize) -> bool {
        match &self.cells {
            Cells::Numbers(values) | Cells::Dates(values) => values[row].is_nan(),
            Cells::Text(text) => text.codes[row] == TextCells::MISSING,
            Cells::Images(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::table_of;

    #[test]
    fn the_first_text_of_a_column_is_told_after_rows_are_taken_out() {
        let (mut text, lines) = {
            let table = table_of("a,y\n1,1\n2,2\n3,3\nbad,4\nworse,5\n");
            let Cells::Text(text) = table.columns[0].cells.clone() else { panic!("text") };
            (text, table.lines)
        };
        assert_eq!((text.first_text, text.get(3)), (3, Some("bad")));
        for (kept, first) in [(vec![1, 3, 4], Some("bad")), (vec![0, 4], Some("worse")), (vec![0, 1], Some("1"))] {
            let mut some = text.clone();
            some.retain(|row| kept.contains(&row));
            assert_eq!((some.codes.len(), some.get(some.first_text)), (kept.len(), first), "{kept:?} {lines:?}");
        }
        text.retain(|_| false);
        assert_eq!(text.get(text.first_text), None);
    }
}
