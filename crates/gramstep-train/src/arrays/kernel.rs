//! Regression and classification of arrays with the kernel of an infinitely wide network.

use std::path::Path;
use std::sync::Arc;

use gramstep::kernel::{InfiniteArchitecture, Ridge};
use gramstep::{Device, Matrix, MatrixView, Scalar};

use super::samples::{Prepared, apply};
use crate::data::{Preprocessing, Targets};
use crate::error::Result;
use crate::folder::RunFolder;
use crate::format::whole_file::write_atomically;
use crate::outcome::metrics::in_own_units;
use crate::predictor::KernelModel;
use crate::predictor::model_file;

/// A kernel regression that predicts from arrays with the columns it was trained on.
#[derive(Debug)]
pub struct KernelPredictor {
    preprocessing: Preprocessing,
    model: Arc<KernelModel>,
}

impl KernelPredictor {
    /// Fits prepared data; validation rows have no use here.
    ///
    /// # Errors
    /// If the kernel does not fit in memory, or cannot be decomposed.
    pub fn fit<T: Scalar>(
        prepared: &Prepared<T>,
        architecture: InfiniteArchitecture,
        ridge: Ridge,
        threads: usize,
    ) -> Result<Self> {
        let preprocessing = prepared.preprocessing.clone();
        let (train, task) = (prepared.train.cast(), preprocessing.targets.task());
        let model = KernelModel::fit(train, task, architecture, ridge, &Device::cpu(threads))?;
        Ok(Self { preprocessing, model: Arc::new(model) })
    }

    /// The predictor of a model for data that were preprocessed so.
    #[must_use]
    pub fn new(preprocessing: Preprocessing, model: Arc<KernelModel>) -> Self {
        Self { preprocessing, model }
    }

    /// From the caller's columns to the kernel's.
    #[must_use]
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// The regression, in preprocessed units.
    #[must_use]
    pub fn model(&self) -> &KernelModel {
        &self.model
    }

    /// Targets in their own units, or the probability of every class; m×k.
    ///
    /// # Errors
    /// If the array has other columns or an infinite value; NaN becomes the median of its column.
    pub fn predict<T: Scalar>(&self, x: MatrixView<'_, T>) -> Result<Matrix<f64>> {
        let mut f = self.model.outputs(&self.inputs(x)?)?;
        in_own_units(&mut f, &self.preprocessing.targets);
        Ok(f)
    }

    /// The standard deviation of a new observation, noise included, in the targets' own units; m×k.
    ///
    /// # Errors
    /// Those of [`predict`](Self::predict).
    pub fn deviation<T: Scalar>(&self, x: MatrixView<'_, T>) -> Result<Matrix<f64>> {
        let mut deviation = self.model.deviation(&self.inputs(x)?)?;
        if let Targets::Regression { standardisation, .. } = &self.preprocessing.targets {
            for i in 0..deviation.rows() {
                deviation.row_mut(i).iter_mut().zip(&standardisation.scale).for_each(|(value, scale)| *value *= scale);
            }
        }
        Ok(deviation)
    }

    /// The bytes of a model file.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        model_file::serialize_kernel(Path::new("model"), &self.model, &self.preprocessing)
    }

    /// Writes a run folder that `gramstep predict` and [`TrainedModel::load`](crate::TrainedModel::load) read.
    ///
    /// # Errors
    /// If the folder holds a run already or cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        write_atomically(&RunFolder::create(folder)?.model(), &self.to_bytes()?)
    }

    fn inputs<T: Scalar>(&self, x: MatrixView<'_, T>) -> Result<Matrix<f64>> {
        let rows: Vec<usize> = (0..x.rows()).collect();
        Ok(apply(&self.preprocessing.inputs, x, &rows)?.into_f64())
    }
}
