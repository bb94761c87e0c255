//! How much is added to the diagonal of G, and how that adapts.

use serde::{Deserialize, Serialize};

use crate::error::{Result, check_not_negative, check_positive, check_setting};

/// The damping λ of a Gram-Gauss-Newton step.
///
/// ```
/// use gramstep::optim::{AdaptiveDamping, Damping, GramGaussNewton, GramGaussNewtonConfig};
/// let adaptive = Damping::Adaptive(AdaptiveDamping::starting_at(1e-3));
/// GramGaussNewton::<f64>::new(GramGaussNewtonConfig::default().with_damping(adaptive))?;
/// let negative = GramGaussNewtonConfig::default().with_damping(Damping::Relative(-1.0));
/// assert!(GramGaussNewton::<f64>::new(negative).is_err());
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Damping {
    /// λ = F · mean diag BᵀGB, B the curvature factor of the loss and the sample weights. For the squared loss
    /// without sample weights B = 1 and this is F · mean diag G; for cross-entropy it shrinks as probabilities
    /// approach 0 and 1, and [`Loss::reach`](crate::loss::Loss::reach) bounds the step.
    Relative(f64),
    /// λ itself.
    Absolute(f64),
    /// Levenberg–Marquardt: F rises when a step fails and falls when the linearisation predicts well. Full batch
    /// only: on mini-batches the gain ratio of the step's own batch stays near 1 and drives λ to 0.
    Adaptive(AdaptiveDamping),
}

impl Default for Damping {
    fn default() -> Self {
        Self::Relative(1e-2)
    }
}

/// Levenberg–Marquardt damping: F as in [`Damping::Relative`], relative to the mean diagonal of BᵀGB.
///
/// ```
/// use gramstep::optim::AdaptiveDamping;
/// let damping = AdaptiveDamping::starting_at(1e-4);
/// assert_eq!((damping.initial, damping.floor), (1e-4, AdaptiveDamping::default().floor));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AdaptiveDamping {
    /// F of the first step.
    pub initial: f64,
    /// Smallest F.
    pub floor: f64,
    /// Largest F; a step that fails there is given up, with the solve's error if that was the reason.
    pub ceiling: f64,
    /// Factor on F after a rejected step or a failed solve, and after an accepted one whose gain ratio is below ¼.
    pub raise: f64,
    /// Factor on F after a step whose gain ratio is above ¾.
    pub lower: f64,
}

impl Default for AdaptiveDamping {
    fn default() -> Self {
        Self { initial: 1e-2, floor: 1e-12, ceiling: 1e8, raise: 4.0, lower: 0.5 }
    }
}

impl AdaptiveDamping {
    /// Other values of F at the start.
    #[must_use]
    pub fn starting_at(initial: f64) -> Self {
        Self { initial, ..Self::default() }
    }

    /// F after a failure at `level`.
    pub(super) fn raised(self, level: f64) -> f64 {
        (level * self.raise).clamp(self.floor, self.ceiling)
    }

    /// F after a step at `level` with that gain ratio.
    pub(super) fn after(self, level: f64, accepted: bool, gain: f64) -> f64 {
        let factor = match (accepted, gain) {
            (false, _) => self.raise,
            (true, gain) if gain < 0.25 => self.raise,
            (true, gain) if gain > 0.75 => self.lower,
            (true, _) => 1.0,
        };
        (level * factor).clamp(self.floor, self.ceiling)
    }
}

/// The least that will be added to the diagonal of a system: F times its mean, and a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeastDamping {
    pub(super) relative: f64,
    pub(super) absolute: f64,
}

impl Damping {
    /// What a system with a ridge κ has on its diagonal at least; `level`: the least F where it is adaptive.
    pub(super) fn least(self, level: f64, ridge: f64) -> LeastDamping {
        match self {
            Self::Relative(relative) => LeastDamping { relative, absolute: ridge },
            Self::Absolute(absolute) => LeastDamping { relative: 0.0, absolute: absolute + ridge },
            Self::Adaptive(_) => LeastDamping { relative: level, absolute: ridge },
        }
    }

    /// λ for that mean diagonal; `level`: F where it is adaptive.
    pub(super) fn value(self, level: f64, mean_diagonal: f64) -> f64 {
        match self {
            Self::Relative(relative) => relative * mean_diagonal,
            Self::Absolute(absolute) => absolute,
            Self::Adaptive(_) => level * mean_diagonal,
        }
    }

    /// F of the first step; 0 where it is not adaptive.
    pub(super) fn first_level(self) -> f64 {
        match self {
            Self::Adaptive(rule) => rule.initial,
            Self::Relative(_) | Self::Absolute(_) => 0.0,
        }
    }

    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::Relative(f) | Self::Absolute(f) => check_not_negative("damping", f),
            Self::Adaptive(adaptive) => {
                let AdaptiveDamping { initial, floor, ceiling, raise, lower } = adaptive;
                let inside = initial >= floor && initial <= ceiling;
                check_setting(inside, "initial damping", &initial, "between floor and ceiling")?;
                check_positive("damping floor", floor)?;
                check_positive("damping ceiling", ceiling)?;
                check_setting(raise > 1.0 && raise.is_finite(), "damping raise", &raise, "> 1")?;
                check_setting(lower > 0.0 && lower <= 1.0, "damping lower", &lower, "above 0, at most 1")
            }
        }
    }
}
