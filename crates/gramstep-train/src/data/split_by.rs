//! What decides which rows are judged: chance, time or groups.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, out_of_range};
use crate::format::words::as_text;

/// How rows are shared out among training, validation and test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum SplitBy {
    /// By chance; of a classification each class by itself.
    #[default]
    Random,
    /// In the order of a column of numbers or dates: the last rows are the test rows, those before them for validation.
    Time(String),
    /// Rows with the same value in a column stay together.
    Group(String),
}

impl SplitBy {
    /// The column that decides.
    #[must_use]
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::Random => None,
            Self::Time(column) | Self::Group(column) => Some(column),
        }
    }
}

impl FromStr for SplitBy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            Some(("time", column)) if !column.is_empty() => Ok(Self::Time(column.to_owned())),
            Some(("group", column)) if !column.is_empty() => Ok(Self::Group(column.to_owned())),
            None if text == "random" => Ok(Self::Random),
            _ => Err(out_of_range("split", &text, "random, time:COL or group:COL")),
        }
    }
}

impl fmt::Display for SplitBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => f.write_str("random"),
            Self::Time(column) => write!(f, "time:{column}"),
            Self::Group(column) => write!(f, "group:{column}"),
        }
    }
}

as_text!(SplitBy);
