//! One model of a combination, with its share and what it sees of the inputs.

use gramstep::kernel::ScaledRegression;
use gramstep::model::Average;
use gramstep::{Matrix, Scalar};

use super::View;
use crate::error::Result;
use crate::predictor::KernelModel;

/// A model of a combination.
#[derive(Debug)]
pub struct Part {
    /// What it is, in short.
    pub(crate) name: String,
    /// Its weight w ≥ 0.
    pub(crate) weight: f64,
    pub(crate) view: View,
    pub(crate) model: PartModel,
}

/// What can be a part of a combination.
#[derive(Debug)]
pub(crate) enum PartModel {
    F32(Average<f32>),
    F64(Average<f64>),
    Kernel(Box<KernelPart>),
    Infinite(Box<KernelModel>),
}

/// The regression with a kernel that has a scale for every column; of classes on their one-hot rows less `share`, its
/// values times β are logits.
#[derive(Debug)]
pub(crate) struct KernelPart {
    pub(crate) regression: ScaledRegression,
    /// β; 1 in a regression.
    pub(crate) inverse_temperature: f64,
}

impl Part {
    /// Standardised values, or logits.
    pub(super) fn outputs(&self, x: &Matrix<f64>) -> Result<Matrix<f64>> {
        let seen = self.view.apply(x);
        Ok(match &self.model {
            PartModel::F32(networks) => networks.predict(&seen.cast())?.cast(),
            PartModel::F64(networks) => networks.predict(&seen)?,
            PartModel::Kernel(kernel) => {
                let mut f = kernel.regression.predict(&seen)?;
                f.as_mut_slice().iter_mut().for_each(|f| *f *= kernel.inverse_temperature);
                f
            }
            PartModel::Infinite(kernel) => kernel.outputs(&seen)?,
        })
    }

    /// ∂⟨u_i, f(x_i)⟩/∂x_i, n×d.
    pub(super) fn input_gradient(&self, x: &Matrix<f64>, u: &Matrix<f64>) -> Result<Matrix<f64>> {
        let seen = self.view.apply(x);
        let gradient = match &self.model {
            PartModel::F32(networks) => gradient_of_mean(networks, &seen.cast(), &u.cast())?.cast(),
            PartModel::F64(networks) => gradient_of_mean(networks, &seen, u)?,
            PartModel::Kernel(kernel) => {
                let beta = kernel.inverse_temperature;
                let scaled = Matrix::from_fn(u.rows(), u.columns(), |i, a| beta * u[(i, a)]);
                kernel.regression.input_gradient(&seen, &scaled)?
            }
            PartModel::Infinite(kernel) => kernel.regressor().input_gradient(&seen, u)?,
        };
        Ok(self.view.pull_back(x, &gradient))
    }

    /// Networks that it is made of.
    pub(super) fn networks(&self) -> usize {
        match &self.model {
            PartModel::F32(networks) => networks.members().len(),
            PartModel::F64(networks) => networks.members().len(),
            PartModel::Kernel(_) | PartModel::Infinite(_) => 0,
        }
    }

    /// Parameters of its networks, coefficients of a kernel.
    pub(super) fn parameter_count(&self) -> usize {
        match &self.model {
            PartModel::F32(networks) => networks.parameter_count(),
            PartModel::F64(networks) => networks.parameter_count(),
            PartModel::Kernel(kernel) => kernel.regression.coefficients().as_slice().len(),
            PartModel::Infinite(kernel) => kernel.coefficients().as_slice().len(),
        }
    }
}

fn gradient_of_mean<T: Scalar>(networks: &Average<T>, x: &Matrix<T>, u: &Matrix<T>) -> Result<Matrix<T>> {
    let members = networks.members();
    let share = T::from_f64(1.0 / members.len() as f64);
    let mut sum = Matrix::zeros(x.rows(), x.columns());
    for member in members {
        let gradient = member.input_gradient(x, u)?;
        sum.as_mut_slice().iter_mut().zip(gradient.as_slice()).for_each(|(sum, &slope)| *sum += share * slope);
    }
    Ok(sum)
}
