//! A kernel expansion as a function with a gradient, whatever its kernel.

use gramstep::device::{Operations, Tile};
use gramstep::kernel::{InfiniteRegressor, ScaledRegressor};
use gramstep::model::{Cotangent, Differentiable, InputPass};
use gramstep::{Device, Matrix, Result as CoreResult};

/// x ↦ Σ_j K(x, x_j) c_j.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum KernelRegressor {
    /// With the kernel of an infinitely wide network.
    Infinite(InfiniteRegressor<f64>),
    /// With a scale for every column.
    Scaled(ScaledRegressor<f64>),
}

impl KernelRegressor {
    /// f(x), m×k.
    ///
    /// # Errors
    /// If x has another number of columns.
    pub fn predict(&self, x: &Matrix<f64>) -> CoreResult<Matrix<f64>> {
        match self {
            Self::Infinite(regressor) => regressor.predict(x),
            Self::Scaled(regressor) => regressor.predict(x),
        }
    }

    /// ∂⟨u_i, f(x_i)⟩/∂x_i, m×d; u: m×k.
    ///
    /// # Errors
    /// If x or u does not fit.
    pub fn input_gradient(&self, x: &Matrix<f64>, u: &Matrix<f64>) -> CoreResult<Matrix<f64>> {
        match self {
            Self::Infinite(regressor) => regressor.input_gradient(x, u),
            Self::Scaled(regressor) => regressor.input_gradient(x, u),
        }
    }

    fn differentiable(&self) -> &dyn Differentiable<f64> {
        match self {
            Self::Infinite(regressor) => regressor,
            Self::Scaled(regressor) => regressor,
        }
    }
}

impl Differentiable<f64> for KernelRegressor {
    fn inputs(&self) -> usize {
        self.differentiable().inputs()
    }

    fn outputs(&self) -> usize {
        self.differentiable().outputs()
    }

    fn device(&self) -> &Device {
        self.differentiable().device()
    }

    fn cost(&self) -> f64 {
        self.differentiable().cost()
    }

    fn evaluate(
        &self,
        operations: &dyn Operations<f64>,
        x: Tile<'_, f64>,
        pass: &mut InputPass<f64>,
    ) -> CoreResult<()> {
        self.differentiable().evaluate(operations, x, pass)
    }

    fn pull_back(
        &self,
        operations: &dyn Operations<f64>,
        x: Tile<'_, f64>,
        cotangent: &mut Cotangent<'_, f64>,
        pass: &mut InputPass<f64>,
    ) -> CoreResult<()> {
        self.differentiable().pull_back(operations, x, cotangent, pass)
    }
}
