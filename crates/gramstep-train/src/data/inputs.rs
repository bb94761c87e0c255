//! From columns of a table to columns of a network's input: numbers are standardised, gaps filled and flagged, text
//! becomes one 0/1 column for each category, images become their pixels. All of it is decided on the training rows.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use gramstep::Matrix;
use gramstep::model::Shape;
use serde::{Deserialize, Serialize};

use super::encoding::{Encoding, describe, encode_category, fit_category, fit_images, fit_number, intensity};
use super::far_mark::far_mark;
use super::rows::Rows;
use super::{Bound, BrokenImages, Cells, Column, DateParts, Features, Geometry, ImageSettings, Standardisation, Table};
use crate::error::{Error, Result};
use crate::format::bounded::check_numbers;
use crate::format::date;
use crate::format::remarks::Remarks;
use crate::format::text::number;

/// Most columns that are named where rows lie outside their range.
const MOST_NAMED: usize = 5;

/// How the input of a network is made from a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Inputs {
    /// The columns of the table that are used, in order.
    pub columns: Vec<InputColumn>,
    /// Columns that carry nothing to learn from, or that the user left out.
    pub dropped: Vec<String>,
    /// Of every column of the network's input (0/1 columns stay as they are).
    pub standardisation: Standardisation,
    /// What keeps every column of the network's input from running away; empty where nothing does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bounds: Vec<Bound>,
}

/// A used column of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InputColumn {
    /// Name in the table.
    pub name: String,
    /// What becomes of it.
    pub encoding: Encoding,
}

impl Inputs {
    /// Every column with its places in the network's input.
    pub(crate) fn places(&self) -> impl Iterator<Item = (&InputColumn, Range<usize>)> {
        self.columns.iter().scan(0, |end, column| {
            let start = *end;
            *end += column.encoding.width();
            Some((column, start..*end))
        })
    }

    /// Decides from the given rows. What was repaired or left out is added to `notes`.
    ///
    /// # Errors
    /// For text or infinite values in a numeric column, and when no column is left.
    pub fn fit(
        table: &Table,
        (rows, weights): (&[usize], Option<&[f64]>),
        targets: &[String],
        drop: &[String],
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let mut inputs = Self { dropped: drop.to_vec(), ..Self::default() };
        let (mut left_out, mut said) = (Remarks::default(), Remarks::default());
        let given = Rows { rows, weights };
        let others: HashSet<&String> = targets.iter().chain(drop).collect();
        for column in table.columns() {
            if others.contains(&column.name) {
                continue;
            }
            let encoding = match &column.cells {
                Cells::Images(images) => Ok(fit_images(images, given, &mut inputs.standardisation)),
                Cells::Text(text) if !text.is_mostly_numbers() || text.is_of_few_values() => {
                    fit_category(column, given)
                }
                Cells::Dates(dates) => DateParts::fit(dates, given, &mut inputs.standardisation).map(Encoding::Date),
                _ => fit_number(table, column, given, &mut inputs.standardisation)?,
            };
            match encoding {
                Ok(encoding) => {
                    let gaps = rows.iter().filter(|&&i| column.is_missing(i)).count();
                    if let Some(text) = far_mark(column, rows) {
                        said.add("mark", &column.name, text);
                    }
                    if let Some(text) = mixed(column) {
                        said.add("mixed", &column.name, text);
                    }
                    if let Some((kind, text)) = describe(&encoding, gaps) {
                        said.add(kind, &column.name, text);
                    }
                    let fixed = encoding.width() - encoding.measured();
                    inputs.standardisation.mean.extend(std::iter::repeat_n(0.0, fixed));
                    inputs.standardisation.scale.extend(std::iter::repeat_n(1.0, fixed));
                    inputs.columns.push(InputColumn { name: column.name.clone(), encoding });
                }
                Err(reason) => {
                    left_out.add(reason, &column.name, format!(" is left out: {reason}"));
                    inputs.dropped.push(column.name.clone());
                }
            }
        }
        if inputs.columns.is_empty() {
            let left_out = left_out.sentences();
            let reason = if left_out.is_empty() { String::new() } else { format!(": {}", left_out.join("; ")) };
            return Err(Error::NoInputs { origin: table.origin().to_owned(), reason });
        }
        notes.extend(said.sentences());
        notes.extend(left_out.sentences());
        Ok(inputs)
    }

    /// Whether encodings and standardisation fit together.
    pub(super) fn check(&self) -> std::result::Result<(), String> {
        let widths = self.columns.iter().map(|column| column.encoding.width());
        let width = widths.fold(0, usize::saturating_add);
        self.standardisation.check("the inputs", width)?;
        self.check_bounds(width)?;
        let images = |column: &InputColumn| matches!(column.encoding, Encoding::Image(_));
        match self.columns.iter().skip(1).find(|column| images(column)) {
            Some(column) => Err(format!("images `{}` after other columns", column.name)),
            None => Ok(()),
        }
    }

    /// Number of columns of the network's input.
    #[must_use]
    pub fn width(&self) -> usize {
        self.standardisation.columns()
    }

    /// The shape of the network's input: an image and the other columns beside it, or a vector.
    #[must_use]
    pub fn shape(&self) -> Shape {
        match self.geometry() {
            Some(Geometry { height, width, channels, .. }) => {
                Shape::Image { height, width, channels, side: self.width() - height * width * channels }
            }
            None => Shape::Vector(self.width()),
        }
    }

    /// Size and channels of the images, where the input begins with one.
    #[must_use]
    pub fn geometry(&self) -> Option<Geometry> {
        match self.columns.first()?.encoding {
            Encoding::Image(geometry) => Some(geometry),
            _ => None,
        }
    }

    /// How the images of other rows are to be read so that they fit.
    #[must_use]
    pub fn image_settings(&self, broken: BrokenImages, threads: usize) -> ImageSettings {
        ImageSettings::of(self.geometry(), broken, threads)
    }

    /// Names of the columns of the network's input: `age`, `age_missing`, `colour=red`.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.columns.iter().flat_map(|column| column.encoding.names(&column.name)).collect()
    }

    /// The network's input for the given rows of a table that has the same columns.
    ///
    /// # Errors
    /// [`Error::MissingColumns`], or what is wrong with a cell.
    pub fn apply(&self, table: &Table, rows: &[usize], notes: &mut Vec<String>) -> Result<Matrix<f64>> {
        let named: HashMap<&str, &Column> =
            table.columns().iter().map(|column| (column.name.as_str(), column)).collect();
        let missing: Vec<String> = (self.columns.iter().map(|column| &column.name))
            .filter(|name| !named.contains_key(name.as_str()))
            .cloned()
            .collect();
        if !missing.is_empty() {
            return Err(Error::MissingColumns { origin: table.origin().to_owned(), missing });
        }
        let width = self.width();
        check_numbers("the inputs of the network", rows.len(), width)?;
        let mut values = vec![0.0; rows.len() * width];
        let (mut unknown_values, mut unforeseen) = (Remarks::default(), Remarks::default());
        for (InputColumn { name, encoding }, places) in self.places() {
            let start = places.start;
            let Some(&column) = named.get(name.as_str()) else { continue };
            match encoding {
                Encoding::Number { median, flag, .. } => {
                    let numbers = table.numbers(column)?;
                    let gaps = if *flag { 0 } else { rows.iter().filter(|&&row| numbers[row].is_nan()).count() };
                    if gaps > 0 {
                        unforeseen.add(
                            "number",
                            name,
                            unforeseen_gaps(gaps, &format!("filled with the median {median}")),
                        );
                    }
                    for (row, out) in rows.iter().zip(values.chunks_mut(width)) {
                        let gap = numbers[*row].is_nan();
                        out[start] = if gap { *median } else { numbers[*row] };
                        if *flag {
                            out[start + 1] = f64::from(u8::from(gap));
                        }
                    }
                }
                Encoding::Date(parts) => {
                    let dates = column.dates()?;
                    let gaps = if parts.flag { 0 } else { rows.iter().filter(|&&row| dates[row].is_nan()).count() };
                    if gaps > 0 {
                        unforeseen.add("date", name, unforeseen_gaps(gaps, "filled with the middle one"));
                    }
                    for (row, out) in rows.iter().zip(values.chunks_mut(width)) {
                        parts.encode(dates[*row], &mut out[places.clone()]);
                    }
                }
                Encoding::Image(geometry) => {
                    let images = table.images(column, *geometry)?;
                    for (row, out) in rows.iter().zip(values.chunks_mut(width)) {
                        for (value, &byte) in out[places.clone()].iter_mut().zip(images.image(*row)) {
                            *value = intensity(byte);
                        }
                    }
                }
                Encoding::Category(category) => {
                    let (unknown, gaps) = encode_category(category, column, rows, start, width, &mut values);
                    if unknown > 0 {
                        let have = if unknown == 1 { "row has" } else { "rows have" };
                        let text = format!(": {unknown} {have} a value that the training rows do not have");
                        unknown_values.add("unknown", name, text);
                    }
                    if gaps > 0 {
                        unforeseen.add("category", name, unforeseen_gaps(gaps, "none of the categories"));
                    }
                }
            }
        }
        let said = unknown_values.sentences().into_iter().chain(unforeseen.sentences());
        notes.extend(said.map(|sentence| format!("{}: {sentence}", table.origin())));
        self.standardise(&mut values);
        Ok(Matrix::from_vec(rows.len(), width, values)?)
    }

    /// The same, of images their bytes.
    pub(super) fn features(&self, table: &Table, rows: &[usize], notes: &mut Vec<String>) -> Result<Features<f64>> {
        let (Some(geometry), Some(image)) = (self.geometry(), self.columns.first()) else {
            return Ok(self.apply(table, rows, notes)?.into());
        };
        let Some(column) = table.column(&image.name) else { return Ok(self.apply(table, rows, notes)?.into()) };
        let images = table.images(column, geometry)?;
        let (pixels, mut side) = (geometry.len(), self.clone());
        side.columns.remove(0);
        side.bounds = self.bounds.get(pixels..).unwrap_or_default().to_vec();
        let beside = |of: &mut Vec<f64>| of.split_off(pixels);
        let (mut mean, mut scale) = (self.standardisation.mean.clone(), self.standardisation.scale.clone());
        side.standardisation = Standardisation { mean: beside(&mut mean), scale: beside(&mut scale) };
        let side = side.apply(table, rows, notes)?;
        Ok(Features::of_images(images, rows, Standardisation { mean, scale }, side))
    }

    /// How many rows lie outside the range of the training rows, and in which columns, the most frequent ones first;
    /// none if no row does.
    #[must_use]
    pub fn out_of_range(&self, table: &Table) -> Option<String> {
        let named: HashMap<&str, &Column> =
            table.columns().iter().map(|column| (column.name.as_str(), column)).collect();
        let mut found = vec![false; table.rows()];
        let mut columns: Vec<(usize, String)> = Vec::new();
        for InputColumn { name, encoding } in &self.columns {
            let (range, written): (_, fn(f64) -> String) = match encoding {
                Encoding::Number { range: Some(range), .. } => (range, number),
                Encoding::Date(parts) => (&parts.range, date::written),
                _ => continue,
            };
            let [low, high] = range;
            let Some(Column { cells: Cells::Numbers(values) | Cells::Dates(values), .. }) = named.get(name.as_str())
            else {
                continue;
            };
            // A gap is no value outside.
            let outside = |value: f64| value < *low || value > *high;
            let rows = values.iter().zip(&mut found).filter(|(value, _)| outside(**value));
            let rows = rows.map(|(_, found)| *found = true).count();
            if rows > 0 {
                columns.push((rows, format!("`{name}` ({rows}, trained on {} to {})", written(*low), written(*high))));
            }
        }
        columns.sort_by_key(|column| std::cmp::Reverse(column.0));
        let named: Vec<&str> = columns.iter().take(MOST_NAMED).map(|column| column.1.as_str()).collect();
        let others = columns.len() - named.len();
        let others = if others > 0 { format!(" and {others} more") } else { String::new() };
        let rows = found.iter().filter(|&&found| found).count();
        (rows > 0).then(|| {
            let origin = table.origin();
            let all = table.rows();
            format!(
                "{origin}: {rows} of {all} rows lie outside the training range, where a prediction is a guess: in {}{others}",
                named.join(", ")
            )
        })
    }
}

/// What is said of gaps in a column that has none in the training rows.
fn unforeseen_gaps(gaps: usize, filled: &str) -> String {
    let (rows, they) = if gaps == 1 { ("row lacks", "it is") } else { ("rows lack", "they are") };
    format!(": {gaps} {rows} a value, missing in no training row; {they} {filled}")
}

/// What is said of a column of categories that are numbers but for a few.
fn mixed(column: &Column) -> Option<String> {
    let Cells::Text(text) = &column.cells else { return None };
    let other = text.get(text.first_text).filter(|_| text.is_mostly_numbers())?;
    Some(format!(
        ": most of its values are numbers, and `{other}` is not; --missing '{other}' makes it a gap among numbers"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::encoding::MOST_CATEGORIES;
    use super::*;
    use crate::data::table_of;

    fn fit(text: &str, rows: &[usize]) -> (Inputs, Table, Vec<String>) {
        let table = table_of(text);
        let mut notes = Vec::new();
        let inputs = Inputs::fit(&table, (rows, None), &["y".to_owned()], &[], &mut notes).unwrap();
        (inputs, table, notes)
    }

    #[test]
    fn gaps_take_the_median_of_the_training_rows_and_are_flagged() {
        let (inputs, table, notes) = fit("a,y\n1,0\n,0\n3,0\n5,0\n1000,0\n", &[0, 1, 2, 3]);
        let Encoding::Number { median, flag, .. } = inputs.columns[0].encoding else { panic!("no number") };
        assert_eq!((median, flag), (3.0, true));
        assert_eq!(inputs.names(), ["a", "a_missing"]);
        let x = inputs.apply(&table, &[1, 2], &mut Vec::new()).unwrap();
        assert_eq!(x.as_slice(), [0.0, 1.0, 0.0, 0.0]);
        assert!(notes[0].contains("median 3"), "{notes:?}");
    }

    #[test]
    fn text_becomes_one_column_for_each_category_of_the_training_rows() {
        let (inputs, table, _) = fit("c,y\nred,0\nblue,0\nred,0\ngreen,0\n", &[0, 1, 2]);
        assert_eq!(inputs.names(), ["c=blue", "c=red"]);
        let mut notes = Vec::new();
        let x = inputs.apply(&table, &[0, 1, 3], &mut notes).unwrap();
        assert_eq!(x.as_slice(), [0.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
        assert!(notes[0].contains("1 row has a value"), "{notes:?}");
    }

    #[test]
    fn few_values_that_come_often_are_categories_though_most_are_numbers() {
        let cylinders = |rows: usize| {
            let value = |i: usize| ["4", "6", "8", "4", "rotary"][if i % 10 == 9 { 4 } else { i % 4 }];
            (0..rows).map(|i| format!("{},0\n", value(i))).collect::<Vec<_>>().concat()
        };
        let rows: Vec<usize> = (0..60).collect();
        let (inputs, _, notes) = fit(&format!("c,y\n{}", cylinders(60)), &rows);
        assert_eq!(inputs.names(), ["c=4", "c=6", "c=8", "c=rotary"]);
        assert!(notes[0].contains("`rotary` is not; --missing 'rotary'"), "{notes:?}");
        // Of few rows, or of many values, the text is a mistake.
        let numbered = |i: usize| if i == 7 { "oops,0\n".to_owned() } else { format!("{i},0\n") };
        for text in [cylinders(12), (0..60).map(numbered).collect::<Vec<_>>().concat()] {
            let table = table_of(&format!("c,y\n{text}"));
            let rows: Vec<usize> = (0..table.rows()).collect();
            assert!(Inputs::fit(&table, (&rows, None), &["y".to_owned()], &[], &mut Vec::new()).is_err());
        }
    }

    #[test]
    fn columns_that_say_nothing_are_left_out_and_named() {
        let ids = (0..100).map(|i| format!("id{i},7,,same,{},{i}\n", i % 10)).collect::<Vec<_>>().concat();
        let rows: Vec<usize> = (0..100).collect();
        let (inputs, _, notes) = fit(&format!("id,k,e,t,a,y\n{ids}"), &rows);
        assert_eq!(inputs.names(), ["a"]);
        assert_eq!(inputs.dropped, ["id", "k", "e", "t"]);
        assert_eq!(notes.len(), 4);
        assert!(notes[0].contains("`id` is left out: a different text in every training row"), "{notes:?}");
    }

    #[test]
    fn many_categories_keep_the_frequent_ones_and_share_a_column() {
        let value = |i: usize| if i < 200 { i % 100 } else { i };
        let text = (0..300).map(|i| format!("v{},0\n", value(i))).collect::<Vec<_>>().concat();
        let rows: Vec<usize> = (0..300).collect();
        let (inputs, table, _) = fit(&format!("c,y\n{text}"), &rows);
        assert_eq!(inputs.width(), MOST_CATEGORIES + 1);
        let x = inputs.apply(&table, &rows, &mut Vec::new()).unwrap();
        assert!((0..300).all(|i| x.row(i).iter().sum::<f64>() == 1.0));
    }

    #[test]
    fn a_mostly_numeric_column_with_text_is_an_error_and_not_a_category() {
        let table = table_of("a,y\n1,0\n2,0\nx,0\n");
        let error = Inputs::fit(&table, (&[0, 1], None), &[], &[], &mut Vec::new()).unwrap_err();
        assert!(matches!(error, Error::TextInNumbers { line: 4, .. }), "{error}");
    }
}
