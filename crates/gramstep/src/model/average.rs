//! The average of several networks, as one function.

use super::Model;
use super::differentiable::{Cotangent, Differentiable, InputPass};
use crate::device::{Device, Operations, Tile};
use crate::error::{Error, Result, check_extent};
use crate::scalar::Scalar;
use crate::view::{Matrix, MatrixView};

/// f(x) = (1/m) Σ_c f_c(x) of m networks of any architectures with the same inputs and outputs.
///
/// ```
/// use gramstep::model::Average;
/// use gramstep::{Activation, Matrix, Model};
/// let member = |seed| Model::<f64>::mlp(&[2, 8, 1], Activation::Tanh).seed(seed).build();
/// let average = Average::new(vec![member(1)?, member(2)?])?;
/// let x = Matrix::from_vec(1, 2, vec![0.3, -0.2])?;
/// let (one, other) = (member(1)?.predict(&x)?, member(2)?.predict(&x)?);
/// assert!((average.predict(&x)?[(0, 0)] - 0.5 * (one[(0, 0)] + other[(0, 0)])).abs() < 1e-15);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Average<T> {
    members: Vec<Model<T>>,
}

impl<T: Scalar> Average<T> {
    /// The average of at least one network. It computes where the first one does.
    ///
    /// # Errors
    /// [`Error::TooFew`] if there is no network, [`Error::Shape`] if their inputs or outputs differ in number.
    pub fn new(members: Vec<Model<T>>) -> Result<Self> {
        if members.is_empty() {
            return Err(Error::TooFew { what: "networks of an average", least: 1, got: 0 });
        }
        for member in &members {
            check_extent("inputs of the networks of an average", members[0].inputs(), member.inputs())?;
            check_extent("outputs of the networks of an average", members[0].outputs(), member.outputs())?;
        }
        Ok(Self { members })
    }

    /// The networks.
    #[must_use]
    pub fn members(&self) -> &[Model<T>] {
        &self.members
    }

    /// Number of parameters of all networks together.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.members.iter().map(Model::parameter_count).sum()
    }

    /// f(x), n×k.
    ///
    /// # Errors
    /// Those of [`Model::predict`].
    pub fn predict<'x>(&self, x: impl Into<MatrixView<'x, T>>) -> Result<Matrix<T>> {
        let x = x.into();
        let mut sum = self.members[0].predict(x)?;
        for member in &self.members[1..] {
            add(sum.as_mut_slice(), member.predict(x)?.as_slice());
        }
        self.divide(sum.as_mut_slice());
        Ok(sum)
    }

    /// The same networks with parameters of another number type.
    ///
    /// # Errors
    /// Those of [`Model::cast`].
    pub fn cast<U: Scalar>(&self) -> Result<Average<U>> {
        Ok(Average { members: self.members.iter().map(Model::cast).collect::<Result<_>>()? })
    }

    fn divide(&self, sum: &mut [T]) {
        let count = T::from_f64(self.members.len() as f64);
        for value in sum {
            *value /= count;
        }
    }
}

fn add<T: Scalar>(sum: &mut [T], values: &[T]) {
    sum.iter_mut().zip(values).for_each(|(sum, &value)| *sum += value);
}

impl<T: Scalar> Differentiable<T> for Average<T> {
    fn inputs(&self) -> usize {
        self.members[0].inputs()
    }

    fn outputs(&self) -> usize {
        self.members[0].outputs()
    }

    fn device(&self) -> &Device {
        self.members[0].device()
    }

    fn cost(&self) -> f64 {
        self.members.iter().map(Differentiable::cost).sum()
    }

    fn tile_samples(&self, samples: usize) -> usize {
        self.members.iter().map(|member| member.tile_samples(samples)).min().unwrap_or(1)
    }

    fn evaluate(&self, operations: &dyn Operations<T>, x: Tile<'_, T>, pass: &mut InputPass<T>) -> Result<()> {
        self.members[0].evaluate(operations, x, pass)?;
        let mut own = InputPass::default();
        for member in &self.members[1..] {
            member.evaluate(operations, x, &mut own)?;
            add(&mut pass.outputs, &own.outputs);
        }
        self.divide(&mut pass.outputs);
        Ok(())
    }

    /// Two walks forwards where there are several networks: a cotangent is known once all of them are evaluated.
    fn pull_back(
        &self,
        operations: &dyn Operations<T>,
        x: Tile<'_, T>,
        cotangent: &mut Cotangent<'_, T>,
        pass: &mut InputPass<T>,
    ) -> Result<()> {
        if let [only] = &*self.members {
            return only.pull_back(operations, x, cotangent, pass);
        }
        self.evaluate(operations, x, pass)?;
        let k = self.outputs();
        let mut cotangents = vec![T::ZERO; pass.outputs.len()];
        for (row, (f, u)) in pass.outputs.chunks_exact(k).zip(cotangents.chunks_exact_mut(k)).enumerate() {
            cotangent(row, f, u);
        }
        let mut own = InputPass::default();
        for (at, member) in self.members.iter().enumerate() {
            let mut given = |row: usize, _: &[T], u: &mut [T]| u.copy_from_slice(&cotangents[row * k..(row + 1) * k]);
            member.pull_back(operations, x, &mut given, &mut own)?;
            if at == 0 {
                pass.gradient.clone_from(&own.gradient);
            } else {
                add(&mut pass.gradient, &own.gradient);
            }
        }
        self.divide(&mut pass.gradient);
        Ok(())
    }
}
