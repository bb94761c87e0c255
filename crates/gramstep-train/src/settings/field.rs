//! Fields of a configuration: given or not, read from text, checked against a range.

use std::convert::Infallible;
use std::fmt::Display;
use std::num::{ParseFloatError, ParseIntError};
use std::str::FromStr;

use crate::error::{Error, Result, out_of_range};

/// A field of [`Config`](super::Config): one value that may be missing, or a list that may be empty.
pub(crate) trait Field: Sized {
    /// Whether it is a list.
    const LIST: bool;

    /// Whether it has a value.
    fn is_given(&self) -> bool;

    /// Its value, or that of the other where it has none.
    fn or(self, other: Self) -> Self;

    /// Reads the value of the setting `name`; `range` is what it may be, where its type does not say so itself.
    fn read(name: &'static str, text: &str, range: &str) -> Result<Self>;
}

impl<T: FromStr<Err: Misread>> Field for Option<T> {
    const LIST: bool = false;

    fn is_given(&self) -> bool {
        self.is_some()
    }

    fn or(self, other: Self) -> Self {
        self.or(other)
    }

    fn read(name: &'static str, text: &str, range: &str) -> Result<Self> {
        text.parse().map(Some).map_err(|misread: T::Err| misread.of(name, text, range))
    }
}

impl Field for Vec<String> {
    const LIST: bool = true;

    fn is_given(&self) -> bool {
        !self.is_empty()
    }

    fn or(self, other: Self) -> Self {
        if self.is_empty() { other } else { self }
    }

    fn read(_: &'static str, text: &str, _: &str) -> Result<Self> {
        Ok(split(text))
    }
}

/// The parts of a list.
fn split(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

/// Why a text is not a value.
pub(crate) trait Misread {
    /// The error of the setting `name`.
    fn of(self, name: &'static str, text: &str, range: &str) -> Error;
}

impl Misread for Error {
    /// Types that several settings have do not know the name.
    fn of(self, name: &'static str, _: &str, _: &str) -> Error {
        match self {
            Self::Setting { value, range, .. } => Self::Setting { name, value, range },
            other => other,
        }
    }
}

impl Misread for ParseFloatError {
    fn of(self, name: &'static str, text: &str, range: &str) -> Error {
        out_of_range(name, &text, range)
    }
}

impl Misread for ParseIntError {
    fn of(self, name: &'static str, text: &str, range: &str) -> Error {
        out_of_range(name, &text, range)
    }
}

impl Misread for Infallible {
    fn of(self, _: &'static str, _: &str, _: &str) -> Error {
        match self {}
    }
}

/// The values that a number may have.
pub(crate) struct Range<T> {
    allows: fn(&T) -> bool,
    /// In words.
    pub(crate) text: &'static str,
}

impl<T: Display> Range<T> {
    /// Checks the value of the setting `name`.
    pub(crate) fn check(&self, name: &'static str, value: Option<&T>) -> Result<()> {
        match value.filter(|value| !(self.allows)(value)) {
            Some(value) => Err(out_of_range(name, value, self.text)),
            None => Ok(()),
        }
    }
}

pub(crate) const ABOVE_ZERO: Range<f64> = Range { allows: |v| *v > 0.0 && v.is_finite(), text: "a number above 0" };

pub(crate) const ZERO_OR_MORE: Range<f64> =
    Range { allows: |v| *v >= 0.0 && v.is_finite(), text: "a number of at least 0" };

pub(crate) const SHARE_OF_THE_PAST: Range<f64> =
    Range { allows: |v| (0.0..1.0).contains(v), text: "at least 0 and below 1" };

pub(crate) const WHOLE: Range<usize> = Range { allows: |_| true, text: "a whole number of at least 0" };

pub(crate) const TWO_OR_MORE: Range<usize> = Range { allows: |v| *v > 1, text: "a whole number of at least 2" };

pub(crate) const ONE_OR_MORE: Range<usize> = Range { allows: |v| *v > 0, text: "a whole number of at least 1" };

/// More threads than any machine has processors are a slip of the finger, and each takes memory.
pub(crate) const THREADS: Range<usize> =
    Range { allows: |v| (1..=1024).contains(v), text: "a whole number from 1 to 1024" };

/// TOML's integers end at `i64::MAX`, and config.toml has to hold the number.
pub(crate) const IN_A_FILE: Range<u64> =
    Range { allows: |v| i64::try_from(*v).is_ok(), text: "a whole number below 2⁶³" };
