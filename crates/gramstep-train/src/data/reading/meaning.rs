//! What the cells of columns mean: found in a table, kept with the model, and asked of every later table.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::separator::Separator;
use crate::format::date::DateOrder;
use crate::format::number_form::NumberForm;

/// What the cells of a column are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Meaning {
    /// Numbers.
    Number {
        /// How they are written.
        #[serde(flatten)]
        form: NumberForm,
        /// Percent, currency or unit of each of them; empty where there is none.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        affix: String,
        /// Whether some of them have none all the same, as the user said.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        mixed: bool,
    },
    /// Dates, with or without time.
    Date {
        /// The order of their numbers.
        order: DateOrder,
    },
    /// Text, as it stands.
    Text,
    /// Text in which what looks like a number is in its shortest form: `007` is `7`. Models of earlier versions read so.
    Shortened,
}

impl Meaning {
    /// Numbers as programs write them: with a decimal point and nothing else.
    pub(crate) const PLAIN: Self = Self::Number { form: NumberForm::PLAIN, affix: String::new(), mixed: false };
}

/// What the cells of a table mean; the columns that are not named hold plain numbers or say it themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reading {
    /// Columns that are no plain numbers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Meaning>,
    /// Values of columns of text that elsewhere are gaps: `None`, `NA`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<String, BTreeSet<String>>,
    /// Whether the first line is a row, so that columns are known by their places.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub headless: bool,
    /// How many columns are known by their places alone; 0 where they have names.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub places: usize,
    /// What the user said of gaps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// What the user said of the mark between cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<Separator>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde asks
fn is_zero(places: &usize) -> bool {
    *places == 0
}
