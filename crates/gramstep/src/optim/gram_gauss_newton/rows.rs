//! How many rows of a system a sample has: one an output, or one that stands for its loss.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::loss::{Curvature, LinearisedLoss, Loss};
use crate::model::Model;
use crate::optim::Batch;
use crate::optim::seed::by_sample;
use crate::scalar::Scalar;
use crate::tangent::TangentFeatures;
use crate::view::Matrix;

/// The rows of the least-squares problem that a step solves.
///
/// With one row a sample the system is n×n whatever the number k of outputs, and a step costs about as much as one of
/// gradient descent: a sample's loss is half the square of a residual ρ, whose gradient is Jᵀg/ρ with g = ∂ℓ/∂f.
///
/// ```
/// use gramstep::optim::{Batch, GramGaussNewton, GramGaussNewtonConfig, Optimizer, Rows};
/// use gramstep::loss::CrossEntropyLoss;
/// use gramstep::{Activation, Matrix, Model};
/// let mut model = Model::<f64>::mlp(&[2, 16, 3], Activation::Tanh).seed(1).build()?;
/// let x = Matrix::from_vec(3, 2, vec![1.0, 0.0, -0.5, 0.9, -0.5, -0.9])?;
/// let y = Matrix::from_fn(3, 3, |i, a| f64::from(u8::from(i == a)));
/// let batch = Batch::new(&x, &y).with_loss(&CrossEntropyLoss);
/// let config = GramGaussNewtonConfig::default().with_rows(Rows::One);
/// let mut optimizer = GramGaussNewton::new(config)?;
/// assert_eq!(optimizer.plan(&model, 50).size, 50);
/// let before = batch.loss(&model)?;
/// optimizer.step(&mut model, &batch)?;
/// assert!(batch.loss(&model)? < before);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rows {
    /// k rows: the curvature of the loss as it is.
    #[default]
    Exact,
    /// One row with ρ = √(2ℓ): Gauss–Newton of ½ρ², for losses that are never negative.
    One,
    /// One row with ρ = ‖z‖, B z = g: the most curvature along g that the loss has, BBᵀ ⪰ ggᵀ/ρ². It is all of it for one
    /// output, and for two classes.
    OneByCurvature,
}

impl Rows {
    /// Rows of a sample of k outputs.
    pub(super) fn per_sample(self, outputs: usize) -> usize {
        if self == Self::Exact { outputs } else { 1 }
    }

    /// The features of a batch whose Jacobian has these rows, √w apart; `budget`: bytes of written-out gradients.
    ///
    /// # Errors
    /// Those of [`Model::tangent`].
    pub(super) fn tangent<T: Scalar>(
        self,
        model: &Model<T>,
        batch: &Batch<'_, T>,
        targets: &Matrix<f64>,
        budget: usize,
    ) -> Result<TangentFeatures<T>> {
        // Which gradients are kept must be the same on all processes, which know nothing of one another yet.
        let budget = if batch.communicator().size() == 1 { budget } else { 0 };
        if self == Self::Exact {
            return model.tangent_keeping(batch.inputs(), budget);
        }
        let loss = batch.loss_function();
        let row = |i: usize, f: &[f64], g: &mut [f64]| {
            loss.gradient(f, targets.row(i), g);
            let residual = self.residual(loss, f, targets.row(i));
            // Where the loss is at its least, both are 0, and so is the row.
            let factor = if residual > 0.0 { residual.recip() } else { 0.0 };
            for g in g {
                *g *= factor;
            }
        };
        let features = model.functional(batch.inputs(), &by_sample(row), budget)?;
        if features.predictions().as_slice().iter().all(|value| value.is_finite()) {
            return Ok(features);
        }
        let (x, samples) = model.upload(batch.inputs())?;
        Err(model.non_finite(&x, samples))
    }

    /// The losses of a batch to second order, as these rows have it.
    ///
    /// # Errors
    /// [`Error::Conflict`] if a loss is negative and has no root.
    pub(super) fn linearise<T: Scalar>(
        self,
        batch: &Batch<'_, T>,
        f: &Matrix<f64>,
        targets: &Matrix<f64>,
    ) -> Result<LinearisedLoss> {
        if self == Self::Exact {
            return Ok(batch.linearise(f, targets));
        }
        let loss = batch.loss_function();
        let residuals: Vec<f64> = (0..f.rows()).map(|i| self.residual(loss, f.row(i), targets.row(i))).collect();
        match residuals.iter().position(|residual| residual.is_nan()) {
            Some(i) => {
                let reason = format!("the {} loss of sample {i} is negative and has no root", loss.name());
                Err(Error::Conflict { what: "one row a sample", reason })
            }
            None => Ok(LinearisedLoss::of_residuals(residuals, batch.weights())),
        }
    }

    /// ρ of one sample; not a number if its loss is negative.
    fn residual(self, loss: &dyn Loss, f: &[f64], y: &[f64]) -> f64 {
        if self == Self::One {
            return (2.0 * loss.value(f, y)).sqrt();
        }
        let k = f.len();
        let entries = match loss.curvature() {
            Curvature::Identity => 0,
            Curvature::Diagonal => k,
            Curvature::Full => k * k,
        };
        let mut memory = vec![0.0; entries + k];
        let (factor, z) = memory.split_at_mut(entries);
        loss.factor(f, y, factor, z);
        crate::solve::norm(z)
    }
}
