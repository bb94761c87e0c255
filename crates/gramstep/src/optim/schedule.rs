//! Learning rates over steps.

use serde::{Deserialize, Serialize};

use crate::error::{Result, check_setting};

/// A factor on the learning rate as a function of the step.
///
/// ```
/// use gramstep::optim::Schedule;
/// let schedule = Schedule::Cosine { steps: 100, floor: 0.0 };
/// assert_eq!(schedule.factor(0), 1.0);
/// assert!((schedule.factor(50) - 0.5).abs() < 1e-12);
/// assert_eq!([0, 1, 3, 9].map(|step| Schedule::Rise { steps: 4 }.factor(step)), [0.25, 0.5, 1.0, 1.0]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Schedule {
    /// Always 1.
    #[default]
    Constant,
    /// From 1/`steps` to 1 over `steps` steps, then 1: a warm-up.
    Rise {
        /// Length in steps.
        steps: u64,
    },
    /// From 1 to `floor` along half a cosine over `steps` steps, then `floor`.
    Cosine {
        /// Length in steps.
        steps: u64,
        /// Factor at the end, in 0..=1.
        floor: f64,
    },
    /// `rate`^(step/`steps`): smooth decay by `rate` every `steps` steps.
    Exponential {
        /// Length in steps.
        steps: u64,
        /// Factor per length, in 0..=1.
        rate: f64,
    },
}

impl Schedule {
    /// The factor at a step, counted from 0.
    #[must_use]
    pub fn factor(self, step: u64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Rise { steps } => ((step + 1) as f64 / steps.max(1) as f64).min(1.0),
            Self::Cosine { steps, floor } => {
                let progress = (step as f64 / steps.max(1) as f64).min(1.0);
                floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
            }
            Self::Exponential { steps, rate } => rate.powf(step as f64 / steps.max(1) as f64),
        }
    }

    pub(super) fn check(self) -> Result<()> {
        let unit = |name, value: f64| check_setting((0.0..=1.0).contains(&value), name, &value, "between 0 and 1");
        match self {
            Self::Constant | Self::Rise { .. } => Ok(()),
            Self::Cosine { floor, .. } => unit("schedule floor", floor),
            Self::Exponential { rate, .. } => unit("schedule rate", rate),
        }
    }
}
