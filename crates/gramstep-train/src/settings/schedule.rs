//! How the learning rate goes on in the course of a run, and with it damping and momentum.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use gramstep::optim::Factors;
use serde::{Deserialize, Serialize};

use super::OptimizerName;
use crate::error::{Error, Result, conflict, out_of_range};
use crate::format::words::as_text;

/// Factor on the learning rate at each step down, unless the text says otherwise.
const STEP: f64 = 0.1;
const RANGE: &str = "constant, cosine or step:SHARE,.. (shares of the run at which the rate falls to a tenth, or by :factor=F), each \
     with :warm-up=SHARE if wanted, and unless constant :damping=F (the factor on the damping where the rate has fallen to 0) and \
     :momentum=M (the momentum there), such as cosine:warm-up=0.05 or step:0.5,0.75:factor=0.2";

/// A factor on the learning rate as a function of the progress of the run: the share of its epochs that are made, or of its
/// time that is over, whichever is larger. Written `constant`, `cosine` or `step:SHARE,..`, with `:warm-up=SHARE` for a
/// rise from 0 before it. With `:damping=F` the damping of gram-gauss-newton goes to F times what it is, and with `:momentum=M` the
/// momentum to M, both geometrically, as far as the learning rate has fallen.
///
/// ```
/// use gramstep_train::settings::ScheduleChoice;
/// let schedule: ScheduleChoice = "cosine:warm-up=0.1".parse()?;
/// assert_eq!((schedule.factor(0.05), schedule.factor(0.1), schedule.factor(1.0)), (0.5, 1.0, 0.0));
/// let steps: ScheduleChoice = "step:0.5,0.75:factor=0.5".parse()?;
/// assert_eq!((steps.factor(0.4), steps.factor(0.5), steps.factor(0.9)), (1.0, 0.5, 0.25));
/// # Ok::<(), gramstep_train::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScheduleChoice {
    form: Form,
    /// The share of the run in which the factor rises from 0.
    warm_up: f64,
    /// The factor on the damping where the learning rate has fallen to 0.
    damping: Option<f64>,
    /// The momentum there.
    momentum: Option<f64>,
}

#[derive(Clone, Debug, PartialEq)]
enum Form {
    Constant,
    /// Half a cosine from 1 to 0.
    Cosine,
    /// A factor at each of these shares of the run.
    Steps {
        at: Vec<f64>,
        factor: f64,
    },
}

impl ScheduleChoice {
    /// Always 1.
    pub const CONSTANT: Self = Self { form: Form::Constant, warm_up: 0.0, damping: None, momentum: None };
    /// Half a cosine from 1 to 0.
    pub const COSINE: Self = Self { form: Form::Cosine, ..Self::CONSTANT };

    /// The factor at some progress in 0..=1.
    #[must_use]
    pub fn factor(&self, progress: f64) -> f64 {
        if progress < self.warm_up {
            return progress / self.warm_up;
        }
        match &self.form {
            Form::Constant => 1.0,
            Form::Cosine => {
                let rest = (progress - self.warm_up) / (1.0 - self.warm_up);
                0.5 * (1.0 + (PI * rest.min(1.0)).cos())
            }
            Form::Steps { at, factor } => at.iter().filter(|at| progress >= **at).map(|_| factor).product(),
        }
    }

    /// The factors at some progress in 0..=1 on the settings of an optimiser with this momentum.
    ///
    /// ```
    /// use gramstep_train::settings::ScheduleChoice;
    /// let schedule: ScheduleChoice = "cosine:damping=0.01:momentum=0.99".parse()?;
    /// let (middle, end) = (schedule.factors(0.5, 0.9), schedule.factors(1.0, 0.9));
    /// assert!((middle.learning_rate - 0.5).abs() < 1e-12 && (middle.damping - 0.1).abs() < 1e-12);
    /// assert!((end.momentum(0.9) - 0.99).abs() < 1e-12);
    /// # Ok::<(), gramstep_train::Error>(())
    /// ```
    #[must_use]
    pub fn factors(&self, progress: f64, momentum: f64) -> Factors {
        let learning_rate = self.factor(progress);
        // Before the rate has risen nothing has fallen.
        let fallen = if progress < self.warm_up { 0.0 } else { 1.0 - learning_rate };
        Factors {
            learning_rate,
            damping: self.damping.map_or(1.0, |damping| damping.powf(fallen)),
            forgetting: self.momentum.map_or(1.0, |end| ((1.0 - end) / (1.0 - momentum)).powf(fallen)),
        }
    }

    /// That it moves nothing which the method does not have or that stays as it is.
    ///
    /// # Errors
    /// [`Error::Conflict`].
    pub(super) fn check(&self, optimizer: OptimizerName, adapts: bool, momentum: f64) -> Result<()> {
        let refused = |other: String, reason: &str| Err(conflict("schedule", other, reason));
        if self.damping.is_some() && optimizer != OptimizerName::GramGaussNewton {
            return refused(
                format!("--optimizer {optimizer}"),
                "its :damping= is a setting of gram-gauss-newton alone",
            );
        }
        if self.damping.is_some() && adapts {
            let reason = "its :damping= moves a fixed one; on full batches it follows the gain of every step";
            return refused("an adaptive damping".to_owned(), reason);
        }
        if self.momentum.is_some() && momentum == 0.0 {
            return refused("--momentum 0".to_owned(), "its :momentum= moves a momentum above 0");
        }
        Ok(())
    }

    /// What it is for a method without damping.
    pub(crate) fn without_damping(&self) -> Self {
        Self { damping: None, ..self.clone() }
    }

    /// Whether it is always 1.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        *self == Self::CONSTANT
    }
}

impl FromStr for ScheduleChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let fault = || out_of_range("schedule", &text, RANGE);
        let share = |text: &str| text.parse().ok().filter(|share| (0.0..1.0).contains(share)).ok_or_else(fault);
        let mut parts = text.split(':').peekable();
        let mut form = match parts.next() {
            Some("constant") => Form::Constant,
            Some("cosine") => Form::Cosine,
            Some("step") => {
                let at: Vec<f64> = parts.next().ok_or_else(fault)?.split(',').map(share).collect::<Result<_>>()?;
                if at.windows(2).any(|pair| pair[0] >= pair[1]) {
                    return Err(fault());
                }
                Form::Steps { at, factor: STEP }
            }
            _ => return Err(fault()),
        };
        if let (Form::Steps { factor, .. }, Some(given)) =
            (&mut form, parts.peek().and_then(|part| part.strip_prefix("factor=")))
        {
            *factor = given.parse().ok().filter(|factor| *factor > 0.0 && *factor < 1.0).ok_or_else(fault)?;
            parts.next();
        }
        let falls = form != Form::Constant;
        let mut option = |name: &str| {
            let given = parts.peek()?.strip_prefix(name)?;
            parts.next();
            Some(given)
        };
        let warm_up = option("warm-up=").map_or(Ok(0.0), share)?;
        let above_zero = |text: &str| text.parse().ok().filter(|factor: &f64| *factor > 0.0 && factor.is_finite());
        let damping = option("damping=").map(|text| above_zero(text).ok_or_else(fault)).transpose()?;
        let momentum = option("momentum=").map(share).transpose()?;
        let follows = damping.is_some() || momentum.is_some();
        if parts.next().is_some() || (follows && !falls) {
            return Err(fault());
        }
        Ok(Self { form, warm_up, damping, momentum })
    }
}

impl fmt::Display for ScheduleChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.form {
            Form::Constant => f.write_str("constant")?,
            Form::Cosine => f.write_str("cosine")?,
            Form::Steps { at, factor } => {
                let at: Vec<String> = at.iter().map(f64::to_string).collect();
                write!(f, "step:{}", at.join(","))?;
                if *factor != STEP {
                    write!(f, ":factor={factor}")?;
                }
            }
        }
        let given = [
            ("warm-up", Some(self.warm_up).filter(|share| *share > 0.0)),
            ("damping", self.damping),
            ("momentum", self.momentum),
        ];
        given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .try_for_each(|(name, value)| write!(f, ":{name}={value}"))
    }
}

as_text!(ScheduleChoice);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_read_back_and_nonsense_is_refused() {
        for text in [
            "constant",
            "cosine",
            "cosine:warm-up=0.05",
            "step:0.5",
            "step:0.5,0.75:factor=0.2",
            "step:0.5,0.75:warm-up=0.1",
            "step:0.3:factor=0.5:warm-up=0.1",
            "constant:warm-up=0.2",
            "cosine:damping=0.1",
            "step:0.5:factor=0.2:warm-up=0.1:damping=0.1:momentum=0.99",
            "cosine:momentum=0.5",
        ] {
            assert_eq!(text.parse::<ScheduleChoice>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "linear",
            "step",
            "step:",
            "step:2",
            "step:0.7,0.5",
            "step:0.5:factor=1",
            "cosine:0.1",
            "cosine:warm-up=1",
            "cosine:factor=0.5",
            "cosine:warm-up=0.1:warm-up=0.1",
            "step:nan",
            "cosine:warm-up=nan",
            "cosine:damping=0",
            "cosine:damping=inf",
            "cosine:momentum=1",
            "cosine:momentum=0.9:damping=0.1",
            "constant:damping=0.1",
        ] {
            assert!(text.parse::<ScheduleChoice>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_factor_rises_to_one_and_never_again() {
        for text in ["cosine:warm-up=0.1", "step:0.2,0.8:warm-up=0.1", "constant:warm-up=0.1", "cosine"] {
            let schedule: ScheduleChoice = text.parse().unwrap();
            let factors: Vec<f64> = (0..=100).map(|i| schedule.factor(f64::from(i) / 100.0)).collect();
            let start = if text.contains("warm-up") { 10 } else { 0 };
            assert_eq!(factors[start], 1.0, "{text}");
            assert!(factors[..start].windows(2).all(|pair| pair[0] < pair[1]), "{text}");
            assert!(factors[start..].windows(2).all(|pair| pair[0] >= pair[1]), "{text}");
        }
        let following: ScheduleChoice = "cosine:warm-up=0.2:damping=0.25:momentum=0.99".parse().unwrap();
        for (progress, damping, momentum) in
            [(0.0, 1.0, 0.9), (0.1, 1.0, 0.9), (0.2, 1.0, 0.9), (0.6, 0.5, 1.0 - 1e-3_f64.sqrt()), (1.0, 0.25, 0.99)]
        {
            let factors = following.factors(progress, 0.9);
            assert!((factors.damping - damping).abs() < 1e-12, "{progress}: {factors:?}");
            assert!((factors.momentum(0.9) - momentum).abs() < 1e-12, "{progress}: {factors:?}");
            assert_eq!(factors.momentum(0.0), 0.0);
        }
        assert!(ScheduleChoice::COSINE.factor(7.0).abs() < 1e-15, "beyond its end it stays there");
    }
}
