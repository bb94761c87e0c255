//! Watches the Gram matrix of a few training rows in the course of a training, and changes nothing of it.

use std::time::{Duration, Instant};

use gramstep::kernel::{Spectrum, alignment, sharpness};
use gramstep::loss::Loss;
use gramstep::random::{Purpose, choice};
use gramstep::{Matrix, Model, Scalar};

use crate::data::Dataset;
use crate::error::Result;
use crate::outcome::KernelWatch;
use crate::settings::{MOST_WATCHED_OUTPUTS, OptimizerName, Settings};

/// Rows at most.
const ROWS: usize = 64;
/// Rows of their Gram matrix, one an output, as long as there are two of them: its eigenvalues cost the third power.
const EQUATIONS: usize = 256;
/// Eigenvalues that are told.
const LEADING: usize = 5;

/// What is watched, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Watch {
    /// Epochs from one look to the next.
    every: usize,
    /// Of the rows.
    seed: u64,
    /// 2(1 + μ) of a method whose steps grow where the curvature is above 2(1 + μ)/η.
    stable: Option<f64>,
    /// η of the first step, where it is known before.
    learning_rate: Option<f64>,
}

impl Watch {
    /// What the settings ask for.
    pub(crate) fn of(settings: &Settings) -> Option<Self> {
        let plain = settings.optimizer == OptimizerName::Sgd;
        Some(Self {
            every: settings.watch_kernel?,
            seed: settings.seed,
            stable: plain.then_some(2.0 * (1.0 + settings.momentum)),
            learning_rate: Some(settings.learning_rate).filter(|_| settings.schedule.is_none()),
        })
    }

    pub(super) fn is_due(self, epoch: usize) -> bool {
        epoch.is_multiple_of(self.every)
    }
}

/// The rows, and G before the first step.
pub(super) struct Watching<T> {
    watch: Watch,
    rows: Dataset<T>,
    first: Matrix<f64>,
    /// The direction in which the loss falls at f = 0, n·k.
    falls: Matrix<f64>,
    looks: usize,
    spent: Duration,
}

impl<T: Scalar> Watching<T> {
    /// Of a network before its first step.
    pub(super) fn begin(watch: Watch, model: &Model<T>, train: &Dataset<T>, loss: &dyn Loss) -> Result<Self> {
        let began = Instant::now();
        let k = model.outputs();
        let most = ROWS.min((EQUATIONS / k.max(1)).max(2)).min(MOST_WATCHED_OUTPUTS / k.max(1)).max(1);
        let rows = train.select(&choice(train.rows(), most, watch.seed, Purpose::Data, 0));
        let first = model.tangent(&*rows.inputs)?.gram().into_f64();
        let mut falls = vec![0.0; rows.rows() * k];
        for (i, falls) in falls.chunks_exact_mut(k).enumerate() {
            let y: Vec<f64> = rows.targets.row(i).iter().map(|y| y.to_f64()).collect();
            loss.gradient(&vec![0.0; k], &y, falls);
        }
        let falls = Matrix::from_vec(falls.len(), 1, falls)?;
        Ok(Self { watch, rows, first, falls, looks: 0, spent: began.elapsed() })
    }

    pub(super) fn is_due(&self, epoch: usize) -> bool {
        self.watch.is_due(epoch)
    }

    /// What G says of the network after so many epochs and steps; `learning_rate`: of the last step.
    pub(super) fn look(
        &mut self,
        model: &Model<T>,
        loss: &dyn Loss,
        (epoch, step, seconds): (usize, usize, f64),
        learning_rate: Option<f64>,
    ) -> Result<KernelWatch> {
        let began = Instant::now();
        let threads = model.device().threads();
        let tangent = model.tangent(&*self.rows.inputs)?;
        let gram = tangent.gram().into_f64();
        let off = gram.as_slice().iter().zip(self.first.as_slice()).map(|(now, first)| now - first);
        let (off, norm) = (root_of_squares(off), root_of_squares(self.first.as_slice().iter().copied()));
        let spectrum = Spectrum::new(&gram, threads)?;
        let n = self.rows.rows();
        let weights = self.rows.weights.as_deref();
        let (f, y) = (tangent.predictions().cast(), self.rows.targets.cast());
        let watched = KernelWatch {
            epoch,
            step,
            seconds,
            rows: n,
            drift: (norm > 0.0).then(|| off / norm),
            alignment: alignment(&gram, &self.falls)?,
            effective_rank: spectrum.effective_rank(),
            eigenvalues: spectrum.values.iter().rev().take(LEADING).map(|value| value.max(0.0) / n as f64).collect(),
            sharpness: sharpness(&gram, loss, &f, &y, weights, threads)?,
            stable_below: self
                .watch
                .stable
                .zip(learning_rate.or(self.watch.learning_rate))
                .map(|(all, rate)| all / rate),
        };
        self.looks += 1;
        self.spent += began.elapsed();
        Ok(watched)
    }

    /// What it cost.
    pub(super) fn cost(&self) -> String {
        let (looks, rows, seconds) = (self.looks, self.rows.rows(), self.spent.as_secs_f64());
        format!("the kernel of {rows} training rows was looked at {looks} times, which took {seconds:.1} s")
    }
}

fn root_of_squares(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}
