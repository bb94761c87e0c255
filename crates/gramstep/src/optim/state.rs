//! The state of an optimiser, and the vectors in it.

use serde::{Deserialize, Serialize};

use crate::device::Buffer;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::scalar::Scalar;

/// The state of an optimiser.
///
/// ```
/// use gramstep::optim::{Batch, Optimizer, Sgd, SgdConfig};
/// use gramstep::{Activation, Matrix, Model};
/// let mut model = Model::<f64>::mlp(&[1, 8, 1], Activation::Tanh).build()?;
/// let x = Matrix::from_vec(2, 1, vec![-1.0, 1.0])?;
/// let mut optimizer = Sgd::<f64>::new(SgdConfig::default())?;
/// optimizer.step(&mut model, &Batch::new(&x, &x))?;
/// let state = optimizer.state();
/// assert_eq!((state.step, state.vectors[0].0.as_str()), (1, "velocity"));
/// let mut other = Sgd::<f64>::new(SgdConfig::default())?;
/// other.restore(state)?;
/// assert_eq!(other.state(), optimizer.state());
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OptimizerState {
    /// Name of the optimiser.
    pub optimizer: String,
    /// Steps taken.
    pub step: u64,
    /// Named counts.
    #[serde(default)]
    pub counts: Vec<(String, u64)>,
    /// Named numbers.
    pub numbers: Vec<(String, f64)>,
    /// Named vectors of length p, exact also for `f32`.
    pub vectors: Vec<(String, Vec<f64>)>,
}

/// The name of the product of the momenta of all updates, by which a start at 0 is corrected.
pub(super) const START: &str = "start";

impl OptimizerState {
    pub(super) fn expect(&self, optimizer: &str) -> Result<()> {
        if self.optimizer == optimizer {
            Ok(())
        } else {
            Err(Error::State { expected: optimizer.to_owned(), found: self.optimizer.clone() })
        }
    }

    /// A count; of a state that kept it among the numbers, from there.
    #[allow(clippy::cast_sign_loss, reason = "a whole number of at least 0")]
    pub(super) fn count(&self, name: &str) -> Option<u64> {
        let count = self.counts.iter().find(|(key, _)| key == name).map(|(_, value)| *value);
        count.or_else(|| self.number(name).map(|value| value as u64))
    }

    /// The product of all momenta; of a state that has none, as if they had all been `momentum`. Such states counted
    /// updates, or took every step for one.
    pub(super) fn start(&self, momentum: f64) -> f64 {
        let updates = || self.count("updates").unwrap_or(self.step);
        self.number(START).unwrap_or_else(|| momentum.powf(updates() as f64))
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.numbers.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    pub(super) fn vector<T: Scalar>(&self, name: &str) -> Option<Buffer<T>> {
        let (_, values) = self.vectors.iter().find(|(key, _)| key == name)?;
        Some(Buffer::upload(values.iter().map(|&v| T::from_f64(v)).collect()))
    }
}

/// A device vector as exact `f64` numbers.
pub(super) fn widen<T: Scalar>(buffer: &Buffer<T>) -> Vec<f64> {
    buffer.tile(0, 1, buffer.len()).host().iter().map(|v| v.to_f64()).collect()
}

/// Checks that a restored vector is as long as θ.
pub(super) fn fits<T: Scalar>(vector: Option<&Buffer<T>>, name: &str, model: &Model<T>) -> Result<()> {
    let p = model.parameter_count();
    match vector.filter(|vector| vector.len() != p) {
        None => Ok(()),
        Some(vector) => Err(Error::State {
            expected: format!("a model of {p} parameters"),
            found: format!("a {name} of length {}", vector.len()),
        }),
    }
}
