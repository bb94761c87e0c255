//! A model of standardised data, attacked in the units of the data themselves.

use std::marker::PhantomData;

use crate::device::{Device, Operations, Tile};
use crate::error::{Result, check_extent, check_positive, check_setting};
use crate::model::{Cotangent, Differentiable, InputPass};
use crate::scalar::Scalar;

/// f(x) = m_y + s_y ∘ g((x − m_x) ⊘ s_x), g a model of standardised inputs and outputs. Models that were standardised
/// differently can be compared so: threat, goal and criterion are in the units of the data.
///
/// Means and scales are kept and applied in `f64`; inputs and outputs themselves are rounded to `T`.
///
/// ```
/// use gramstep::attack::{Attack, Criterion, OwnUnits, Pgd, Problem, Shift, ThreatModel};
/// use gramstep::{Activation, Matrix, Model};
/// let model = Model::<f64>::mlp(&[2, 16, 1], Activation::Tanh).seed(7).build()?;
/// // Inputs around 100 and 5, outputs around 40.
/// let model = OwnUnits::new(model, (&[100.0, 5.0], &[10.0, 2.0]), (&[40.0], &[8.0]))?;
/// let (x, y) = (Matrix::from_vec(1, 2, vec![95.0, 4.0])?, Matrix::zeros(1, 1));
/// let up = Shift::up(0);
/// let problem = Problem::new(&model, &x, &y).with_goal(&up).with_criterion(Criterion::Moved(1.0));
/// let attacked = Pgd::default().run(&problem, &ThreatModel::linf(0.5)?)?;
/// assert!((attacked.inputs[(0, 0)] - 95.0).abs() <= 0.5 && attacked.samples[0].before > 20.0);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OwnUnits<M, T> {
    model: M,
    inputs: Units,
    outputs: Units,
    number: PhantomData<T>,
}

/// Means and scales of columns.
#[derive(Clone, Debug)]
struct Units {
    mean: Vec<f64>,
    scale: Vec<f64>,
}

impl Units {
    fn new(what: [&'static str; 2], columns: usize, (mean, scale): (&[f64], &[f64])) -> Result<Self> {
        check_extent(what[0], columns, mean.len())?;
        check_extent(what[1], columns, scale.len())?;
        mean.iter().try_for_each(|mean| check_setting(mean.is_finite(), what[0], mean, "finite"))?;
        scale.iter().try_for_each(|&scale| check_positive(what[1], scale))?;
        Ok(Self { mean: mean.to_vec(), scale: scale.to_vec() })
    }

    /// Replaces every value of rows by what `change` makes of it, its mean and its scale.
    fn apply<T: Scalar>(&self, rows: &mut [T], change: impl Fn(f64, f64, f64) -> f64) {
        for row in rows.chunks_exact_mut(self.mean.len().max(1)) {
            for ((value, &mean), &scale) in row.iter_mut().zip(&self.mean).zip(&self.scale) {
                *value = T::from_f64(change(value.to_f64(), mean, scale));
            }
        }
    }

    fn restore<T: Scalar>(&self, rows: &mut [T]) {
        self.apply(rows, |value, mean, scale| value * scale + mean);
    }
}

impl<T: Scalar, M: Differentiable<T>> OwnUnits<M, T> {
    /// The model with (mean, scale) of its inputs and of its outputs.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if there are not as many as columns,
    /// [`Error::Setting`](crate::Error::Setting) if a mean is not finite or a scale not positive and finite.
    pub fn new(model: M, inputs: (&[f64], &[f64]), outputs: (&[f64], &[f64])) -> Result<Self> {
        let inputs = Units::new(["means of the inputs", "scales of the inputs"], model.inputs(), inputs)?;
        let outputs = Units::new(["means of the outputs", "scales of the outputs"], model.outputs(), outputs)?;
        Ok(Self { model, inputs, outputs, number: PhantomData })
    }

    fn standardised(&self, x: Tile<'_, T>) -> Vec<T> {
        let mut values = x.host().to_vec();
        self.inputs.apply(&mut values, |value, mean, scale| (value - mean) / scale);
        values
    }
}

impl<T: Scalar, M: Differentiable<T>> Differentiable<T> for OwnUnits<M, T> {
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

    fn evaluate(&self, operations: &dyn Operations<T>, x: Tile<'_, T>, pass: &mut InputPass<T>) -> Result<()> {
        let values = self.standardised(x);
        self.model.evaluate(operations, Tile::new(&values, x.rows(), x.columns()), pass)?;
        self.outputs.restore(&mut pass.outputs);
        Ok(())
    }

    fn pull_back(
        &self,
        operations: &dyn Operations<T>,
        x: Tile<'_, T>,
        cotangent: &mut Cotangent<'_, T>,
        pass: &mut InputPass<T>,
    ) -> Result<()> {
        let values = self.standardised(x);
        let mut own = vec![T::ZERO; self.outputs.mean.len()];
        let mut scaled = |row: usize, outputs: &[T], u: &mut [T]| {
            own.copy_from_slice(outputs);
            self.outputs.restore(&mut own);
            cotangent(row, &own, u);
            self.outputs.apply(u, |u, _, scale| u * scale);
        };
        self.model.pull_back(operations, Tile::new(&values, x.rows(), x.columns()), &mut scaled, pass)?;
        self.outputs.restore(&mut pass.outputs);
        self.inputs.apply(&mut pass.gradient, |slope, _, scale| slope / scale);
        Ok(())
    }
}
