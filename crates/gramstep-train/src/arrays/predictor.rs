//! A trained network with its preprocessing: predictions from arrays, their uncertainty, and its file.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gramstep::kernel::{LinearisedLaplace, Ridge};
use gramstep::{Device, Matrix, MatrixView, Model, Scalar};

use super::samples::{Prepared, apply, is_classification};
use super::training::Training;
use crate::data::{Dataset, Preprocessing, Targets};
use crate::error::{Error, Result};
use crate::metrics::log_sum_exp;
use crate::model_file;
use crate::run_folder::RunFolder;

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
    name: String,
    preprocessing: Preprocessing,
    /// Rows that the posterior is made from, none for a classification.
    known: Option<Dataset<T>>,
    /// κ of training; none to take the one of largest evidence.
    ridge: Option<f64>,
    posterior: Mutex<Option<Arc<LinearisedLaplace<T>>>>,
}

impl<T: Scalar> Predictor<T> {
    pub(super) fn new(
        model: Model<T>,
        name: String,
        prepared: &Prepared<T>,
        ridge: Option<f64>,
        seed: u64,
    ) -> Result<Self> {
        let known = if is_classification(&prepared.preprocessing) { None } else { Some(some_rows(prepared, seed)?) };
        Ok(Self::from_parts(model, name, prepared.preprocessing.clone(), known, ridge))
    }

    /// A predictor from what another one was made of.
    #[must_use]
    pub fn from_parts(
        model: Model<T>,
        name: String,
        preprocessing: Preprocessing,
        known: Option<Dataset<T>>,
        ridge: Option<f64>,
    ) -> Self {
        Self { model, name, preprocessing, known, ridge, posterior: Mutex::default() }
    }

    /// The same with a network of the same inputs and outputs; what is known of uncertainty stays.
    pub(super) fn with_model(&self, model: Model<T>) -> Self {
        Self::from_parts(model, self.name.clone(), self.preprocessing.clone(), self.known.clone(), self.ridge)
    }

    pub(super) fn duplicate(&self) -> Self {
        self.with_model(self.model.clone())
    }

    /// The network.
    #[must_use]
    pub fn model(&self) -> &Model<T> {
        &self.model
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
    /// If the array has other columns or a value that is not finite.
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
            match &self.preprocessing.targets {
                Targets::Regression { standardisation, .. } => standardisation.invert(outputs.as_mut_slice()),
                Targets::Classification { .. } => {
                    for i in 0..outputs.rows() {
                        softmax(outputs.row_mut(i), 1.0);
                    }
                }
            }
            Ok(outputs)
        })
    }

    /// The standard deviation of a new observation, noise included, in the targets' own units; m×k. By the linearised
    /// Laplace approximation on at most 1000 of the rows that training saw.
    ///
    /// # Errors
    /// Those of [`inputs`](Self::inputs), and for a classification.
    pub fn deviation(&self, x: MatrixView<'_, T>) -> Result<Matrix<f64>> {
        let (Targets::Regression { standardisation, .. }, Some(posterior)) =
            (&self.preprocessing.targets, self.posterior()?)
        else {
            return Err(Error::Setting {
                name: "return_std",
                value: "true".to_owned(),
                range: "for a regression that was trained in memory".to_owned(),
            });
        };
        self.by_chunks(x, |inputs| {
            let mut deviation = posterior.observation_deviation(inputs)?;
            for i in 0..deviation.rows() {
                for (value, scale) in deviation.row_mut(i).iter_mut().zip(&standardisation.scale) {
                    *value *= scale;
                }
            }
            Ok(deviation)
        })
    }

    fn posterior(&self) -> Result<Option<Arc<LinearisedLaplace<T>>>> {
        let Some(known) = &self.known else { return Ok(None) };
        let mut cell = self.posterior.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(posterior) = &*cell {
            return Ok(Some(Arc::clone(posterior)));
        }
        let ridge = self.ridge.map_or(Ridge::Evidence, Ridge::Fixed);
        let fitted = LinearisedLaplace::fit(self.model.clone(), &known.inputs, &known.targets, ridge, BUDGET, 0)?;
        let fitted = Arc::new(fitted);
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

    /// The bytes of a model file.
    ///
    /// # Errors
    /// If the network has no specification.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        model_file::serialize(Path::new("model"), &self.model, &self.name, &self.preprocessing)
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
        model_file::save(&folder.model(), &self.model, &self.name, &self.preprocessing)
    }
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
    let datasets: Vec<&Dataset<T>> = std::iter::once(&prepared.train).chain(&prepared.validation).collect();
    let total: usize = datasets.iter().map(|data| data.rows()).sum();
    let order = crate::random::permutation(total, seed, gramstep::random::Purpose::Split, 1);
    let mut chosen = order[..total.min((KNOWN / k).max(2))].to_vec();
    chosen.sort_unstable();
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    for &row in &chosen {
        let (data, row) =
            if row < prepared.train.rows() { (datasets[0], row) } else { (datasets[1], row - datasets[0].rows()) };
        inputs.extend_from_slice(data.inputs.row(row));
        targets.extend_from_slice(data.targets.row(row));
    }
    let width = prepared.train.inputs.columns();
    Dataset::new(Matrix::from_vec(chosen.len(), width, inputs)?, Matrix::from_vec(chosen.len(), k, targets)?)
}

/// exp(βf_a)/Σ exp(βf_b), in place.
pub(super) fn softmax(f: &mut [f64], inverse_temperature: f64) {
    for f in f.iter_mut() {
        *f *= inverse_temperature;
    }
    let normaliser = log_sum_exp(f);
    for f in f.iter_mut() {
        *f = (*f - normaliser).exp();
    }
}
