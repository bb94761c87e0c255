//! Which kinds of model a run may end with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, outside};
use crate::format::words::as_text;

/// What a run tries; it keeps the one that predicts rows it has not seen best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub struct Candidates {
    /// Whether ridge regression may take the place of the networks.
    pub linear: bool,
}

impl Candidates {
    /// The networks alone.
    pub const NETWORKS: Self = Self { linear: false };
    /// Networks, and ridge regression where it is better.
    pub const ALL: Self = Self { linear: true };
}

impl FromStr for Candidates {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "networks" => Ok(Self::NETWORKS),
            "networks,linear" | "linear,networks" => Ok(Self::ALL),
            _ => Err(outside("candidates", &text, "networks, or networks,linear")),
        }
    }
}

impl fmt::Display for Candidates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.linear { "networks,linear" } else { "networks" })
    }
}

as_text!(Candidates);
