//! The linear system of a step in its three forms: nk×nk (dual), p×p (primal), or through products alone.

use std::ops::Range;

use super::damping::LeastDamping;
use super::primal::{Primal, trace};
use super::state::widen;
use crate::device::Buffer;
use crate::error::{Error, Result};
use crate::loss::LinearisedLoss;
use crate::scalar::Scalar;
use crate::solve::{ConjugateGradient, Damped, SolveInfo, Solver, conjugate_gradient, norm};
use crate::tangent::JointFeatures;
use crate::view::Matrix;

/// A solution, in the space in which it was found.
pub(super) enum Solution {
    /// c of S JᵀB c, n·k.
    Rows(Vec<f64>),
    /// A vector of parameters, p.
    Parameters(Vec<f64>),
}

#[derive(Debug)]
enum Form {
    Dual(Matrix<f64>),
    Primal(Primal),
    Products,
}

/// (J̃J̃ᵀ + kI) or (J̃ᵀJ̃ + kI), J̃ = BᵀJ S^½, ready to be solved at any damping k.
#[derive(Debug)]
pub(super) struct System<'c, T> {
    tangent: JointFeatures<'c, T>,
    linear: LinearisedLoss,
    form: Form,
    iterative: ConjugateGradient,
    mean_diagonal: f64,
}

impl<'c, T: Scalar> System<'c, T> {
    /// Builds the matrix that `solver` needs, for dampings of `least` and more. `trainable`: where the parameters of weight > 0
    /// lie in θ, in order.
    pub(super) fn new(
        tangent: JointFeatures<'c, T>,
        linear: LinearisedLoss,
        solver: Solver,
        trainable: &[Range<usize>],
        least: LeastDamping,
        budget: usize,
    ) -> Result<Self> {
        let rows = tangent.rows();
        let needed = solver.bytes(rows, trainable.iter().map(ExactSizeIterator::len).sum());
        if needed > budget {
            return Err(Error::Memory { what: "the matrix of a dense solve", needed, budget });
        }
        let (form, trace) = match solver {
            Solver::Dual => {
                let gram = dual(&tangent, &linear, least)?;
                let trace = trace(&gram);
                (Form::Dual(gram), trace)
            }
            Solver::Primal => {
                let primal = Primal::new(&tangent, &linear, trainable)?;
                let trace = primal.trace();
                (Form::Primal(primal), trace)
            }
            Solver::ConjugateGradient => {
                let wide = |values: Vec<T>| values.into_iter().map(Scalar::to_f64).collect();
                let diagonal = || tangent.diagonal().map(wide);
                (Form::Products, linear.trace(diagonal, || tangent.diagonal_blocks().map(wide))?)
            }
        };
        let mean_diagonal = if rows == 0 { 0.0 } else { trace / rows as f64 };
        if !mean_diagonal.is_finite() {
            return Err(Error::NonFinite { what: "Gram matrix", layer: None });
        }
        Ok(Self { tangent, linear, form, iterative: ConjugateGradient::default(), mean_diagonal })
    }

    /// The same system with other settings for conjugate gradients.
    pub(super) fn with_iterative(mut self, settings: ConjugateGradient) -> Self {
        self.iterative = settings;
        self
    }

    /// Samples of the batch.
    pub(super) fn samples(&self) -> usize {
        self.tangent.samples()
    }

    /// What the system is made of.
    pub(super) fn tangent(&self) -> &JointFeatures<'c, T> {
        &self.tangent
    }

    /// z and B.
    pub(super) fn linear(&self) -> &LinearisedLoss {
        &self.linear
    }

    /// Mean diagonal of J̃J̃ᵀ.
    pub(super) fn mean_diagonal(&self) -> f64 {
        self.mean_diagonal
    }

    /// J̃ᵀ(J̃J̃ᵀ + kI)⁻¹ rhs, or the (J̃ᵀJ̃ + kI)⁻¹J̃ᵀ rhs that equals it.
    pub(super) fn solve(&self, rhs: &[f64], damping: f64) -> Result<(Solution, SolveInfo)> {
        let (solution, info) = match &self.form {
            Form::Dual(gram) => {
                let work = (gram.rows() as f64).powi(3) / 6.0;
                let solved = self
                    .tangent
                    .device()
                    .enter(work, |threads| Damped::factor(gram, damping, threads)?.solve(rhs, Solver::Dual));
                solved.map(|(c, info)| (Solution::Rows(c), info))?
            }
            Form::Primal(primal) => {
                let pulled = self.pull(rhs)?;
                let work = (primal.size() as f64).powi(3) / 6.0;
                let solved = self.tangent.device().enter(work, |threads| primal.solve(&pulled, damping, threads));
                solved.map(|(step, info)| (Solution::Parameters(step), info))?
            }
            Form::Products => self.iterate(rhs, damping).map(|(c, info)| (Solution::Rows(c), info))?,
        };
        let values = match &solution {
            Solution::Rows(values) | Solution::Parameters(values) => values,
        };
        if values.iter().all(|value| value.is_finite()) {
            Ok((solution, info))
        } else {
            Err(Error::Solve { solver: "the solve", size: rhs.len(), reason: "the solution is not finite".to_owned() })
        }
    }

    /// Conjugate gradients on c. Where the loss is curved z may be huge (a probability that underflows) in entries
    /// that hardly count; c = rhs/k + e leaves a moderate system for e, with the same residual.
    fn iterate(&self, rhs: &[f64], damping: f64) -> Result<(Vec<f64>, SolveInfo)> {
        let mut settings = self.iterative;
        // Products carry rounding of their own, which no residual falls below.
        settings.tolerance = settings.tolerance.max(8.0 * T::EPSILON.to_f64());
        let product = |c: &[f64]| self.image(&self.lift(c)?);
        if !self.linear.is_curved() || damping == 0.0 {
            return conjugate_gradient(product, damping, rhs, settings);
        }
        let start: Vec<f64> = rhs.iter().map(|r| r / damping).collect();
        let remainder: Vec<f64> = product(&start)?.into_iter().map(|image| -image).collect();
        // The tolerance holds for both systems, whichever right-hand side is smaller.
        let (length, remaining) = (norm(rhs), norm(&remainder));
        settings.tolerance *= if remaining > length { length / remaining } else { 1.0 };
        let (mut c, mut info) = conjugate_gradient(product, damping, &remainder, settings)?;
        c.iter_mut().zip(start).for_each(|(c, start)| *c += start);
        info.residual *= if length > 0.0 { remaining / length } else { 0.0 };
        Ok((c, info))
    }

    /// S JᵀB c, p, in f64.
    fn pull(&self, c: &[f64]) -> Result<Vec<f64>> {
        self.lift(c).map(|lifted| widen(&lifted))
    }

    /// S JᵀB c, p.
    pub(super) fn lift(&self, c: &[f64]) -> Result<Buffer<T>> {
        let mut lifted = Buffer::zeros(self.tangent.parameter_count());
        self.add_lifted(T::ONE, c, &mut lifted)?;
        Ok(lifted)
    }

    /// into += α·S JᵀB c.
    ///
    /// # Errors
    /// If a process is gone; `into` is left as it was.
    pub(super) fn add_lifted(&self, alpha: T, c: &[f64], into: &mut Buffer<T>) -> Result<()> {
        let cotangents: Vec<T> = self.linear.apply(c.to_vec()).into_iter().map(T::from_f64).collect();
        self.tangent.add_vjp(alpha, Some(&cotangents), into)
    }

    /// J v, n·k.
    pub(super) fn output_change(&self, v: &Buffer<T>) -> Result<Vec<f64>> {
        Ok(widen(&self.tangent.jvp_buffer(v)?))
    }

    /// J̃v, n·k.
    pub(super) fn image(&self, v: &Buffer<T>) -> Result<Vec<f64>> {
        Ok(self.linear.apply_transpose(self.output_change(v)?))
    }
}

/// BᵀGB in its lower triangle. Products are of the features' type, or in f64 where `least` is below the rounding noise of
/// an `f32` Gram matrix, relative to the mean diagonal.
fn dual<T: Scalar>(
    tangent: &JointFeatures<'_, T>,
    linear: &LinearisedLoss,
    least: LeastDamping,
) -> Result<Matrix<f64>> {
    let rows = tangent.rows() as f64;
    let transformed = |gram: Result<Matrix<f64>>| {
        let mut gram = gram?;
        tangent.device().enter(rows * rows, |threads| linear.transform_gram(&mut gram, threads));
        Ok(gram)
    };
    let exact = || transformed(tangent.cast::<f64>().lower_gram());
    let rounding = T::EPSILON.to_f64();
    let limit = if rounding > 1e-10 { rounding * rows } else { 0.0 };
    if least.relative < limit && least.absolute == 0.0 {
        return exact();
    }
    let gram = transformed(tangent.lower_gram())?;
    // The mean diagonal is known once there is a matrix, and costs nothing then.
    if least.relative < limit && least.relative + least.absolute * rows / trace(&gram) < limit {
        return exact();
    }
    Ok(gram)
}
