//! What a kernel regression says of several observations at once: the covariance of new ones, and its training rows, each
//! by the regression on all others.

use gramstep::{Matrix, MatrixView, Scalar};

use super::{KernelModel, Learned, Predictor};
use crate::data::Targets;
use crate::error::{Error, Result, outside};
use crate::outcome::metrics::in_own_units;

impl Predictor {
    /// The covariance of new observations among themselves, noise included, in the units of the targets: m×m for every
    /// target.
    ///
    /// # Errors
    /// If it is not a kernel regression of plain targets, or the array has other columns.
    pub fn covariance_array<T: Scalar>(&self, x: MatrixView<'_, T>) -> Result<Vec<Matrix<f64>>> {
        let targets = &self.preprocessing().targets;
        let scale = match targets {
            Targets::Regression { standardisation, .. } if !targets.is_logarithm() => &standardisation.scale,
            _ => return Err(unknown("covariance", "of a regression whose targets are learned as they are")),
        };
        let covariances = self.kernel("covariance")?.covariance(&self.inputs(x)?.into_f64())?;
        let in_units = |(covariance, scale): (Matrix<f64>, &f64)| {
            let (m, square) = (covariance.rows(), scale * scale);
            Matrix::from_fn(m, m, |i, j| square * covariance[(i, j)])
        };
        Ok(covariances.into_iter().zip(scale).map(in_units).collect())
    }

    /// What every training row is predicted by the regression on all others, with the scales of all: targets in their own
    /// units, or the probability of every class; n×k.
    ///
    /// # Errors
    /// If it is not a kernel regression.
    pub fn leave_one_out(&self) -> Result<Matrix<f64>> {
        let mut outputs = self.kernel("leave-one-out")?.held_out()?;
        in_own_units(&mut outputs, &self.preprocessing().targets);
        Ok(outputs)
    }

    fn kernel(&self, what: &'static str) -> Result<&KernelModel> {
        match self.learned() {
            Learned::Kernel(kernel) => Ok(kernel),
            _ => Err(unknown(what, "of a kernel regression")),
        }
    }
}

fn unknown(name: &'static str, range: &str) -> Error {
    outside(name, &"asked for", range)
}
