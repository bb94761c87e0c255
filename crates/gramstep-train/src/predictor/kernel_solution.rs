//! The system of a kernel regression, solved.

use std::borrow::Cow;

use gramstep::kernel::{InfiniteArchitecture, KernelRegression, Ridge, ScaledRegression};
use gramstep::{Device, Matrix};

use super::gaussian_process::{GaussianProcess, InfiniteProcess};
use super::kernel_choice::Kernel;
use crate::data::{Dataset, Task};
use crate::error::Result;

/// The solved system.
#[derive(Debug)]
pub(super) enum Solution {
    Infinite(Box<InfiniteProcess>),
    Scaled(Box<ScaledRegression>),
}

impl Solution {
    pub(super) fn infinite(
        architecture: InfiniteArchitecture,
        (train, task): (&Dataset<f64>, Task),
        ridge: Ridge,
        device: &Device,
    ) -> Result<Self> {
        let points = architecture.kernel()?.points(&train.inputs, device)?;
        let rows = (regressed(train, task).into_owned(), train.weights.clone());
        Ok(Self::Infinite(Box::new(InfiniteProcess::fit(architecture, points, rows, ridge)?)))
    }

    /// With a kernel and κ that are known.
    pub(super) fn of(
        (kernel, ridge): (Kernel, f64),
        (train, task): (&Dataset<f64>, Task),
        device: &Device,
    ) -> Result<Self> {
        match kernel {
            Kernel::Infinite(architecture) => Self::infinite(architecture, (train, task), Ridge::Fixed(ridge), device),
            Kernel::Scaled(kernel) => {
                let (x, weights) = (train.inputs.clone().into_matrix(), train.weights.as_deref());
                let targets = regressed(train, task);
                let regression = ScaledRegression::fit(kernel, ridge, x, &targets, weights, device.threads())?;
                Ok(Self::Scaled(Box::new(regression)))
            }
        }
    }

    /// c, n×k.
    pub(super) fn coefficients(&self) -> Result<Matrix<f64>> {
        match self {
            Self::Infinite(process) => process.regression().map(KernelRegression::coefficients),
            Self::Scaled(regression) => Ok(regression.coefficients().clone()),
        }
    }

    pub(super) fn process(&self) -> &dyn GaussianProcess {
        match self {
            Self::Infinite(process) => &**process,
            Self::Scaled(regression) => &**regression,
        }
    }
}

/// What is regressed: the targets, one-hot ones less their mean.
pub(super) fn regressed(train: &Dataset<f64>, task: Task) -> Cow<'_, Matrix<f64>> {
    let y = &train.targets;
    match task {
        Task::Regression => Cow::Borrowed(y),
        Task::Classification => {
            let share = 1.0 / y.columns() as f64;
            Cow::Owned(Matrix::from_fn(y.rows(), y.columns(), |i, a| y[(i, a)] - share))
        }
    }
}
