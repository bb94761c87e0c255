//! The losses of a batch to second order: z and B of all samples, and products with B.

use super::{Curvature, Loss};
use crate::communicator::{Communicator, gather_values};
use crate::device::for_each_chunk;
use crate::error::Result;
use crate::view::Matrix;

/// B and z of a batch, weights of samples included (both times √w).
#[derive(Clone, Debug)]
pub struct LinearisedLoss {
    /// z, n·k.
    pub z: Vec<f64>,
    outputs: usize,
    factor: Factor,
    /// Whether the loss itself, weights apart, has a B that is not 1.
    curved: bool,
}

#[derive(Clone, Debug)]
enum Factor {
    Identity,
    /// n·k
    Diagonal(Vec<f64>),
    /// n·k·k
    Full(Vec<f64>),
}

impl LinearisedLoss {
    /// Linearises the losses of a batch. f, y: n×k; weights: n.
    #[must_use]
    pub fn new(loss: &dyn Loss, f: &Matrix<f64>, y: &Matrix<f64>, weights: Option<&[f64]>) -> Self {
        let (n, k) = (f.rows(), f.columns());
        let mut z = vec![0.0; n * k];
        let per_sample = match loss.curvature() {
            Curvature::Identity => 0,
            Curvature::Diagonal => k,
            Curvature::Full => k * k,
        };
        let mut entries = vec![0.0; n * per_sample];
        for i in 0..n {
            let factor = &mut entries[i * per_sample..(i + 1) * per_sample];
            loss.factor(f.row(i), y.row(i), factor, &mut z[i * k..(i + 1) * k]);
        }
        let mut factor = match loss.curvature() {
            Curvature::Identity => Factor::Identity,
            Curvature::Diagonal => Factor::Diagonal(entries),
            Curvature::Full => Factor::Full(entries),
        };
        if let Some(weights) = weights {
            let root = |at: usize, per_sample: usize| weights[at / per_sample].sqrt();
            z.iter_mut().enumerate().for_each(|(at, z)| *z *= root(at, k));
            match &mut factor {
                Factor::Identity => factor = Factor::Diagonal((0..n * k).map(|at| root(at, k)).collect()),
                Factor::Diagonal(b) => b.iter_mut().enumerate().for_each(|(at, b)| *b *= root(at, k)),
                Factor::Full(b) => b.iter_mut().enumerate().for_each(|(at, b)| *b *= root(at, k * k)),
            }
        }
        Self { z, outputs: k, factor, curved: loss.curvature() != Curvature::Identity }
    }

    /// The linearisation ½Σ w ρ² of one residual ρ a sample, whose gradient is a row of J.
    pub(crate) fn of_residuals(mut residuals: Vec<f64>, weights: Option<&[f64]>) -> Self {
        let factor = weights
            .map_or(Factor::Identity, |weights| Factor::Diagonal(weights.iter().map(|weight| weight.sqrt()).collect()));
        if let Factor::Diagonal(roots) = &factor {
            residuals.iter_mut().zip(roots).for_each(|(residual, root)| *residual *= root);
        }
        Self { z: residuals, outputs: 1, factor, curved: false }
    }

    /// Whether the loss itself, weights apart, has a B that is not 1: entries of B may then vanish and z be huge.
    pub(crate) fn is_curved(&self) -> bool {
        self.curved
    }

    /// B c, n·k.
    #[must_use]
    pub fn apply(&self, mut c: Vec<f64>) -> Vec<f64> {
        match &self.factor {
            Factor::Identity => c,
            Factor::Diagonal(b) => {
                c.iter_mut().zip(b).for_each(|(c, b)| *c *= b);
                c
            }
            Factor::Full(b) => {
                let k = self.outputs;
                let samples = c.chunks_exact(k).zip(b.chunks_exact(k * k));
                samples.flat_map(|(c, b)| b.chunks_exact(k).map(|row| crate::solve::dot(row, c))).collect()
            }
        }
    }

    /// Bᵀu, n·k.
    #[must_use]
    pub fn apply_transpose(&self, u: Vec<f64>) -> Vec<f64> {
        let Factor::Full(b) = &self.factor else { return self.apply(u) };
        let k = self.outputs;
        let mut out = vec![0.0; u.len()];
        for ((out, u), b) in out.chunks_exact_mut(k).zip(u.chunks_exact(k)).zip(b.chunks_exact(k * k)) {
            for (u, row) in u.iter().zip(b.chunks_exact(k)) {
                out.iter_mut().zip(row).for_each(|(out, b)| *out += b * u);
            }
        }
        out
    }

    /// trace of BᵀG B, from the diagonal of G (n·k) or, where B is full, from its k×k diagonal blocks (n·k·k).
    ///
    /// # Errors
    /// Those of the one that is asked for.
    pub(crate) fn trace(
        &self,
        diagonal: impl FnOnce() -> Result<Vec<f64>>,
        blocks: impl FnOnce() -> Result<Vec<f64>>,
    ) -> Result<f64> {
        let k = self.outputs;
        Ok(match &self.factor {
            Factor::Identity => diagonal()?.into_iter().sum(),
            Factor::Diagonal(b) => diagonal()?.into_iter().zip(b).map(|(g, b)| g * b * b).sum(),
            Factor::Full(b) => {
                // Σ_c b_cᵀ G_i b_c over the columns b_c of each B_i.
                let one = |g: &[f64], b: &[f64]| -> f64 {
                    let terms = (0..k * k * k).map(|at| (at / (k * k), at / k % k, at % k));
                    terms.map(|(c, i, j)| b[i * k + c] * g[i * k + j] * b[j * k + c]).sum()
                };
                blocks()?.chunks_exact(k * k).zip(b.chunks_exact(k * k)).map(|(g, b)| one(g, b)).sum()
            }
        })
    }

    /// The linearisation of all processes' samples.
    pub(crate) fn gather(self, communicator: &dyn Communicator) -> Result<Self> {
        if communicator.size() == 1 {
            return Ok(self);
        }
        let factor = match &self.factor {
            Factor::Identity => Factor::Identity,
            Factor::Diagonal(b) => Factor::Diagonal(gather_values(communicator, b)?),
            Factor::Full(b) => Factor::Full(gather_values(communicator, b)?),
        };
        Ok(Self { z: gather_values(communicator, &self.z)?, outputs: self.outputs, factor, curved: self.curved })
    }

    /// G ← BᵀG B, in the lower triangle and the whole diagonal blocks of each sample.
    pub(crate) fn transform_gram(&self, gram: &mut Matrix<f64>, threads: usize) {
        let (k, size) = (self.outputs, gram.rows());
        if size == 0 {
            return;
        }
        match &self.factor {
            Factor::Identity => {}
            Factor::Diagonal(b) => {
                for_each_chunk(threads, gram.as_mut_slice(), size, |i, row| {
                    row.iter_mut().zip(b).for_each(|(g, b_j)| *g *= b[i] * b_j);
                });
            }
            Factor::Full(b) => {
                for_each_chunk(threads, gram.as_mut_slice(), k * size, |i, rows| {
                    let b_i = &b[i * k * k..(i + 1) * k * k];
                    let mut half = vec![0.0; k * k];
                    for j in 0..=i {
                        let b_j = &b[j * k * k..(j + 1) * k * k];
                        // half = G_ij B_j, then G_ij = B_iᵀ half.
                        for a in 0..k {
                            let g = &rows[a * size + j * k..][..k];
                            let half = &mut half[a * k..(a + 1) * k];
                            half.fill(0.0);
                            for (g, row) in g.iter().zip(b_j.chunks_exact(k)) {
                                half.iter_mut().zip(row).for_each(|(h, b)| *h += g * b);
                            }
                        }
                        for a in 0..k {
                            let out = &mut rows[a * size + j * k..][..k];
                            out.fill(0.0);
                            for (c, half) in half.chunks_exact(k).enumerate() {
                                let b = b_i[c * k + a];
                                out.iter_mut().zip(half).for_each(|(out, h)| *out += b * h);
                            }
                        }
                    }
                });
            }
        }
    }

    /// Rows of J ← rows of BᵀJ, for the samples from `first` on.
    pub(crate) fn transform_jacobian(&self, first: usize, jacobian: &mut Matrix<f64>) {
        let (k, p) = (self.outputs, jacobian.columns());
        match &self.factor {
            Factor::Identity => {}
            Factor::Diagonal(b) => {
                for row in 0..jacobian.rows() {
                    let b = b[first * k + row];
                    jacobian.row_mut(row).iter_mut().for_each(|v| *v *= b);
                }
            }
            Factor::Full(b) => {
                let samples = jacobian.as_mut_slice().chunks_exact_mut((k * p).max(1));
                for (i, rows) in samples.enumerate() {
                    let b = &b[(first + i) * k * k..][..k * k];
                    let old = rows.to_vec();
                    rows.fill(0.0);
                    for (c, old) in old.chunks_exact(p).enumerate() {
                        for (a, out) in rows.chunks_exact_mut(p).enumerate() {
                            let b = b[c * k + a];
                            out.iter_mut().zip(old).for_each(|(out, v)| *out += b * v);
                        }
                    }
                }
            }
        }
    }
}
