//! What scales are judged by, and how that changes with the kernel: with A = K + κs·W⁻¹, s the mean diagonal of K,
//! α = A⁻¹y, q = yᵀα, C = A⁻¹ and a sum over outputs y,
//!
//! ```text
//! evidence         f = ½n log(q/n) + ½log|A|                     M = ½C − (n/2q)ααᵀ
//! leave one out    f = ½n log m,  m = Σ w_i e_i²/n,  e = α/c     M = (C·diag(wα²/c³)·C − sym(C(wα/c²)·αᵀ))/m
//! ```
//!
//! M = ∂f/∂A, c the diagonal of C. The amplitude of the kernel is the best one, q/n, in the evidence, and none in the other.

use std::f64::consts::PI;
use std::ops::Range;

use super::kernel::ScaledKernel;
use super::matrices::{parameter_slopes, symmetric};
use crate::device::{Device, vectorized};
use crate::error::Result;
use crate::solve::{Cholesky, dot, lower_self_product};
use crate::tangent::mirror;
use crate::view::Matrix;

/// What the scales of a kernel are judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScaleObjective {
    /// The evidence (marginal likelihood), the amplitude of the kernel at its best.
    #[default]
    Evidence,
    /// The mean squared leave-one-out residual.
    LeaveOneOut,
}

/// Rows with their targets.
pub(super) struct Rows<'a> {
    pub(super) x: &'a Matrix<f64>,
    /// Outputs that are not 0 everywhere.
    pub(super) outputs: Vec<Vec<f64>>,
    /// w; 1 where there are none.
    pub(super) weights: Option<Vec<f64>>,
    pub(super) device: Device,
}

/// f, and its derivatives in the parameters of the kernel and in log κ.
pub(super) struct Judgement {
    pub(super) value: f64,
    pub(super) kernel: Vec<f64>,
    pub(super) ridge: f64,
}

/// κs/w_i added to the diagonal of K; returns κs.
pub(super) fn add_noise<T: crate::Scalar>(gram: &mut Matrix<T>, ridge: f64, weights: Option<&[f64]>) -> f64 {
    let n = gram.rows();
    let trace: f64 = (0..n).map(|i| gram[(i, i)].to_f64()).sum();
    let noise = ridge * trace / n as f64;
    for i in 0..n {
        gram[(i, i)] += T::from_f64(noise / weights.map_or(1.0, |weights| weights[i]));
    }
    noise
}

/// ∂f/∂A as scale·S + Σ (u vᵀ + v uᵀ)/2, S by its lower triangle.
struct Sensitivity {
    scale: f64,
    symmetric: Matrix<f64>,
    pairs: Vec<(Vec<f64>, Vec<f64>)>,
}

impl Sensitivity {
    /// Row i at some columns k ≤ i.
    fn row(&self, i: usize, run: Range<usize>, out: &mut [f64]) {
        vectorized(
            #[inline(always)]
            || {
                for (out, &s) in out.iter_mut().zip(&self.symmetric.row(i)[run.clone()]) {
                    *out = self.scale * s;
                }
                for (u, v) in &self.pairs {
                    let (ui, vi) = (0.5 * u[i], 0.5 * v[i]);
                    for ((out, &u), &v) in out.iter_mut().zip(&u[run.clone()]).zip(&v[run.clone()]) {
                        *out += vi.mul_add(u, ui * v);
                    }
                }
            },
        );
    }

    fn diagonal(&self, i: usize) -> f64 {
        let pairs: f64 = self.pairs.iter().map(|(u, v)| u[i] * v[i]).sum();
        self.scale.mul_add(self.symmetric[(i, i)], pairs)
    }
}

/// A, factored, and what follows from it at once.
struct System {
    factor: Cholesky,
    noise: f64,
    /// A⁻¹y of every output.
    solved: Vec<Vec<f64>>,
}

impl Rows<'_> {
    fn weight(&self, i: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[i])
    }

    fn len(&self) -> f64 {
        self.x.rows() as f64
    }

    /// None if A is not positive definite beyond rounding.
    fn system(&self, kernel: &ScaledKernel, ridge: f64) -> Result<Option<System>> {
        let points = kernel.points(self.x.view())?;
        let mut gram = symmetric(&*kernel.pairs(&points, &points), &self.device);
        let noise = add_noise(&mut gram, ridge, self.weights.as_deref());
        let work = self.len().powi(3);
        Ok(self.device.enter(work, |threads| {
            let factor = Cholesky::factor(&gram, 0.0, threads)?;
            let solved = self.outputs.iter().map(|y| factor.solve(y)).collect();
            Some(System { factor, noise, solved })
        }))
    }

    /// ½n log(q/n) + ½log|A|, summed over the outputs.
    fn minus_evidence(&self, system: &System) -> f64 {
        let of = |(y, solved): (&Vec<f64>, &Vec<f64>)| 0.5 * self.len() * (dot(y, solved) / self.len()).ln();
        let sum: f64 = self.outputs.iter().zip(&system.solved).map(of).sum();
        0.5f64.mul_add(self.outputs.len() as f64 * system.factor.log_determinant(), sum)
    }

    /// log p of all outputs, y ~ N(0, a·A) with the best a of each; none where A cannot be factored.
    pub(super) fn log_evidence(&self, kernel: &ScaledKernel, ridge: f64) -> Result<Option<f64>> {
        let constant = 0.5 * self.len() * self.outputs.len() as f64 * (1.0 + (2.0 * PI).ln());
        Ok(self.system(kernel, ridge)?.map(|system| -self.minus_evidence(&system) - constant))
    }

    /// f and its derivatives; none where A cannot be factored.
    pub(super) fn judge(
        &self,
        kernel: &ScaledKernel,
        ridge: f64,
        objective: ScaleObjective,
    ) -> Result<Option<Judgement>> {
        let Some(system) = self.system(kernel, ridge)? else { return Ok(None) };
        let work = self.len().powi(3);
        let Some(inverse) = self.device.enter(work, |_| system.factor.inverse()) else { return Ok(None) };
        let (value, sensitivity) = match objective {
            ScaleObjective::Evidence => (self.minus_evidence(&system), self.of_evidence(&system, inverse)),
            ScaleObjective::LeaveOneOut => self.of_leave_one_out(&system, inverse),
        };
        // Σ_i M_ii/w_i: how f changes with the noise κs, in which s, the mean diagonal of K, is too.
        let noisier: f64 = (0..self.x.rows()).map(|i| sensitivity.diagonal(i) / self.weight(i)).sum();
        let through_scale = ridge * noisier / self.len();
        let points = kernel.points(self.x.view())?;
        let row = |i: usize, run: Range<usize>, out: &mut [f64]| {
            let holds_diagonal = run.end == i + 1;
            sensitivity.row(i, run, out);
            if let Some(own) = out.last_mut().filter(|_| holds_diagonal) {
                *own += through_scale;
            }
        };
        let kernel = parameter_slopes(&*kernel.pairs(&points, &points), row, &self.device);
        Ok(Some(Judgement { value, kernel, ridge: noisier * system.noise }))
    }

    fn of_evidence(&self, system: &System, inverse: Matrix<f64>) -> Sensitivity {
        let pair = |(y, solved): (&Vec<f64>, &Vec<f64>)| {
            let factor = -0.5 * self.len() / dot(y, solved);
            (solved.iter().map(|alpha| factor * alpha).collect(), solved.clone())
        };
        let pairs = self.outputs.iter().zip(&system.solved).map(pair).collect();
        Sensitivity { scale: 0.5 * self.outputs.len() as f64, symmetric: inverse, pairs }
    }

    fn of_leave_one_out(&self, system: &System, mut inverse: Matrix<f64>) -> (f64, Sensitivity) {
        let n = self.x.rows();
        self.device.enter(self.len().powi(2), |threads| mirror(inverse.as_mut_slice(), n, 0..n, threads));
        let own: Vec<f64> = (0..n).map(|i| inverse[(i, i)]).collect();
        let (mut value, mut bends, mut pairs) = (0.0, vec![0.0; n], Vec::new());
        for solved in &system.solved {
            let mean = (0..n).map(|i| self.weight(i) * (solved[i] / own[i]).powi(2)).sum::<f64>() / self.len();
            value += 0.5 * self.len() * mean.ln();
            let pull: Vec<f64> = (0..n).map(|i| self.weight(i) * solved[i] / (own[i] * own[i] * mean)).collect();
            for (bend, (pull, ratio)) in bends.iter_mut().zip(pull.iter().zip(solved.iter().zip(&own))) {
                *bend += pull * ratio.0 / ratio.1;
            }
            pairs.push(((0..n).map(|i| -dot(inverse.row(i), &pull)).collect(), solved.clone()));
        }
        let roots: Vec<f64> = bends.iter().map(|bend| bend.sqrt()).collect();
        for row in inverse.as_mut_slice().chunks_exact_mut(n.max(1)) {
            row.iter_mut().zip(&roots).for_each(|(entry, root)| *entry *= root);
        }
        let symmetric = self.device.enter(self.len().powi(3), |threads| lower_self_product(&inverse, threads));
        (value, Sensitivity { scale: 1.0, symmetric, pairs })
    }
}
