//! What classes are the names of.

use serde::{Deserialize, Serialize};

/// What classes are called by: a program gets its labels back as it gave them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Labels {
    /// Text, such as `01`.
    #[default]
    Text,
    /// Whole numbers in their shortest form.
    Integer,
    /// Other numbers.
    Number,
    /// `True` and `False`.
    Boolean,
}

impl Labels {
    /// Of classes in a table: whole numbers, if every one is written as such a number is.
    pub(super) fn of(classes: &[String]) -> Self {
        let whole = |class: &String| class.parse::<i64>().is_ok_and(|number| number.to_string() == *class);
        if classes.iter().all(whole) { Self::Integer } else { Self::Text }
    }
}
