//! What a regression with a scaled kernel predicts, and how that changes with the input.

use super::kernel::ScaledKernel;
use super::matrices::rectangle;
use super::points::Points;
use crate::device::{Device, Operations as _, Tile, TileMut, WriteMode};
use crate::error::{Error, Result, check_extent};
use crate::scalar::Scalar;
use crate::view::{Matrix, MatrixView};

/// New points at a time.
pub(super) const CHUNK: usize = 1024;

/// f(x) = Σ_k K(x, x_k) c_k, K a kernel with a scale for every column.
///
/// ```
/// use gramstep::{Device, Matrix};
/// use gramstep::kernel::{ScaledKernel, ScaledKind, ScaledRegressor};
/// let kernel = ScaledKernel::new(ScaledKind::Matern12, vec![1.0], Vec::new(), 0.0)?;
/// let centres = Matrix::from_vec(2, 1, vec![0.0, 1.0])?;
/// let c = Matrix::from_vec(2, 1, vec![1.0, -1.0])?;
/// let regressor = ScaledRegressor::new(kernel, &centres, c, Device::cpu(1))?;
/// let x = Matrix::from_vec(1, 1, vec![3.0])?;
/// assert!((regressor.predict(&x)?[(0, 0)] - ((-3.0_f64).exp() - (-2.0_f64).exp())).abs() < 1e-15);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ScaledRegressor<T> {
    kernel: ScaledKernel,
    points: Points<T>,
    coefficients: Matrix<T>,
    device: Device,
}

impl<T: Scalar> ScaledRegressor<T> {
    /// The expansion in the kernels of points x_k (n×d); c: n×k.
    ///
    /// # Errors
    /// [`Error::Shape`] if the points do not fit the kernel or there are not as many rows of c as points,
    /// [`Error::TooFew`] if c has no column.
    pub fn new<'x>(
        kernel: ScaledKernel,
        points: impl Into<MatrixView<'x, T>>,
        coefficients: Matrix<T>,
        device: Device,
    ) -> Result<Self> {
        let points = kernel.points(points.into())?;
        check_extent("rows of the coefficients", points.rows(), coefficients.rows())?;
        if coefficients.columns() == 0 {
            return Err(Error::TooFew { what: "columns of the coefficients", least: 1, got: 0 });
        }
        Ok(Self { kernel, points, coefficients, device })
    }

    /// The same expansion with other c, of the same size.
    pub(super) fn with_coefficients(self, coefficients: Matrix<T>) -> Self {
        Self { coefficients, ..self }
    }

    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> &ScaledKernel {
        &self.kernel
    }

    /// c, n×k.
    #[must_use]
    pub fn coefficients(&self) -> &Matrix<T> {
        &self.coefficients
    }

    /// Where it computes.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// f(x), m×k.
    ///
    /// # Errors
    /// [`Error::Shape`] if x has another number of columns.
    pub fn predict<'x>(&self, x: impl Into<MatrixView<'x, T>>) -> Result<Matrix<T>> {
        let x = x.into();
        let (n, k) = (self.coefficients.rows(), self.coefficients.columns());
        let mut f = Matrix::zeros(x.rows(), k);
        self.by_chunks(x, |first, points| {
            let cross = self.cross(points);
            let rows = points.rows();
            let (cross, c) = (Tile::new(cross.as_slice(), rows, n), Tile::new(self.coefficients.as_slice(), n, k));
            let target = TileMut::new(&mut f.as_mut_slice()[first * k..(first + rows) * k], rows, k);
            self.device.operations::<T>().product(target, WriteMode::Replace, T::ONE, cross, c);
        })?;
        Ok(f)
    }

    /// ∂⟨u_i, f(x_i)⟩/∂x_i, m×d; u: m×k. Where x_i is one of the x_k a kernel with a kink (`matern12`) counts it as
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Shape`] if x or u does not fit.
    pub fn input_gradient<'x>(&self, x: impl Into<MatrixView<'x, T>>, u: &Matrix<T>) -> Result<Matrix<T>> {
        let x = x.into();
        check_extent("rows of the cotangents", x.rows(), u.rows())?;
        check_extent("columns of the cotangents", self.coefficients.columns(), u.columns())?;
        let points = self.kernel.points(x)?;
        Ok(self.kernel.input_gradient(&points, &self.points, (u, &self.coefficients), &self.device))
    }

    /// Multiplications of one value, about.
    pub(crate) fn cost(&self) -> f64 {
        let pair = self.kernel.pairs(&self.points, &self.points).cost() + self.coefficients.columns() as f64;
        pair * self.points.rows() as f64
    }

    /// K between prepared points and the x_k.
    pub(super) fn cross(&self, points: &Points<T>) -> Matrix<T> {
        rectangle(&*self.kernel.pairs(points, &self.points), &self.device)
    }

    /// Some new points at a time: `work` is given the number of the first and the prepared points.
    pub(super) fn by_chunks(&self, x: MatrixView<'_, T>, mut work: impl FnMut(usize, &Points<T>)) -> Result<()> {
        check_extent("columns of the points of a kernel", self.kernel.weights().len(), x.columns())?;
        for start in (0..x.rows()).step_by(CHUNK) {
            let rows = x.row_range(start..x.rows().min(start + CHUNK));
            work(start, &self.kernel.points(rows)?);
        }
        Ok(())
    }

    /// The x_k.
    pub(super) fn points(&self) -> &Points<T> {
        &self.points
    }
}
