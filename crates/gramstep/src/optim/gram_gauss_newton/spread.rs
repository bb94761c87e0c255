//! How much the gradients of a batch differ between its samples: what can be learnt from them beside a constant.

use super::{GramGaussNewton, Rows};
use crate::communicator::gather_values;
use crate::device::Buffer;
use crate::error::Result;
use crate::model::Model;
use crate::optim::Batch;
use crate::optim::seed::by_sample;
use crate::optim::state::widen;
use crate::scalar::Scalar;
use crate::solve::dot;
use crate::tangent::JointFeatures;

impl<T: Scalar> GramGaussNewton<T> {
    /// The trace of G = JJᵀ without what all samples have in common,
    ///
    /// ```text
    /// Σ_a Σ_i w_i‖∇f_a(x_i) − m_a‖²,    m_a = Σ_i w_i ∇f_a(x_i) / Σ_i w_i
    /// ```
    ///
    /// and for a loss with a curvature B, or with one row a sample, that share of the trace of the system. Beside the
    /// constants, which biases learn alone, its eigenvalues w determine Σ w/(w + κ) parameters under a ridge κ, which is less than spread/κ. Where it
    /// is 0 all samples pull every output alike, and no step can tell them apart.
    ///
    /// ```
    /// use gramstep::optim::{Batch, GramGaussNewton, GramGaussNewtonConfig};
    /// use gramstep::{Activation, Matrix, Model};
    /// let x = Matrix::from_vec(3, 1, vec![-1.0, 0.0, 1.0])?;
    /// let batch = Batch::new(&x, &x);
    /// let mut model = Model::<f64>::mlp(&[1, 8, 8, 1], Activation::Tanh).build()?;
    /// let optimizer = GramGaussNewton::new(GramGaussNewtonConfig::default())?;
    /// assert!(optimizer.spread(&model, &batch)? > 1.0);
    /// model.set_theta(&vec![0.0; model.parameter_count()])?;
    /// assert_eq!(optimizer.spread(&model, &batch)?, 0.0);
    /// # Ok::<(), gramstep::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of a step on the batch, apart from those of its solve.
    pub fn spread(&self, model: &Model<T>, batch: &Batch<'_, T>) -> Result<f64> {
        let (tangent, linear, _) = self.linearise(model, batch)?;
        let own: Vec<f64> = (0..batch.samples()).map(|i| batch.weight(i)).collect();
        let weights = gather_values(batch.communicator(), &own)?;
        let diagonal = wide(tangent.diagonal()?);
        let mut sums = Sums::default();
        if self.config.rows == Rows::Exact {
            sums.add(&tangent, &diagonal, &weights)?;
        } else {
            // The one row mixes the outputs. Each by itself, they take no more memory than a step.
            for a in 0..model.outputs() {
                let unit = by_sample(|_, _: &[f64], u: &mut [f64]| {
                    u.fill(0.0);
                    u[a] = 1.0;
                });
                let own = model.functional(batch.inputs(), &unit, 0);
                let output = JointFeatures::new(batch.communicator(), own, 0)?;
                sums.add(&output, &wide(output.diagonal()?), &weights)?;
            }
        }
        let trace = linear.trace(|| Ok(diagonal), || tangent.diagonal_blocks().map(wide))?;
        Ok(trace * sums.share_apart(&weights))
    }
}

/// Sums over outputs.
#[derive(Default)]
struct Sums {
    /// Σ_i w_i‖∇f_a(x_i)‖²
    all: f64,
    /// ‖Σ_i w_i ∇f_a(x_i)‖²
    common: f64,
}

impl Sums {
    /// Adds those of the outputs whose gradients are the rows of some features, with the diagonal of their G.
    fn add<T: Scalar>(&mut self, features: &JointFeatures<'_, T>, diagonal: &[f64], weights: &[f64]) -> Result<()> {
        let k = features.outputs();
        self.all += diagonal.iter().enumerate().map(|(at, g)| weights[at / k] * g).sum::<f64>();
        for a in 0..k {
            // uᵀGu with u = w for output a.
            let u: Vec<f64> = (0..diagonal.len()).map(|at| if at % k == a { weights[at / k] } else { 0.0 }).collect();
            let cotangents: Vec<T> = u.iter().map(|&u| T::from_f64(u)).collect();
            let mut pulled = Buffer::zeros(features.parameter_count());
            features.add_vjp(T::ONE, Some(&cotangents), &mut pulled)?;
            self.common += dot(&u, &widen(&features.jvp_buffer(&pulled)?));
        }
        Ok(())
    }

    /// The share of the squares that is not of the weighted mean.
    fn share_apart(&self, weights: &[f64]) -> f64 {
        let apart = self.all - self.common / weights.iter().sum::<f64>();
        if self.all > 0.0 { apart.max(0.0) / self.all } else { 0.0 }
    }
}

fn wide<T: Scalar>(values: Vec<T>) -> Vec<f64> {
    values.into_iter().map(Scalar::to_f64).collect()
}
