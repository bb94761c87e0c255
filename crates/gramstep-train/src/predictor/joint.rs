//! What a predictor says of several observations at once: the covariance of new ones, and of a kernel regression its
//! training rows, each by the regression on all others.

use gramstep::{Matrix, MatrixView, Scalar};

use super::{KernelModel, Learned, Predictor};
use crate::data::{Table, Targets};
use crate::error::{Error, Result, out_of_range};
use crate::outcome::metrics::in_own_units;

impl Predictor {
    /// The covariance of new observations among themselves, noise included, in the units of the targets: m×m for every
    /// target. Its diagonal is the square of [`deviation_array`](Self::deviation_array).
    ///
    /// # Errors
    /// Those of [`inputs`](Self::inputs) and of [`uncertainty`](Self::uncertainty), and if the logarithm of the targets is
    /// learned.
    pub fn covariance_array<T: Scalar>(&self, x: MatrixView<'_, T>) -> Result<Vec<Matrix<f64>>> {
        self.covariance(&self.inputs(x)?.into_f64(), &self.open_by_gaps_of_array(x)?)
    }

    /// The same for the rows of a table.
    ///
    /// # Errors
    /// The same.
    pub fn covariance_of(&self, table: &Table) -> Result<Vec<Matrix<f64>>> {
        let x = self.inputs_of(table, &mut Vec::new())?;
        self.covariance(&x, &self.open_by_gaps(table, &x)?)
    }

    /// Of preprocessed rows of which gaps leave open the deviations `open`, each by itself.
    fn covariance(&self, x: &Matrix<f64>, open: &Matrix<f64>) -> Result<Vec<Matrix<f64>>> {
        let targets = &self.preprocessing().targets;
        let mut covariances = self.joint_covariance(x)?;
        let scale = match targets {
            Targets::Regression { standardisation, .. } if !targets.is_logarithm() => &standardisation.scale,
            _ => return Err(unknown("covariance", "of a regression whose targets are learned as they are")),
        };
        for (a, (covariance, scale)) in covariances.iter_mut().zip(scale).enumerate() {
            covariance.as_mut_slice().iter_mut().for_each(|entry| *entry *= scale * scale);
            (0..x.rows()).for_each(|i| covariance[(i, i)] += open[(i, a)].powi(2));
        }
        Ok(covariances)
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
    out_of_range(name, &"asked for", range)
}
