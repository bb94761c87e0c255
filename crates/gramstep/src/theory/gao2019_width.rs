//! To be robust a network has to be wider than to be right (gao2019).
//!
//! ```text
//! m(ε) = the smallest number of hidden units whose linearisation is right on whole balls of radius ε
//! m(ε) > m(0)
//! ```
//!
//! Units are nested: m units are the first m of more, so that a larger network can do what a smaller one can.

use super::certificate::{Assumption, Certificate, Check, Relation};
use super::ground::{Ground, Points, Progress};
use super::network::lost;
use super::picture::{Mark, Picture, Role};
use super::robust::{RobustSetting, network};
use super::statistics::{largest, mean, smallest};
use super::{Claim, Effort};
use crate::device::Device;
use crate::error::Result;

/// Most units that are tried, in each of the two copies.
const MOST_UNITS: usize = 256;

/// Rounds of cutting planes after which a width counts as too small; widths that are just enough take about 25.
const PATIENCE: usize = 30;

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
                of_seed.push(smallest_width(&setting, &points, seed, &ground.device)?);
                progress.advance(1.0);
            }
            needed.push(of_seed);
        }
        Ok(self.judge(ground, (off_sphere, separation), &needed))
    }
}

impl RobustWidth {
    fn judge(&self, ground: &Ground, (off_sphere, separation): (f64, f64), needed: &[Vec<f64>]) -> Certificate {
        let clean = |of_seed: &[f64]| of_seed.first().copied().unwrap_or(f64::NAN);
        let robust = |of_seed: &[f64]| of_seed.last().copied().unwrap_or(f64::NAN);
        let more = smallest(needed.iter().map(|of_seed| robust(of_seed) - clean(of_seed)));
        let falls = smallest(needed.iter().flat_map(|of_seed| of_seed.windows(2).map(|pair| pair[1] - pair[0])));
        let (without, with) =
            (mean(needed.iter().map(|of_seed| clean(of_seed))), mean(needed.iter().map(|of_seed| robust(of_seed))));
        let radius = self.radii.last().copied().unwrap_or(0.0);
        let points = needed.iter().flat_map(|of_seed| self.radii.iter().copied().zip(of_seed.iter().copied()));
        let (n, d) = (self.setting.samples, self.setting.inputs);
        let (n, d) = ground.data.as_ref().map_or((n, d), |data| (data.samples(), data.inputs.columns()));
        Certificate::new(self.name(), self.source(), self.statement())
            .tried(
                &ground.seeds,
                format!("n = {n}, d = {d}; quadratic relu, labels ±1, ℓ2 radius up to {radius}; nested units, bisection"),
            )
            .assume(Assumption::on_the_sphere(off_sphere))
            .assume(Assumption::balls_apart(separation))
            .constant("units needed for the samples alone, mean", without)
            .constant("units needed at the largest radius, mean", with)
            .check(Check::new("more units at the largest radius, smallest over seeds", more, Relation::AtLeast, 1.0))
            .check(Check::new("more units from radius to radius, smallest", falls, Relation::AtLeast, 0.0))
            .picture(
                Picture::new("Hidden units needed", "radius of the attack", "hidden units")
                    .curve("measured, one point a seed", Role::Measured, Mark::Points, points)
                    .curve(
                        "predicted: more than without attack",
                        Role::Predicted,
                        Mark::Line,
                        self.radii.iter().map(move |&radius| (radius, without)),
                    )
                    .say("The larger the attacks to be withstood, the more units it takes."),
            )
            .say(format!(
                "To be right on {n} samples took {without:.1} hidden units on average, to be right on all points within \
                 {radius} of them {with:.1}."
            ))
    }
}

/// By doubling and bisection; not a number if the most that are tried do not suffice, or where balls of different
/// labels meet, which no network can fit.
fn smallest_width(setting: &RobustSetting, points: &Points, seed: u64, device: &Device) -> Result<f64> {
    if setting.separation(points) < 1.0 {
        return Ok(f64::NAN);
    }
    let suffices = |units: usize| -> Result<bool> {
        let trial = network(points.clone(), 2 * units, true, seed, device)?;
        Ok(lost(setting.fit(&trial, PATIENCE))?.is_some_and(|fit| fit.converged))
    };
    let mut enough = 1;
    while !suffices(enough)? {
        enough *= 2;
        if enough > MOST_UNITS {
            return Ok(f64::NAN);
        }
    }
    let mut too_few = enough / 2;
    while enough - too_few > 1 {
        let middle = usize::midpoint(enough, too_few);
        if suffices(middle)? { enough = middle } else { too_few = middle }
    }
    Ok(enough as f64)
}
