//! One type for all that was learned.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gramstep::{Device, Matrix, MatrixView, Scalar};

use super::file;
use super::{Known, Learned, Metadata, Uncertainty};
use crate::data::{DataHash, Preprocessing, Task};
use crate::error::{Error, Result};
use crate::folder::RunFolder;
use crate::format::whole_file::write_atomically;
use crate::outcome::metrics::{Metrics, in_own_units, measure};

/// Networks or a kernel regression, the preprocessing of their data, and what they remember of these.
///
/// It predicts from a [`Table`](crate::data::Table) or from an array with the columns of the training data, and is kept in
/// one file.
#[derive(Debug)]
pub struct Predictor {
    learned: Learned,
    metadata: Metadata,
    known: Option<Known>,
    uncertainty: Mutex<Option<Arc<Uncertainty>>>,
}

impl Clone for Predictor {
    fn clone(&self) -> Self {
        Self::assemble(self.learned.clone(), self.metadata.clone(), self.known.clone())
    }
}

impl Predictor {
    /// What was learned from data that were preprocessed so; `name` is the architecture in short, `data` what the data
    /// are known by, `ridge` the κ of training where it is one number, for weights of mean 1.
    pub(crate) fn new(
        learned: Learned,
        (name, ridge): (String, Option<f64>),
        preprocessing: &Preprocessing,
        data: &DataHash,
        known: Option<Known>,
    ) -> Self {
        let metadata = Metadata::of(&learned, (name, ridge), preprocessing, data, known.as_ref());
        Self::assemble(learned, metadata, known)
    }

    fn assemble(learned: Learned, metadata: Metadata, known: Option<Known>) -> Self {
        Self { learned, metadata, known, uncertainty: Mutex::default() }
    }

    /// Reads the model of a run folder.
    ///
    /// # Errors
    /// When there is none or it cannot be used.
    pub fn load(run: &Path, device: &Device) -> Result<Self> {
        let path = RunFolder::open(run).model();
        let bytes = std::fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        Self::parse(&path, &bytes, device)
    }

    /// The predictor in the bytes of a model file; `path` is for messages.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn parse(path: &Path, bytes: &[u8], device: &Device) -> Result<Self> {
        let (learned, metadata, known) = file::parse(path, bytes, device)?;
        Ok(Self::assemble(learned, metadata, known))
    }

    /// The bytes of its model file; `path` is for messages.
    ///
    /// # Errors
    /// If a network has layers of the caller's own, which no file can name.
    pub fn to_bytes(&self, path: &Path) -> Result<Vec<u8>> {
        file::bytes(path, &self.learned, &self.metadata, self.known.as_ref())
    }

    /// Writes its model file.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn save(&self, path: &Path) -> Result<()> {
        write_atomically(path, &self.to_bytes(path)?)
    }

    /// What the model file says beside its numbers.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The networks, or the kernel regression.
    #[must_use]
    pub fn learned(&self) -> &Learned {
        &self.learned
    }

    /// From columns of the data to inputs and targets.
    #[must_use]
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.metadata.preprocessing
    }

    /// What the data are known by; none in a file of an earlier version.
    #[must_use]
    pub fn data(&self) -> Option<&DataHash> {
        self.metadata.data.as_ref()
    }

    /// Where error bars come from, made at the first call.
    ///
    /// # Errors
    /// For a classification, whose classes have their probabilities, and for a network that remembers no rows.
    pub fn uncertainty(&self) -> Result<Arc<Uncertainty>> {
        let mut made = self.uncertainty.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(uncertainty) = &*made {
            return Ok(Arc::clone(uncertainty));
        }
        let targets = &self.metadata.preprocessing.targets;
        let uncertainty = Arc::new(Uncertainty::of(&self.learned, self.known.as_ref(), self.metadata.ridge, targets)?);
        *made = Some(Arc::clone(&uncertainty));
        Ok(uncertainty)
    }

    /// Its quality on preprocessed rows.
    ///
    /// # Errors
    /// If the rows have other columns.
    pub(crate) fn judge<T: Scalar>(&self, rows: &crate::data::Dataset<T>) -> Result<Metrics> {
        let (outputs, expected) = (self.learned.outputs(&rows.inputs)?, rows.targets.cast());
        Ok(measure(&outputs, &expected, rows.weights.as_deref(), &self.preprocessing().targets))
    }

    /// The inputs of the network for rows of an array.
    ///
    /// # Errors
    /// If the array has other columns, or an infinite value; a gap (NaN) becomes the median of its column.
    pub fn inputs<T: Scalar>(&self, x: MatrixView<'_, T>) -> Result<Matrix<T>> {
        self.preprocessing().inputs.apply_array(x, 0..x.rows())
    }

    /// Targets in their own units, or the probability of every class, for rows of an array; m×k.
    ///
    /// # Errors
    /// Those of [`inputs`](Self::inputs).
    pub fn predict_array<T: Scalar>(&self, x: MatrixView<'_, T>) -> Result<Matrix<f64>> {
        let mut outputs = self.outputs_of_array(x, |inputs| self.learned.outputs(&inputs))?;
        in_own_units(&mut outputs, &self.preprocessing().targets);
        Ok(outputs)
    }

    /// The standard deviation of a new observation, noise included, in the targets' own units; m×k.
    ///
    /// # Errors
    /// Those of [`inputs`](Self::inputs) and of [`uncertainty`](Self::uncertainty).
    pub fn deviation_array<T: Scalar>(&self, x: MatrixView<'_, T>) -> Result<Matrix<f64>> {
        let uncertainty = self.uncertainty()?;
        self.outputs_of_array(x, |inputs| uncertainty.deviation(&inputs.into_f64()))
    }

    /// Some rows at a time: their inputs are no second copy of a large array.
    fn outputs_of_array<T: Scalar>(
        &self,
        x: MatrixView<'_, T>,
        work: impl Fn(Matrix<T>) -> Result<Matrix<f64>>,
    ) -> Result<Matrix<f64>> {
        let mut values = Vec::new();
        let k = self.preprocessing().targets.outputs();
        for start in (0..x.rows()).step_by(4096) {
            let part = x.row_range(start..x.rows().min(start + 4096));
            values.extend(work(self.inputs(part)?)?.into_vec());
        }
        if x.rows() == 0 {
            self.inputs(x)?;
        }
        Ok(Matrix::from_vec(x.rows(), k, values)?)
    }

    /// Regression or classification.
    #[must_use]
    pub fn task(&self) -> Task {
        self.preprocessing().targets.task()
    }
}
