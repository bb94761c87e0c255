//! What a step looks at: inputs, targets, a loss and sample weights; in a distributed run one process's rows of them.

use crate::communicator::{Communicator, Serial, agree, all_reduce_sum, gather_counts};
use crate::error::{Error, Result, check_extent, check_not_negative, check_setting};
use crate::loss::{LinearisedLoss, Loss, SquaredLoss};
use crate::model::Model;
use crate::scalar::Scalar;
use crate::view::{Matrix, MatrixView};

/// A batch of samples.
///
/// ```
/// use gramstep::{Matrix, optim::Batch};
/// let x = Matrix::from_vec(2, 1, vec![0.0, 1.0])?;
/// let y = Matrix::from_vec(2, 1, vec![1.0, 3.0])?;
/// let batch = Batch::new(&x, &y).with_weights(&[1.0, 0.5]);
/// assert_eq!(batch.samples(), 2);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, T> {
    inputs: MatrixView<'a, T>,
    targets: MatrixView<'a, T>,
    loss: &'a dyn Loss,
    weights: Option<&'a [f64]>,
    communicator: &'a dyn Communicator,
}

impl<'a, T: Scalar> Batch<'a, T> {
    /// Inputs (n×d) and targets (n×k), under the squared loss with equal weights.
    #[must_use]
    pub fn new(inputs: impl Into<MatrixView<'a, T>>, targets: impl Into<MatrixView<'a, T>>) -> Self {
        Self {
            inputs: inputs.into(),
            targets: targets.into(),
            loss: &SquaredLoss,
            weights: None,
            communicator: &Serial,
        }
    }

    /// The same batch under another loss.
    #[must_use]
    pub fn with_loss(mut self, loss: &'a dyn Loss) -> Self {
        self.loss = loss;
        self
    }

    /// The same batch with a weight ≥ 0 for every sample, not all of them 0.
    #[must_use]
    pub fn with_weights(mut self, weights: &'a [f64]) -> Self {
        self.weights = Some(weights);
        self
    }

    /// The batch of which every process has such rows of its own, possibly none: losses and steps are those of all.
    /// Every process must make the same calls.
    #[must_use]
    pub fn with_communicator(mut self, communicator: &'a dyn Communicator) -> Self {
        self.communicator = communicator;
        self
    }

    /// n, of this process.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.inputs.rows()
    }

    /// Who has the other rows.
    pub(crate) fn communicator(&self) -> &'a dyn Communicator {
        self.communicator
    }

    /// Number of this process's first row among all processes' rows of the batch.
    ///
    /// # Errors
    /// [`Error::Communication`] if a process is gone.
    pub(crate) fn first_sample(&self) -> Result<u64> {
        let counts = gather_counts(self.communicator, [self.samples()])?;
        Ok(counts[..self.communicator.rank()].iter().flatten().sum::<usize>() as u64)
    }

    /// Inputs, n×d.
    #[must_use]
    pub fn inputs(&self) -> MatrixView<'a, T> {
        self.inputs
    }

    /// Targets, n×k.
    #[must_use]
    pub fn targets(&self) -> MatrixView<'a, T> {
        self.targets
    }

    /// The loss function.
    #[must_use]
    pub fn loss_function(&self) -> &'a dyn Loss {
        self.loss
    }

    /// The same batch with other inputs in place of its own: perturbed or augmented ones.
    #[must_use]
    pub fn with_inputs<'b>(&self, inputs: impl Into<MatrixView<'b, T>>) -> Batch<'b, T>
    where
        'a: 'b,
    {
        Batch { inputs: inputs.into(), ..*self }
    }

    /// The loss of a model on this batch, in the units that people see.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Target`] if the batch does not fit, [`Error::Setting`] if its weights sum to 0.
    pub fn loss(&self, model: &Model<T>) -> Result<f64> {
        let outputs = self.check(model).and_then(|targets| Ok((model.predict(self.inputs)?, targets)));
        let (f, targets) = agree(self.communicator, outputs)?;
        Ok(self.evaluate(&f.cast(), &targets)?.reported)
    }

    /// Weights of the samples, where they are not all 1.
    pub(super) fn weights(&self) -> Option<&'a [f64]> {
        self.weights
    }

    /// Checks shapes, targets and weights; returns the targets.
    pub(super) fn check(&self, model: &Model<T>) -> Result<Matrix<f64>> {
        let (n, k) = (self.samples(), model.outputs());
        if n == 0 && self.communicator.size() == 1 {
            return Err(Error::TooFew { what: "samples of a batch", least: 1, got: 0 });
        }
        check_extent("rows of the targets", n, self.targets.rows())?;
        check_extent("columns of the targets", k, self.targets.columns())?;
        if let Some(weights) = self.weights {
            check_extent("sample weights", n, weights.len())?;
            weights.iter().try_for_each(|&weight| check_not_negative("sample weight", weight))?;
        }
        let targets = Matrix::from_fn(n, k, |i, a| self.targets.get(i, a).to_f64());
        for i in 0..n {
            let not_finite = targets.row(i).iter().find(|y| !y.is_finite()).map(|&y| (y, "is not finite"));
            if let Some((value, reason)) = not_finite.or_else(|| self.loss.objection(targets.row(i))) {
                return Err(Error::Target { loss: self.loss.name(), sample: i, value, reason });
            }
        }
        Ok(targets)
    }

    /// The loss of all processes' rows.
    ///
    /// # Errors
    /// [`Error::Setting`] if the weights sum to 0, [`Error::Communication`] if a process is gone.
    pub(super) fn evaluate(&self, f: &Matrix<f64>, y: &Matrix<f64>) -> Result<LossValue> {
        let (mut objective, mut reported) = (0.0, 0.0);
        for i in 0..f.rows() {
            let weight = self.weight(i);
            objective += weight * self.loss.value(f.row(i), y.row(i));
            reported += weight * self.loss.reported(f.row(i), y.row(i));
        }
        self.value_of_all(objective, reported)
    }

    /// As [`evaluate`](Self::evaluate), where outputs of this process are not finite.
    ///
    /// # Errors
    /// Those of [`evaluate`](Self::evaluate).
    pub(super) fn infinite(&self) -> Result<LossValue> {
        self.value_of_all(f64::INFINITY, f64::INFINITY)
    }

    fn value_of_all(&self, objective: f64, reported: f64) -> Result<LossValue> {
        let mut sums = [objective, reported, self.own_weight()];
        all_reduce_sum(self.communicator, &mut sums)?;
        let [objective, reported, weight] = sums;
        Ok(LossValue { objective, reported: reported / positive(weight)? })
    }

    /// Σ w over all processes, by which first-order methods divide.
    ///
    /// # Errors
    /// Those of [`evaluate`](Self::evaluate).
    pub(super) fn total_weight(&self) -> Result<f64> {
        let mut sum = [self.own_weight()];
        all_reduce_sum(self.communicator, &mut sum)?;
        positive(sum[0])
    }

    /// The weight of one of this process's samples.
    pub(super) fn weight(&self, i: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[i])
    }

    fn own_weight(&self) -> f64 {
        self.weights.map_or(self.samples() as f64, |weights| weights.iter().sum())
    }

    pub(super) fn linearise(&self, f: &Matrix<f64>, y: &Matrix<f64>) -> LinearisedLoss {
        LinearisedLoss::new(self.loss, f, y, self.weights)
    }

    /// scale·w_i·∂ℓ/∂f of one sample.
    pub(super) fn output_gradient(&self, i: usize, scale: f64, f: &[f64], y: &[f64], g: &mut [f64]) {
        self.loss.gradient(f, y, g);
        let factor = scale * self.weight(i);
        for g in g {
            *g *= factor;
        }
    }
}

/// Σ w of a step: without any weight there is nothing to learn from.
fn positive(total: f64) -> Result<f64> {
    check_setting(total > 0.0, "sum of the sample weights", &total, "> 0")?;
    Ok(total)
}

/// The loss of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct LossValue {
    /// Σ w ℓ, what a step decreases.
    pub(super) objective: f64,
    /// The weighted mean that people see.
    pub(super) reported: f64,
}
