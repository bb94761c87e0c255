//! The linear system of a step in its three forms: nk×nk (dual), p×p (primal), or through products alone.

use std::ops::Range;

use super::primal::{Primal, trace};
use crate::device::{Buffer, Operations, Tile};
use crate::error::{Error, Result};
use crate::loss::Linearization;
use crate::optim::state::widen;
use crate::scalar::Scalar;
use crate::solve::{ConjugateGradient, Damped, SolveInfo, Solver, conjugate_gradient, dot, norm};
use crate::tangent::JointFeatures;
use crate::view::Matrix;

/// A solution, in the space in which it was found.
pub(super) enum Direction {
    /// c of Jᵀ B c, n·k.
    Rows(Vec<f64>),
    /// The vector itself, p.
    Parameters(Vec<f64>),
}

enum Form {
    Dual(Matrix<f64>),
    Primal(Primal),
    Products,
}

/// (J̃J̃ᵀ + kI) or (J̃ᵀJ̃ + kI), J̃ = BᵀJ S^½, ready to be solved at any damping k.
pub(super) struct System<'a, 'c, T> {
    tangent: &'a JointFeatures<'c, T>,
    linear: &'a Linearization,
    form: Form,
    iterative: ConjugateGradient,
    mean_diagonal: f64,
}

impl<'a, 'c, T: Scalar> System<'a, 'c, T> {
    /// Builds the matrix that `solver` needs. `damps_less_than`: whether the smallest damping that will be
    /// asked for is below that, relative to the mean diagonal: below the rounding noise of an `f32` Gram matrix the
    /// products are made in f64.
    /// `trainable`: where the parameters of weight > 0 lie in θ, in order.
    pub(super) fn new(
        tangent: &'a JointFeatures<'c, T>,
        linear: &'a Linearization,
        solver: Solver,
        trainable: &[Range<usize>],
        damps_less_than: impl FnOnce(f64) -> Result<bool>,
        budget: usize,
    ) -> Result<Self> {
        let rows = tangent.rows();
        let needed = solver.bytes(rows, trainable.iter().map(ExactSizeIterator::len).sum());
        if needed > budget {
            return Err(Error::Memory { what: "the matrix of a dense solve", needed, budget });
        }
        let (form, trace) = match solver {
            Solver::Dual => {
                let rounding = T::EPSILON.to_f64();
                let coarse = rounding > 1e-10 && damps_less_than(rounding * rows as f64)?;
                let mut gram = if coarse { tangent.cast::<f64>().lower_gram() } else { tangent.lower_gram() }?;
                let cost = (rows * rows) as f64;
                tangent.device().enter(cost, |threads| linear.transform_gram(&mut gram, threads));
                let trace = trace(&gram);
                (Form::Dual(gram), trace)
            }
            Solver::Primal => {
                let primal = Primal::new(tangent, linear, trainable)?;
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

    /// p
    pub(super) fn parameter_count(&self) -> usize {
        self.tangent.parameter_count()
    }

    /// Mean diagonal of J̃J̃ᵀ.
    pub(super) fn mean_diagonal(&self) -> f64 {
        self.mean_diagonal
    }

    /// J̃ᵀ(J̃J̃ᵀ + kI)⁻¹ rhs, or the (J̃ᵀJ̃ + kI)⁻¹J̃ᵀ rhs that equals it.
    pub(super) fn solve(&self, rhs: &[f64], damping: f64) -> Result<(Direction, SolveInfo)> {
        let (direction, info) = match &self.form {
            Form::Dual(gram) => {
                let work = (gram.rows() as f64).powi(3) / 6.0;
                let solved = self
                    .tangent
                    .device()
                    .enter(work, |threads| Damped::factor(gram, damping, threads)?.solve(rhs, Solver::Dual));
                solved.map(|(c, info)| (Direction::Rows(c), info))?
            }
            Form::Primal(primal) => {
                let pulled = self.pull(rhs)?;
                let work = (primal.size() as f64).powi(3) / 6.0;
                let solved = self.tangent.device().enter(work, |threads| primal.solve(&pulled, damping, threads));
                solved.map(|(step, info)| (Direction::Parameters(step), info))?
            }
            Form::Products => self.iterate(rhs, damping).map(|(c, info)| (Direction::Rows(c), info))?,
        };
        let values = match &direction {
            Direction::Rows(values) | Direction::Parameters(values) => values,
        };
        if values.iter().all(|value| value.is_finite()) {
            Ok((direction, info))
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
        let product = |c: &[f64]| {
            let lifted = Buffer::upload(self.pull(c)?.into_iter().map(T::from_f64).collect());
            Ok(self.linear.apply_transpose(widen(&self.tangent.jvp_buffer(&lifted)?)))
        };
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

    /// S Jᵀ B c, p.
    fn pull(&self, c: &[f64]) -> Result<Vec<f64>> {
        let cotangents: Vec<T> = self.linear.apply(c.to_vec()).into_iter().map(T::from_f64).collect();
        let mut pulled = Buffer::zeros(self.parameter_count());
        self.tangent.add_vjp(T::ONE, Some(&cotangents), &mut pulled)?;
        Ok(widen(&pulled))
    }

    /// into += α·direction, in parameter space.
    ///
    /// # Errors
    /// If a process is gone; `into` is left as it was.
    pub(super) fn add_direction(&self, direction: &Direction, alpha: T, into: &mut Buffer<T>) -> Result<()> {
        match direction {
            Direction::Rows(c) => {
                let cotangents: Vec<T> = self.linear.apply(c.clone()).into_iter().map(T::from_f64).collect();
                self.tangent.add_vjp(alpha, Some(&cotangents), into)
            }
            Direction::Parameters(values) => {
                let p = values.len();
                let values: Vec<T> = values.iter().map(|&v| T::from_f64(v)).collect();
                let operations = self.tangent.device().operations::<T>();
                operations.axpby(into.tile_mut(0, 1, p), T::ONE, alpha, Tile::new(&values, 1, p));
                Ok(())
            }
        }
    }

    /// J̃·direction, n·k.
    pub(super) fn image(&self, direction: &Direction) -> Result<Vec<f64>> {
        Ok(self.linear.apply_transpose(self.output_change(direction)?))
    }

    /// J·direction, n·k.
    pub(super) fn output_change(&self, direction: &Direction) -> Result<Vec<f64>> {
        Ok(widen(&self.tangent.jvp_buffer(&self.in_parameters(direction)?)?))
    }

    /// Euclidean length of the direction in parameter space.
    pub(super) fn norm(&self, direction: &Direction) -> Result<f64> {
        match direction {
            Direction::Parameters(values) => Ok(norm(values)),
            Direction::Rows(_) => {
                let wide = widen(&self.in_parameters(direction)?);
                Ok(dot(&wide, &wide).sqrt())
            }
        }
    }

    /// The direction as a vector of parameters, p.
    pub(super) fn in_parameters(&self, direction: &Direction) -> Result<Buffer<T>> {
        let mut vector = Buffer::zeros(self.parameter_count());
        self.add_direction(direction, T::ONE, &mut vector)?;
        Ok(vector)
    }
}

/// Mean of some numbers.
pub(super) fn mean<T: Scalar>(values: &[T]) -> f64 {
    values.iter().map(|v| v.to_f64()).sum::<f64>() / values.len().max(1) as f64
}
