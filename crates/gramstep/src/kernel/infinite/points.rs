//! A set of points as an infinitely wide network sees it.

use std::ops::Range;
use std::sync::Arc;

use super::dual::Coefficients;
use super::images::ImagePoints;
use super::kernel::InfiniteKernel;
use super::steps::Step;
use crate::device::{Device, Tile};
use crate::error::{Error, Result, check_extent};
use crate::scalar::Scalar;
use crate::view::MatrixView;

/// Cost of a layer for one pair, in multiplications.
const LAYER_COST: f64 = 40.0;

/// Points prepared for an [`InfiniteKernel`]: their directions, and their variances after every layer.
///
/// ```
/// use gramstep::kernel::{InfiniteKernel, Which};
/// use gramstep::{Activation, Device, Matrix};
/// let kernel = InfiniteKernel::mlp(1, Activation::Relu, 2.0, 0.0)?;
/// let points = kernel.points(&Matrix::from_vec(2, 2, vec![1.0, 0.0, 0.0, 1.0])?, &Device::cpu(1))?;
/// let gram = points.gram(Which::Ntk);
/// assert!((points.samples(), points.inputs()) == (2, 2) && gram[(0, 1)] == gram[(1, 0)]);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct InfinitePoints<T> {
    pub(super) kernel: InfiniteKernel,
    pub(super) device: Device,
    pub(super) samples: usize,
    pub(super) inputs: usize,
    /// x/|x|, n×d; 0 stays 0. None of images.
    directions: Vec<T>,
    /// Images, which become vectors first.
    pub(super) images: Option<ImagePoints<T>>,
    /// √K(x, x) of every point, for every state of the layers on vectors.
    pub(super) scales: Vec<Vec<T>>,
    /// What series need, for every step.
    pub(super) coefficients: Vec<Option<Arc<Coefficients<T>>>>,
}

impl InfiniteKernel {
    /// Prepares a set of points, n×d, for kernels among themselves and with other sets.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the specification asks for another d,
    /// [`Error::NonFinite`](crate::Error::NonFinite) if a value or a variance is not finite,
    /// [`Error::Setting`](crate::Error::Setting) if a variance is too large for the series of an activation.
    pub fn points<'x, T: Scalar>(&self, x: impl Into<MatrixView<'x, T>>, device: &Device) -> Result<InfinitePoints<T>> {
        InfinitePoints::new(self, x.into(), device)
    }
}

impl<T: Scalar> InfinitePoints<T> {
    pub(super) fn new(kernel: &InfiniteKernel, x: MatrixView<'_, T>, device: &Device) -> Result<Self> {
        if let Some(expected) = kernel.inputs().filter(|&inputs| inputs != x.columns()) {
            return Err(Error::Shape { what: "columns of the input", expected, got: x.columns() });
        }
        let (samples, inputs) = (x.rows(), x.columns());
        let mut directions = x.to_vec();
        let (mut images, mut variances) = (None, Vec::with_capacity(samples));
        if let Some(program) = &kernel.images {
            check_finite(&directions)?;
            let points = ImagePoints::new(program, device, std::mem::take(&mut directions), inputs)?;
            variances.extend_from_slice(&points.variances);
            images = Some(points);
        } else {
            for row in directions.chunks_exact_mut(inputs.max(1)) {
                variances.push(normalise(row)? / inputs as f64);
            }
            variances.resize(samples, 0.0);
        }
        let (kernel, device) = (kernel.clone(), device.clone());
        let (scales, coefficients) = (Vec::new(), Vec::new());
        let mut points = Self { kernel, device, samples, inputs, directions, images, scales, coefficients };
        points.follow(variances)?;
        Ok(points)
    }

    /// Takes the variances of all points through the layers.
    fn follow(&mut self, variances: Vec<f64>) -> Result<()> {
        let roots = |variances: &[f64]| variances.iter().map(|v| T::from_f64(v.sqrt())).collect();
        let mut states = vec![variances];
        for step in &*self.kernel.steps {
            let now = &states[states.len() - 1];
            let mut coefficients = None;
            let next = match step {
                Step::Dense(layer) => now.iter().map(|v| layer.weight.mul_add(*v, layer.bias)).collect(),
                Step::Activation(dual) => {
                    let (moments, table) = dual.prepare(&self.device, now)?;
                    coefficients = table.map(Arc::new);
                    moments
                }
                Step::Split => now.clone(),
                Step::Swap { from } => states[*from].clone(),
                Step::Join { from } => now.iter().zip(&states[*from]).map(|(a, b)| a + b).collect(),
            };
            self.coefficients.push(coefficients);
            states.push(next);
        }
        self.scales = states.iter().map(|state| roots(state)).collect();
        if states.iter().flatten().all(|v| v.is_finite()) {
            Ok(())
        } else {
            Err(Error::NonFinite { what: "variance of a layer of the infinitely wide network", layer: None })
        }
    }

    /// n, the number of points.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// d, the number of values of a point.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> &InfiniteKernel {
        &self.kernel
    }

    /// Where it computes.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Multiplications of one pair, about.
    pub(crate) fn pair_cost(&self) -> f64 {
        self.cost(1.0)
    }

    pub(super) fn check(&self, other: &Self) -> Result<()> {
        check_extent("columns of the other points", self.inputs, other.inputs)?;
        if self.kernel == other.kernel {
            Ok(())
        } else {
            let reason = "they are prepared for different kernels".to_owned();
            Err(Error::Conflict { what: "two sets of points", reason })
        }
    }

    pub(super) fn cost(&self, pairs: f64) -> f64 {
        let start = self.images.as_ref().map_or(self.inputs as f64, ImagePoints::pair_cost);
        pairs * (start + LAYER_COST * self.kernel.steps.len() as f64)
    }

    pub(super) fn directions_of(&self, points: &Range<usize>) -> Tile<'_, T> {
        let values = &self.directions[points.start * self.inputs..points.end * self.inputs];
        Tile::new(values, points.len(), self.inputs)
    }
}

/// Divides a row by its length, and returns the square of that; safe against overflow and underflow.
fn normalise<T: Scalar>(row: &mut [T]) -> Result<f64> {
    let largest = row.iter().fold(0.0, |largest, v| f64::max(largest, v.to_f64().abs()));
    check_finite(row)?;
    if largest == 0.0 {
        return Ok(0.0);
    }
    let length = row.iter().map(|v| (v.to_f64() / largest).powi(2)).sum::<f64>().sqrt() * largest;
    for value in row {
        *value = T::from_f64(value.to_f64() / length);
    }
    Ok(length * length)
}

fn check_finite<T: Scalar>(values: &[T]) -> Result<()> {
    let finite = values.iter().all(|v| v.is_finite());
    if finite { Ok(()) } else { Err(Error::NonFinite { what: "input", layer: None }) }
}
