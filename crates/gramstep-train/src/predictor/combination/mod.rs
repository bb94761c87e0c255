//! Several models as one: networks, kernel regressions and a line, each with a weight that was found on rows that it had
//! not seen.
//!
//! ```text
//! regression       f(x) = Σ_c w_c f_c(x),  w ≥ 0                             (breiman1996)
//! classification   logits β·ln Σ_c w_c softmax(f_c(x)),  w ≥ 0, Σ w = 1
//! ```

mod gradient;
mod part;
mod posterior;
mod view;

use gramstep::{Architecture, Device, Matrix};

pub use part::Part;
pub(crate) use part::{KernelPart, PartModel};
pub use view::View;

use crate::data::{Dataset, Task};
use crate::error::Result;
use crate::outcome::metrics::softmax;

/// A weighted sum of models, or for classes a weighted mean of their probabilities.
#[derive(Debug)]
pub struct Combination {
    pub(crate) task: Task,
    pub(crate) parts: Vec<Part>,
    /// β of the logits of a classification.
    pub(crate) inverse_temperature: f64,
    /// The rows of its kernels, as preprocessed.
    pub(crate) train: Dataset<f64>,
    device: Device,
}

impl Combination {
    /// Of parts that were fitted to (some of) these rows.
    pub(crate) fn new(
        task: Task,
        parts: Vec<Part>,
        inverse_temperature: f64,
        train: Dataset<f64>,
        device: &Device,
    ) -> Self {
        Self { task, parts, inverse_temperature, train, device: device.clone() }
    }

    /// Its models.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Regression or classification.
    #[must_use]
    pub fn task(&self) -> Task {
        self.task
    }

    /// The networks that see the inputs as they are, with their architecture: those that a training goes on with.
    pub(crate) fn own_networks(&self) -> Option<(&str, &PartModel)> {
        let mut plain = self.parts.iter().filter(|part| part.view == View::default());
        plain.find_map(|part| {
            let name = part.name.rsplit(' ').next()?;
            let trained = matches!(part.model, PartModel::F32(_) | PartModel::F64(_));
            // A line is none: its name is no architecture.
            (trained && name.parse::<Architecture>().is_ok()).then_some((name, &part.model))
        })
    }

    /// Networks of all parts.
    #[must_use]
    pub fn networks(&self) -> usize {
        self.parts.iter().map(Part::networks).sum()
    }

    /// Parameters of all networks, and coefficients of all kernels.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.parts.iter().map(Part::parameter_count).sum()
    }

    /// Standardised values, or logits; x: m×inputs, preprocessed.
    ///
    /// # Errors
    /// If x has another number of columns.
    pub fn outputs(&self, x: &Matrix<f64>) -> Result<Matrix<f64>> {
        let outputs = self.parts.iter().map(|part| part.outputs(x)).collect::<Result<Vec<_>>>()?;
        Ok(joined(self.task, &self.weighted(&outputs), self.inverse_temperature))
    }

    fn weighted<'o>(&self, outputs: &'o [Matrix<f64>]) -> Vec<(f64, &'o Matrix<f64>)> {
        self.parts.iter().map(|part| part.weight).zip(outputs).collect()
    }
}

/// The outputs of a combination from those of its parts with their weights.
pub(crate) fn joined(task: Task, parts: &[(f64, &Matrix<f64>)], inverse_temperature: f64) -> Matrix<f64> {
    let Some((_, first)) = parts.first() else { return Matrix::zeros(0, 0) };
    let mut sum: Matrix<f64> = Matrix::zeros(first.rows(), first.columns());
    let total: f64 = parts.iter().map(|(weight, _)| weight).sum();
    for (weight, outputs) in parts {
        for i in 0..sum.rows() {
            match task {
                Task::Regression => {
                    sum.row_mut(i).iter_mut().zip(outputs.row(i)).for_each(|(sum, f)| *sum += weight * f);
                }
                Task::Classification => {
                    let mut p = outputs.row(i).to_vec();
                    softmax(&mut p);
                    sum.row_mut(i).iter_mut().zip(p).for_each(|(sum, p)| *sum += weight / total * p);
                }
            }
        }
    }
    if task == Task::Classification {
        sum.as_mut_slice().iter_mut().for_each(|p| *p = inverse_temperature * p.max(f64::MIN_POSITIVE).ln());
    }
    sum
}
