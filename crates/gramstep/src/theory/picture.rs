//! Pictures as data: curves, points, what the axes show, and one sentence. Drawing them is another crate's business.

use serde::Serialize;

use super::statistics::{mean, smallest};

/// What a curve is, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Role {
    /// A number that was measured.
    Measured,
    /// What the theory says of it.
    Predicted,
    /// Something beside the claim, to compare with.
    Control,
}

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Mark {
    /// Joined.
    Line,
    /// One by one.
    Points,
}

/// A curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Curve {
    /// For the legend.
    pub name: String,
    /// Predicted or measured.
    pub role: Role,
    /// Line or points.
    pub mark: Mark,
    /// (x, y).
    pub points: Vec<(f64, f64)>,
}

/// Name and scale of an axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Axis {
    /// What it shows, with its unit.
    pub label: String,
    /// Whether equal steps are equal ratios.
    pub logarithmic: bool,
}

/// A picture of a claim.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Picture {
    /// What is shown.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// Curves, back to front.
    pub curves: Vec<Curve>,
    /// What to see in it, in plain words.
    pub sentence: String,
}

impl Picture {
    /// An empty picture over linear axes.
    #[must_use]
    pub fn new(title: impl Into<String>, x: &str, y: &str) -> Self {
        let axis = |label: &str| Axis { label: label.to_owned(), logarithmic: false };
        Self { title: title.into(), x: axis(x), y: axis(y), curves: Vec::new(), sentence: String::new() }
    }

    /// The same with a logarithmic vertical axis.
    #[must_use]
    pub fn log_y(mut self) -> Self {
        self.y.logarithmic = true;
        self
    }

    /// The same with a logarithmic horizontal axis.
    #[must_use]
    pub fn log_x(mut self) -> Self {
        self.x.logarithmic = true;
        self
    }

    /// The same with both axes logarithmic.
    #[must_use]
    pub fn log_log(self) -> Self {
        self.log_x().log_y()
    }

    /// Adds a curve.
    #[must_use]
    pub fn curve(
        mut self,
        name: impl Into<String>,
        role: Role,
        mark: Mark,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Self {
        self.curves.push(Curve { name: name.into(), role, mark, points: points.into_iter().collect() });
        self
    }

    /// Says what to see.
    #[must_use]
    pub fn say(mut self, sentence: impl Into<String>) -> Self {
        self.sentence = sentence.into();
        self
    }
}

impl Picture {
    /// Points over logarithmic axes beside the line ∝ x^{−1/2} through their mean at the smallest x.
    pub(super) fn falling(title: String, axes: [&str; 2], points: &[(f64, f64)]) -> Self {
        Self::of_exponent(title, axes, points, -0.5)
    }

    /// The same beside the line ∝ x to an exponent.
    pub(super) fn of_exponent(title: String, axes: [&str; 2], points: &[(f64, f64)], exponent: f64) -> Self {
        let first = smallest(points.iter().map(|point| point.0));
        let there = mean(points.iter().filter(|point| point.0 == first).map(|point| point.1));
        let line = by_x(points.iter().map(|&(x, _)| (x, there * (x / first).powf(exponent))));
        let slope = exponent.to_string().replace("0.5", "½").replace('-', "−");
        Self::new(title, axes[0], axes[1])
            .log_log()
            .curve("measured, one point a seed", Role::Measured, Mark::Points, points.iter().copied())
            .curve(format!("predicted slope {slope}"), Role::Predicted, Mark::Line, line)
    }
}

/// The largest y of every x, in the order of x.
pub(super) fn by_x(points: impl IntoIterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = points.into_iter().collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    points.dedup_by(|a, b| a.0 == b.0);
    points
}

/// Values at 0, 1, 2, … .
pub(super) fn numbered(values: &[f64]) -> Vec<(f64, f64)> {
    values.iter().enumerate().map(|(at, &value)| (at as f64, value)).collect()
}
