//! Which kinds of model a run tries.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, out_of_range};
use crate::format::words::as_text;

/// What a run tries on a table beside its networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub struct Candidates {
    /// Kernel regressions with a scale for every column: all that is tried is weighted.
    pub kernels: bool,
    /// Ridge regression: weighted with the kernels, without them in place of the networks where it is better.
    pub linear: bool,
}

impl Candidates {
    /// The networks alone.
    pub const NETWORKS: Self = Self { kernels: false, linear: false };
    /// The better one of networks and ridge regression.
    pub const NETWORKS_AND_LINE: Self = Self { kernels: false, linear: true };
    /// The combination of networks, kernels and ridge regression.
    pub const ALL: Self = Self { kernels: true, linear: true };

    /// The share of a time limit that the networks have.
    pub(crate) fn share_of_networks(self) -> f64 {
        if self.kernels { 0.6 } else { 1.0 }
    }
}

impl FromStr for Candidates {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (mut networks, mut found) = (false, Self::NETWORKS);
        for word in text.split(',') {
            let kind = match word {
                "networks" => &mut networks,
                "kernels" => &mut found.kernels,
                "linear" => &mut found.linear,
                _ => &mut true,
            };
            if std::mem::replace(kind, true) {
                networks = false;
                break;
            }
        }
        let range = "networks, with kernels or linear or both: networks,kernels,linear";
        if networks { Ok(found) } else { Err(out_of_range("candidates", &text, range)) }
    }
}

impl fmt::Display for Candidates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("networks")?;
        f.write_str(if self.kernels { ",kernels" } else { "" })?;
        f.write_str(if self.linear { ",linear" } else { "" })
    }
}

as_text!(Candidates);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_once_each_and_networks_always() {
        for text in ["networks", "networks,kernels", "networks,linear", "networks,kernels,linear"] {
            assert_eq!(text.parse::<Candidates>().unwrap().to_string(), text);
        }
        assert_eq!("linear,kernels,networks".parse::<Candidates>().unwrap(), Candidates::ALL);
        for text in ["", "kernels", "linear,kernels", "networks,networks", "networks,trees", "networks,"] {
            assert!(text.parse::<Candidates>().is_err(), "{text}");
        }
    }
}
