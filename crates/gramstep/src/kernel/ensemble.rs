//! Infinitely many networks, each trained for a time from a start of its own (lee2019): outputs are a Gaussian process.
//!
//! ```text
//! A = Θ(x, X) Θ⁻¹(1 − e^(−Θt))            Θ: the kernel of the dynamics; of gradient descent alike
//! mean        f₀(x) + A (y − f₀(X))
//! covariance  K(x, x′) + A K(X, X) A′ᵀ − A K(X, x′) − K(x, X) A′ᵀ
//! ```
//!
//! K is the covariance of outputs at the start, the NNGP kernel. With Θ that of the tangent kernel all weights are trained;
//! with Θ = K only those of the last layer.

use super::dynamics::{Dynamics, Time};
use crate::error::{Result, check_extent};
use crate::solve::dot;
use crate::view::Matrix;

/// The covariances of outputs at the start.
///
/// ```
/// use gramstep::{Matrix, kernel::EnsembleStart};
/// let (train, cross, new) = (Matrix::zeros(5, 5), Matrix::zeros(2, 5), Matrix::zeros(2, 2));
/// assert_eq!(EnsembleStart::new(&train, &cross, &new).cross.rows(), 2);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EnsembleStart<'a> {
    /// K(X, X) of the training points, n×n.
    pub train: &'a Matrix<f64>,
    /// K(x, X) between new points and them, m×n.
    pub cross: &'a Matrix<f64>,
    /// K(x, x′) of the new points among themselves, m×m.
    pub new: &'a Matrix<f64>,
}

impl<'a> EnsembleStart<'a> {
    /// The three parts of the covariance of training points and new ones.
    #[must_use]
    pub fn new(train: &'a Matrix<f64>, cross: &'a Matrix<f64>, new: &'a Matrix<f64>) -> Self {
        Self { train, cross, new }
    }
}

impl Dynamics {
    /// The covariance of the outputs at new points over infinitely many networks, m×m, the same for every output; their
    /// mean is [`predict`](Self::predict). `cross`: the kernel Θ between new and training points, m×n.
    ///
    /// ```
    /// use gramstep::kernel::{Dynamics, EnsembleStart, InfiniteKernel, Time};
    /// use gramstep::{Activation, Device, Matrix};
    /// let kernel = InfiniteKernel::mlp(1, Activation::Erf, 1.5, 0.1)?;
    /// let (x, z) = (Matrix::from_fn(5, 1, |i, _| i as f64 - 2.0), Matrix::from_vec(1, 1, vec![0.3])?);
    /// let device = Device::cpu(1);
    /// let (train, new) = (kernel.points(&x, &device)?, kernel.points(&z, &device)?);
    /// let (k, cross, own) = (train.kernels(), new.cross_kernels(&train)?, new.kernels());
    /// let (start, y) = (Matrix::zeros(5, 1), x.clone());
    /// let dynamics = Dynamics::new(&k.ntk, &start, &y, 1)?;
    /// let prior = EnsembleStart::new(&k.nngp, &cross.nngp, &own.nngp);
    /// let at = |time| dynamics.ensemble_covariance(&cross.ntk, &prior, time);
    /// // Before training the networks differ as at the start, afterwards less.
    /// assert!((at(Time::Flow(0.0))?[(0, 0)] - own.nngp[(0, 0)]).abs() < 1e-12);
    /// assert!(at(Time::Infinite)?[(0, 0)] < 0.1 * own.nngp[(0, 0)]);
    /// # Ok::<(), gramstep::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if sizes differ, and those of [`outputs`](Self::outputs).
    pub fn ensemble_covariance(
        &self,
        cross: &Matrix<f64>,
        start: &EnsembleStart<'_>,
        time: Time,
    ) -> Result<Matrix<f64>> {
        let (m, n) = (cross.rows(), self.eigenvalues().len());
        for (what, expected, got) in [
            ("columns of the kernel with the training points", n, cross.columns()),
            ("rows of the covariance of the training points", n, start.train.rows()),
            ("columns of the covariance of the training points", n, start.train.columns()),
            ("rows of the covariance with the training points", m, start.cross.rows()),
            ("columns of the covariance with the training points", n, start.cross.columns()),
            ("rows of the covariance of the new points", m, start.new.rows()),
            ("columns of the covariance of the new points", m, start.new.columns()),
        ] {
            check_extent(what, expected, got)?;
        }
        let mut trained = Vec::with_capacity(m);
        // K Aᵀ/2 − K(X, x), of which the covariance takes both halves.
        let mut rest = Vec::with_capacity(m);
        for i in 0..m {
            let a = self.learned(cross.row(i), time)?;
            let half = |j: usize| 0.5 * dot(start.train.row(j), &a) - start.cross[(i, j)];
            rest.push((0..n).map(half).collect::<Vec<_>>());
            trained.push(a);
        }
        let mut covariance = start.new.clone();
        for i in 0..m {
            for j in 0..=i {
                let change = dot(&trained[i], &rest[j]) + dot(&trained[j], &rest[i]);
                let value = f64::midpoint(start.new[(i, j)], start.new[(j, i)]) + change;
                // A variance that has fallen to rounding is none.
                let value = if i == j { value.max(0.0) } else { value };
                (covariance[(i, j)], covariance[(j, i)]) = (value, value);
            }
        }
        Ok(covariance)
    }
}
