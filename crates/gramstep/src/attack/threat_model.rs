//! What an attacker may do to a sample.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check_extent, check_not_negative, check_positive, check_setting};
use crate::scalar::Scalar;
use crate::view::Matrix;

/// How a perturbation is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Norm {
    /// ℓ∞: the largest change of a feature.
    Linf,
    /// ℓ2: Euclidean length.
    L2,
}

impl fmt::Display for Norm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linf => "linf",
            Self::L2 => "l2",
        })
    }
}

impl FromStr for Norm {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "linf" => Ok(Self::Linf),
            "l2" => Ok(Self::L2),
            _ => Err(Error::Setting { name: "norm", value: text.to_owned(), range: "linf or l2" }),
        }
    }
}

/// The inputs that an attacker may put in place of a sample x₀:
///
/// ```text
/// B(x₀) = { x : ‖(x − x₀) ⊘ s‖ ≤ ε,  lower ≤ x ≤ upper,  x_j = x₀_j for frozen columns j
///               and where column j of the sample is marked as a gap,  x_j − x₀_j a multiple of h_j for columns that move by steps }
/// ```
///
/// ε is the radius and s a scale for each feature (1 unless told), both in the data's own units: with s_j the radius
/// of feature j and ε = 1 every feature has a radius of its own. The ℓ2 ball is an ellipsoid then.
///
/// ```
/// use gramstep::attack::{Norm, ThreatModel};
/// let threat = ThreatModel::new(Norm::Linf, 0.1)?.with_box(0.0, 1.0)?.with_frozen(&[2]);
/// assert_eq!(threat.radius(), 0.1);
/// assert!(ThreatModel::new(Norm::L2, -1.0).is_err());
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThreatModel {
    norm: Norm,
    radius: f64,
    scales: Option<Vec<f64>>,
    bounds: Bounds,
    frozen: Vec<usize>,
    /// Columns that move by steps, with h.
    #[serde(default)]
    steps: Vec<(usize, f64)>,
    /// Columns that are left as they are where another one, the mark of a gap, is above a value.
    #[serde(default)]
    gaps: Vec<Gap>,
}

/// A column that is left as it is where its mark is above a value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Gap {
    column: usize,
    mark: usize,
    above: f64,
}

/// The box.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Bounds {
    None,
    Same(f64, f64),
    Columns(Vec<(f64, f64)>),
}

impl ThreatModel {
    /// A ball of radius ε ≥ 0, without a box.
    ///
    /// # Errors
    /// [`Error::Setting`] if the radius is negative or not finite.
    pub fn new(norm: Norm, radius: f64) -> Result<Self> {
        check_radius(radius)?;
        let (frozen, steps, gaps) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { norm, radius, scales: None, bounds: Bounds::None, frozen, steps, gaps })
    }

    /// The ℓ∞ ball of radius ε.
    ///
    /// # Errors
    /// [`Error::Setting`] if the radius is negative or not finite.
    pub fn linf(radius: f64) -> Result<Self> {
        Self::new(Norm::Linf, radius)
    }

    /// The ℓ2 ball of radius ε.
    ///
    /// # Errors
    /// [`Error::Setting`] if the radius is negative or not finite.
    pub fn l2(radius: f64) -> Result<Self> {
        Self::new(Norm::L2, radius)
    }

    /// The same threat with another radius.
    ///
    /// # Errors
    /// [`Error::Setting`] if the radius is negative or not finite.
    pub fn with_radius(mut self, radius: f64) -> Result<Self> {
        check_radius(radius)?;
        self.radius = radius;
        Ok(self)
    }

    /// The same threat with a scale s_j ≥ 0 for every feature; 0 freezes it.
    ///
    /// # Errors
    /// [`Error::Setting`] if a scale is negative or not finite.
    pub fn with_scales(mut self, scales: Vec<f64>) -> Result<Self> {
        for &scale in &scales {
            check_radius(scale)?;
        }
        self.scales = Some(scales);
        Ok(self)
    }

    /// The same threat within the same limits for every feature.
    ///
    /// # Errors
    /// [`Error::Setting`] if the limits are not in order.
    pub fn with_box(mut self, lower: f64, upper: f64) -> Result<Self> {
        check_interval(lower, upper)?;
        self.bounds = Bounds::Same(lower, upper);
        Ok(self)
    }

    /// The same threat within limits for each feature.
    ///
    /// # Errors
    /// [`Error::Setting`] if the limits are not in order.
    pub fn with_column_box(mut self, limits: Vec<(f64, f64)>) -> Result<Self> {
        for &(lower, upper) in &limits {
            check_interval(lower, upper)?;
        }
        self.bounds = Bounds::Columns(limits);
        Ok(self)
    }

    /// The same threat within the range of each column of some data.
    ///
    /// ```
    /// use gramstep::Matrix;
    /// use gramstep::attack::{Problem, ThreatModel, Attack as _, Pgd};
    /// use gramstep::{Activation, Model};
    /// let line = Model::<f64>::mlp(&[2, 1], Activation::Identity).build()?;
    /// let x = Matrix::from_vec(2, 2, vec![0.0, 5.0, 1.0, 7.0])?;
    /// let threat = ThreatModel::linf(100.0)?.with_box_of(&x)?;
    /// let attacked = Pgd::default().run(&Problem::new(&line, &x, &Matrix::zeros(2, 1)), &threat)?;
    /// assert!((0..2).all(|i| (0.0..=1.0).contains(&attacked.inputs[(i, 0)]) && (5.0..=7.0).contains(&attacked.inputs[(i, 1)])));
    /// # Ok::<(), gramstep::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] if the data have no rows or hold NaN.
    pub fn with_box_of<T: Scalar>(self, data: &Matrix<T>) -> Result<Self> {
        let mut limits = vec![(f64::INFINITY, f64::NEG_INFINITY); data.columns()];
        for i in 0..data.rows() {
            for ((lower, upper), value) in limits.iter_mut().zip(data.row(i)) {
                let value = value.to_f64();
                // NaN spreads, so that the check below finds it.
                *lower = if value >= *lower { *lower } else { value };
                *upper = if value <= *upper { *upper } else { value };
            }
        }
        self.with_column_box(limits)
    }

    /// The same threat with some columns left as they are.
    #[must_use]
    pub fn with_frozen(mut self, columns: &[usize]) -> Self {
        self.frozen.extend_from_slice(columns);
        self.frozen.sort_unstable();
        self.frozen.dedup();
        self
    }

    /// The same threat with one-hot groups left whole: their columns hold one 1 and else 0, which no small
    /// perturbation of a column respects, so they are frozen together.
    #[must_use]
    pub fn with_one_hot(self, groups: &[Range<usize>]) -> Self {
        let columns: Vec<usize> = groups.iter().cloned().flatten().collect();
        self.with_frozen(&columns)
    }

    /// The same threat with a column that moves by multiples of a step h > 0, as whole numbers do with h = 1: what is
    /// looked for continuously is brought to such a point of the region before it is judged.
    ///
    /// # Errors
    /// [`Error::Setting`] if the step is not a positive number.
    pub fn with_step(mut self, column: usize, step: f64) -> Result<Self> {
        check_positive("step of a column", step)?;
        self.steps.push((column, step));
        Ok(self)
    }

    /// The same threat with a column that is left as it is in samples whose column `mark` is above a value: what was filled
    /// in for a gap is no measurement that could be another one.
    #[must_use]
    pub fn with_gaps(mut self, column: usize, mark: usize, above: f64) -> Self {
        self.gaps.push(Gap { column, mark, above });
        self
    }

    /// The norm.
    #[must_use]
    pub fn norm(&self) -> Norm {
        self.norm
    }

    /// ε
    #[must_use]
    pub fn radius(&self) -> f64 {
        self.radius
    }

    /// Columns that are left as they are, ascending.
    #[must_use]
    pub fn frozen(&self) -> &[usize] {
        &self.frozen
    }

    /// s_j of d columns, 0 for frozen ones.
    ///
    /// # Errors
    /// [`Error::Shape`] if the threat model is for another number of columns, [`Error::OutOfRange`] if a frozen one lies
    /// beyond.
    pub(super) fn scales(&self, columns: usize) -> Result<Vec<f64>> {
        let mut scales = self.scales.clone().unwrap_or_else(|| vec![1.0; columns]);
        check_extent("scales of a threat model", columns, scales.len())?;
        if let Bounds::Columns(limits) = &self.bounds {
            check_extent("columns of the box of a threat model", columns, limits.len())?;
        }
        if let Some(gap) = self.gaps.iter().find(|gap| gap.column.max(gap.mark) >= columns) {
            return Err(Error::OutOfRange { what: "column of gaps", index: gap.column.max(gap.mark), count: columns });
        }
        for &column in &self.frozen {
            let number = scales.len();
            let beyond = Error::OutOfRange { what: "frozen column", index: column, count: number };
            *scales.get_mut(column).ok_or(beyond)? = 0.0;
        }
        Ok(scales)
    }

    /// The columns of a sample that are gaps.
    pub(super) fn gaps_of<T: Scalar>(&self, x: &[T]) -> impl Iterator<Item = usize> {
        self.gaps.iter().filter(|gap| x[gap.mark].to_f64() > gap.above).map(|gap| gap.column)
    }

    /// h_j of d columns, 0 where a column moves by any amount; none if all do.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if a column with a step lies beyond.
    pub(super) fn grid(&self, columns: usize) -> Result<Option<Vec<f64>>> {
        if self.steps.is_empty() {
            return Ok(None);
        }
        let mut grid = vec![0.0; columns];
        for &(column, step) in &self.steps {
            let beyond = Error::OutOfRange { what: "column with a step", index: column, count: columns };
            *grid.get_mut(column).ok_or(beyond)? = step;
        }
        Ok(Some(grid))
    }

    /// Limits of one column.
    pub(super) fn limits(&self, column: usize) -> (f64, f64) {
        match &self.bounds {
            Bounds::None => (f64::NEG_INFINITY, f64::INFINITY),
            Bounds::Same(lower, upper) => (*lower, *upper),
            Bounds::Columns(limits) => limits[column],
        }
    }
}

fn check_radius(radius: f64) -> Result<()> {
    check_not_negative("radius", radius)
}

fn check_interval(lower: f64, upper: f64) -> Result<()> {
    check_setting(lower <= upper, "box", &format!("{lower}..{upper}"), "its lower end at most its upper")
}
