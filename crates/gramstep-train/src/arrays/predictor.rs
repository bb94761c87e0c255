//! A trained network with its preprocessing: predictions from arrays, their uncertainty, and its file.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gramstep::kernel::{LinearisedLaplace, Ridge};
use gramstep::{Device, Matrix, MatrixView, Model, Scalar};

use super::samples::{Prepared, apply, is_classification};
use super::training::Training;
use crate::data::{Dataset, Preprocessing, Targets};
use crate::error::{Error, Result};
use crate::folder::RunFolder;
use crate::outcome::metrics::in_own_units;
use crate::predictor::average::{average, average_name};
use crate::predictor::model_file;

/// Rows that are predicted at a time.
const CHUNK: usize = 4096;
/// Rows × outputs that the posterior knows.
const KNOWN: usize = 1000;
/// Bytes for the kernel of the posterior.
const BUDGET: usize = 1 << 30;

/// A network that predicts from arrays with the columns it was trained on.
#[derive(Debug)]
pub struct Predictor<T> {
    model: Model<T>,
    /// The networks of which it is the average, if it is one.
    members: Vec<Model<T>>,
    name: String,
    preprocessing: Preprocessing,
    /// Rows that the posterior is made from, none for a classification.
    known: Option<Dataset<T>>,
    /// κ of training; none to take the one of largest evidence.
    ridge: Option<f64>,
    posteriors: Mutex<Option<Arc<Vec<LinearisedLaplace<T>>>>>,
}

impl<T: Scalar> Predictor<T> {
    pub(super) fn new(
        model: Model<T>,
        members: Vec<Model<T>>,
        name: String,
        prepared: &Prepared<T>,
        ridge: Option<f64>,
        seed: u64,
    ) -> Result<Self> {
        let preprocessing = prepared.preprocessing.clone();
        let known = if is_classification(&preprocessing) { None } else { Some(some_rows(prepared, seed)?) };
        Ok(Self { model, members: several(members), name, preprocessing, known, ridge, posteriors: Mutex::default() })
    }

    /// A predictor from what another one was made of.
    ///
    /// # Errors
    /// If there is no network, or several that are not perceptrons of one architecture.
    pub fn from_networks(
        members: Vec<Model<T>>,
        name: String,
        preprocessing: Preprocessing,
        known: Option<Dataset<T>>,
        ridge: Option<f64>,
    ) -> Result<Self> {
        let model = average(&members)?;
        Ok(Self { model, members: several(members), name, preprocessing, known, ridge, posteriors: Mutex::default() })
    }

    /// The network.
    #[must_use]
    pub fn model(&self) -> &Model<T> {
        &self.model
    }

    /// The networks of which it is the average; itself, if it is none.
    #[must_use]
    pub fn members(&self) -> &[Model<T>] {
        if self.members.is_empty() { std::slice::from_ref(&self.model) } else { &self.members }
    }

    /// From the caller's columns to the network's.
    #[must_use]
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// Rows that the posterior is made from, preprocessed.
    #[must_use]
    pub fn known(&self) -> Option<&Dataset<T>> {
        self.known.as_ref()
    }

    /// κ of training, where it was not left to the evidence.
    #[must_use]
    pub fn ridge(&self) -> Option<f64> {
        self.ridge
    }

    /// The network's input for rows of the caller's columns.
    ///
    /// # Errors
    /// If the array has other columns or an infinite value; NaN becomes the median of its column.
    pub fn inputs(&self, x: MatrixView<'_, T>) -> Result<Matrix<T>> {
        apply(&self.preprocessing.inputs, x, &(0..x.rows()).collect::<Vec<_>>())
    }

    /// Targets in their own units, or the probability of every class; m×k.
    ///
    /// # Errors
    /// Those of [`inputs`](Self::inputs).
    pub fn predict(&self, x: MatrixView<'_, T>) -> Result<Matrix<f64>> {
        self.by_chunks(x, |inputs| {
            let mut outputs = self.model.predict(inputs)?.into_f64();
            in_own_units(&mut outputs, &self.preprocessing.targets);
            Ok(outputs)
        })
    }

    /// The standard deviation of a new observation, noise included, in the targets' own units; m×k. By the linearised
    /// Laplace approximation on at most 1000 of the rows that training saw; of several networks that of their mixture,
    /// √(mean of the variances + variance of the means).
    ///
    /// # Errors
    /// Those of [`inputs`](Self::inputs), and for a classification.
    pub fn deviation(&self, x: MatrixView<'_, T>) -> Result<Matrix<f64>> {
        let (Targets::Regression { standardisation, .. }, Some(posteriors)) =
            (&self.preprocessing.targets, self.posteriors()?)
        else {
            return Err(Error::Setting {
                name: "return_std",
                value: "true".to_owned(),
                range: "for a regression that was trained in memory".to_owned(),
            });
        };
        self.by_chunks(x, |inputs| {
            let count = posteriors.len() as f64;
            let mut mixture = Matrix::<f64>::zeros(inputs.rows(), self.model.outputs());
            let (mut mean, mut squares) = (mixture.clone(), mixture.clone());
            for (posterior, member) in posteriors.iter().zip(self.members()) {
                let (deviation, f) = (posterior.observation_deviation(inputs)?, member.predict(inputs)?.into_f64());
                let values = deviation.as_slice().iter().zip(f.as_slice());
                let sums = mean.as_mut_slice().iter_mut().zip(squares.as_mut_slice());
                for ((&deviation, &f), (mean, square)) in values.zip(sums) {
                    *mean += f / count;
                    *square += (deviation * deviation + f * f) / count;
                }
            }
            for i in 0..mixture.rows() {
                let parts = mean.row(i).iter().zip(squares.row(i)).zip(&standardisation.scale);
                for (value, ((mean, square), scale)) in mixture.row_mut(i).iter_mut().zip(parts) {
                    *value = scale * (square - mean * mean).max(0.0).sqrt();
                }
            }
            Ok(mixture)
        })
    }

    fn posteriors(&self) -> Result<Option<Arc<Vec<LinearisedLaplace<T>>>>> {
        let Some(known) = &self.known else { return Ok(None) };
        let mut cell = self.posteriors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(posteriors) = &*cell {
            return Ok(Some(Arc::clone(posteriors)));
        }
        let ridge = self.ridge.map_or(Ridge::Evidence, Ridge::Fixed);
        let (x, y, weights) = (&known.inputs, &known.targets, known.weights.as_deref());
        let fit = |member: &Model<T>| LinearisedLaplace::fit_weighted(member.clone(), x, y, weights, ridge, BUDGET, 0);
        let fitted = Arc::new(self.members().iter().map(fit).collect::<gramstep::Result<Vec<_>>>()?);
        *cell = Some(Arc::clone(&fitted));
        Ok(Some(fitted))
    }

    fn by_chunks(&self, x: MatrixView<'_, T>, work: impl Fn(&Matrix<T>) -> Result<Matrix<f64>>) -> Result<Matrix<f64>> {
        let mut values = Vec::with_capacity(x.rows() * self.model.outputs());
        for start in (0..x.rows()).step_by(CHUNK) {
            let part = x.row_range(start..x.rows().min(start + CHUNK));
            values.extend_from_slice(work(&self.inputs(part)?)?.as_slice());
        }
        Ok(Matrix::from_vec(x.rows(), self.model.outputs(), values)?)
    }

    /// The bytes of a model file, of each network of an ensemble.
    ///
    /// # Errors
    /// If the network has no specification.
    pub fn to_bytes(&self) -> Result<Vec<Vec<u8>>> {
        let bytes = |model| model_file::serialize(Path::new("model"), model, &self.name, &self.preprocessing);
        self.members().iter().map(bytes).collect()
    }

    /// Writes a run folder that `gramstep predict` and [`TrainedModel::load`](crate::TrainedModel::load) read.
    ///
    /// # Errors
    /// If the folder holds a run already or cannot be written.
    pub fn save(&self, folder: &Path, training: Option<&Training>) -> Result<()> {
        let folder = RunFolder::create(folder)?;
        if let Some(training) = training {
            folder.write_config(&training.settings)?;
        }
        let name = average_name(&self.name, self.members().len());
        model_file::save(&folder.model(), &self.model, &name, &self.preprocessing)
    }
}

/// The networks of an average: a single one is not kept twice.
fn several<T: Scalar>(members: Vec<Model<T>>) -> Vec<Model<T>> {
    if members.len() > 1 { members } else { Vec::new() }
}

/// Reads the bytes of a model file: the network of either type and its preprocessing.
///
/// # Errors
/// If they are not a model's.
pub fn read(bytes: &[u8], device: Device) -> Result<(model_file::Network, model_file::Metadata)> {
    model_file::parse(Path::new("model"), bytes, device)
}

/// Training and validation rows, a seeded choice of them where they are many.
fn some_rows<T: Scalar>(prepared: &Prepared<T>, seed: u64) -> Result<Dataset<T>> {
    let k = prepared.preprocessing.targets.outputs().max(1);
    let total = prepared.train.rows() + prepared.validation.as_ref().map_or(0, Dataset::rows);
    let order = crate::data::permutation::permutation(total, seed, gramstep::random::Purpose::Split, 1);
    let mut chosen = order[..total.min((KNOWN / k).max(2))].to_vec();
    chosen.sort_unstable();
    let n = prepared.train.rows();
    let (train, others) = chosen.split_at(chosen.partition_point(|&row| row < n));
    let known = prepared.train.select(train);
    match &prepared.validation {
        Some(validation) => {
            known.followed_by(&validation.select(&others.iter().map(|row| row - n).collect::<Vec<_>>()))
        }
        None => Ok(known),
    }
}
