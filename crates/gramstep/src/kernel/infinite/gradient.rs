//! The gradient of a kernel expansion in its input, ∂/∂x ⟨u, Σ_j K(x, x_j) c_j⟩.

use std::ops::Range;

use super::points::InfinitePoints;
use super::slopes::Slopes;
use super::walk::{STRIPE, Start, Work, runs};
use crate::device::{Operations, Tile, TileMut, WriteMode, vectorized};
use crate::error::{Error, Result, check_extent};
use crate::kernel::Which;
use crate::scalar::Scalar;
use crate::view::Matrix;

/// Rows of the result, and of the cotangents.
struct Panel<'a, T> {
    rows: Range<usize>,
    gradient: &'a mut [T],
}

impl<T: Scalar> InfinitePoints<T> {
    /// What the gradient of a pair costs, in kernels of the pair.
    pub(crate) const GRADIENT_COST: f64 = 3.0;

    /// ∂/∂x_i ⟨u_i, Σ_j K(x_i, x′_j) c_j⟩ for these points x_i and others x′_j, n×d; u: n×k, c: n′×k.
    ///
    /// ```text
    /// = Σ_j ⟨u_i, c_j⟩ (∂K/∂k · x′_j + ∂K/∂q · 2x_i)/d,    k = x_i·x′_j/d,  q = x_i·x_i/d
    /// ```
    ///
    /// Where x_i and x′_j have the same direction a kernel with a kink (that of relu) has no derivative; the kink then
    /// counts nothing, as in a central difference.
    ///
    /// # Errors
    /// Those of [`cross_kernels`](Self::cross_kernels), [`Error::Shape`](crate::Error::Shape) if u or c does not fit,
    /// [`Error::Setting`] if the series of an activation does not converge, [`Error::Conflict`] for convolutional networks.
    ///
    /// ```
    /// use gramstep::kernel::{InfiniteKernel, Which};
    /// use gramstep::{Activation, Device, Matrix};
    /// let kernel = InfiniteKernel::mlp(1, Activation::Erf, 1.0, 0.1)?;
    /// let at = |x: f64| kernel.points(&Matrix::from_vec(1, 1, vec![x])?, &Device::cpu(1));
    /// let (one, other) = (Matrix::from_vec(1, 1, vec![1.0])?, at(0.7)?);
    /// let slope = at(0.3)?.input_gradient(&other, &one, &one, Which::Ntk)?[(0, 0)];
    /// let value = |x: f64| at(x)?.cross_gram(&other, Which::Ntk);
    /// assert!((slope - (value(0.3 + 1e-5)?[(0, 0)] - value(0.3 - 1e-5)?[(0, 0)]) / 2e-5).abs() < 1e-8);
    /// # Ok::<(), gramstep::Error>(())
    /// ```
    pub fn input_gradient(&self, other: &Self, u: &Matrix<T>, c: &Matrix<T>, which: Which) -> Result<Matrix<T>> {
        self.check(other)?;
        if self.images.is_some() {
            let reason =
                "kernels of convolutional networks have none; attack a finite network with the same layers, and judge \
                          this one by the rows that it changes (attack NETWORK --transfer THIS)"
                    .to_owned();
            return Err(Error::Conflict { what: "gradient of a kernel in its input", reason });
        }
        check_extent("rows of the cotangents", self.samples, u.rows())?;
        check_extent("rows of the coefficients", other.samples, c.rows())?;
        check_extent("columns of the cotangents", c.columns(), u.columns())?;
        self.differentiate()?;
        other.differentiate()?;
        let growth = self.growth();
        let d = self.inputs;
        let mut gradient = Matrix::zeros(self.samples, d);
        let rows = self.panel(self.samples);
        let chunks = gradient.as_mut_slice().chunks_mut((rows * d).max(1)).enumerate();
        let items =
            chunks.map(|(at, gradient)| Panel { rows: at * rows..at * rows + gradient.len() / d, gradient }).collect();
        let cost = Self::GRADIENT_COST * self.cost((self.samples * other.samples) as f64);
        self.device.for_each(cost, items, |operations, panel| {
            self.gradient_panel(other, operations, panel, (u, c), &growth, which);
        });
        Ok(gradient)
    }

    /// Prepares what series need.
    fn differentiate(&self) -> Result<()> {
        self.coefficients.iter().flatten().try_for_each(|table| table.differentiate(&self.device))
    }

    /// ∂K_ii/∂q of every point, one row each, in front of every step.
    fn growth(&self) -> Vec<Vec<T>> {
        let (mut work, mut slopes) = (Work::new(), Slopes::new());
        let mut own = |i: usize| {
            let mut growth = Vec::with_capacity(self.kernel.steps.len());
            slopes.start();
            self.walk(
                self,
                i,
                i..i + 1,
                Start::Correlations(&[T::ONE]),
                &mut work,
                |_, step, pairs, before, tables| {
                    let now = slopes.own_growth();
                    growth.push(now);
                    slopes.step(step, pairs, before, now, tables);
                },
            );
            growth
        };
        (0..self.samples).map(&mut own).collect()
    }

    fn gradient_panel(
        &self,
        other: &Self,
        operations: &dyn Operations<T>,
        Panel { rows, gradient }: Panel<'_, T>,
        (u, c): (&Matrix<T>, &Matrix<T>),
        growth: &[Vec<T>],
        which: Which,
    ) {
        let (d, k, height) = (self.inputs, u.columns(), rows.len());
        let u = Tile::new(&u.as_slice()[rows.start * k..rows.end * k], height, k);
        let (mut work, mut slopes) = (Work::new(), Slopes::new());
        let (mut correlations, mut weights) = (Vec::new(), Vec::new());
        let mut own = vec![T::ZERO; height];
        for left in (0..other.samples).step_by(STRIPE) {
            let stripe = left..(left + STRIPE).min(other.samples);
            let width = stripe.len();
            self.correlate(other, operations, rows.clone(), stripe.clone(), &mut correlations);
            weights.resize(height * width, T::ZERO);
            let c = Tile::new(&c.as_slice()[stripe.start * k..stripe.end * k], width, k);
            operations.product(TileMut::new(&mut weights, height, width), WriteMode::Replace, T::ONE, u, c.t());
            for (row, i) in rows.clone().enumerate() {
                for (start, run) in runs(stripe.clone()) {
                    let place = row * width + start..row * width + start + run.len();
                    slopes.start();
                    let correlations = Start::Correlations(&correlations[place.clone()]);
                    self.walk(other, i, run.clone(), correlations, &mut work, |at, step, pairs, before, tables| {
                        slopes.step(step, pairs, before, growth[i][at], tables);
                    });
                    own[row] += weigh(&mut weights[place], &slopes, which, &other.scales[0][run]);
                }
            }
            let (weights, directions) = (Tile::new(&weights, height, width), other.directions_of(&stripe));
            operations.product(TileMut::new(gradient, height, d), WriteMode::Accumulate, T::ONE, weights, directions);
        }
        let centred = which == Which::Nngp && self.kernel.centred;
        let factor = if centred { 0.0 } else { self.kernel.output_scale.powi(2) / (d as f64).sqrt() };
        let (factor, two) = (T::from_f64(factor), T::ONE + T::ONE);
        let directions = self.directions_of(&rows).host().chunks_exact(d);
        for (((gradient, direction), own), i) in gradient.chunks_exact_mut(d).zip(directions).zip(own).zip(rows) {
            let own = two * own * self.scales[0][i];
            for (gradient, &x) in gradient.iter_mut().zip(direction) {
                *gradient = factor * own.mul_add(x, *gradient);
            }
        }
    }
}

/// β_j ← β_j·∂K/∂k·r_j; returns Σ_j β_j·∂K/∂q.
fn weigh<T: Scalar>(weights: &mut [T], slopes: &Slopes<T>, which: Which, scales: &[T]) -> T {
    let (in_k, in_q) = match which {
        Which::Ntk => (&slopes.in_k.theta, &slopes.in_q.theta),
        Which::Nngp => (&slopes.in_k.covariance, &slopes.in_q.covariance),
    };
    let mut own = T::ZERO;
    vectorized(
        #[inline(always)]
        || {
            for (((weight, &in_k), &in_q), &scale) in weights.iter_mut().zip(in_k).zip(in_q).zip(scales) {
                own = weight.mul_add(in_q, own);
                *weight *= in_k * scale;
            }
        },
    );
    own
}
