//! `model.safetensors`: one tensor for each span of θ under the span's name, and all that is needed to use them; of a
//! kernel regression its training rows (`inputs`, `targets`, `weights`) and `coefficients`.
//!
//! The metadata has one entry, `gramstep`: a JSON object ([`Metadata`]). One entry and not several, because the order
//! of several is random and the same run would write other bytes each time.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use gramstep::{Device, Matrix, Model, Scalar, Specification};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Preprocessing, Task};
use crate::error::{Error, Result};
use crate::format::whole_file::write_atomically;
use crate::predictor::KernelModel;
use crate::settings::Precision;

/// Version of the metadata.
pub const FORMAT_VERSION: u32 = 1;

/// The key of the metadata.
const KEY: &str = "gramstep";

/// What a model file says beside its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Metadata {
    /// Version of this object.
    pub format_version: u32,
    /// The program that wrote it.
    pub program: String,
    /// Regression or classification.
    pub task: Task,
    /// The architecture in short.
    pub model: String,
    /// Number type of the tensors.
    pub precision: Precision,
    /// The network; none of a kernel regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specification: Option<Specification>,
    /// What a kernel regression needs beside its tensors; none of a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<KernelMetadata>,
    /// From columns of a table to the network's input and targets.
    pub preprocessing: Preprocessing,
}

/// Numbers of a kernel regression.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KernelMetadata {
    /// κ
    pub ridge: f64,
    /// β of the softmax of a classification.
    pub inverse_temperature: f64,
}

/// A network of either precision, or an infinitely wide one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Network {
    /// Single.
    F32(Model<f32>),
    /// Double.
    F64(Model<f64>),
    /// The regression with its kernel.
    Infinite(Arc<KernelModel>),
}

/// Writes a model.
///
/// # Errors
/// [`Error::Write`].
pub fn save<T: Scalar>(path: &Path, model: &Model<T>, name: &str, preprocessing: &Preprocessing) -> Result<()> {
    write_atomically(path, &serialize(path, model, name, preprocessing)?)
}

/// The bytes of a model's file; `path` is for messages.
pub(crate) fn serialize<T: Scalar>(
    path: &Path,
    model: &Model<T>,
    name: &str,
    preprocessing: &Preprocessing,
) -> Result<Vec<u8>> {
    let metadata = Metadata {
        model: name.to_owned(),
        precision: if T::NAME == "f32" { Precision::F32 } else { Precision::F64 },
        specification: Some(
            (model.specification().cloned())
                .ok_or_else(|| unwritable(path, "a network of the caller's own layers has no specification"))?,
        ),
        ..Metadata::of(preprocessing)
    };
    let theta = model.theta();
    let (dtype, bytes) = match T::NAME {
        "f32" => (Dtype::F32, theta.iter().flat_map(|v| (v.to_f64() as f32).to_le_bytes()).collect::<Vec<u8>>()),
        _ => (Dtype::F64, theta.iter().flat_map(|v| v.to_f64().to_le_bytes()).collect()),
    };
    let size = size_of::<T>();
    let tensors = model.spans().iter().map(|span| {
        let range = span.range();
        let data = &bytes[range.start * size..range.end * size];
        TensorView::new(dtype, span.shape.clone(), data).map(|view| (span.name.as_str(), view))
    });
    pack(path, tensors, &metadata)
}

/// The bytes of a kernel regression's file; `path` is for messages.
pub(crate) fn serialize_kernel(path: &Path, model: &KernelModel, preprocessing: &Preprocessing) -> Result<Vec<u8>> {
    let metadata = Metadata {
        model: model.architecture().to_string(),
        kernel: Some(KernelMetadata { ridge: model.ridge(), inverse_temperature: model.inverse_temperature() }),
        ..Metadata::of(preprocessing)
    };
    let bytes = |values: &[f64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let matrix = |matrix: &Matrix<f64>| (vec![matrix.rows(), matrix.columns()], bytes(matrix.as_slice()));
    let train = model.train();
    let mut arrays = vec![
        ("inputs", matrix(&train.inputs)),
        ("targets", matrix(&train.targets)),
        ("coefficients", matrix(model.coefficients())),
    ];
    arrays.extend(train.weights.as_ref().map(|weights| ("weights", (vec![weights.len()], bytes(weights)))));
    let tensors = arrays
        .iter()
        .map(|(name, (shape, bytes))| TensorView::new(Dtype::F64, shape.clone(), bytes).map(|view| (*name, view)));
    pack(path, tensors, &metadata)
}

impl Metadata {
    /// Of a model of doubles without a name.
    fn of(preprocessing: &Preprocessing) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            program: concat!("gramstep ", env!("CARGO_PKG_VERSION")).to_owned(),
            task: preprocessing.targets.task(),
            model: String::new(),
            precision: Precision::F64,
            specification: None,
            kernel: None,
            preprocessing: preprocessing.clone(),
        }
    }
}

fn pack<'a>(
    path: &Path,
    tensors: impl Iterator<Item = std::result::Result<(&'a str, TensorView<'a>), safetensors::SafeTensorError>>,
    metadata: &Metadata,
) -> Result<Vec<u8>> {
    let metadata = serde_json::to_string(metadata).map_err(|error| unwritable(path, error))?;
    let tensors = tensors.collect::<std::result::Result<Vec<_>, _>>().map_err(|error| unwritable(path, error))?;
    safetensors::serialize(tensors, Some(HashMap::from([(KEY.to_owned(), metadata)])))
        .map_err(|error| unwritable(path, error))
}

fn unwritable(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::Write { path: path.to_owned(), source: std::io::Error::other(reason.to_string()) }
}

/// Reads a model.
///
/// # Errors
/// [`Error::Read`], [`Error::FormatVersion`], or [`Error::ModelFile`] with what is wrong.
pub fn load(path: &Path, device: Device) -> Result<(Network, Metadata)> {
    let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    parse(path, &bytes, device)
}

/// Reads the bytes of a model's file; `path` is for messages.
pub(crate) fn parse(path: &Path, bytes: &[u8], device: Device) -> Result<(Network, Metadata)> {
    let wrong = |reason: String| Error::ModelFile { path: path.to_owned(), reason };
    let tensors = SafeTensors::deserialize(bytes)
        .map_err(|error| wrong(format!("damaged, or not a safetensors file ({error})")))?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| wrong(error.to_string()))?;
    let text = (header.metadata().as_ref())
        .and_then(|entries| entries.get(KEY))
        .ok_or_else(|| wrong("a safetensors file, but not of a gramstep model".to_owned()))?;
    let version: Version = serde_json::from_str(text).map_err(|error| wrong(format!("metadata: {error}")))?;
    if version.format_version != FORMAT_VERSION {
        let (found, supported) = (version.format_version, FORMAT_VERSION);
        return Err(Error::FormatVersion { path: path.to_owned(), found, supported });
    }
    let metadata: Metadata = serde_json::from_str(text).map_err(|error| wrong(format!("metadata: {error}")))?;
    metadata.preprocessing.check().map_err(&wrong)?;
    let file = File { path, tensors: &tensors, metadata: &metadata };
    let network = match (&metadata.specification, metadata.kernel, metadata.precision) {
        (Some(specification), None, Precision::F32) => {
            Network::F32(file.network(specification, device, Dtype::F32, |chunk| {
                chunk.try_into().map_or(f32::NAN, f32::from_le_bytes)
            })?)
        }
        (Some(specification), None, Precision::F64) => {
            Network::F64(file.network(specification, device, Dtype::F64, double)?)
        }
        (None, Some(kernel), Precision::F64) => Network::Infinite(Arc::new(file.kernel(kernel, &device)?)),
        _ => return Err(wrong("metadata of neither a network nor a kernel regression".to_owned())),
    };
    Ok((network, metadata))
}

/// The one field that every version has.
#[derive(Deserialize)]
struct Version {
    format_version: u32,
}

fn double(bytes: &[u8]) -> f64 {
    bytes.try_into().map_or(f64::NAN, f64::from_le_bytes)
}

/// A model file that is taken apart.
#[derive(Clone, Copy)]
struct File<'a> {
    path: &'a Path,
    tensors: &'a SafeTensors<'a>,
    metadata: &'a Metadata,
}

impl File<'_> {
    fn wrong(&self, reason: String) -> Error {
        Error::ModelFile { path: self.path.to_owned(), reason }
    }

    fn tensor(&self, name: &str) -> Result<TensorView<'_>> {
        self.tensors.tensor(name).map_err(|_| self.wrong(format!("no tensor `{name}`")))
    }

    /// The finite values of a tensor of this type and shape.
    fn values<T: Scalar>(
        &self,
        name: &str,
        dtype: Dtype,
        shape: &[usize],
        decode: impl Fn(&[u8]) -> T,
    ) -> Result<Vec<T>> {
        let tensor = self.tensor(name)?;
        if tensor.dtype() != dtype || tensor.shape() != shape {
            let (found, extents) = (tensor.dtype(), tensor.shape());
            return Err(self.wrong(format!("tensor `{name}` is {found:?} {extents:?}, expected {dtype:?} {shape:?}")));
        }
        let values: Vec<T> = tensor.data().chunks_exact(size_of::<T>()).map(decode).collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(self.wrong(format!("tensor `{name}` has values that are not finite")));
        }
        Ok(values)
    }

    fn network<T: Scalar>(
        &self,
        specification: &Specification,
        device: Device,
        dtype: Dtype,
        decode: impl Fn(&[u8]) -> T,
    ) -> Result<Model<T>> {
        // Grows with the tensors that are there: a damaged specification may ask for more than memory holds.
        let mut theta = Vec::new();
        for span in specification.spans()? {
            theta.extend(self.values(&span.name, dtype, &span.shape, &decode)?);
        }
        let model = Model::builder(specification.clone()).theta(theta).device(device).build()?;
        let preprocessing = &self.metadata.preprocessing;
        let needed = (preprocessing.inputs.width(), preprocessing.targets.outputs());
        if needed != (model.inputs(), model.outputs()) {
            return Err(self.wrong(format!(
                "preprocessing for {} inputs and {} outputs, a network for {} and {}",
                needed.0,
                needed.1,
                model.inputs(),
                model.outputs(),
            )));
        }
        Ok(model)
    }

    fn kernel(&self, kernel: KernelMetadata, device: &Device) -> Result<KernelModel> {
        let preprocessing = &self.metadata.preprocessing;
        let rows = self.tensor("inputs")?.shape().first().copied().unwrap_or(0);
        let doubles = |name: &str, shape: &[usize]| self.values(name, Dtype::F64, shape, double);
        let matrix = |name: &str, columns: usize| -> Result<Matrix<f64>> {
            Ok(Matrix::from_vec(rows, columns, doubles(name, &[rows, columns])?)?)
        };
        let (d, k) = (preprocessing.inputs.width(), preprocessing.targets.outputs());
        let weighted = self.tensors.tensor("weights").is_ok();
        let weights = weighted.then(|| doubles("weights", &[rows])).transpose()?;
        let train = Dataset::new(matrix("inputs", d)?, matrix("targets", k)?)?.with_weights(weights)?;
        let architecture = self.metadata.model.parse()?;
        let parts = (kernel.ridge, kernel.inverse_temperature);
        let of = (architecture, preprocessing.targets.task());
        KernelModel::restore(of, train, parts, matrix("coefficients", k)?, device)
    }
}
