//! `model.safetensors`: one tensor for each span of θ under the span's name, and all that is needed to use them.
//!
//! The metadata has one entry, `gramstep`: a JSON object ([`Metadata`]). One entry and not several, because the order
//! of several is random and the same run would write other bytes each time.

use std::collections::HashMap;
use std::path::Path;

use gramstep::{Device, Model, Scalar, Specification};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::data::{Preprocessing, Task};
use crate::error::{Error, Result};
use crate::run_folder::write_atomically;
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
    /// The network.
    pub specification: Specification,
    /// From columns of a table to the network's input and targets.
    pub preprocessing: Preprocessing,
}

/// A network of either precision.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Network {
    /// Single.
    F32(Model<f32>),
    /// Double.
    F64(Model<f64>),
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
    let other = |error: String| Error::Write { path: path.to_owned(), source: std::io::Error::other(error) };
    let metadata = Metadata {
        format_version: FORMAT_VERSION,
        program: concat!("gramstep ", env!("CARGO_PKG_VERSION")).to_owned(),
        task: preprocessing.targets.task(),
        model: name.to_owned(),
        precision: if T::NAME == "f32" { Precision::F32 } else { Precision::F64 },
        specification: (model.specification().cloned())
            .ok_or_else(|| other("a network of the caller's own layers has no specification".to_owned()))?,
        preprocessing: preprocessing.clone(),
    };
    let metadata = serde_json::to_string(&metadata).map_err(|error| other(error.to_string()))?;

    let theta = model.theta();
    let (dtype, bytes) = match T::NAME {
        "f32" => (Dtype::F32, theta.iter().flat_map(|v| (v.to_f64() as f32).to_le_bytes()).collect::<Vec<u8>>()),
        _ => (Dtype::F64, theta.iter().flat_map(|v| v.to_f64().to_le_bytes()).collect()),
    };
    let size = size_of::<T>();
    let tensors = (model.spans().iter())
        .map(|span| {
            let range = span.range();
            let data = &bytes[range.start * size..range.end * size];
            TensorView::new(dtype, span.shape.clone(), data).map(|view| (span.name.as_str(), view))
        })
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| other(error.to_string()))?;
    safetensors::serialize(tensors, Some(HashMap::from([(KEY.to_owned(), metadata)])))
        .map_err(|error| other(error.to_string()))
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
    let network = match metadata.precision {
        Precision::F32 => Network::F32(rebuild(path, &metadata, &tensors, device, Dtype::F32, |chunk| {
            chunk.try_into().map_or(f32::NAN, f32::from_le_bytes)
        })?),
        Precision::F64 => Network::F64(rebuild(path, &metadata, &tensors, device, Dtype::F64, |chunk| {
            chunk.try_into().map_or(f64::NAN, f64::from_le_bytes)
        })?),
    };
    Ok((network, metadata))
}

/// The one field that every version has.
#[derive(Deserialize)]
struct Version {
    format_version: u32,
}

fn rebuild<T: Scalar>(
    path: &Path,
    metadata: &Metadata,
    tensors: &SafeTensors<'_>,
    device: Device,
    dtype: Dtype,
    decode: impl Fn(&[u8]) -> T,
) -> Result<Model<T>> {
    let wrong = |reason: String| Error::ModelFile { path: path.to_owned(), reason };
    // Grows with the tensors that are there: a damaged specification may ask for more than memory holds.
    let mut theta = Vec::new();
    for span in metadata.specification.spans()? {
        let tensor = tensors.tensor(&span.name).map_err(|_| wrong(format!("no tensor `{}`", span.name)))?;
        if tensor.dtype() != dtype || tensor.shape() != span.shape {
            return Err(wrong(format!(
                "tensor `{}` is {:?} {:?}, expected {dtype:?} {:?}",
                span.name,
                tensor.dtype(),
                tensor.shape(),
                span.shape,
            )));
        }
        theta.extend(tensor.data().chunks_exact(size_of::<T>()).map(&decode));
        if theta[span.range()].iter().any(|value| !value.is_finite()) {
            return Err(wrong(format!("tensor `{}` has values that are not finite", span.name)));
        }
    }
    let model = Model::builder(metadata.specification.clone()).theta(theta).device(device).build()?;
    metadata.preprocessing.check().map_err(&wrong)?;
    let needed = (metadata.preprocessing.inputs.width(), metadata.preprocessing.targets.outputs());
    if needed != (model.inputs(), model.outputs()) {
        return Err(wrong(format!(
            "preprocessing for {} inputs and {} outputs, a network for {} and {}",
            needed.0,
            needed.1,
            model.inputs(),
            model.outputs(),
        )));
    }
    Ok(model)
}
