//! Draws of new observations from what a predictor knows of its errors, all rows of a draw together.
//!
//! ```text
//! f(X) + N(0, Cov)    Cov of new observations, noise included; of several targets each by itself
//! ```
//!
//! What errors of near rows have in common they have in common in a draw, so that a sum or a maximum over rows is drawn too.

use gramstep::random::{Purpose, stream};
use gramstep::solve::Gaussian;
use gramstep::{Matrix, MatrixView, Scalar};
use rand_distr::{Distribution as _, StandardNormal};

use super::whole::check_finite;
use super::{Learned, Predictor};
use crate::data::Table;
use crate::error::{Result, out_of_range};
use crate::outcome::metrics::in_own_units;
use crate::settings::check_memory;

/// Where one draw does not meet another in the streams of random numbers.
const DRAWS: u64 = 1 << 32;

impl Predictor {
    /// Draws of new observations of rows of an array: `count` matrices m×targets in the units of the targets.
    ///
    /// # Errors
    /// Those of [`inputs`](Self::inputs) and of [`uncertainty`](Self::uncertainty); if `count` is 0, or m×m numbers do not
    /// fit in memory.
    pub fn draw_array<T: Scalar>(&self, x: MatrixView<'_, T>, count: usize, seed: u64) -> Result<Vec<Matrix<f64>>> {
        self.draw(&self.inputs(x)?.into_f64(), &self.open_by_gaps_of_array(x)?, count, seed)
    }

    /// The same of the rows of a table.
    ///
    /// # Errors
    /// The same.
    pub fn draws_of(&self, table: &Table, count: usize, seed: u64) -> Result<Vec<Matrix<f64>>> {
        let x = self.inputs_of(table, &mut Vec::new())?;
        self.draw(&x, &self.open_by_gaps(table, &x)?, count, seed)
    }

    /// The same of preprocessed rows of which gaps leave open the deviations `open`, in the units of the targets.
    pub(super) fn draw(
        &self,
        x: &Matrix<f64>,
        open: &Matrix<f64>,
        count: usize,
        seed: u64,
    ) -> Result<Vec<Matrix<f64>>> {
        if count == 0 {
            return Err(out_of_range("samples", &count, "at least 1"));
        }
        let threads = self.learned().threads();
        let covariances = self.joint_covariance(x)?;
        let normals =
            covariances.iter().map(|c| Gaussian::new(c, threads)).collect::<std::result::Result<Vec<_>, _>>()?;
        drop(covariances);
        let (f, targets) = (self.learned().outputs(x)?, &self.preprocessing().targets);
        let one = |number: usize| {
            let mut drawn = f.clone();
            for (a, normal) in normals.iter().enumerate() {
                let off = normal.draw(&mut stream(seed, Purpose::Data, number as u64, DRAWS + a as u64));
                off.into_iter().enumerate().for_each(|(i, off)| drawn[(i, a)] += off);
            }
            in_own_units(&mut drawn, targets);
            let mut gaps = stream(seed, Purpose::Perturbation, number as u64, DRAWS);
            for (value, open) in drawn.as_mut_slice().iter_mut().zip(open.as_slice()) {
                let z: f64 = StandardNormal.sample(&mut gaps);
                *value = targets.shifted(*value, open * z);
            }
            check_finite(&drawn)?;
            Ok(drawn)
        };
        (0..count).map(one).collect()
    }

    /// The covariance of new observations, m×m for every target, in standardised units.
    pub(super) fn joint_covariance(&self, x: &Matrix<f64>) -> Result<Vec<Matrix<f64>>> {
        let uncertainty = self.uncertainty()?;
        let (m, k) = (x.rows(), self.preprocessing().targets.outputs());
        let kernels = match self.learned() {
            Learned::Combination(combination) => combination.posterior_bytes(),
            Learned::F32(_) | Learned::F64(_) | Learned::Kernel(_) => 0,
        };
        let instead = "train with --candidates networks, whose posterior needs no kernel matrices";
        check_memory("the posteriors of the kernels of a combination", kernels, instead)?;
        let needed = m.saturating_mul(m).saturating_mul((2 * k + 3) * size_of::<f64>()).saturating_add(kernels);
        check_memory("the covariance of so many rows together", needed, "draw fewer rows at a time")?;
        uncertainty.covariance(x)
    }
}
