//! Training, validation and test rows: a seeded shuffle, cut by fractions.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use gramstep::random::Purpose;
use serde::{Deserialize, Serialize};

use crate::data::permutation::permutation;
use crate::error::{Error, Result};
use crate::format::text_or_number::TextOrNumber;

/// The rows of validation or test: a share of the rows of the data, or a file of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TextOrNumber", into = "TextOrNumber")]
pub enum Portion {
    /// A fraction of all rows in [0, 1); 0 for none.
    Fraction(f64),
    /// A file with the same columns.
    File(PathBuf),
}

impl FromStr for Portion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.parse::<f64>() {
            Ok(fraction) if (0.0..1.0).contains(&fraction) => Ok(Self::Fraction(fraction)),
            Ok(_) => Err(Error::Setting {
                name: "fraction",
                value: text.to_owned(),
                range: "a share of the rows is at least 0 and below 1".to_owned(),
            }),
            Err(_) => Ok(Self::File(PathBuf::from(text))),
        }
    }
}

impl fmt::Display for Portion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fraction(fraction) => write!(f, "{fraction}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl TryFrom<TextOrNumber> for Portion {
    type Error = Error;

    fn try_from(value: TextOrNumber) -> Result<Self> {
        value.to_string().parse()
    }
}

impl From<Portion> for TextOrNumber {
    fn from(portion: Portion) -> Self {
        match portion {
            Portion::Fraction(fraction) => Self::Number(fraction),
            Portion::File(path) => Self::Text(path.display().to_string()),
        }
    }
}

/// How many rows are for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) test: usize,
    pub(super) validation: usize,
}

/// Row numbers of the three parts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Split {
    /// Rows to fit.
    pub train: Vec<usize>,
    /// Rows that choose when to stop.
    pub validation: Vec<usize>,
    /// Rows that are only judged at the end.
    pub test: Vec<usize>,
}

impl Split {
    /// Shuffles `rows` by the seed and cuts off `test` and `validation`, both as fractions of all rows. A fraction
    /// above 0 gets at least one row.
    ///
    /// # Errors
    /// [`Error::TooFewRows`] if fewer than two training rows would be left.
    pub fn new(origin: &str, rows: &[usize], test: f64, validation: f64, seed: u64) -> Result<Self> {
        let Sizes { test, validation } = Self::sizes(origin, rows.len(), test, validation)?;
        let order: Vec<usize> = permutation(rows.len(), seed, Purpose::Split, 0).into_iter().map(|i| rows[i]).collect();
        let (test, rest) = order.split_at(test);
        let (validation, train) = rest.split_at(validation);
        Ok(Self { train: train.to_vec(), validation: validation.to_vec(), test: test.to_vec() })
    }

    /// How many of the rows are for test and validation.
    pub(super) fn sizes(origin: &str, rows: usize, test: f64, validation: f64) -> Result<Sizes> {
        #[allow(clippy::cast_sign_loss)] // a fraction is at least 0
        let share = |fraction: f64| match fraction {
            0.0 => 0,
            _ => ((fraction * rows as f64).round() as usize).max(1),
        };
        let (test, validation) = (share(test), share(validation));
        if rows < test + validation + 2 {
            let purpose = match (test, validation) {
                (0, 0) => "training".to_owned(),
                _ => format!("2 training rows beside {validation} of validation and {test} of test"),
            };
            return Err(Error::TooFewRows { origin: origin.to_owned(), rows, purpose });
        }
        Ok(Sizes { test, validation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_exactly_one_part_and_the_seed_decides_which() {
        let rows: Vec<usize> = (100..200).collect();
        let split = Split::new("t", &rows, 0.2, 0.1, 7).unwrap();
        assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (70, 10, 20));
        let mut all = [split.train.clone(), split.validation.clone(), split.test.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, rows);
        assert_eq!(split, Split::new("t", &rows, 0.2, 0.1, 7).unwrap());
        assert_ne!(split, Split::new("t", &rows, 0.2, 0.1, 8).unwrap());
    }

    #[test]
    fn too_few_rows_are_refused_with_the_numbers() {
        let error = Split::new("t.csv", &[0], 0.2, 0.1, 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "t.csv: 1 usable row, too few for 2 training rows beside 1 of validation and 1 of test"
        );
    }

    #[test]
    fn a_fraction_outside_its_range_is_refused_and_other_text_is_a_file() {
        for text in ["1", "-0.1", "nan", "inf", "20"] {
            assert!(text.parse::<Portion>().is_err(), "{text}");
        }
        assert_eq!("test.csv".parse::<Portion>().unwrap(), Portion::File("test.csv".into()));
    }
}
