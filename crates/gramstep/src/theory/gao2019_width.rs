//! To be robust a network has to be wider than to be right (gao2019).
//!
//! ```text
//! m(ε) = the smallest number of hidden units whose linearisation is right on whole balls of radius ε
//! m(ε) > m(0)
//! ```
//!
//! Units are nested: m units are the first m of more, so that a larger network can do what a smaller one can. What is
//! certified is a bracket, too_few < m(ε) ≤ enough: a width is enough where cutting planes end in a fit that the attack
//! cannot break, and too small only where points within the balls were gathered whose margins contradict each other. A
//! width at which the rounds run out is neither. m(ε) > m(0) is certified where too_few at ε is no less than enough at 0.

use std::collections::BTreeMap;

use super::certificate::{Assumption, Certificate, Check, Relation};
use super::ground::{Ground, Points, Progress};
use super::picture::{Mark, Picture, Role};
use super::robust::{RobustSetting, network};
use super::statistics::{largest, mean, smallest};
use super::{Claim, Effort};
use crate::device::Device;
use crate::error::{Error, Result};

/// Most units that are tried, in each of the two copies.
const MOST_UNITS: usize = 256;

/// Rounds of cutting planes after which a width is left open; most are decided after about 25.
const PATIENCE: usize = 60;

/// The claim `gao2019-width`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RobustWidth {
    /// Points and attacker; its radius is the largest of `radii`.
    pub setting: RobustSetting,
    /// ε, ascending, the first 0.
    pub radii: Vec<f64>,
}

impl RobustWidth {
    /// The setting of an effort.
    #[must_use]
    pub fn new(effort: Effort) -> Self {
        let (samples, radii) = match effort {
            Effort::Quick => (20, vec![0.0, 0.1, 0.2]),
            Effort::Full => (40, vec![0.0, 0.05, 0.1, 0.15, 0.2, 0.25]),
        };
        let radius = radii.last().copied().unwrap_or(0.0);
        Self { setting: RobustSetting { samples, radius, ..RobustSetting::default() }, radii }
    }
}

impl Claim for RobustWidth {
    fn name(&self) -> &'static str {
        "gao2019-width"
    }

    fn source(&self) -> &'static str {
        "gao2019"
    }

    fn statement(&self) -> &'static str {
        "To withstand attacks a network needs more hidden units than to be right on the samples alone."
    }

    fn certify(&self, ground: &Ground, tell: &mut dyn FnMut(f64)) -> Result<Certificate> {
        ground.check()?;
        let mut progress = Progress::new(tell, (self.radii.len() * ground.seeds.len()) as f64);
        let (mut needed, mut off_sphere, mut separation) = (Vec::new(), 0.0, f64::INFINITY);
        for &seed in &ground.seeds {
            let points = self.setting.points(ground, seed)?;
            off_sphere = largest([off_sphere, points.off_sphere()]);
            separation = smallest([separation, self.setting.separation(&points)]);
            let mut of_seed = Vec::with_capacity(self.radii.len());
            for &radius in &self.radii {
                let setting = RobustSetting { radius, ..self.setting.clone() };
                of_seed.push(Bracket::find(&setting, &points, seed, &ground.device)?);
                progress.advance(1.0);
            }
            needed.push(of_seed);
        }
        Ok(self.judge(ground, (off_sphere, separation), &needed))
    }
}

impl RobustWidth {
    fn judge(&self, ground: &Ground, (off_sphere, separation): (f64, f64), needed: &[Vec<Bracket>]) -> Certificate {
        let clean = |of_seed: &[Bracket]| of_seed.first().map_or(f64::NAN, |bracket| bracket.enough);
        let robust = |of_seed: &[Bracket]| of_seed.last().map_or(f64::NAN, |bracket| bracket.too_few);
        let more = smallest(needed.iter().map(|of_seed| robust(of_seed) - clean(of_seed)));
        let pairs = needed.iter().flat_map(|of_seed| of_seed.windows(2));
        let falls = smallest(pairs.map(|pair| pair[1].enough - pair[0].too_few));
        let at = |value: &dyn Fn(&[Bracket]) -> f64| mean(needed.iter().map(|of_seed| value(of_seed)));
        let (without, beyond) = (at(&clean), at(&robust));
        let with = at(&|of_seed| of_seed.last().map_or(f64::NAN, |bracket| bracket.enough));
        let radius = self.radii.last().copied().unwrap_or(0.0);
        let curve = |of: fn(&Bracket) -> f64| {
            let of_seed = |of_seed: &Vec<Bracket>| of_seed.iter().map(of).collect::<Vec<_>>();
            needed.iter().flat_map(|seed| self.radii.iter().copied().zip(of_seed(seed))).collect::<Vec<_>>()
        };
        let (n, d) = (self.setting.samples, self.setting.inputs);
        let (n, d) = ground.data.as_ref().map_or((n, d), |data| (data.samples(), data.inputs.columns()));
        Certificate::new(self.name(), self.source(), self.statement())
            .tried(
                &ground.seeds,
                format!(
                    "n = {n}, d = {d}; quadratic relu, labels ±1, ℓ2 radius up to {radius}; nested pairs of units with opposite signs, linearised, bisection"
                ),
            )
            .assume(Assumption::on_the_sphere(off_sphere))
            .assume(Assumption::balls_apart(separation))
            .constant("pairs of units that are enough for the samples alone, mean", without)
            .constant("pairs of units that are proven too few at the largest radius, mean", beyond)
            .constant("pairs of units that are enough there, mean", with)
            .check(Check::new(
                "pairs of units proven too few at the largest radius less those enough for the samples, smallest over seeds",
                more,
                Relation::AtLeast,
                0.0,
            ))
            .check(Check::new(
                "pairs of units enough at a radius less those proven too few at the one before, smallest",
                falls,
                Relation::AtLeast,
                1.0,
            ))
            .picture(
                Picture::new("Hidden units needed", "radius of the attack", "pairs of hidden units")
                    .curve("measured: enough, one point a seed", Role::Measured, Mark::Points, curve(|it| it.enough))
                    .curve("proven too few", Role::Control, Mark::Points, curve(|it| it.too_few))
                    .curve(
                        "predicted: more than without attack",
                        Role::Predicted,
                        Mark::Line,
                        self.radii.iter().map(move |&radius| (radius, without)),
                    )
                    .say("The larger the attacks to be withstood, the more units it takes."),
            )
            .say(format!(
                "For the linearised network to be right on {n} samples {without:.1} pairs of hidden units are enough on \
                 average; to be right on all points within {radius} of them {beyond:.1} are proven too few and {with:.1} \
                 were found to be enough."
            ))
    }
}

/// too_few < m(ε) ≤ enough; not numbers where nothing is enough.
#[derive(Clone, Copy, Debug)]
struct Bracket {
    too_few: f64,
    enough: f64,
}

/// What cutting planes say of a number of units.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fit {
    Enough,
    TooFew,
    Open,
}

impl Bracket {
    /// By doubling, then by bisection from both sides; lost if the most units that are tried do not suffice, or where
    /// balls of different labels meet, which no network can fit.
    fn find(setting: &RobustSetting, points: &Points, seed: u64, device: &Device) -> Result<Self> {
        let nothing = Self { too_few: f64::NAN, enough: f64::NAN };
        if setting.separation(points) < 1.0 {
            return Ok(nothing);
        }
        let mut known = BTreeMap::new();
        let mut fit = |units: usize| -> Result<Fit> {
            if let Some(&fit) = known.get(&units) {
                return Ok(fit);
            }
            let trial = network(points.clone(), 2 * units, true, seed, device)?;
            let fit = match setting.fit(&trial, PATIENCE) {
                Ok(fit) if fit.converged => Fit::Enough,
                Ok(_) | Err(Error::NonFinite { .. } | Error::Solve { .. }) => Fit::Open,
                Err(Error::Conflict { .. }) => Fit::TooFew,
                Err(error) => return Err(error),
            };
            known.insert(units, fit);
            Ok(fit)
        };
        let mut enough = 1;
        while fit(enough)? != Fit::Enough {
            enough *= 2;
            if enough > MOST_UNITS {
                return Ok(nothing);
            }
        }
        let mut short = enough / 2;
        while enough - short > 1 {
            let middle = usize::midpoint(enough, short);
            if fit(middle)? == Fit::Enough { enough = middle } else { short = middle }
        }
        let (mut too_few, mut beyond) = (0, enough);
        while beyond - too_few > 1 {
            let middle = usize::midpoint(beyond, too_few);
            if fit(middle)? == Fit::TooFew { too_few = middle } else { beyond = middle }
        }
        Ok(Self { too_few: too_few as f64, enough: enough as f64 })
    }
}
