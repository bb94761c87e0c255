//! The mark between the cells of a line, as it is said.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, out_of_range};
use crate::format::words::as_text;

/// The mark between the cells of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Separator {
    /// The one that cuts all lines into as many cells.
    #[default]
    Auto,
    /// This one.
    Mark(u8),
}

impl FromStr for Separator {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.as_bytes()) {
            ("auto", _) => Ok(Self::Auto),
            ("tab" | "\\t", _) => Ok(Self::Mark(b'\t')),
            ("space", _) => Ok(Self::Mark(b' ')),
            ("comma", _) => Ok(Self::Mark(b',')),
            (_, &[mark])
                if mark.is_ascii() && !mark.is_ascii_alphanumeric() && !matches!(mark, b'"' | b'\n' | b'\r' | 0) =>
            {
                Ok(Self::Mark(mark))
            }
            _ => Err(out_of_range(
                "delimiter",
                &text,
                "auto, tab, space or one character that is no letter, digit or quote",
            )),
        }
    }
}

impl fmt::Display for Separator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Mark(b'\t') => f.write_str("tab"),
            Self::Mark(b' ') => f.write_str("space"),
            Self::Mark(mark) => write!(f, "{}", char::from(*mark)),
        }
    }
}

as_text!(Separator);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_written_as_they_are_read() {
        for text in ["auto", "tab", "space", ",", ";", "|", "~"] {
            assert_eq!(text.parse::<Separator>().unwrap().to_string(), text);
        }
        for text in ["", "ab", "\"", "a", "5", "ä", "\n"] {
            assert!(text.parse::<Separator>().is_err(), "{text:?}");
        }
    }
}
