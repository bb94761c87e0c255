//! The linear system of a step in its three forms: nk×nk (dual), p×p (primal), or through products alone.

use crate::device::{Buffer, Operations, Product, Tile, TileMut, for_each_chunk};
use crate::error::{Error, Result};
use crate::loss::Linearization;
use crate::scalar::Scalar;
use crate::solve::{ConjugateGradient, Damped, SolveInfo, Solver, conjugate_gradient, dot, norm};
use crate::tangent::TangentFeatures;
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
    Primal { matrix: Matrix<f64>, roots: Vec<f64> },
    Products,
}

/// (J̃J̃ᵀ + kI) or (J̃ᵀJ̃ + kI), J̃ = BᵀJ S^½, ready to be solved at any damping k.
pub(super) struct System<'a, T> {
    tangent: &'a TangentFeatures<T>,
    linear: &'a Linearization,
    form: Form,
    mean_diagonal: f64,
}

impl<'a, T: Scalar> System<'a, T> {
    /// Builds the matrix that `solver` needs. `relative_damping` is the smallest damping that will be asked for,
    /// relative to the mean diagonal: below the rounding noise of an `f32` Gram matrix the products are made in f64.
    pub(super) fn new(
        tangent: &'a TangentFeatures<T>,
        linear: &'a Linearization,
        solver: Solver,
        relative_damping: f64,
        budget: usize,
    ) -> Result<Self> {
        let (rows, parameters) = (tangent.rows(), tangent.parameter_count());
        let size = match solver {
            Solver::Dual => rows,
            Solver::Primal => parameters,
            Solver::ConjugateGradient => 0,
        };
        let needed = size.saturating_mul(size).saturating_mul(2 * size_of::<f64>());
        if needed > budget {
            return Err(Error::Memory { what: "the matrix of a dense solve", needed, budget });
        }
        let (form, trace) = match solver {
            Solver::Dual => {
                let coarse = relative_damping < T::EPSILON.to_f64() * rows as f64 && T::EPSILON.to_f64() > 1e-10;
                let mut gram =
                    if coarse { tangent.cast::<f64>().lower_gram() } else { tangent.lower_gram().into_f64() };
                let cost = (rows * rows) as f64;
                tangent.device().enter(cost, |threads| linear.transform_gram(&mut gram, threads));
                let trace = trace(&gram);
                (Form::Dual(gram), trace)
            }
            Solver::Primal => {
                let matrix = primal_matrix(tangent, linear);
                let trace = trace(&matrix);
                (Form::Primal { matrix, roots: tangent.root_weights() }, trace)
            }
            Solver::ConjugateGradient => {
                let wide = |values: Vec<T>| values.into_iter().map(Scalar::to_f64).collect();
                (Form::Products, linear.trace(|| wide(tangent.diagonal()), || wide(tangent.diagonal_blocks())))
            }
        };
        let mean_diagonal = if rows == 0 { 0.0 } else { trace / rows as f64 };
        if !mean_diagonal.is_finite() {
            return Err(Error::NonFinite { what: "Gram matrix", layer: None });
        }
        Ok(Self { tangent, linear, form, mean_diagonal })
    }

    /// Mean diagonal of J̃J̃ᵀ.
    pub(super) fn mean_diagonal(&self) -> f64 {
        self.mean_diagonal
    }

    /// J̃ᵀ(J̃J̃ᵀ + kI)⁻¹ rhs, or the (J̃ᵀJ̃ + kI)⁻¹J̃ᵀ rhs that equals it.
    pub(super) fn solve(&self, rhs: &[f64], damping: f64) -> Result<(Direction, SolveInfo)> {
        let threads = self.tangent.device().threads();
        let (direction, info) = match &self.form {
            Form::Dual(gram) => {
                let work = (gram.rows() as f64).powi(3) / 6.0;
                let solved = self
                    .tangent
                    .device()
                    .enter(work, |threads| Damped::factor(gram, damping, threads)?.solve(rhs, Solver::Dual));
                solved.map(|(c, info)| (Direction::Rows(c), info))?
            }
            Form::Primal { matrix, roots } => {
                let mut pulled = self.pull(rhs)?;
                // vjp gives S Jᵀ; the system is in the coordinates S^{−½}θ.
                for (value, root) in pulled.iter_mut().zip(roots) {
                    *value = if *root > 0.0 { *value / root } else { 0.0 };
                }
                let work = || Damped::factor(matrix, damping, threads)?.solve(&pulled, Solver::Primal);
                let (mut solution, info) =
                    self.tangent.device().enter((matrix.rows() as f64).powi(3) / 6.0, |_| work())?;
                solution.iter_mut().zip(roots).for_each(|(value, root)| *value *= root);
                (Direction::Parameters(solution), info)
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

    /// Conjugate gradients on c. Where B is not the identity z may be huge (a probability that underflows) in
    /// entries that hardly count; c = rhs/k + e leaves a moderate system for e.
    fn iterate(&self, rhs: &[f64], damping: f64) -> Result<(Vec<f64>, SolveInfo)> {
        // Products in f32 carry rounding of their own, which no residual falls below.
        let settings = ConjugateGradient::to_tolerance((8.0 * T::EPSILON.to_f64()).max(1e-12));
        let product = |c: &[f64]| {
            let lifted = Buffer::upload(self.pull(c)?.into_iter().map(T::from_f64).collect());
            Ok(self.linear.apply_transpose(super::widen(&self.tangent.jvp_buffer(&lifted))))
        };
        if self.linear.is_plain() || damping == 0.0 {
            return conjugate_gradient(product, damping, rhs, settings);
        }
        let start: Vec<f64> = rhs.iter().map(|r| r / damping).collect();
        let remainder: Vec<f64> = product(&start)?.into_iter().map(|image| -image).collect();
        let (mut c, info) = conjugate_gradient(product, damping, &remainder, settings)?;
        c.iter_mut().zip(start).for_each(|(c, start)| *c += start);
        Ok((c, info))
    }

    /// S Jᵀ B c, p.
    fn pull(&self, c: &[f64]) -> Result<Vec<f64>> {
        let cotangents: Vec<T> = self.linear.apply(c.to_vec()).into_iter().map(T::from_f64).collect();
        Ok(self.tangent.vjp(&cotangents)?.into_iter().map(Scalar::to_f64).collect())
    }

    /// into += α·direction, in parameter space.
    pub(super) fn add_direction(&self, direction: &Direction, alpha: T, into: &mut Buffer<T>) {
        match direction {
            Direction::Rows(c) => {
                let cotangents: Vec<T> = self.linear.apply(c.clone()).into_iter().map(T::from_f64).collect();
                self.tangent.add_vjp(alpha, Some(&cotangents), into);
            }
            Direction::Parameters(values) => {
                let p = values.len();
                let values: Vec<T> = values.iter().map(|&v| T::from_f64(v)).collect();
                let operations = self.tangent.device().operations::<T>();
                operations.axpby(into.tile_mut(0, 1, p), T::ONE, alpha, Tile::new(&values, 1, p));
            }
        }
    }

    /// J̃·direction, n·k.
    pub(super) fn image(&self, direction: &Direction) -> Vec<f64> {
        let mut vector = Buffer::zeros(self.tangent.parameter_count());
        self.add_direction(direction, T::ONE, &mut vector);
        self.linear.apply_transpose(super::widen(&self.tangent.jvp_buffer(&vector)))
    }

    /// Euclidean length of the direction in parameter space.
    pub(super) fn norm(&self, direction: &Direction) -> f64 {
        match direction {
            Direction::Parameters(values) => norm(values),
            Direction::Rows(_) => {
                let mut vector = Buffer::zeros(self.tangent.parameter_count());
                self.add_direction(direction, T::ONE, &mut vector);
                let wide = super::widen(&vector);
                dot(&wide, &wide).sqrt()
            }
        }
    }
}

/// Mean of some numbers.
pub(super) fn mean<T: Scalar>(values: &[T]) -> f64 {
    values.iter().map(|v| v.to_f64()).sum::<f64>() / values.len().max(1) as f64
}

fn trace(matrix: &Matrix<f64>) -> f64 {
    (0..matrix.rows()).map(|i| matrix[(i, i)]).sum()
}

/// J̃ᵀJ̃ (lower triangle), from a few rows of J̃ at a time, in f64.
fn primal_matrix<T: Scalar>(tangent: &TangentFeatures<T>, linear: &Linearization) -> Matrix<f64> {
    const PANEL: usize = 128;
    let (p, k) = (tangent.parameter_count(), tangent.outputs());
    let mut matrix = Matrix::zeros(p, p);
    // Rows of J̃ at a time: 32 MiB, at least one sample.
    let chunk = ((32 << 20) / (8 * p * k).max(1)).clamp(1, tangent.samples().max(1));
    let device = tangent.device();
    for start in (0..tangent.samples()).step_by(chunk) {
        let samples = start..(start + chunk).min(tangent.samples());
        let mut rows: Matrix<f64> = tangent.jacobian_rows(samples.clone(), f64::sqrt).cast();
        linear.transform_jacobian(samples.start, &mut rows);
        let transposed = transpose(&rows);
        let work = (rows.rows() * p) as f64 * p as f64 / 2.0;
        let mut panels: Vec<_> = matrix.as_mut_slice().chunks_mut(PANEL * p).enumerate().collect();
        panels.reverse();
        device.enter(work, |_| {
            device.for_each(work, panels, |operations, (at, out): (usize, &mut [f64])| {
                let (first, height) = (at * PANEL, out.len() / p);
                let width = first + height;
                let mut product = vec![0.0; height * width];
                let a = Tile::new(
                    &transposed.as_slice()[first * rows.rows()..][..height * rows.rows()],
                    height,
                    rows.rows(),
                );
                let b = Tile::new(&transposed.as_slice()[..width * rows.rows()], width, rows.rows());
                operations.product(TileMut::new(&mut product, height, width), Product::Replace, 1.0, a, b.t());
                for (out, product) in out.chunks_exact_mut(p).zip(product.chunks_exact(width)) {
                    out.iter_mut().zip(product).for_each(|(out, v)| *out += v);
                }
            });
        });
    }
    matrix
}

fn transpose(matrix: &Matrix<f64>) -> Matrix<f64> {
    let mut out = Matrix::zeros(matrix.columns(), matrix.rows());
    let rows = matrix.rows();
    for_each_chunk(1, out.as_mut_slice(), rows, |j, line| {
        line.iter_mut().enumerate().for_each(|(i, v)| *v = matrix[(i, j)]);
    });
    out
}
