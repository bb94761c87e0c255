//! The kinds of kernels with a scale for every column, and their names.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Which kernel. With the scaled distance r² = Σ_j w_j(x_j − x′_j)² and its part of one column r_j² = w_j(x_j − x′_j)²:
///
/// | name | k(x, x′) |
/// |---|---|
/// | `rbf` | exp(−½r²) |
/// | `matern12` | exp(−r) |
/// | `matern32` | (1 + √3r)·exp(−√3r) |
/// | `matern52` | (1 + √5r + 5r²/3)·exp(−√5r) |
/// | `anova-rbf`, `anova-matern12`, `anova-matern32` | Π_j \[(1 − c_j) + c_j·k₁(r_j)\], k₁ the kernel of that name |
/// | `nngp` | √(pp′)·(sin θ + (π − θ)cos θ)/π, cos θ = s/√(pp′), s = Σ_j w_j x_j x′_j + b, p and p′ its values at (x, x) and (x′, x′) |
///
/// The product of `anova` multiplied out is a sum over all subsets of the columns: every order of interaction
/// (durrande2012, duvenaud2011). `nngp` is the kernel of an infinitely wide ReLU layer (cho2009).
///
/// ```
/// use gramstep::kernel::ScaledKind;
/// let kind: ScaledKind = "anova-matern32".parse()?;
/// assert_eq!((kind, kind.to_string().as_str()), (ScaledKind::AnovaMatern32, "anova-matern32"));
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScaledKind {
    /// `rbf`
    Rbf,
    /// `matern12`
    Matern12,
    /// `matern32`
    Matern32,
    /// `matern52`
    Matern52,
    /// `anova-rbf`
    AnovaRbf,
    /// `anova-matern12`
    AnovaMatern12,
    /// `anova-matern32`
    AnovaMatern32,
    /// `nngp`
    Nngp,
}

impl ScaledKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Rbf,
        Self::Matern12,
        Self::Matern32,
        Self::Matern52,
        Self::AnovaRbf,
        Self::AnovaMatern12,
        Self::AnovaMatern32,
        Self::Nngp,
    ];

    /// Whether it is a product over the columns, with a share c_j of each.
    #[must_use]
    pub fn has_shares(self) -> bool {
        matches!(self, Self::AnovaRbf | Self::AnovaMatern12 | Self::AnovaMatern32)
    }

    /// Whether it has a bias b; it then depends on where 0 lies.
    #[must_use]
    pub fn has_bias(self) -> bool {
        self == Self::Nngp
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rbf => "rbf",
            Self::Matern12 => "matern12",
            Self::Matern32 => "matern32",
            Self::Matern52 => "matern52",
            Self::AnovaRbf => "anova-rbf",
            Self::AnovaMatern12 => "anova-matern12",
            Self::AnovaMatern32 => "anova-matern32",
            Self::Nngp => "nngp",
        }
    }
}

impl fmt::Display for ScaledKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ScaledKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::Specification {
                text: text.to_owned(),
                reason: format!("there is no such kernel; there are {names}"),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for kind in ScaledKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        let message = "matern2".parse::<ScaledKind>().unwrap_err().to_string();
        assert!(message.contains("matern12") && message.contains("nngp"), "{message}");
    }
}
