//! Attacks by their one-line text form, for command lines: `fgsm`, `pgd:40:5`, `apgd:100`.

use std::fmt;
use std::str::FromStr;

use super::{Apgd, Attack, Fgsm, Pgd, Search};
use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// An attack that a text names: `fgsm`, `pgd[:STEPS[:RESTARTS]]` or `apgd[:STEPS[:RESTARTS]]`.
///
/// ```
/// use gramstep::attack::NamedAttack;
/// let attack: NamedAttack = "pgd:40:5".parse()?;
/// assert_eq!(attack.to_string(), "pgd:40:5");
/// assert!("pgd:0".parse::<NamedAttack>().is_err());
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum NamedAttack {
    /// One full step.
    Fgsm,
    /// Projected gradient ascent.
    Pgd(Pgd),
    /// The same with a step size of its own choice.
    Apgd(Apgd),
}

impl NamedAttack {
    /// The same attack with another seed of random starts.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        match self {
            Self::Fgsm => Self::Fgsm,
            Self::Pgd(pgd) => Self::Pgd(pgd.with_seed(seed)),
            Self::Apgd(apgd) => Self::Apgd(apgd.with_seed(seed)),
        }
    }

    fn inner<T: Scalar>(&self) -> &dyn Attack<T> {
        match self {
            Self::Fgsm => &Fgsm,
            Self::Pgd(pgd) => pgd,
            Self::Apgd(apgd) => apgd,
        }
    }
}

impl fmt::Display for NamedAttack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fgsm => f.write_str("fgsm"),
            Self::Pgd(Pgd { steps, restarts, .. }) => write!(f, "pgd:{steps}:{restarts}"),
            Self::Apgd(Apgd { steps, restarts, .. }) => write!(f, "apgd:{steps}:{restarts}"),
        }
    }
}

impl FromStr for NamedAttack {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let range = "fgsm, pgd[:STEPS[:RESTARTS]] or apgd[:STEPS[:RESTARTS]] with numbers from 1 on";
        let fault = || Error::Setting { name: "attack", value: text.to_owned(), range };
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let numbers: Vec<usize> =
            parts.map(|part| part.parse().ok().filter(|&n| n > 0)).collect::<Option<_>>().ok_or_else(fault)?;
        let number = |at: usize, default: usize| numbers.get(at).copied().unwrap_or(default);
        match (name, numbers.len()) {
            ("fgsm", 0) => Ok(Self::Fgsm),
            ("pgd", 0..=2) => Ok(Self::Pgd(Pgd::new(number(0, 40)).with_restarts(number(1, 1)))),
            ("apgd", 0..=2) => Ok(Self::Apgd(Apgd::new(number(0, 100)).with_restarts(number(1, 1)))),
            _ => Err(fault()),
        }
    }
}

impl<T: Scalar> Attack<T> for NamedAttack {
    fn name(&self) -> &'static str {
        self.inner::<T>().name()
    }

    fn check(&self) -> Result<()> {
        self.inner::<T>().check()
    }

    fn evaluations(&self) -> usize {
        self.inner::<T>().evaluations()
    }

    fn starts_at_the_sample(&self) -> bool {
        self.inner::<T>().starts_at_the_sample()
    }

    fn makes_one_step(&self) -> bool {
        self.inner::<T>().makes_one_step()
    }

    fn search(&self, search: &mut Search<'_, T>) -> Result<()> {
        self.inner().search(search)
    }
}
