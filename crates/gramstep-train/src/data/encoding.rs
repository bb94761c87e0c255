//! How one column of a table becomes columns of a network's input, decided on the training rows.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::rows::Rows;
use super::standardisation::is_constant;
use super::summary::{median, present, range};
use super::{Cells, Column, DateParts, Geometry, Images, Standardisation, Table, TextCells};
use crate::error::Result;

/// A text column has at most this many categories; the rarer ones share a column.
pub(super) const MOST_CATEGORIES: usize = 64;

/// From so many values on, of which none comes twice in the table, text tells the rows apart and nothing else.
const IDENTIFIERS: usize = 10;

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
    /// The time that has gone by, and cycles of year, week and day.
    Date(DateParts),
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

impl Encoding {
    /// How many columns of a network's input it becomes.
    #[must_use]
    pub fn width(&self) -> usize {
        match self {
            Self::Number { flag, .. } => 1 + usize::from(*flag),
            Self::Category(category) => category.width(),
            Self::Date(parts) => parts.width(),
            Self::Image(geometry) => geometry.len(),
        }
    }

    /// Whether a missing value has a column of its own, or cannot be.
    pub(super) fn foresees_gaps(&self) -> bool {
        match self {
            Self::Number { flag, .. } => *flag,
            Self::Date(parts) => parts.flag,
            Self::Category(category) => category.missing,
            Self::Image(_) => true,
        }
    }

    /// How many of its columns, from the first on, are measured quantities and not 0/1.
    #[must_use]
    pub fn measured(&self) -> usize {
        match self {
            Self::Number { .. } | Self::Date(_) => 1,
            Self::Category(_) => 0,
            Self::Image(geometry) => geometry.len(),
        }
    }

    /// The place, among its columns, of the one that marks the gaps of a measured quantity.
    pub(crate) fn mark(&self) -> Option<usize> {
        let marked = match self {
            Self::Number { flag, .. } => *flag,
            Self::Date(parts) => parts.flag,
            Self::Category(_) | Self::Image(_) => false,
        };
        marked.then(|| self.width() - 1)
    }

    pub(super) fn names(&self, column: &str) -> Vec<String> {
        match self {
            Self::Number { flag: false, .. } => vec![column.to_owned()],
            Self::Number { flag: true, .. } => vec![column.to_owned(), format!("{column}_missing")],
            Self::Category(Category { values, other, missing }) => (values.iter())
                .map(|value| format!("{column}={value}"))
                .chain(other.then(|| format!("{column}_other")))
                .chain(missing.then(|| format!("{column}_missing")))
                .collect(),
            Self::Date(parts) => parts.names(column),
            Self::Image(Geometry { height, width, channels, .. }) => (0..*height)
                .flat_map(|y| (0..*width).map(move |x| (y, x)))
                .flat_map(|(y, x)| (0..*channels).map(move |c| format!("{column}[{y},{x},{c}]")))
                .collect(),
        }
    }
}

/// A byte of a pixel as a number between 0 and 1.
pub(super) fn intensity(byte: u8) -> f64 {
    f64::from(byte) / 255.0
}

/// The encoding of a column of images: mean and standard deviation of each channel over the given rows.
pub(super) fn fit_images(images: &Images, given: Rows<'_>, standardisation: &mut Standardisation) -> Encoding {
    let Geometry { height, width, channels, .. } = images.geometry;
    // Counts of every value: exact where all rows count the same.
    let mut counts = vec![[0.0; 256]; channels];
    for (row, weight) in given.weighted() {
        for pixel in images.image(row).chunks_exact(channels) {
            pixel.iter().zip(&mut counts).for_each(|(&byte, counts)| counts[usize::from(byte)] += weight);
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
fn weighted_moments(counts: &[f64; 256]) -> (f64, f64) {
    let all: f64 = counts.iter().sum();
    let mean_of = |f: &dyn Fn(f64) -> f64| {
        (0..=u8::MAX).zip(counts).map(|(byte, &count)| f(intensity(byte)) * count).sum::<f64>() / all
    };
    let mean = mean_of(&|v| v);
    let deviation = mean_of(&|v| (v - mean).powi(2)).sqrt();
    (mean, if deviation > 1e-12 { deviation } else { 1.0 })
}

/// The encoding of a numeric column, or why it is left out.
pub(super) fn fit_number(
    table: &Table,
    column: &Column,
    given: Rows<'_>,
    standardisation: &mut Standardisation,
) -> Result<std::result::Result<Encoding, &'static str>> {
    let numbers = table.numbers(column)?;
    let (present, weights) = present(given.rows.iter().map(|&row| numbers[row]), given.weights);
    if present.is_empty() {
        return Ok(Err("no value in the training rows"));
    }
    let flag = present.len() < given.rows.len();
    if is_constant(&present) && !flag {
        return Ok(Err("the same value in every training row"));
    }
    let range = Some(range(&present));
    let median = median(present, weights.as_deref());
    let filled = |&row: &usize| if numbers[row].is_nan() { median } else { numbers[row] };
    standardisation.push(&given.rows.iter().map(filled).collect::<Vec<_>>(), given.weights);
    Ok(Ok(Encoding::Number { median, flag, range }))
}

/// The encoding of a text column, or why it is left out.
pub(super) fn fit_category(column: &Column, given: Rows<'_>) -> std::result::Result<Encoding, &'static str> {
    // Rows and their weight: the weight tells what is frequent, the rows what occurs once.
    let mut counts: HashMap<String, (usize, f64)> = HashMap::new();
    let mut missing = false;
    for (row, weight) in given.weighted() {
        match column.text(row) {
            Some(value) => {
                let count = counts.entry(value).or_default();
                *count = (count.0 + 1, count.1 + weight);
            }
            None => missing = true,
        }
    }
    let distinct = counts.len();
    let mut counts: Vec<(String, (usize, f64))> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.1.total_cmp(&a.1.1).then_with(|| a.0.cmp(&b.0)));
    if distinct >= IDENTIFIERS && is_of_single_values(column) {
        counts.clear();
    } else if distinct > MOST_CATEGORIES {
        counts.truncate(MOST_CATEGORIES);
        counts.retain(|(_, (rows, _))| *rows > 1);
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

/// Whether no value of a text column comes twice, copies of a row included: of a table to look things up in they are many.
fn is_of_single_values(column: &Column) -> bool {
    let Cells::Text(text) = &column.cells else { return false };
    let mut seen = vec![false; text.values.len()];
    let mut codes = text.codes.iter().filter(|&&code| code != TextCells::MISSING);
    codes.all(|&code| !std::mem::replace(&mut seen[code as usize], true))
}

/// Sets the 0/1 entries of a category; returns how many rows have a value that no column stands for, and no value where
/// every training row had one.
pub(super) fn encode_category(
    category: &Category,
    column: &Column,
    rows: &[usize],
    start: usize,
    width: usize,
    out: &mut [f64],
) -> (usize, usize) {
    let places: HashMap<&str, usize> = category.values.iter().map(String::as_str).zip(0..).collect();
    let (mut unknown, mut gaps) = (0, 0);
    for (&row, out) in rows.iter().zip(out.chunks_mut(width)) {
        let place = if let Some(value) = column.text(row) {
            let known = places.get(value.as_str()).copied();
            let place = known.or_else(|| category.other.then_some(category.values.len()));
            unknown += usize::from(place.is_none());
            place
        } else {
            gaps += usize::from(!category.missing);
            category.missing.then(|| category.width() - 1)
        };
        if let Some(place) = place {
            out[start + place] = 1.0;
        }
    }
    (unknown, gaps)
}

/// What is said about a column that is not taken as it stands: its kind, and the sentence after its name.
pub(super) fn describe(encoding: &Encoding, gaps: usize) -> Option<(&'static str, String)> {
    let said = match encoding {
        Encoding::Number { flag: false, .. } | Encoding::Image(_) => return None,
        Encoding::Number { median, .. } => (
            "gaps",
            format!(": {gaps} missing in the training rows; filled with the median {median} and marked by a column"),
        ),
        Encoding::Date(parts) => ("dates", parts.describe()),
        Encoding::Category(category) => (
            "text",
            format!(
                ": text, {} categories{}, one column each",
                category.values.len(),
                if category.other { " and one for all others" } else { "" },
            ),
        ),
    };
    Some(said)
}

#[cfg(test)]
mod tests {
    use crate::data::{Inputs, table_of};

    #[test]
    fn a_text_of_its_own_in_every_row_is_left_out_of_small_tables_too() {
        let fit = |rows: usize, copies: usize| {
            let row = |i: usize| format!("car {i},{},0\n", i % 3);
            let text = (0..rows).map(row).collect::<String>();
            let table = table_of(&format!("name,a,y\n{}", text.repeat(copies)));
            let rows: Vec<usize> = (0..rows).collect();
            Inputs::fit(&table, (&rows, None), &["y".to_owned()], &[], &mut Vec::new()).unwrap()
        };
        for rows in [10, 32, 64, 65] {
            let inputs = fit(rows, 1);
            assert_eq!((inputs.names(), inputs.dropped), (vec!["a".to_owned()], vec!["name".to_owned()]), "{rows}");
        }
        assert_eq!(fit(9, 1).width(), 10, "few values");
        assert_eq!(fit(32, 5).width(), 33, "a table to look things up in, of which copies were joined");
    }
}
