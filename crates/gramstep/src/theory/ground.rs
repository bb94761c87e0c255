//! What claims are tried on: points of the unit sphere, widths, seeds, a device.

use rand_distr::{Distribution, StandardNormal};

use crate::device::Device;
use crate::error::{Error, Result};
use crate::random::{Purpose, stream};
use crate::solve::norm;
use crate::view::Matrix;

/// Inputs (n×d) and targets (n×1).
///
/// ```
/// use gramstep::theory::{Labels, Points};
/// let points = Points::sphere(7, 20, 5, Labels::Gaussian);
/// let norm: f64 = points.inputs.row(3).iter().map(|x| x * x).sum();
/// assert!((norm - 1.0).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Points {
    /// x, n×d.
    pub inputs: Matrix<f64>,
    /// y, n×1.
    pub targets: Matrix<f64>,
}

/// How targets are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Labels {
    /// N(0, 1)
    Gaussian,
    /// 1 and −1 in turn: balanced, and independent of the inputs.
    Signs,
}

impl Points {
    /// Inputs and targets of the same rows.
    ///
    /// # Errors
    /// [`Error::Shape`] if the numbers of rows differ or there are several targets, [`Error::TooFew`] if there are fewer
    /// than two rows.
    pub fn new(inputs: Matrix<f64>, targets: Matrix<f64>) -> Result<Self> {
        let (n, rows, columns) = (inputs.rows(), targets.rows(), targets.columns());
        if n < 2 {
            return Err(Error::TooFew { what: "points of a claim", least: 2, got: n });
        }
        if rows != n {
            return Err(Error::Shape { what: "rows of the targets", expected: n, got: rows });
        }
        if columns != 1 {
            return Err(Error::Shape { what: "targets of a claim", expected: 1, got: columns });
        }
        Ok(Self { inputs, targets })
    }

    /// n points uniform on the unit sphere of dimension d, with targets that know nothing of them.
    #[must_use]
    pub fn sphere(seed: u64, samples: usize, inputs: usize, labels: Labels) -> Self {
        let mut drawn = Self {
            inputs: Matrix::zeros(samples, inputs),
            targets: Matrix::from_fn(samples, 1, |i, _| if i % 2 == 0 { 1.0 } else { -1.0 }),
        };
        for i in 0..samples {
            let mut generator = stream(seed, Purpose::Data, i as u64, 0);
            let row = drawn.inputs.row_mut(i);
            row.fill_with(|| StandardNormal.sample(&mut generator));
            let length = norm(row);
            for x in row {
                *x /= length;
            }
            if labels == Labels::Gaussian {
                drawn.targets[(i, 0)] = StandardNormal.sample(&mut generator);
            }
        }
        drawn
    }

    /// n
    #[must_use]
    pub fn samples(&self) -> usize {
        self.inputs.rows()
    }

    /// max |‖x_i‖ − 1|
    #[must_use]
    pub fn off_sphere(&self) -> f64 {
        super::statistics::largest((0..self.samples()).map(|i| (norm(self.inputs.row(i)) - 1.0).abs()))
    }
}

/// Turns the seed of points into that of their test points.
const TEST: u64 = 1 << 40;

/// Where claims are tried.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ground {
    /// The points of all seeds; none: every seed draws its own, as many as the claim wants.
    pub data: Option<Points>,
    /// Numbers of hidden units in place of the claim's own, ascending.
    pub widths: Option<Vec<usize>>,
    /// Seeds of points and initial parameters.
    pub seeds: Vec<u64>,
    /// Where it is computed.
    pub device: Device,
}

impl Ground {
    /// Synthetic points, the claims' own widths, seeds 0, 1, … .
    #[must_use]
    pub fn synthetic(seeds: u64, device: Device) -> Self {
        Self { data: None, widths: None, seeds: (0..seeds).collect(), device }
    }

    /// The same on given points.
    #[must_use]
    pub fn with_data(mut self, data: Points) -> Self {
        self.data = Some(data);
        self
    }

    /// The same with other widths.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is none or one is 0.
    pub fn with_widths(mut self, mut widths: Vec<usize>) -> Result<Self> {
        widths.sort_unstable();
        widths.dedup();
        if widths.first().is_none_or(|&width| width == 0) {
            return Err(Error::Setting {
                name: "widths",
                value: format!("{widths:?}"),
                range: "one or more, each ≥ 1",
            });
        }
        self.widths = Some(widths);
        Ok(self)
    }

    /// The points of a seed.
    pub(super) fn points(&self, seed: u64, samples: usize, inputs: usize, labels: Labels) -> Points {
        self.data.clone().unwrap_or_else(|| Points::sphere(seed, samples, inputs, labels))
    }

    /// Points of the sphere that no seed trains on, as many as wanted, of the dimension of a seed's points.
    pub(super) fn test_points(seed: u64, samples: usize, inputs: usize) -> Matrix<f64> {
        Points::sphere(seed ^ TEST, samples, inputs, Labels::Gaussian).inputs
    }

    /// The widths of a claim.
    pub(super) fn widths<'a>(&'a self, own: &'a [usize]) -> &'a [usize] {
        self.widths.as_deref().unwrap_or(own)
    }

    /// "n = 20, d = 10, widths 64, 256": for the description of a setting.
    pub(super) fn describe(&self, samples: usize, inputs: usize, widths: &[usize]) -> String {
        let (n, d) = self.data.as_ref().map_or((samples, inputs), |data| (data.samples(), data.inputs.columns()));
        self.describe_some(n, d, widths)
    }

    /// The same for a claim that takes this number of the given points.
    pub(super) fn describe_some(&self, n: usize, d: usize, widths: &[usize]) -> String {
        let of = if self.data.is_some() { "given points" } else { "points of the unit sphere" };
        let widths: Vec<String> = widths.iter().map(usize::to_string).collect();
        format!("n = {n} {of}, d = {d}, width {}", widths.join(", "))
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.seeds.is_empty() {
            return Err(Error::Setting { name: "seeds", value: "none".to_owned(), range: "one or more" });
        }
        Ok(())
    }
}

/// The share of a claim's work that is done, told to whoever shows it.
pub(super) struct Progress<'a> {
    tell: &'a mut dyn FnMut(f64),
    done: f64,
    all: f64,
}

impl<'a> Progress<'a> {
    /// Of pieces of work with these costs in all.
    pub(super) fn new(tell: &'a mut dyn FnMut(f64), all: f64) -> Self {
        Self { tell, done: 0.0, all }
    }

    /// A piece of this cost is done.
    pub(super) fn advance(&mut self, cost: f64) {
        self.done += cost;
        (self.tell)((self.done / self.all).min(1.0));
    }
}
