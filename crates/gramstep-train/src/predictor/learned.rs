//! What a training leaves: the average of networks, of which there may be one, or a kernel regression.

use std::sync::Arc;

use gramstep::model::{Average, Differentiable as _};
use gramstep::{Matrix, Model, Scalar};

use super::combination::PartModel;
use super::joined::joined;
use super::{Combination, KernelModel};
use crate::data::{Dataset, InRows, Targets};
use crate::error::{Result, out_of_range};
use crate::outcome::COMBINATION;
use crate::outcome::metrics::{Metrics, measure};
use crate::settings::Precision;

/// Rows that are predicted at a time.
pub(super) const CHUNK: usize = 4096;

/// Networks of either number type, a kernel regression, or both together.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Learned {
    /// Networks in single precision, of which the mean predicts.
    F32(Average<f32>),
    /// The same in double precision.
    F64(Average<f64>),
    /// A kernel regression.
    Kernel(Arc<KernelModel>),
    /// Several models, each with a weight.
    Combination(Arc<Combination>),
}

/// One network of either number type.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Network {
    /// Single precision.
    F32(Model<f32>),
    /// Double precision.
    F64(Model<f64>),
}

impl Learned {
    /// Networks of either type.
    pub(crate) fn networks<T: Scalar>(networks: &Average<T>) -> Result<Self> {
        Ok(if T::NAME == "f32" { Self::F32(networks.cast()?) } else { Self::F64(networks.cast()?) })
    }

    /// The networks with parameters of type `T`.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if it is a kernel regression, or a combination without networks: no training
    /// can begin there.
    pub(crate) fn networks_as<T: Scalar>(&self) -> Result<Average<T>> {
        match self {
            Self::F32(networks) => Ok(networks.cast()?),
            Self::F64(networks) => Ok(networks.cast()?),
            Self::Kernel(kernel) => {
                let range = "the run of a network: a kernel has no parameters";
                Err(out_of_range("init", &kernel.kernel().choice(), range))
            }
            Self::Combination(combination) => match combination.own_networks() {
                Some((_, PartModel::F32(networks))) => Ok(networks.cast()?),
                Some((_, PartModel::F64(networks))) => Ok(networks.cast()?),
                _ => Err(out_of_range(
                    "init",
                    &COMBINATION,
                    "a run with networks: this combination has none to go on with",
                )),
            },
        }
    }

    /// Number type of the parameters.
    #[must_use]
    pub fn precision(&self) -> Precision {
        if matches!(self, Self::F32(_)) { Precision::F32 } else { Precision::F64 }
    }

    /// The mean of the networks as one network; of several, perceptrons alone lie side by side.
    ///
    /// # Errors
    /// If it is a kernel regression, or networks that cannot be one.
    pub fn joined(&self) -> Result<Network> {
        match self {
            Self::F32(networks) => Ok(Network::F32(joined(networks.members())?)),
            Self::F64(networks) => Ok(Network::F64(joined(networks.members())?)),
            Self::Kernel(kernel) => Err(out_of_range(
                "model",
                &kernel.kernel().choice(),
                "a network: a kernel regression has no network of its own",
            )),
            Self::Combination(_) => Err(out_of_range(
                "model",
                &COMBINATION,
                "a network: kernels of a combination are none (--candidates networks)",
            )),
        }
    }

    /// Threads that it computes with.
    #[must_use]
    pub fn threads(&self) -> usize {
        let device = match self {
            Self::F32(networks) => networks.device(),
            Self::F64(networks) => networks.device(),
            Self::Kernel(kernel) => kernel.regressor().device(),
            Self::Combination(combination) => combination.device(),
        };
        device.threads()
    }

    /// Networks of the average, or of all parts; 1 of a kernel regression.
    #[must_use]
    pub fn members(&self) -> usize {
        match self {
            Self::F32(networks) => networks.members().len(),
            Self::F64(networks) => networks.members().len(),
            Self::Kernel(_) => 1,
            Self::Combination(combination) => combination.networks(),
        }
    }

    /// Parameters of all networks; of a kernel regression the number of its coefficients.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        match self {
            Self::F32(networks) => networks.parameter_count(),
            Self::F64(networks) => networks.parameter_count(),
            Self::Kernel(kernel) => kernel.coefficients().as_slice().len(),
            Self::Combination(combination) => combination.parameter_count(),
        }
    }

    /// Standardised values, or logits of the classes, for preprocessed inputs of any number type; m×k.
    ///
    /// # Errors
    /// If the inputs have another number of columns.
    pub(crate) fn outputs<T: Scalar>(&self, inputs: &impl InRows<T>) -> Result<Matrix<f64>> {
        match self {
            Self::F32(networks) => by_chunks(inputs, |x| Ok(networks.predict(&x.into_type())?.into_f64())),
            Self::F64(networks) => by_chunks(inputs, |x| Ok(networks.predict(&x.into_type())?.into_f64())),
            Self::Kernel(kernel) => by_chunks(inputs, |x| kernel.outputs(&x.into_type())),
            Self::Combination(combination) => by_chunks(inputs, |x| combination.outputs(&x.into_type())),
        }
    }

    /// Its quality on preprocessed rows.
    pub(crate) fn judge<T: Scalar>(&self, rows: &Dataset<T>, targets: &Targets) -> Result<Metrics> {
        Ok(measure(&self.outputs(&rows.inputs)?, &rows.targets.cast(), rows.weights.as_deref(), targets))
    }
}

/// The results for some rows at a time, one below the other.
fn by_chunks<T: Scalar>(x: &impl InRows<T>, work: impl Fn(Matrix<T>) -> Result<Matrix<f64>>) -> Result<Matrix<f64>> {
    let (mut values, mut columns) = (Vec::new(), 0);
    // No rows have outputs too: none of k.
    let all = x.count();
    let last = all.saturating_sub(1) / CHUNK;
    for start in (0..=last).map(|chunk| chunk * CHUNK) {
        let part = work(x.chunk(start..all.min(start + CHUNK)).into_owned())?;
        columns = part.columns();
        values.extend(part.into_vec());
    }
    Ok(Matrix::from_vec(all, columns, values)?)
}
