//! The linearised network and the regressors of kernels, finite and infinite, attacked by the same call as the network.

use crate::device::{Device, Operations, Tile};
use crate::error::{Error, Result, check_extent};
use crate::kernel::{InfinitePoints, InfiniteRegressor, KernelRegression, LinearisedModel, ScaledRegressor};
use crate::model::{Cotangent, Differentiable, InputPass, Model};
use crate::scalar::Scalar;
use crate::view::{Matrix, MatrixView};

/// Cost of a pass of values and tangents, in passes of the network.
const TANGENT_COST: f64 = 3.0;

impl<T: Scalar> Differentiable<T> for LinearisedModel<T> {
    fn inputs(&self) -> usize {
        self.model().inputs()
    }

    fn outputs(&self) -> usize {
        self.model().outputs()
    }

    fn device(&self) -> &Device {
        self.model().device()
    }

    fn cost(&self) -> f64 {
        (1.0 + TANGENT_COST) * Differentiable::cost(self.model())
    }

    fn evaluate(&self, _: &dyn Operations<T>, x: Tile<'_, T>, pass: &mut InputPass<T>) -> Result<()> {
        keep(&mut pass.outputs, &self.predict(rows(x)?)?)
    }

    fn pull_back(
        &self,
        operations: &dyn Operations<T>,
        x: Tile<'_, T>,
        cotangent: &mut Cotangent<'_, T>,
        pass: &mut InputPass<T>,
    ) -> Result<()> {
        self.evaluate(operations, x, pass)?;
        let u = cotangents(x.rows(), self.outputs(), &pass.outputs, cotangent);
        keep(&mut pass.gradient, &self.input_gradient(rows(x)?, &u)?)
    }
}

/// The regressor of the empirical tangent kernel, f(x) = K(x, X) c = J(x) v with v = S Jᵀc: kernel regression whose
/// input gradient costs as much as that of the network, however many training points there are.
///
/// ```
/// use gramstep::attack::TangentRegressor;
/// use gramstep::kernel::{KernelRegression, Ridge};
/// use gramstep::{Activation, Matrix, Model};
/// let model = Model::<f64>::mlp(&[1, 32, 1], Activation::Tanh).seed(3).build()?;
/// let x = Matrix::from_fn(6, 1, |i, _| i as f64 / 3.0 - 1.0);
/// let y = Matrix::from_fn(6, 1, |i, _| (3.0 * x[(i, 0)]).sin());
/// let regression = KernelRegression::fit(&model.tangent(&x)?.gram(), &y, Ridge::Fixed(1e-6), 1)?;
/// let regressor = TangentRegressor::new(model, &x, &regression)?;
/// assert!((regressor.predict(&x)?[(2, 0)] - y[(2, 0)]).abs() < 1e-3);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TangentRegressor<T> {
    model: Model<T>,
    /// v, p.
    direction: Vec<T>,
}

impl<T: Scalar> TangentRegressor<T> {
    /// The regressor with the coefficients of a regression on the whole tangent kernel of the points x (n×d): kernel
    /// nk×nk, targets nk×1 in the order (sample, output).
    ///
    /// # Errors
    /// [`Error::Shape`] if x or the coefficients do not fit the network.
    pub fn new<'x>(model: Model<T>, x: impl Into<MatrixView<'x, T>>, regression: &KernelRegression) -> Result<Self> {
        let coefficients = regression.coefficients();
        check_extent("targets of a regression on the whole tangent kernel", 1, coefficients.columns())?;
        let c: Vec<T> = coefficients.as_slice().iter().map(|&c| T::from_f64(c)).collect();
        let direction = model.tangent(x)?.vjp(&c)?;
        Ok(Self { model, direction })
    }

    /// f(x), n×k.
    ///
    /// # Errors
    /// [`Error::Shape`] if x does not fit the network.
    pub fn predict<'x>(&self, x: impl Into<MatrixView<'x, T>>) -> Result<Matrix<T>> {
        Ok(self.model.predict_tangent(x, &self.direction)?.1)
    }
}

impl<T: Scalar> Differentiable<T> for TangentRegressor<T> {
    fn inputs(&self) -> usize {
        self.model.inputs()
    }

    fn outputs(&self) -> usize {
        self.model.outputs()
    }

    fn device(&self) -> &Device {
        self.model.device()
    }

    fn cost(&self) -> f64 {
        TANGENT_COST * Differentiable::cost(&self.model)
    }

    fn evaluate(&self, _: &dyn Operations<T>, x: Tile<'_, T>, pass: &mut InputPass<T>) -> Result<()> {
        keep(&mut pass.outputs, &self.predict(rows(x)?)?)
    }

    fn pull_back(
        &self,
        operations: &dyn Operations<T>,
        x: Tile<'_, T>,
        cotangent: &mut Cotangent<'_, T>,
        pass: &mut InputPass<T>,
    ) -> Result<()> {
        self.evaluate(operations, x, pass)?;
        let u = cotangents(x.rows(), self.outputs(), &pass.outputs, cotangent);
        keep(&mut pass.gradient, &self.model.tangent_input_gradient(rows(x)?, &self.direction, &u)?)
    }
}

impl<T: Scalar> Differentiable<T> for InfiniteRegressor<T> {
    fn inputs(&self) -> usize {
        self.points().inputs()
    }

    fn outputs(&self) -> usize {
        self.coefficients().columns()
    }

    fn device(&self) -> &Device {
        self.points().device()
    }

    fn cost(&self) -> f64 {
        (1.0 + InfinitePoints::<T>::GRADIENT_COST) * self.points().pair_cost() * self.points().samples() as f64
    }

    fn evaluate(&self, _: &dyn Operations<T>, x: Tile<'_, T>, pass: &mut InputPass<T>) -> Result<()> {
        keep(&mut pass.outputs, &self.values_at(&self.prepare(rows(x)?)?)?)
    }

    fn pull_back(
        &self,
        _: &dyn Operations<T>,
        x: Tile<'_, T>,
        cotangent: &mut Cotangent<'_, T>,
        pass: &mut InputPass<T>,
    ) -> Result<()> {
        let points = self.prepare(rows(x)?)?;
        keep(&mut pass.outputs, &self.values_at(&points)?)?;
        let u = cotangents(x.rows(), Differentiable::outputs(self), &pass.outputs, cotangent);
        keep(&mut pass.gradient, &self.gradient_at(&points, &u)?)
    }
}

impl<T: Scalar> Differentiable<T> for ScaledRegressor<T> {
    fn inputs(&self) -> usize {
        self.kernel().weights().len()
    }

    fn outputs(&self) -> usize {
        self.coefficients().columns()
    }

    fn device(&self) -> &Device {
        Self::device(self)
    }

    fn cost(&self) -> f64 {
        Self::cost(self)
    }

    fn evaluate(&self, _: &dyn Operations<T>, x: Tile<'_, T>, pass: &mut InputPass<T>) -> Result<()> {
        keep(&mut pass.outputs, &self.predict(rows(x)?)?)
    }

    fn pull_back(
        &self,
        operations: &dyn Operations<T>,
        x: Tile<'_, T>,
        cotangent: &mut Cotangent<'_, T>,
        pass: &mut InputPass<T>,
    ) -> Result<()> {
        self.evaluate(operations, x, pass)?;
        let u = cotangents(x.rows(), Differentiable::outputs(self), &pass.outputs, cotangent);
        keep(&mut pass.gradient, &self.input_gradient(rows(x)?, &u)?)
    }
}

/// A tile as a view.
fn rows<T: Scalar>(x: Tile<'_, T>) -> Result<MatrixView<'_, T>> {
    let (host, n, d) = (x.host(), x.rows(), x.columns());
    MatrixView::strided(host, n, d, d, 1)
}

/// The cotangents of all rows, n×k.
fn cotangents<T: Scalar>(n: usize, k: usize, outputs: &[T], cotangent: &mut Cotangent<'_, T>) -> Matrix<T> {
    let mut u = Matrix::zeros(n, k);
    for (row, f) in outputs.chunks_exact(k).enumerate() {
        cotangent(row, f, u.row_mut(row));
    }
    u
}

/// Keeps a result, if it is finite.
fn keep<T: Scalar>(into: &mut Vec<T>, values: &Matrix<T>) -> Result<()> {
    into.clear();
    into.extend_from_slice(values.as_slice());
    if into.iter().all(|value| value.is_finite()) {
        Ok(())
    } else {
        Err(Error::NonFinite { what: "output or gradient of a linearised model or kernel", layer: None })
    }
}
