//! From a predictor to the bytes of its file.

use std::collections::HashMap;
use std::path::Path;

use gramstep::model::Average;
use gramstep::{Matrix, Scalar};
use safetensors::tensor::{Dtype, TensorView};

use super::{FORMAT_VERSION, KEY, Metadata, part_prefix, prefix, seal};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::predictor::{ClassSets, Combination, Known, Learned, PartModel, Spread};

/// A tensor before it is written.
struct Tensor {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// The bytes of a predictor's file; `path` is for messages.
pub(in crate::predictor) fn bytes(
    path: &Path,
    learned: &Learned,
    metadata: &Metadata,
    (known, spread, sets): (Option<&Known>, Option<&Spread>, Option<&ClassSets>),
) -> Result<Vec<u8>> {
    let mut tensors = match learned {
        Learned::F32(networks) => of_networks(path, "", networks, Dtype::F32)?,
        Learned::F64(networks) => of_networks(path, "", networks, Dtype::F64)?,
        Learned::Kernel(kernel) => {
            let mut tensors = of_rows("", kernel.train());
            tensors.push(matrix("coefficients".to_owned(), kernel.coefficients()));
            tensors
        }
        Learned::Combination(combination) => of_combination(path, combination)?,
    };
    if let Some(spread) = spread {
        tensors.extend(of_spread(spread)?);
    }
    if let Some(sets) = sets {
        tensors.push(matrix("unseen.scores".to_owned(), &Matrix::from_vec(1, sets.scores.len(), sets.scores.clone())?));
    }
    if let Some(known) = known {
        tensors.extend(of_rows("known.", &known.rows));
        let bytes = known.places.iter().flat_map(|&place| (place as u64).to_le_bytes()).collect();
        let name = "known.places".to_owned();
        tensors.push(Tensor { name, dtype: Dtype::U64, shape: vec![known.places.len()], bytes });
    }
    // A predictor from a file of an earlier version is written in the present one.
    let blank = Some(seal::BLANK.to_owned());
    let metadata = Metadata { format_version: FORMAT_VERSION, blake3: blank, ..metadata.clone() };
    let metadata = serde_json::to_string(&metadata).map_err(|error| unwritable(path, error))?;
    let views = tensors.iter().map(|tensor| {
        let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes);
        view.map(|view| (tensor.name.as_str(), view))
    });
    let views = views.collect::<std::result::Result<Vec<_>, _>>().map_err(|error| unwritable(path, error))?;
    let mut bytes = safetensors::serialize(views, Some(HashMap::from([(KEY.to_owned(), metadata)])))
        .map_err(|error| unwritable(path, error))?;
    seal::close(&mut bytes).ok_or_else(|| unwritable(path, "no place for the sum of the file"))?;
    Ok(bytes)
}

fn of_networks<T: Scalar>(path: &Path, root: &str, networks: &Average<T>, dtype: Dtype) -> Result<Vec<Tensor>> {
    let mut tensors = Vec::new();
    for (number, network) in networks.members().iter().enumerate() {
        if network.specification().is_none() {
            return Err(unwritable(path, "a network of the caller's own layers has no specification"));
        }
        let theta = network.theta();
        for span in network.spans() {
            let values = theta[span.range()].iter().map(|value| value.to_f64());
            let bytes = match dtype {
                Dtype::F32 => values.flat_map(|value| (value as f32).to_le_bytes()).collect(),
                _ => values.flat_map(f64::to_le_bytes).collect(),
            };
            let name = format!("{root}{}{}", prefix(number, networks.members().len()), span.name);
            tensors.push(Tensor { name, dtype, shape: span.shape.clone(), bytes });
        }
    }
    Ok(tensors)
}

fn of_combination(path: &Path, combination: &Combination) -> Result<Vec<Tensor>> {
    let mut tensors = of_rows("", &combination.train);
    for (number, part) in combination.parts().iter().enumerate() {
        let root = part_prefix(number);
        match &part.model {
            PartModel::F32(networks) => tensors.extend(of_networks(path, &root, networks, Dtype::F32)?),
            PartModel::F64(networks) => tensors.extend(of_networks(path, &root, networks, Dtype::F64)?),
            PartModel::Kernel(kernel) => {
                tensors.push(matrix(format!("{root}coefficients"), kernel.regression.coefficients()));
            }
            PartModel::Infinite(kernel) => {
                tensors.push(matrix(format!("{root}coefficients"), kernel.coefficients()));
            }
        }
    }
    Ok(tensors)
}

fn of_spread(spread: &Spread) -> Result<Vec<Tensor>> {
    let (targets, scores) = (spread.scores.len(), spread.scores.first().map_or(0, Vec::len));
    let scores = Matrix::from_vec(targets, scores, spread.scores.concat())?;
    let mut tensors = vec![matrix("spread.scores".to_owned(), &scores)];
    if let Some(regression) = &spread.regression {
        tensors.push(matrix("spread.inputs".to_owned(), regression.points()));
        tensors.push(matrix("spread.coefficients".to_owned(), regression.coefficients()));
    }
    Ok(tensors)
}

fn of_rows(prefix: &str, rows: &Dataset<f64>) -> Vec<Tensor> {
    let name = |name: &str| format!("{prefix}{name}");
    let mut tensors = vec![matrix(name("inputs"), &rows.inputs), matrix(name("targets"), &rows.targets)];
    if let Some(weights) = &rows.weights {
        let bytes = weights.iter().flat_map(|value| value.to_le_bytes()).collect();
        tensors.push(Tensor { name: name("weights"), dtype: Dtype::F64, shape: vec![weights.len()], bytes });
    }
    tensors
}

fn matrix(name: String, matrix: &Matrix<f64>) -> Tensor {
    let bytes = matrix.as_slice().iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor { name, dtype: Dtype::F64, shape: vec![matrix.rows(), matrix.columns()], bytes }
}

fn unwritable(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::Write { path: path.to_owned(), source: std::io::Error::other(reason.to_string()) }
}
