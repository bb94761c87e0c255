//! How much the gradients of a batch differ between its samples: what can be learnt from them beside a constant.

use super::GramGaussNewton;
use crate::communicator::gather_values;
use crate::device::Buffer;
use crate::error::Result;
use crate::model::Model;
use crate::optim::Batch;
use crate::optim::state::widen;
use crate::scalar::Scalar;

impl<T: Scalar> GramGaussNewton<T> {
    /// The trace of G = JJᵀ without what all samples have in common,
    ///
    /// ```text
    /// Σ_a Σ_i w_i‖∇f_a(x_i) − m_a‖²,    m_a = Σ_i w_i ∇f_a(x_i) / Σ_i w_i
    /// ```
    ///
    /// and for a loss with a curvature B that share of the trace of BᵀGB. Beside the constants, which a bias learns
    /// alone, its eigenvalues w determine Σ w/(w + κ) parameters under a ridge κ, which is less than spread/κ. Where it
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
        let k = tangent.outputs();
        let wide = |values: Vec<T>| values.into_iter().map(Scalar::to_f64).collect::<Vec<f64>>();
        let own: Vec<f64> = (0..batch.samples()).map(|i| batch.weight(i)).collect();
        let weights = gather_values(batch.communicator(), &own)?;
        let diagonal = wide(tangent.diagonal()?);
        let all: f64 = diagonal.iter().enumerate().map(|(at, g)| weights[at / k] * g).sum();
        let mut common = 0.0;
        for a in 0..k {
            // uᵀGu / Σw with u = w for output a.
            let u: Vec<f64> = (0..diagonal.len()).map(|at| if at % k == a { weights[at / k] } else { 0.0 }).collect();
            let cotangents: Vec<T> = u.iter().map(|&u| T::from_f64(u)).collect();
            let mut pulled = Buffer::zeros(model.parameter_count());
            tangent.add_vjp(T::ONE, Some(&cotangents), &mut pulled)?;
            let image = widen(&tangent.jvp_buffer(&pulled)?);
            common += u.iter().zip(image).map(|(u, image)| u * image).sum::<f64>();
        }
        let apart = (all - common / weights.iter().sum::<f64>()).max(0.0);
        let trace = linear.trace(|| Ok(diagonal.clone()), || tangent.diagonal_blocks().map(wide))?;
        Ok(if all > 0.0 { trace * (apart / all) } else { 0.0 })
    }
}
