//! A combination as something that can be attacked.

use gramstep::device::{Operations, Tile};
use gramstep::model::{Cotangent, Differentiable, InputPass};
use gramstep::{Device, Matrix};

use super::{Combination, joined};
use crate::data::Task;
use crate::error::Result;
use crate::outcome::metrics::softmax;

impl Combination {
    /// The cotangents of every part from those of the whole.
    ///
    /// ```text
    /// regression       u_c = w_c u
    /// classification   u_c = β w_c p_c ∘ (v − ⟨v, p_c⟩),  v = u ⊘ Σ_c w_c p_c
    /// ```
    fn cotangents(&self, u: &Matrix<f64>, outputs: &[Matrix<f64>]) -> Vec<Matrix<f64>> {
        if self.task == Task::Regression {
            let of = |weight: f64| Matrix::from_fn(u.rows(), u.columns(), |i, a| weight * u[(i, a)]);
            return self.parts.iter().map(|part| of(part.weight)).collect();
        }
        let total: f64 = self.parts.iter().map(|part| part.weight).sum();
        let mut p = outputs.to_vec();
        for p in &mut p {
            for i in 0..p.rows() {
                softmax(p.row_mut(i));
            }
        }
        let mean = |i: usize, a: usize| {
            self.parts.iter().zip(&p).map(|(part, p)| part.weight / total * p[(i, a)]).sum::<f64>()
        };
        let v = Matrix::from_fn(u.rows(), u.columns(), |i, a| u[(i, a)] / mean(i, a).max(f64::MIN_POSITIVE));
        let of = |(weight, p): (f64, &Matrix<f64>)| {
            let inner = |i: usize| v.row(i).iter().zip(p.row(i)).map(|(v, p)| v * p).sum::<f64>();
            let inner: Vec<f64> = (0..u.rows()).map(inner).collect();
            let factor = self.inverse_temperature * weight / total;
            Matrix::from_fn(u.rows(), u.columns(), |i, a| factor * p[(i, a)] * (v[(i, a)] - inner[i]))
        };
        self.parts.iter().map(|part| part.weight).zip(&p).map(of).collect()
    }

    fn run(
        &self,
        x: Tile<'_, f64>,
        cotangent: Option<&mut Cotangent<'_, f64>>,
        pass: &mut InputPass<f64>,
    ) -> Result<()> {
        let x = Matrix::from_vec(x.rows(), x.columns(), x.host().to_vec())?;
        let outputs = self.parts.iter().map(|part| part.outputs(&x)).collect::<Result<Vec<_>>>()?;
        let f = joined(self.task, &self.weighted(&outputs), self.inverse_temperature);
        pass.outputs = f.as_slice().to_vec();
        let Some(cotangent) = cotangent else { return Ok(()) };
        let mut u = Matrix::zeros(f.rows(), f.columns());
        (0..f.rows()).for_each(|i| cotangent(i, f.row(i), u.row_mut(i)));
        pass.gradient = vec![0.0; x.as_slice().len()];
        for (part, u) in self.parts.iter().zip(self.cotangents(&u, &outputs)) {
            let own = part.input_gradient(&x, &u)?;
            pass.gradient.iter_mut().zip(own.as_slice()).for_each(|(sum, own)| *sum += own);
        }
        Ok(())
    }

    fn checked(
        &self,
        x: Tile<'_, f64>,
        cotangent: Option<&mut Cotangent<'_, f64>>,
        pass: &mut InputPass<f64>,
    ) -> gramstep::Result<()> {
        let failed = |error: crate::Error| gramstep::Error::Conflict { what: "the model", reason: error.to_string() };
        self.run(x, cotangent, pass).map_err(failed)?;
        if pass.outputs.iter().chain(&pass.gradient).all(|value| value.is_finite()) {
            return Ok(());
        }
        Err(gramstep::Error::NonFinite { what: "outputs or gradient of the model", layer: None })
    }
}

impl Differentiable<f64> for Combination {
    fn inputs(&self) -> usize {
        self.train.inputs.columns()
    }

    fn outputs(&self) -> usize {
        self.train.targets.columns()
    }

    fn device(&self) -> &Device {
        &self.device
    }

    fn cost(&self) -> f64 {
        self.parameter_count() as f64 * self.train.inputs.columns() as f64
    }

    fn evaluate(&self, _: &dyn Operations<f64>, x: Tile<'_, f64>, pass: &mut InputPass<f64>) -> gramstep::Result<()> {
        self.checked(x, None, pass)
    }

    fn pull_back(
        &self,
        _: &dyn Operations<f64>,
        x: Tile<'_, f64>,
        cotangent: &mut Cotangent<'_, f64>,
        pass: &mut InputPass<f64>,
    ) -> gramstep::Result<()> {
        self.checked(x, Some(cotangent), pass)
    }
}
