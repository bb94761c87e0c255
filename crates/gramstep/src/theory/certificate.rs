//! What became of a claim: assumptions with their measured numbers, predictions beside measurements, a verdict.

use serde::Serialize;

use super::picture::Picture;
use super::statistics::exponent;

/// The largest tolerance of a fitted exponent: scattered points do not make a claim easier.
pub(super) const MOST_UNCERTAIN: f64 = 0.25;

/// What a certificate says of its claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// All assumptions that can be checked are met and every measurement is as predicted.
    Holds,
    /// The assumptions are met and a measurement is not as predicted, or something that was to be measured is not a
    /// number because a run left the finite ones.
    Refuted,
    /// An assumption is not met: the theorem says nothing here, whatever was measured.
    AssumptionsNotMet,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Holds => "holds",
            Self::Refuted => "refuted",
            Self::AssumptionsNotMet => "assumptions not met",
        })
    }
}

/// How a number is compared with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Relation {
    /// measured ≤ other
    AtMost,
    /// measured ≥ other
    AtLeast,
    /// |measured − other| ≤ tolerance
    Near,
}

impl Relation {
    /// How far the comparison is from failing, ≥ 0 where it holds; not a number where one of the two is not.
    fn slack(self, measured: f64, other: f64, tolerance: f64) -> f64 {
        match self {
            Self::AtMost => other + tolerance - measured,
            Self::AtLeast => measured - other + tolerance,
            Self::Near => tolerance - (measured - other).abs(),
        }
    }
}

impl std::fmt::Display for Relation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AtMost => "at most",
            Self::AtLeast => "at least",
            Self::Near => "near",
        })
    }
}

/// A condition of the theorem and the number that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Assumption {
    /// The condition, in words and symbols.
    pub name: String,
    /// How the number has to compare with `required`.
    pub relation: Relation,
    /// What the theorem asks for.
    pub required: f64,
    /// What there is.
    pub measured: f64,
    /// Whether it is met.
    pub met: bool,
    /// Whether it is of a size that holds up to unknown constants ("m large enough"): it is shown, and does not decide.
    pub asymptotic: bool,
}

impl Assumption {
    /// A condition that decides.
    #[must_use]
    pub fn new(name: impl Into<String>, measured: f64, relation: Relation, required: f64) -> Self {
        let met = relation.slack(measured, required, 0.0) >= 0.0;
        Self { name: name.into(), relation, required, measured, met, asymptotic: false }
    }

    /// ‖x‖ = 1, `off` the largest deviation.
    pub(super) fn on_the_sphere(off: f64) -> Self {
        Self::new("inputs on the unit sphere: max |‖x‖ − 1|", off, Relation::AtMost, 1e-9)
    }

    /// φ has a bounded second derivative, `beta` its bound or infinite.
    pub(super) fn smooth(beta: f64) -> Self {
        Self::new("smooth activation: β = sup |φ″|", beta, Relation::AtMost, f64::MAX)
    }

    /// f(θ₀, ·) = 0, `start` the largest ‖f₀‖/‖y‖.
    pub(super) fn centred(start: f64) -> Self {
        Self::new("centred output: ‖f₀‖/‖y‖", start, Relation::AtMost, 1e-12)
    }

    /// No point is within reach of an attack on two samples of different labels.
    pub(super) fn balls_apart(separation: f64) -> Self {
        Self::new("balls of different labels apart: distance/(2ε)", separation, Relation::AtLeast, 1.0)
    }

    /// The number beside what is asked for.
    fn told(&self) -> String {
        format!("{} is {}, not {} {}", self.name, shown(self.measured), self.relation, shown(self.required))
    }

    /// The same condition, shown without deciding.
    #[must_use]
    pub fn asymptotic(mut self) -> Self {
        self.asymptotic = true;
        self
    }
}

/// A number that enters a prediction.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Constant {
    /// Symbol, and what it is.
    pub name: String,
    /// Its value; the mean over seeds where it differs between them.
    pub value: f64,
}

/// One prediction and its measurement: the worst over all seeds, steps and widths.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// What is compared.
    pub name: String,
    /// What the theory says.
    pub predicted: f64,
    /// What was measured.
    pub measured: f64,
    /// How measured has to compare with predicted.
    pub relation: Relation,
    /// What the comparison may miss: two standard errors of a fitted slope, or a stated tolerance.
    pub tolerance: f64,
    /// How far the comparison is from failing, as a share of the prediction (of 1 where that is 0); < 0: it fails.
    pub margin: f64,
    /// Whether it holds.
    pub holds: bool,
}

impl Check {
    /// A comparison.
    #[must_use]
    pub fn new(name: impl Into<String>, measured: f64, relation: Relation, predicted: f64) -> Self {
        Self { name: name.into(), predicted, measured, relation, tolerance: 0.0, margin: 0.0, holds: false }.judged()
    }

    /// The same comparison with a tolerance.
    #[must_use]
    pub fn within(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self.judged()
    }

    /// The exponent of a power law through (x, y), which may be at most `predicted`: within two standard errors of the
    /// fit, as long as the fit says something.
    pub(super) fn exponent(name: impl Into<String>, points: &[(f64, f64)], predicted: f64) -> Self {
        let fitted = exponent(points);
        let tolerance = if fitted.error.is_nan() { 0.0 } else { (2.0 * fitted.error).min(MOST_UNCERTAIN) };
        Self::new(name, fitted.value, Relation::AtMost, predicted).within(tolerance)
    }

    /// The measurement beside the prediction.
    fn told(&self) -> String {
        format!("{} is {}, predicted {} {}", self.name, shown(self.measured), self.relation, shown(self.predicted))
    }

    fn judged(mut self) -> Self {
        let slack = self.relation.slack(self.measured, self.predicted, self.tolerance);
        let scale = if self.predicted == 0.0 { 1.0 } else { self.predicted.abs() };
        // A number that is not finite fails, on whichever side of the relation it lies.
        let finite = self.measured.is_finite() && self.predicted.is_finite();
        self.margin = if finite { slack / scale } else { f64::NAN };
        self.holds = self.margin >= 0.0;
        self
    }
}

/// A number in words of few digits.
fn shown(value: f64) -> String {
    match value {
        _ if value.is_nan() => "no number (a run left the finite ones)".to_owned(),
        _ if value == f64::MAX => "finite".to_owned(),
        _ if value != 0.0 && !(1e-3..1e6).contains(&value.abs()) => format!("{value:.2e}"),
        _ => format!("{}", (value * 1e4).round() / 1e4),
    }
}

/// The result of a claim.
///
/// ```
/// use gramstep::theory::{Assumption, Certificate, Check, Relation, Verdict};
/// let certificate = Certificate::new("example", "du2019", "the loss falls below the bound")
///     .assume(Assumption::new("λ₀ > 0", 0.2, Relation::AtLeast, 1e-12))
///     .check(Check::new("loss after 10 steps", 0.3, Relation::AtMost, 0.5));
/// assert_eq!(certificate.verdict, Verdict::Holds);
/// assert!((certificate.margin - 0.4).abs() < 1e-15);
/// let outside = certificate.assume(Assumption::new("unit norm", 2.0, Relation::AtMost, 1e-9));
/// assert_eq!(outside.verdict, Verdict::AssumptionsNotMet);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Certificate {
    /// Name of the claim, such as `cai2019-quadratic`.
    pub claim: String,
    /// Key of the paper in references.bib.
    pub source: String,
    /// The claim in one sentence with its formula.
    pub statement: String,
    /// What became of it.
    pub verdict: Verdict,
    /// Prediction of the check that decides: the one of smallest margin.
    pub predicted: f64,
    /// Its measurement.
    pub measured: f64,
    /// Its margin.
    pub margin: f64,
    /// Conditions of the theorem.
    pub assumptions: Vec<Assumption>,
    /// Numbers that enter the predictions.
    pub constants: Vec<Constant>,
    /// All predictions.
    pub checks: Vec<Check>,
    /// The seeds that were tried.
    pub seeds: Vec<u64>,
    /// The setting, in words: samples, widths, steps.
    pub setting: String,
    /// What was found, in plain words.
    pub sentence: String,
    /// What can be drawn.
    pub pictures: Vec<Picture>,
}

impl Certificate {
    /// A certificate without assumptions and checks, which holds trivially.
    #[must_use]
    pub fn new(claim: &str, source: &str, statement: &str) -> Self {
        Self {
            claim: claim.to_owned(),
            source: source.to_owned(),
            statement: statement.to_owned(),
            verdict: Verdict::Holds,
            predicted: f64::NAN,
            measured: f64::NAN,
            margin: f64::INFINITY,
            assumptions: Vec::new(),
            constants: Vec::new(),
            checks: Vec::new(),
            seeds: Vec::new(),
            setting: String::new(),
            sentence: String::new(),
            pictures: Vec::new(),
        }
    }

    /// Adds a condition of the theorem.
    #[must_use]
    pub fn assume(mut self, assumption: Assumption) -> Self {
        self.assumptions.push(assumption);
        self.judged()
    }

    /// Adds a number that enters a prediction.
    #[must_use]
    pub fn constant(mut self, name: &str, value: f64) -> Self {
        self.constants.push(Constant { name: name.to_owned(), value });
        self
    }

    /// Adds a prediction with its measurement.
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        self.checks.push(check);
        self.judged()
    }

    /// Adds a picture.
    #[must_use]
    pub fn picture(mut self, picture: Picture) -> Self {
        self.pictures.push(picture);
        self
    }

    /// Says in which setting it was tried.
    #[must_use]
    pub fn tried(mut self, seeds: &[u64], setting: impl Into<String>) -> Self {
        self.seeds = seeds.to_vec();
        self.setting = setting.into();
        self
    }

    /// Says what was found if the claim holds; otherwise the numbers that decided speak for themselves, and pictures say
    /// what was to be expected. Comes last: the words follow the verdict.
    #[must_use]
    pub fn say(mut self, if_it_holds: impl Into<String>) -> Self {
        self.sentence = match self.verdict {
            Verdict::Holds => return Self { sentence: if_it_holds.into(), ..self },
            Verdict::AssumptionsNotMet => {
                let unmet: Vec<String> = self.unmet().map(Assumption::told).collect();
                format!("The theorem says nothing here: {}.", unmet.join("; "))
            }
            Verdict::Refuted => {
                let unknown = self.unknown().map(Assumption::told);
                let failed = self.checks.iter().filter(|check| !check.holds).map(Check::told);
                format!("Not as claimed: {}.", unknown.chain(failed).collect::<Vec<_>>().join("; "))
            }
        };
        for picture in &mut self.pictures {
            picture.sentence = format!("What was claimed, and did not show here: {}", picture.sentence);
        }
        self
    }

    /// The conditions that are not met and that decide.
    pub fn unmet(&self) -> impl Iterator<Item = &Assumption> {
        self.assumptions.iter().filter(|it| !it.met && !it.asymptotic && !it.measured.is_nan())
    }

    /// The conditions that decide and could not be measured.
    fn unknown(&self) -> impl Iterator<Item = &Assumption> {
        self.assumptions.iter().filter(|it| !it.asymptotic && it.measured.is_nan())
    }

    fn judged(mut self) -> Self {
        self.verdict = if self.unmet().next().is_some() {
            Verdict::AssumptionsNotMet
        } else if self.unknown().next().is_some() || self.checks.iter().any(|check| !check.holds) {
            Verdict::Refuted
        } else {
            Verdict::Holds
        };
        // A margin that is not a number is the smallest.
        let order = |check: &&Check| if check.margin.is_nan() { f64::NEG_INFINITY } else { check.margin };
        if let Some(tightest) = self.checks.iter().min_by(|a, b| order(a).total_cmp(&order(b))) {
            (self.predicted, self.measured, self.margin) = (tightest.predicted, tightest.measured, tightest.margin);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_that_is_not_a_number_never_holds() {
        for relation in [Relation::AtMost, Relation::AtLeast, Relation::Near] {
            assert!(!Check::new("loss", f64::NAN, relation, 1.0).within(10.0).holds);
            assert!(!Assumption::new("λ", f64::NAN, relation, 1.0).met);
        }
        for lost in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for relation in [Relation::AtMost, Relation::AtLeast, Relation::Near] {
                let certificate = Certificate::new("c", "s", "").check(Check::new("a", lost, relation, 1.0));
                assert_eq!(certificate.verdict, Verdict::Refuted, "{lost} {relation}");
            }
        }
        // A condition that could not be measured is not one that is not met.
        let unknown = Certificate::new("c", "s", "").assume(Assumption::new("λ", f64::NAN, Relation::AtLeast, 1.0));
        assert_eq!((unknown.verdict, unknown.unmet().count()), (Verdict::Refuted, 0));
    }

    #[test]
    fn words_follow_the_verdict() {
        let certificate = |measured: f64| {
            let picture = Picture::new("p", "x", "y").say("It falls.");
            Certificate::new("c", "s", "").picture(picture).check(Check::new("loss", measured, Relation::AtMost, 1.0))
        };
        let held = certificate(0.5).say("All is well.");
        assert_eq!((held.sentence.as_str(), held.pictures[0].sentence.as_str()), ("All is well.", "It falls."));
        let refuted = certificate(2.5).say("All is well.");
        assert_eq!(refuted.sentence, "Not as claimed: loss is 2.5, predicted at most 1.");
        assert!(refuted.pictures[0].sentence.contains("did not show"));
        assert!(certificate(f64::NAN).say("All is well.").sentence.contains("no number"));
        let outside =
            certificate(2.5).assume(Assumption::new("‖x‖ − 1", 2.0, Relation::AtMost, 1e-9)).say("All is well.");
        assert_eq!(outside.sentence, "The theorem says nothing here: ‖x‖ − 1 is 2, not at most 1.00e-9.");
    }

    #[test]
    fn asymptotic_assumptions_are_shown_and_do_not_decide() {
        let wide = Assumption::new("width", 1e3, Relation::AtLeast, 1e23).asymptotic();
        assert!(!wide.met);
        assert_eq!(Certificate::new("c", "s", "").assume(wide).verdict, Verdict::Holds);
    }

    #[test]
    fn scattered_points_do_not_make_an_exponent_pass() {
        let scattered: Vec<(f64, f64)> = (1..9).map(|i| (f64::from(i), if i % 2 == 0 { 1e3 } else { 1e-3 })).collect();
        let check = Check::exponent("noise", &scattered, -0.5);
        assert!(check.tolerance <= 0.25 && !check.holds, "{check:?}");
        let falling: Vec<(f64, f64)> = (1..9).map(|i| (f64::from(i), 1.0 / f64::from(i))).collect();
        assert!(Check::exponent("falls", &falling, -0.5).holds);
    }

    #[test]
    fn the_tightest_check_stands_for_the_certificate() {
        let certificate = Certificate::new("c", "s", "")
            .check(Check::new("a", 1.0, Relation::AtMost, 10.0))
            .check(Check::new("b", 2.1, Relation::Near, 2.0).within(0.2));
        assert_eq!((certificate.predicted, certificate.measured), (2.0, 2.1));
        assert!((certificate.margin - 0.05).abs() < 1e-12);
    }
}
