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

#[cfg(test)]
mod tests {
    use gramstep::attack::{Attack, Criterion, Pgd, Problem, Shift, ThreatModel};
    use gramstep::{Activation, Model};

    use super::*;
    use crate::data::{Bound, Standardisation};

    /// Bounds [−1, 1] and none.
    fn inputs() -> Inputs {
        Inputs {
            standardisation: Standardisation::fit([[0.0, 1.0].as_slice(), [0.0, 1.0].as_slice()]),
            bounds: vec![Bound::Range([-1.0, 1.0]), Bound::Free],
            ..Inputs::default()
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_network_behind_its_bounds() {
        let model = Model::<f64>::mlp(&[2, 16, 1], Activation::Tanh).seed(3).build().unwrap();
        let bounded = Bounded::new(&model, &inputs());
        let up = Shift::up(0);
        for z in [[0.3, 0.2], [1.7, -4.0], [-30.0, 0.0], [2.4, 1.0]] {
            // One step of steepest ascent of length 1e-4 rises as the slope says.
            let (x, y) = (Matrix::from_vec(1, 2, z.to_vec()).unwrap(), Matrix::zeros(1, 1));
            let said = |z: [f64; 2]| {
                let mut values = z;
                inputs().bend(&mut values);
                model.predict(&Matrix::from_vec(1, 2, values.to_vec()).unwrap()).unwrap()[(0, 0)]
            };
            let problem = Problem::new(&bounded, &x, &y).with_goal(&up).with_criterion(Criterion::None);
            let attacked = Pgd::new(1).with_step_size(1.0).run(&problem, &ThreatModel::l2(1e-4).unwrap()).unwrap();
            let slope = [0, 1].map(|j| {
                let (mut above, mut below) = (z, z);
                above[j] += 1e-5;
                below[j] -= 1e-5;
                (said(above) - said(below)) / 2e-5
            });
            let length = slope[0].hypot(slope[1]);
            for j in 0..2 {
                let moved = (attacked.inputs[(0, j)] - z[j]) / 1e-4;
                assert!((moved - slope[j] / length).abs() < 1e-4, "{z:?}: {moved} {slope:?}");
            }
            assert!((attacked.samples[0].before - said(z)).abs() < 1e-14);
        }
    }
}
