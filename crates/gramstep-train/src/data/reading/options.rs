//! What a user says of the cells of a table, where it is not left to be found out.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::meaning::Reading;
use super::separator::Separator;
use crate::data::Table;
use crate::error::{Error, Result, conflict, out_of_range};
use crate::format::date::DateOrder;
use crate::format::number_form::{Decimal, Thousands};
use crate::format::words::words;

words! {
    /// Whether the first line of a table names the columns.
    #[derive(Default)]
    Header as "header" {
        /// It does.
        Yes = "yes",
        /// It is a row.
        No = "no",
        /// As it looks: see the documentation of `header.rs`.
        #[default]
        Auto = "auto",
    }
}

/// What the user says a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnType {
    /// Numbers; what is none is an error, and a unit may be missing from some of them.
    Number,
    /// Text of which each value is a category, `01` and `1` two of them.
    Category,
    /// Dates, in this order of their numbers where it is said.
    Date(Option<DateOrder>),
    /// Text as it stands, words such as `NA` and `None` too; as an input it is a category.
    Text,
    /// Nothing to learn from.
    Drop,
}

impl FromStr for ColumnType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let order = |text| DateOrder::ALL.into_iter().find(|order| order.to_string() == text);
        match (text, text.strip_prefix("date:").and_then(order)) {
            ("number", _) => Ok(Self::Number),
            ("category", _) => Ok(Self::Category),
            ("date", _) => Ok(Self::Date(None)),
            ("text", _) => Ok(Self::Text),
            ("drop", _) => Ok(Self::Drop),
            (_, Some(order)) => Ok(Self::Date(Some(order))),
            _ => Err(out_of_range("types", &text, TYPES)),
        }
    }
}

/// What a type may be.
const TYPES: &str = "COL=number, category, date (date:dmy, date:mdy, date:ymd), text or drop";

/// A column and what the user says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct TypedColumn {
    /// Its name.
    pub column: String,
    /// What it is.
    pub of: ColumnType,
}

impl TypedColumn {
    /// Columns with their types from the parts of a list that was cut at commas: `a=text`, `b, in mm=number`.
    ///
    /// # Errors
    /// If a part has no type, or one that there is not.
    pub fn list(parts: &[String]) -> Result<Vec<Self>> {
        let mut typed = Vec::new();
        let mut open = String::new();
        for part in parts {
            // A name may have commas: it ends with the type.
            let text = if open.is_empty() { part.clone() } else { format!("{open},{part}") };
            match text.rsplit_once('=').map(|(column, of)| (column.to_owned(), of.parse())) {
                Some((column, Ok(of))) => {
                    typed.push(Self { column, of });
                    open.clear();
                }
                Some((_, Err(error))) if !text.contains(',') => return Err(error),
                _ => open = text,
            }
        }
        if open.is_empty() { Ok(typed) } else { Err(out_of_range("types", &open, TYPES)) }
    }
}

/// How a table is read.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ReadOptions {
    /// The mark between cells.
    pub separator: Separator,
    /// The decimal mark of every column; none to find it.
    pub decimal: Option<Decimal>,
    /// The mark between thousands of every column; none to find it.
    pub thousands: Option<Thousands>,
    /// Cells that are gaps, beside the usual ones.
    pub missing: Vec<String>,
    /// Whether the first line names the columns.
    pub header: Header,
    /// Columns whose kind is said.
    pub types: Vec<TypedColumn>,
    /// Columns whose cells stay the text that they are, such as labels and names of files; names may be parts that were
    /// cut at commas.
    pub(crate) labels: Vec<String>,
    /// Columns that are all labels if one of them is text.
    pub(crate) labels_together: Vec<String>,
    /// The last column that is none of these holds labels too.
    pub(crate) last_is_label_but: Option<Vec<String>>,
    /// What columns meant in the table that a model was learned from.
    pub(crate) earlier: Option<Reading>,
    /// The columns that are wanted of a table by their names: a line that has one of them is a header.
    pub(crate) wanted: Vec<String>,
    /// How many columns a table has at least and at most that are known by their places alone; none for any number.
    pub(crate) places: Option<[usize; 2]>,
    /// Columns that nothing is learned from.
    pub(crate) unused: Vec<String>,
    /// Columns of which the cells are kept as they stand, beside what they mean.
    pub(crate) verbatim: Vec<String>,
}

impl ReadOptions {
    /// With a separator, a decimal mark and one between thousands, as far as they are said.
    #[must_use]
    pub fn marks(separator: Separator, decimal: Option<Decimal>, thousands: Option<Thousands>) -> Self {
        Self { separator, decimal, thousands, ..Self::default() }
    }

    /// The same with columns of which the cells are kept as they stand, beside what they mean; names may be parts that were
    /// cut at commas.
    #[must_use]
    pub fn keeping(self, columns: Vec<String>) -> Self {
        Self { verbatim: columns, ..self }
    }

    /// The first setting that the user gives of the cells of text, which other tables do not have.
    pub(crate) fn of_text(&self) -> Option<&'static str> {
        let is_of_text = |typed: &TypedColumn| !matches!(typed.of, ColumnType::Drop | ColumnType::Number);
        [
            ("delimiter", self.separator != Separator::Auto),
            ("decimal", self.decimal.is_some()),
            ("thousands", self.thousands.is_some()),
            ("missing", !self.missing.is_empty()),
            ("header", self.header != Header::Auto),
            ("types", self.types.iter().any(is_of_text)),
        ]
        .into_iter()
        .find_map(|(name, is_given)| is_given.then_some(name))
    }

    /// The user's marks of gaps, those of the earlier table included.
    pub(super) fn marks_of_gaps(&self) -> Vec<String> {
        let earlier = self.earlier.iter().flat_map(|earlier| &earlier.missing);
        let mut marks: Vec<String> = self.missing.iter().chain(earlier).map(|mark| mark.trim().to_owned()).collect();
        marks.sort_unstable();
        marks.dedup();
        marks
    }

    /// Refuses another number of columns where they are known by their places alone: one more in front would move all.
    pub(in crate::data) fn check_places(&self, table: &Table) -> Result<()> {
        let (found, Some([fewest, all])) = (table.reading().places, self.places) else { return Ok(()) };
        if found == 0 || (fewest..=all).contains(&found) {
            return Ok(());
        }
        let reason =
            format!("{} has {found} columns, known by their places alone, and training had {all}", table.origin());
        Err(conflict("data", "the model", reason))
    }

    /// The same for a later table: its columns mean what they meant in an earlier one, of which the columns `wanted` are
    /// used.
    #[must_use]
    pub fn like(&self, earlier: Reading, wanted: Vec<String>) -> Self {
        Self { earlier: Some(earlier), wanted, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn columns_have_types_and_commas() {
        let list = TypedColumn::list(&parts("a=number,b, in mm=text,c=date:dmy,d=e=drop")).unwrap();
        let names: Vec<_> = list.iter().map(|typed| typed.column.as_str()).collect();
        assert_eq!(names, ["a", "b, in mm", "c", "d=e"]);
        assert_eq!(list[2].of, ColumnType::Date(Some(DateOrder::Dmy)));
        for wrong in ["a", "a=", "a=float", "a=date:my", "a=text,b"] {
            assert!(TypedColumn::list(&parts(wrong)).is_err(), "{wrong}");
        }
    }
}
