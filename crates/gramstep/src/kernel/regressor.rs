//! What a regression with a kernel of infinite width predicts, and how that changes with the input.

use super::{InfinitePoints, Which};
use crate::device::{Operations as _, Tile, TileMut, WriteMode};
use crate::error::{Error, Result, check_extent};
use crate::scalar::Scalar;
use crate::view::{Matrix, MatrixView};

/// New points at a time.
const CHUNK: usize = 1024;

/// f(x) = Σ_j K(x, x_j) c_j, K a kernel of infinite width.
///
/// ```
/// use gramstep::kernel::{InfiniteKernel, InfiniteRegressor, KernelRegression, Ridge, Which};
/// use gramstep::{Activation, Device, Matrix};
/// let kernel = InfiniteKernel::mlp(2, Activation::Erf, 1.0, 0.1)?;
/// let x = Matrix::from_fn(9, 1, |i, _| i as f64 / 4.0 - 1.0);
/// let y = Matrix::from_fn(9, 1, |i, _| (3.0 * x[(i, 0)]).sin());
/// let points = kernel.points(&x, &Device::cpu(1))?;
/// let regression = KernelRegression::fit(&points.gram(Which::Ntk), &y, Ridge::Fixed(1e-8), 1)?;
/// let regressor = InfiniteRegressor::new(points, Which::Ntk, regression.coefficients())?;
/// assert!((regressor.predict(&x)?[(3, 0)] - y[(3, 0)]).abs() < 1e-3);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct InfiniteRegressor<T> {
    points: InfinitePoints<T>,
    which: Which,
    coefficients: Matrix<T>,
}

impl<T: Scalar> InfiniteRegressor<T> {
    /// The expansion in the kernels of the points x_j; c: n×k.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not as many rows of c as points, [`Error::TooFew`] if there is no column.
    pub fn new(points: InfinitePoints<T>, which: Which, coefficients: Matrix<T>) -> Result<Self> {
        check_extent("rows of the coefficients", points.samples(), coefficients.rows())?;
        if coefficients.columns() == 0 {
            return Err(Error::TooFew { what: "columns of the coefficients", least: 1, got: 0 });
        }
        Ok(Self { points, which, coefficients })
    }

    /// The points x_j.
    #[must_use]
    pub fn points(&self) -> &InfinitePoints<T> {
        &self.points
    }

    /// Which kernel.
    #[must_use]
    pub fn which(&self) -> Which {
        self.which
    }

    /// c, n×k.
    #[must_use]
    pub fn coefficients(&self) -> &Matrix<T> {
        &self.coefficients
    }

    /// f(x), m×k.
    ///
    /// # Errors
    /// Those of [`InfiniteKernel::points`](super::InfiniteKernel::points).
    pub fn predict<'x>(&self, x: impl Into<MatrixView<'x, T>>) -> Result<Matrix<T>> {
        let x = x.into();
        let mut f = Matrix::zeros(x.rows(), self.coefficients.columns());
        for start in (0..x.rows()).step_by(CHUNK) {
            let rows = start..x.rows().min(start + CHUNK);
            let part = self.values_at(&self.prepare(x.row_range(rows.clone()))?)?;
            rows.zip(0..).for_each(|(row, i)| f.row_mut(row).copy_from_slice(part.row(i)));
        }
        Ok(f)
    }

    /// ∂⟨u_i, f(x_i)⟩/∂x_i, m×d; u: m×k.
    ///
    /// # Errors
    /// Those of [`InfinitePoints::input_gradient`].
    pub fn input_gradient<'x>(&self, x: impl Into<MatrixView<'x, T>>, u: &Matrix<T>) -> Result<Matrix<T>> {
        self.gradient_at(&self.prepare(x.into())?, u)
    }

    pub(crate) fn prepare(&self, x: MatrixView<'_, T>) -> Result<InfinitePoints<T>> {
        self.points.kernel().points(x, self.points.device())
    }

    /// f of prepared points.
    pub(crate) fn values_at(&self, x: &InfinitePoints<T>) -> Result<Matrix<T>> {
        let cross = x.cross_gram(&self.points, self.which)?;
        let (m, n, k) = (x.samples(), self.points.samples(), self.coefficients.columns());
        let mut f = Matrix::zeros(m, k);
        let (cross, c) = (Tile::new(cross.as_slice(), m, n), Tile::new(self.coefficients.as_slice(), n, k));
        let target = TileMut::new(f.as_mut_slice(), m, k);
        x.device().operations::<T>().product(target, WriteMode::Replace, T::ONE, cross, c);
        Ok(f)
    }

    /// The gradients at prepared points.
    pub(crate) fn gradient_at(&self, x: &InfinitePoints<T>, u: &Matrix<T>) -> Result<Matrix<T>> {
        x.input_gradient(&self.points, u, &self.coefficients, self.which)
    }
}
