//! From the bytes of a file to a predictor: of this version and of the last one.

use std::path::Path;
use std::sync::Arc;

use gramstep::model::{Average, Differentiable as _};
use gramstep::{Device, Matrix, Model, Scalar, Specification};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Deserialize;

use super::{FORMAT_VERSION, KEY, KernelMetadata, Metadata, prefix, seal};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::predictor::{ClassSets, KernelModel, Known, Learned, Spread};
use crate::settings::Precision;

/// The version before, of which files are read: one network, no sum, no rows.
const LAST_VERSION: u32 = 1;

/// The one field that every version has.
#[derive(Deserialize)]
struct Version {
    format_version: u32,
}

/// What a file holds.
pub(in crate::predictor) struct Parsed {
    pub(in crate::predictor) learned: Learned,
    pub(in crate::predictor) metadata: Metadata,
    pub(in crate::predictor) known: Option<Known>,
    pub(in crate::predictor) spread: Option<Spread>,
    pub(in crate::predictor) sets: Option<ClassSets>,
}

/// Reads the bytes of a model's file; `path` is for messages.
pub(in crate::predictor) fn parse(path: &Path, bytes: &[u8], device: &Device) -> Result<Parsed> {
    let wrong = |reason: String| Error::ModelFile { path: path.to_owned(), reason };
    let tensors = SafeTensors::deserialize(bytes)
        .map_err(|error| wrong(format!("damaged, or not a safetensors file ({error})")))?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| wrong(error.to_string()))?;
    let text = (header.metadata().as_ref())
        .and_then(|entries| entries.get(KEY))
        .ok_or_else(|| wrong("a safetensors file, but not of a gramstep model".to_owned()))?;
    let version: Version = serde_json::from_str(text).map_err(|error| wrong(format!("metadata: {error}")))?;
    if ![LAST_VERSION, FORMAT_VERSION].contains(&version.format_version) {
        let (found, supported) = (version.format_version, FORMAT_VERSION);
        return Err(Error::FormatVersion { path: path.to_owned(), found, supported });
    }
    let metadata: Metadata = serde_json::from_str(text).map_err(|error| wrong(format!("metadata: {error}")))?;
    let whole = metadata.blake3.as_ref().is_some_and(|sum| seal::is_whole(bytes, sum));
    if metadata.format_version != LAST_VERSION && !whole {
        return Err(wrong("damaged: its contents do not match its sum".to_owned()));
    }
    metadata.preprocessing.check().map_err(&wrong)?;
    let file = File { path, tensors: &tensors, metadata: &metadata };
    let learned = match (&metadata.specification, &metadata.kernel, &metadata.combination) {
        (Some(specification), None, None) => {
            let of = (metadata.members, specification);
            match metadata.precision {
                Precision::F32 => Learned::F32(file.networks("", of, file.width(), device, (Dtype::F32, single))?),
                Precision::F64 => Learned::F64(file.networks("", of, file.width(), device, (Dtype::F64, double))?),
            }
        }
        (None, Some(kernel), None) if metadata.precision == Precision::F64 => {
            Learned::Kernel(Arc::new(file.kernel(kernel, device)?))
        }
        (None, None, Some(combination)) => Learned::Combination(Arc::new(file.combination(combination, device)?)),
        _ => return Err(wrong("metadata of neither networks nor a kernel regression nor a combination".to_owned())),
    };
    let (known, spread, sets) = (file.known()?, file.spread(device)?, file.sets()?);
    Ok(Parsed { learned, metadata, known, spread, sets })
}

pub(super) fn single(bytes: &[u8]) -> f32 {
    bytes.try_into().map_or(f32::NAN, f32::from_le_bytes)
}

pub(super) fn double(bytes: &[u8]) -> f64 {
    bytes.try_into().map_or(f64::NAN, f64::from_le_bytes)
}

/// A model file that is taken apart.
#[derive(Clone, Copy)]
pub(super) struct File<'a> {
    path: &'a Path,
    tensors: &'a SafeTensors<'a>,
    pub(super) metadata: &'a Metadata,
}

impl File<'_> {
    pub(super) fn wrong(&self, reason: String) -> Error {
        Error::ModelFile { path: self.path.to_owned(), reason }
    }

    fn tensor(&self, name: &str, dtype: Dtype, shape: &[usize]) -> Result<TensorView<'_>> {
        let tensor = self.tensors.tensor(name).map_err(|_| self.wrong(format!("no tensor `{name}`")))?;
        if tensor.dtype() == dtype && tensor.shape() == shape {
            return Ok(tensor);
        }
        let (found, extents) = (tensor.dtype(), tensor.shape());
        Err(self.wrong(format!("tensor `{name}` is {found:?} {extents:?}, expected {dtype:?} {shape:?}")))
    }

    /// The finite values of a tensor of this type and shape.
    fn values<T: Scalar>(
        &self,
        name: &str,
        dtype: Dtype,
        shape: &[usize],
        decode: impl Fn(&[u8]) -> T,
    ) -> Result<Vec<T>> {
        let tensor = self.tensor(name, dtype, shape)?;
        let values: Vec<T> = tensor.data().chunks_exact(size_of::<T>()).map(decode).collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(self.wrong(format!("tensor `{name}` has values that are not finite")));
        }
        Ok(values)
    }

    /// Columns of the inputs.
    pub(super) fn width(&self) -> usize {
        self.metadata.preprocessing.inputs.width()
    }

    /// Networks of an architecture whose names begin so, for inputs of a width.
    pub(super) fn networks<T: Scalar>(
        &self,
        root: &str,
        (members, specification): (usize, &Specification),
        width: usize,
        device: &Device,
        (dtype, decode): (Dtype, fn(&[u8]) -> T),
    ) -> Result<Average<T>> {
        let mut networks = Vec::new();
        for number in 0..members {
            let prefix = prefix(number, members);
            // Grows with the tensors that are there: a damaged specification may ask for more than memory holds.
            let mut theta = Vec::new();
            for span in specification.spans()? {
                theta.extend(self.values(&format!("{root}{prefix}{}", span.name), dtype, &span.shape, decode)?);
            }
            networks.push(Model::builder(specification.clone()).theta(theta).device(device.clone()).build()?);
        }
        let networks = Average::new(networks)?;
        let needed = (width, self.metadata.preprocessing.targets.outputs());
        let found = (networks.inputs(), networks.outputs());
        if needed != found {
            return Err(self.wrong(format!(
                "preprocessing for {} inputs and {} outputs, a network for {} and {}",
                needed.0, needed.1, found.0, found.1,
            )));
        }
        Ok(networks)
    }

    /// Inputs, targets and weights of rows.
    pub(super) fn rows(&self, prefix: &str) -> Result<Dataset<f64>> {
        let name = |name: &str| format!("{prefix}{name}");
        let preprocessing = &self.metadata.preprocessing;
        let rows = self.rows_of(&name("inputs"))?;
        let weighted = self.tensors.tensor(&name("weights")).is_ok();
        let weights = weighted.then(|| self.values(&name("weights"), Dtype::F64, &[rows], double)).transpose()?;
        if weights.iter().flatten().any(|weight| *weight <= 0.0) {
            return Err(self.wrong("weights that are not above 0".to_owned()));
        }
        let (d, k) = (preprocessing.inputs.width(), preprocessing.targets.outputs());
        let (inputs, targets) = (self.matrix(&name("inputs"), rows, d)?, self.matrix(&name("targets"), rows, k)?);
        Dataset::new(inputs, targets)?.with_weights(weights)
    }

    /// The first extent of a tensor.
    pub(super) fn rows_of(&self, name: &str) -> Result<usize> {
        let found = self.tensors.tensor(name).map_err(|_| self.wrong(format!("no tensor `{name}`")))?;
        Ok(found.shape().first().copied().unwrap_or(0))
    }

    /// A tensor of doubles.
    pub(super) fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Matrix<f64>> {
        Ok(Matrix::from_vec(rows, columns, self.values(name, Dtype::F64, &[rows, columns], double)?)?)
    }

    fn kernel(&self, kernel: &KernelMetadata, device: &Device) -> Result<KernelModel> {
        let train = self.rows("")?;
        let coefficients = self.matrix("coefficients", train.rows(), train.targets.columns())?;
        let parts = (kernel.ridge, kernel.inverse_temperature);
        let name = &self.metadata.model;
        let kernel =
            kernel.kernel(name)?.ok_or_else(|| self.wrong(format!("the scales of another kernel than {name}")))?;
        let of = (kernel, self.metadata.preprocessing.targets.task());
        KernelModel::restore(of, train, parts, coefficients, device)
    }

    fn known(&self) -> Result<Option<Known>> {
        let Some(folds) = self.metadata.known else { return Ok(None) };
        let rows = self.rows("known.")?;
        let tensor = self.tensor("known.places", Dtype::U64, &[rows.rows()])?;
        let place =
            |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).ok().and_then(|place| place.try_into().ok());
        let places: Option<Vec<usize>> = tensor.data().chunks_exact(8).map(place).collect();
        match places.filter(|places| folds.is_usable() && places.iter().all(|&place| place < folds.total)) {
            Some(places) => Ok(Some(Known { rows, places, folds })),
            None => Err(self.wrong("places of rows beyond their number".to_owned())),
        }
    }
}
