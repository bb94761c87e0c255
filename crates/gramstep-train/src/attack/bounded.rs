//! A network with the bounds of its inputs as a function of standardised columns, which have the units of the data.

use gramstep::device::{Device, Operations, Tile};
use gramstep::model::{Cotangent, Differentiable, InputPass};
use gramstep::{Matrix, Scalar};

use crate::data::{Inputs, Preprocessing};
use crate::error::Result;
use crate::predictor::Learned;

/// f(z) = g(b(z)): g the network, b what keeps its inputs within bounds. b is smooth and rises, so that an attack on f in z
/// is one in the units of the data wherever a column is bent.
#[derive(Clone, Debug)]
pub struct Bounded<M> {
    model: M,
    inputs: Inputs,
}

impl<M> Bounded<M> {
    /// The network with what is made of its inputs.
    #[must_use]
    pub fn new(model: M, inputs: &Inputs) -> Self {
        Self { model, inputs: inputs.clone() }
    }

    fn bent<T: Scalar>(&self, z: Tile<'_, T>) -> Vec<T> {
        let mut values = z.host().to_vec();
        self.inputs.bend(&mut values);
        values
    }
}

impl<T: Scalar, M: Differentiable<T>> Differentiable<T> for Bounded<M> {
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
        self.model.cost()
    }

    fn tile_samples(&self, samples: usize) -> usize {
        self.model.tile_samples(samples)
    }

    fn evaluate(
        &self,
        operations: &dyn Operations<T>,
        z: Tile<'_, T>,
        pass: &mut InputPass<T>,
    ) -> gramstep::Result<()> {
        let values = self.bent(z);
        self.model.evaluate(operations, Tile::new(&values, z.rows(), z.columns()), pass)
    }

    fn pull_back(
        &self,
        operations: &dyn Operations<T>,
        z: Tile<'_, T>,
        cotangent: &mut Cotangent<'_, T>,
        pass: &mut InputPass<T>,
    ) -> gramstep::Result<()> {
        let values = self.bent(z);
        self.model.pull_back(operations, Tile::new(&values, z.rows(), z.columns()), cotangent, pass)?;
        self.inputs.chain(&mut pass.gradient, z.host());
        Ok(())
    }
}

/// The preprocessing up to the bounds.
pub(super) fn unbounded(preprocessing: &Preprocessing) -> Preprocessing {
    let mut unbounded = preprocessing.clone();
    unbounded.inputs.bounds.clear();
    unbounded
}

/// What a model says of rows that are not yet within its bounds.
pub(super) fn outputs(learned: &Learned, inputs: &Inputs, z: &Matrix<f64>) -> Result<Matrix<f64>> {
    let mut rows = z.clone();
    inputs.bend(rows.as_mut_slice());
    learned.outputs(&rows)
}
