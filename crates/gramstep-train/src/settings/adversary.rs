//! What a network is trained against, as it is written.

use std::fmt;
use std::str::FromStr;

use gramstep::attack::{NamedAttack, Norm, ThreatModel};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::format::words::as_text;

/// What a network is trained against: `NORM:RADIUS:ATTACK`, such as `linf:0.1:pgd:10`.
///
/// ```
/// use gramstep_train::settings::Adversary;
/// let adversary: Adversary = "linf:0.1:pgd:10".parse()?;
/// assert_eq!(adversary.to_string(), "linf:0.1:pgd:10:1");
/// assert!("l1:0.1:pgd".parse::<Adversary>().is_err());
/// # Ok::<(), gramstep_train::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Adversary {
    /// How perturbations are measured.
    pub norm: Norm,
    /// In the units of the data.
    pub radius: f64,
    /// The inner attack.
    pub attack: NamedAttack,
}

impl fmt::Display for Adversary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.norm, self.radius, self.attack)
    }
}

impl FromStr for Adversary {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let range = "NORM:RADIUS:ATTACK, such as linf:0.1:pgd:10";
        let fault = || Error::Setting { name: "adversarial", value: text.to_owned(), range: range.to_owned() };
        let mut parts = text.splitn(3, ':');
        let (Some(norm), Some(radius), Some(attack)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(fault());
        };
        let radius = radius.parse().map_err(|_| fault())?;
        let norm = norm.parse()?;
        ThreatModel::new(norm, radius)?;
        Ok(Self { norm, radius, attack: attack.parse()? })
    }
}

as_text!(Adversary);
