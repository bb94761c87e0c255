//! The features of all processes' samples on every process.

use std::sync::Arc;

use super::TangentFeatures;
use super::part::Part;
use crate::communicator::{Communicator, gather_values};
use crate::device::Buffer;
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::view::Matrix;

impl<T: Scalar> TangentFeatures<T> {
    /// The features of the whole batch, rows of process 0 first: every process holds the samples of a batch that are
    /// its own, and G is of all.
    ///
    /// # Errors
    /// [`Error::Communication`] if a process is gone or holds another network.
    pub(crate) fn gather(&self, communicator: &dyn Communicator) -> Result<Self> {
        let collect = |buffer: &Buffer<T>| {
            let values = buffer.tile(0, 1, buffer.len());
            Ok::<_, Error>(Arc::new(Buffer::upload(gather_values(communicator, values.host())?)))
        };
        let parts = self
            .parts
            .iter()
            .map(|part| {
                Ok(match part {
                    Part::Linear(part) => {
                        let mut all = part.clone();
                        all.activations = collect(&part.activations)?;
                        all.deltas = collect(&part.deltas)?;
                        Part::Linear(all)
                    }
                    Part::Explicit(part) => {
                        let mut all = part.clone();
                        all.gradients = collect(&part.gradients)?;
                        Part::Explicit(all)
                    }
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let predictions = gather_values(communicator, self.predictions.as_slice())?;
        let columns = self.predictions.columns();
        let predictions = Matrix::from_vec(predictions.len() / columns.max(1), columns, predictions)?;
        let all = Self::from_parts(self.device.clone(), self.parameters, predictions, parts)?;
        Ok(all.with_memory_budget(self.memory_budget))
    }
}
