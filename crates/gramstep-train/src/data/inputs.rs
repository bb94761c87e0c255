//! From columns of a table to columns of a network's input: numbers are standardised, gaps filled and flagged, text
//! becomes one 0/1 column for each category, images become their pixels. All of it is decided on the training rows.

use std::collections::HashMap;
use std::ops::Range;

use gramstep::Matrix;
use gramstep::model::Shape;
use serde::{Deserialize, Serialize};

use super::standardisation::is_constant;
use super::{BrokenImages, Cells, Column, Geometry, ImageSettings, Images, Standardisation, Table};
use crate::error::{Error, Result};
use crate::format::text::number;

/// A text column has at most this many categories; the rarer ones share a column.
const MOST_CATEGORIES: usize = 64;

/// So many columns are named where rows lie outside their range.
const MOST_NAMED: usize = 5;

/// How the input of a network is made from a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Inputs {
    /// The columns of the table that are used, in order.
    pub columns: Vec<InputColumn>,
    /// Columns that carry nothing to learn from, or that the user left out.
    pub dropped: Vec<String>,
    /// Of every column of the network's input (0/1 columns stay as they are).
    pub standardisation: Standardisation,
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

/// How one column of a table becomes one or more columns of a network's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Encoding {
    /// A number.
    Number {
        /// Stands in for a missing value.
        median: f64,
        /// Whether a 0/1 column follows that marks missing values.
        flag: bool,
        /// The lowest and the highest value of the training rows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        range: Option<[f64; 2]>,
    },
    /// One 0/1 column for each category.
    Category(Category),
    /// The pixels of an image between 0 and 1, row by row, channels innermost; standardised channel by channel.
    Image(Geometry),
}

/// The categories of a text column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Category {
    /// The values with a column of their own.
    pub values: Vec<String>,
    /// Whether a column follows for all other values.
    pub other: bool,
    /// Whether a column follows for missing values.
    pub missing: bool,
}

impl Category {
    fn width(&self) -> usize {
        self.values.len() + usize::from(self.other) + usize::from(self.missing)
    }
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
        let mut inputs =
            Self { columns: Vec::new(), dropped: drop.to_vec(), standardisation: Standardisation::default() };
        let mut left_out = Vec::new();
        for column in table.columns() {
            if targets.contains(&column.name) || drop.contains(&column.name) {
                continue;
            }
            let encoding = match &column.cells {
                Cells::Images(images) => Ok(fit_images(images, rows, &mut inputs.standardisation)),
                Cells::Text(text) if !text.is_mostly_numbers() => fit_category(column, rows),
                _ => fit_number(table, column, (rows, weights), &mut inputs.standardisation)?,
            };
            match encoding {
                Ok(encoding) => {
                    notes.extend(describe(
                        &column.name,
                        &encoding,
                        rows.iter().filter(|&&i| column.is_missing(i)).count(),
                    ));
                    let fixed = encoding.width() - encoding.measured();
                    inputs.standardisation.mean.extend(std::iter::repeat_n(0.0, fixed));
                    inputs.standardisation.scale.extend(std::iter::repeat_n(1.0, fixed));
                    inputs.columns.push(InputColumn { name: column.name.clone(), encoding });
                }
                Err(reason) => {
                    left_out.push(format!("`{}` is left out: {reason}", column.name));
                    inputs.dropped.push(column.name.clone());
                }
            }
        }
        if inputs.columns.is_empty() {
            let reason = if left_out.is_empty() { String::new() } else { format!(": {}", left_out.join("; ")) };
            return Err(Error::NoInputs { origin: table.origin().to_owned(), reason });
        }
        notes.extend(left_out);
        Ok(inputs)
    }

    /// Whether encodings and standardisation fit together.
    pub(super) fn check(&self) -> std::result::Result<(), String> {
        let widths = self.columns.iter().map(|column| column.encoding.width());
        let width = widths.fold(0, usize::saturating_add);
        self.standardisation.check("the inputs", width)?;
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
            Some(Geometry { height, width, channels }) => {
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
        let missing: Vec<String> = (self.columns.iter().map(|column| &column.name))
            .filter(|name| table.column(name).is_none())
            .cloned()
            .collect();
        if !missing.is_empty() {
            return Err(Error::MissingColumns { origin: table.origin().to_owned(), missing });
        }
        let width = self.width();
        let mut values = vec![0.0; rows.len() * width];
        for (InputColumn { name, encoding }, places) in self.places() {
            let start = places.start;
            let column = table.require(name)?;
            match encoding {
                Encoding::Number { median, flag, .. } => {
                    let numbers = table.numbers(column)?;
                    for (row, out) in rows.iter().zip(values.chunks_mut(width)) {
                        let gap = numbers[*row].is_nan();
                        out[start] = if gap { *median } else { numbers[*row] };
                        if *flag {
                            out[start + 1] = f64::from(u8::from(gap));
                        }
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
                    let unknown = encode_category(category, column, rows, start, width, &mut values);
                    if unknown > 0 {
                        notes.push(format!(
                            "{}: `{name}`: {unknown} {} a value that the training rows do not have",
                            table.origin(),
                            if unknown == 1 { "row has" } else { "rows have" },
                        ));
                    }
                }
            }
        }
        self.standardisation.apply(&mut values);
        Ok(Matrix::from_vec(rows.len(), width, values)?)
    }

    /// How many rows lie outside the range of the training rows, and in which columns, the most frequent ones first;
    /// none if no row does.
    #[must_use]
    pub fn outside(&self, table: &Table) -> Option<String> {
        let mut found = vec![false; table.rows()];
        let mut columns: Vec<(usize, String)> = Vec::new();
        for InputColumn { name, encoding } in &self.columns {
            let Encoding::Number { range: Some([low, high]), .. } = encoding else { continue };
            let Some(Column { cells: Cells::Numbers(values), .. }) = table.column(name) else { continue };
            // A gap is no value outside.
            let outside = |value: f64| value < *low || value > *high;
            let rows = values.iter().zip(&mut found).filter(|(value, _)| outside(**value));
            let rows = rows.map(|(_, found)| *found = true).count();
            if rows > 0 {
                columns.push((rows, format!("`{name}` ({rows}, trained on {} to {})", number(*low), number(*high))));
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

impl Encoding {
    /// How many columns of a network's input it becomes.
    #[must_use]
    pub fn width(&self) -> usize {
        match self {
            Self::Number { flag, .. } => 1 + usize::from(*flag),
            Self::Category(category) => category.width(),
            Self::Image(geometry) => geometry.len(),
        }
    }

    /// How many of its columns, from the first on, are measured quantities and not 0/1.
    #[must_use]
    pub fn measured(&self) -> usize {
        match self {
            Self::Number { .. } => 1,
            Self::Category(_) => 0,
            Self::Image(geometry) => geometry.len(),
        }
    }

    fn names(&self, column: &str) -> Vec<String> {
        match self {
            Self::Number { flag: false, .. } => vec![column.to_owned()],
            Self::Number { flag: true, .. } => vec![column.to_owned(), format!("{column}_missing")],
            Self::Category(Category { values, other, missing }) => (values.iter())
                .map(|value| format!("{column}={value}"))
                .chain(other.then(|| format!("{column}_other")))
                .chain(missing.then(|| format!("{column}_missing")))
                .collect(),
            Self::Image(Geometry { height, width, channels }) => (0..*height)
                .flat_map(|y| (0..*width).map(move |x| (y, x)))
                .flat_map(|(y, x)| (0..*channels).map(move |c| format!("{column}[{y},{x},{c}]")))
                .collect(),
        }
    }
}

/// A byte of a pixel as a number between 0 and 1.
fn intensity(byte: u8) -> f64 {
    f64::from(byte) / 255.0
}

/// The encoding of a column of images: mean and standard deviation of each channel over the given rows.
fn fit_images(images: &Images, rows: &[usize], standardisation: &mut Standardisation) -> Encoding {
    let Geometry { height, width, channels } = images.geometry;
    // Counts of every value: exact, and the same for any order of the rows.
    let mut counts = vec![[0_u64; 256]; channels];
    for &row in rows {
        for pixel in images.image(row).chunks_exact(channels) {
            pixel.iter().zip(&mut counts).for_each(|(&byte, counts)| counts[usize::from(byte)] += 1);
        }
    }
    let moments: Vec<(f64, f64)> = counts.iter().map(weighted_moments).collect();
    for (mean, scale) in moments.iter().cycle().take(height * width * channels) {
        standardisation.mean.push(*mean);
        standardisation.scale.push(*scale);
    }
    Encoding::Image(images.geometry)
}

/// Mean and standard deviation of intensities that occur so many times; 1 for a single value.
fn weighted_moments(counts: &[u64; 256]) -> (f64, f64) {
    let all = counts.iter().sum::<u64>().max(1) as f64;
    let mean_of = |f: &dyn Fn(f64) -> f64| {
        (0..=u8::MAX).zip(counts).map(|(byte, &count)| f(intensity(byte)) * count as f64).sum::<f64>() / all
    };
    let mean = mean_of(&|v| v);
    let deviation = mean_of(&|v| (v - mean).powi(2)).sqrt();
    (mean, if deviation > 1e-12 { deviation } else { 1.0 })
}

/// The encoding of a numeric column, or why it is left out.
fn fit_number(
    table: &Table,
    column: &Column,
    (rows, weights): (&[usize], Option<&[f64]>),
    standardisation: &mut Standardisation,
) -> Result<std::result::Result<Encoding, &'static str>> {
    let numbers = table.numbers(column)?;
    let mut present: Vec<f64> = rows.iter().map(|&row| numbers[row]).filter(|v| !v.is_nan()).collect();
    if present.is_empty() {
        return Ok(Err("no value in the training rows"));
    }
    let flag = present.len() < rows.len();
    if is_constant(&present) && !flag {
        return Ok(Err("the same value in every training row"));
    }
    let range = Some(range(&present));
    let median = median(&mut present);
    let filled = |&row: &usize| if numbers[row].is_nan() { median } else { numbers[row] };
    standardisation.push(&rows.iter().map(filled).collect::<Vec<_>>(), weights);
    Ok(Ok(Encoding::Number { median, flag, range }))
}

/// The lowest and the highest of some numbers.
pub(crate) fn range(values: &[f64]) -> [f64; 2] {
    values.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &v| [low.min(v), high.max(v)])
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if below.len() < middle || values.len() % 2 == 1 {
        return upper;
    }
    let lower = values[..middle].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    f64::midpoint(lower, upper)
}

/// The encoding of a text column, or why it is left out.
fn fit_category(column: &Column, rows: &[usize]) -> std::result::Result<Encoding, &'static str> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut missing = false;
    for &row in rows {
        match column.text(row) {
            Some(value) => *counts.entry(value).or_default() += 1,
            None => missing = true,
        }
    }
    let distinct = counts.len();
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    if distinct > MOST_CATEGORIES {
        counts.truncate(MOST_CATEGORIES);
        counts.retain(|(_, count)| *count > 1);
    }
    let other = counts.len() < distinct;
    let mut values: Vec<String> = counts.into_iter().map(|(value, _)| value).collect();
    values.sort_unstable();
    let category = Category { values, other, missing };
    match category.width() {
        0 | 1 if distinct > 1 => Err("a different text in every training row"),
        0 | 1 => Err("the same value in every training row"),
        _ => Ok(Encoding::Category(category)),
    }
}

/// Sets the 0/1 entries of a category; returns how many rows have a value that no column stands for.
fn encode_category(
    category: &Category,
    column: &Column,
    rows: &[usize],
    start: usize,
    width: usize,
    out: &mut [f64],
) -> usize {
    let places: HashMap<&str, usize> = category.values.iter().map(String::as_str).zip(0..).collect();
    let mut unknown = 0;
    for (&row, out) in rows.iter().zip(out.chunks_mut(width)) {
        let place = match column.text(row) {
            Some(value) => match places.get(value.as_str()) {
                Some(&place) => Some(place),
                None if category.other => Some(category.values.len()),
                None => {
                    unknown += 1;
                    None
                }
            },
            None => category.missing.then(|| category.width() - 1),
        };
        if let Some(place) = place {
            out[start + place] = 1.0;
        }
    }
    unknown
}

/// What is said about a column that is not taken as it stands.
fn describe(name: &str, encoding: &Encoding, gaps: usize) -> Option<String> {
    match encoding {
        Encoding::Number { flag: false, .. } | Encoding::Image(_) => None,
        Encoding::Number { median, .. } => Some(format!(
            "`{name}`: {gaps} missing in the training rows; filled with the median {median} and marked by a column"
        )),
        Encoding::Category(category) => Some(format!(
            "`{name}`: text, {} categories{}, one column each",
            category.values.len(),
            if category.other { " and one for all others" } else { "" },
        )),
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn the_median_of_an_even_number_of_values_is_the_mean_of_the_middle_two() {
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&mut [5.0, 1.0, 3.0]), 3.0);
        assert_eq!(median(&mut [5.0]), 5.0);
    }
}
