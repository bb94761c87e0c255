//! Training in function space: what gradient flow and gradient descent do to the outputs of a linear model, in closed
//! form for any time, from the eigenvalues of its kernel (jacot2018).
//!
//! ```text
//! flow      f_t = y + exp(−Kt)(f₀ − y)
//! descent   r_{t+1} = r_t + μ(r_t − r_{t−1}) − ηK r_t,  r = f − y          (heavy ball; μ = 0: r_t = (I − ηK)ᵗ r₀)
//! new x     f*_t = f*₀ + K* K⁺ (f_t − f₀)
//! ```
//!
//! The loss is ½Σr², a sum: times and learning rates are those of the sum. For a mean over n multiply them by n.

use super::checked;
use crate::error::{Result, check_extent, check_momentum, check_positive, check_setting};
use crate::solve::Eigen;
use crate::view::Matrix;

/// How long, and by which rule.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Time {
    /// Gradient flow for a time t ≥ 0.
    Flow(f64),
    /// Steps of gradient descent with a learning rate and momentum in 0 ≤ μ < 1.
    Descent {
        /// η
        learning_rate: f64,
        /// μ
        momentum: f64,
        /// t
        steps: u64,
    },
    /// The limit: the projection of y on the range of the kernel.
    Infinite,
}

/// Training of a linear model with kernel K: n×n, one kernel for all k outputs (or nk×nk and one column).
///
/// ```
/// use gramstep::Matrix;
/// use gramstep::kernel::{Dynamics, Time};
/// let kernel = Matrix::from_vec(2, 2, vec![2.0, 1.0, 1.0, 2.0])?;
/// let (start, y) = (Matrix::zeros(2, 1), Matrix::from_vec(2, 1, vec![1.0, -1.0])?);
/// let dynamics = Dynamics::new(&kernel, &start, &y, 1)?;
/// // (1, −1) is an eigenvector with eigenvalue 1.
/// assert!((dynamics.outputs(Time::Flow(1.0))?[(0, 0)] - (1.0 - (-1.0_f64).exp())).abs() < 1e-14);
/// assert!((dynamics.largest_stable_rate(0.0)? - 2.0 / 3.0).abs() < 1e-14);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Debug)]
pub struct Dynamics {
    eigen: Eigen,
    start: Matrix<f64>,
    /// Vᵀ(f₀ − y), a vector of n for every output.
    residual: Vec<Vec<f64>>,
}

impl Dynamics {
    /// From the kernel of the training points, f₀ and y, both n×k.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if sizes differ, [`Error::Kernel`](crate::Error::Kernel) if the matrix is not
    /// finite, symmetric and positive semi-definite up to rounding, [`Error::Solve`](crate::Error::Solve) if the
    /// decomposition fails.
    pub fn new(kernel: &Matrix<f64>, start: &Matrix<f64>, y: &Matrix<f64>, threads: usize) -> Result<Self> {
        let n = kernel.rows();
        let (f, y_columns) = (start.columns(), y.columns());
        for (what, expected, got) in [
            ("columns of a kernel", n, kernel.columns()),
            ("rows of the outputs at the start", n, start.rows()),
            ("rows of the targets", n, y.rows()),
            ("columns of the targets", f, y_columns),
        ] {
            check_extent(what, expected, got)?;
        }
        let eigen = checked::decompose(kernel, threads)?;
        let column = |a: usize| (0..n).map(|i| start[(i, a)] - y[(i, a)]).collect::<Vec<_>>();
        let residual = (0..f).map(|a| eigen.project(&column(a))).collect();
        Ok(Self { eigen, start: start.clone(), residual })
    }

    /// Eigenvalues of the kernel, ascending.
    #[must_use]
    pub fn eigenvalues(&self) -> &[f64] {
        &self.eigen.values
    }

    /// k, the number of outputs.
    #[must_use]
    pub fn output_count(&self) -> usize {
        self.start.columns()
    }

    /// f_t at the training points, n×k.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if a time, rate or momentum is outside its range.
    pub fn outputs(&self, time: Time) -> Result<Matrix<f64>> {
        let change = self.in_eigenvectors(time, |w, left| if w > 0.0 { left - 1.0 } else { 0.0 })?;
        Ok(self.add(&self.start, change.iter().map(|q| self.eigen.expand(q))))
    }

    /// f*_t at new points, m×k, from the kernel between them and the training points (m×n) and their outputs at the
    /// start (m×k).
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if sizes differ, and those of [`outputs`](Self::outputs).
    pub fn predict(&self, cross: &Matrix<f64>, start: &Matrix<f64>, time: Time) -> Result<Matrix<f64>> {
        for (what, expected, got) in [
            ("columns of the kernel with the training points", self.start.rows(), cross.columns()),
            ("rows of the outputs at the start", cross.rows(), start.rows()),
            ("columns of the outputs at the start", self.start.columns(), start.columns()),
        ] {
            check_extent(what, expected, got)?;
        }
        // K* V (a(w) − 1)/w q: directions without eigenvalue do not reach new points.
        let weights = self.in_eigenvectors(time, |w, left| if w > 0.0 { (left - 1.0) / w } else { 0.0 })?;
        let changes = weights.iter().map(|q| {
            let c = self.eigen.expand(q);
            (0..cross.rows()).map(|i| crate::solve::dot(cross.row(i), &c)).collect()
        });
        Ok(self.add(start, changes))
    }

    /// A row of K* K⁺(1 − exp(−Kt)): what a change of the targets has changed at a new point by this time.
    pub(super) fn learned(&self, cross: &[f64], time: Time) -> Result<Vec<f64>> {
        time.check()?;
        let rounding = self.eigen.rounding();
        let weigh = |(q, &w): (f64, &f64)| if w > rounding { q * time.learned(w) } else { 0.0 };
        let weighed: Vec<f64> = self.eigen.project(cross).into_iter().zip(&self.eigen.values).map(weigh).collect();
        Ok(self.eigen.expand(&weighed))
    }

    /// The largest learning rate at which gradient descent with this momentum does not grow: 2(1 + μ)/λ_max.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if the momentum is outside 0 ≤ μ < 1.
    pub fn largest_stable_rate(&self, momentum: f64) -> Result<f64> {
        check_momentum("momentum", momentum)?;
        Ok(2.0 * (1.0 + momentum) / self.eigen.values.last().copied().unwrap_or(0.0))
    }

    /// The spectral radius of the iteration on the range of the kernel: the factor by which the residual there shrinks
    /// or grows with each of many steps.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if the rate or the momentum is outside its range.
    pub fn spectral_radius(&self, learning_rate: f64, momentum: f64) -> Result<f64> {
        check_positive("learning rate", learning_rate)?;
        check_momentum("momentum", momentum)?;
        let rounding = self.eigen.rounding();
        let values = self.eigen.values.iter().filter(|&&w| w > rounding);
        Ok(values.map(|w| radius(learning_rate * w, momentum)).fold(0.0, f64::max))
    }

    /// The residual in eigenvectors, times a function of the eigenvalue and of what is left of its direction at a time.
    fn in_eigenvectors(&self, time: Time, factor: impl Fn(f64, f64) -> f64) -> Result<Vec<Vec<f64>>> {
        time.check()?;
        let rounding = self.eigen.rounding();
        let factors: Vec<f64> = self
            .eigen
            .values
            .iter()
            .map(|&w| if w > rounding { factor(w, time.left(w)) } else { factor(0.0, 1.0) })
            .collect();
        Ok(self.residual.iter().map(|q| q.iter().zip(&factors).map(|(q, f)| q * f).collect()).collect())
    }

    #[expect(clippy::unused_self, reason = "reads as a sentence")]
    fn add(&self, start: &Matrix<f64>, changes: impl Iterator<Item = Vec<f64>>) -> Matrix<f64> {
        let mut sum = start.clone();
        for (a, change) in changes.enumerate() {
            for (i, change) in change.into_iter().enumerate() {
                sum[(i, a)] += change;
            }
        }
        sum
    }
}

/// The larger root, by absolute value, of z² − (1 + μ − ηw)z + μ = 0.
fn radius(step: f64, momentum: f64) -> f64 {
    let middle = 0.5 * (1.0 + momentum - step);
    let discriminant = middle * middle - momentum;
    if discriminant <= 0.0 { momentum.sqrt() } else { middle.abs() + discriminant.sqrt() }
}

impl Time {
    fn check(self) -> Result<()> {
        match self {
            Self::Infinite => Ok(()),
            Self::Flow(t) => check_setting(t >= 0.0, "time", &t, "≥ 0"),
            Self::Descent { learning_rate, momentum, .. } => {
                check_positive("learning rate", learning_rate)?;
                check_momentum("momentum", momentum)
            }
        }
    }

    /// (1 − what is left)/w along an eigenvector of eigenvalue w > 0.
    fn learned(self, w: f64) -> f64 {
        match self {
            Self::Flow(t) => -(-w * t).exp_m1() / w,
            _ => (1.0 - self.left(w)) / w,
        }
    }

    /// What is left at this time of a residual along an eigenvector, of eigenvalue w.
    fn left(self, w: f64) -> f64 {
        match self {
            Self::Infinite => 0.0,
            Self::Flow(t) => (-w * t).exp(),
            Self::Descent { learning_rate, momentum, steps } => {
                // (r_{t+1}, r_t) = M (r_t, r_{t−1}) with r_{−1} = r₀: Mᵗ by squaring.
                let mut power = [[1.0 + momentum - learning_rate * w, -momentum], [1.0, 0.0]];
                let mut state = [1.0, 1.0];
                let mut rest = steps;
                while rest > 0 {
                    if rest & 1 == 1 {
                        state = power.map(|row| row[0] * state[0] + row[1] * state[1]);
                    }
                    power = square(power);
                    rest >>= 1;
                }
                state[0]
            }
        }
    }
}

fn square([[a, b], [c, d]]: [[f64; 2]; 2]) -> [[f64; 2]; 2] {
    [[a * a + b * c, b * (a + d)], [c * (a + d), c * b + d * d]]
}
