//! The loss of a network on rows: its own, or under attack; of all processes together, each of which judges its share.

use gramstep::communicator::{agree, all_reduce_sum};
use gramstep::{Model, Scalar};

use super::adversarial::Opponent;
use super::processes::Processes;
use crate::data::{Dataset, Targets};
use crate::error::{Error, Result};
use crate::outcome::metrics::{self, Metrics};

/// What a network is judged by.
#[derive(Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) targets: &'a Targets,
    pub(super) processes: Processes<'a>,
    /// Who changes the rows before.
    pub(super) opponent: Option<&'a Opponent>,
}

impl Judge<'_> {
    /// The mean loss by the weights of the rows.
    pub(super) fn loss<T: Scalar>(&self, model: &Model<T>, data: &Dataset<T>) -> Result<f64> {
        if self.processes.count() == 1 {
            return self.loss_of_rows(model, data, 0);
        }
        let share = self.processes.share(data.rows());
        let own = data.select(&share.clone().collect::<Vec<_>>());
        let weight = own.total_weight();
        let loss = if weight == 0.0 { Ok(0.0) } else { self.loss_of_rows(model, &own, share.start) };
        let loss = match loss {
            Ok(loss) => Ok(loss * weight),
            Err(Error::Core(error)) => Err(error),
            Err(error) => Err(gramstep::Error::Communication(error.to_string())),
        };
        let communicator = self.processes.communicator();
        let mut sums = [agree(communicator, loss)?, weight];
        all_reduce_sum(communicator, &mut sums)?;
        Ok(sums[0] / sums[1])
    }

    /// The loss of rows of which the first has this number.
    fn loss_of_rows<T: Scalar>(&self, model: &Model<T>, data: &Dataset<T>, first: usize) -> Result<f64> {
        match self.opponent {
            None => metrics::loss(model, data, self.targets),
            Some(opponent) => {
                let attacked = opponent.attack_from(first, model, data, self.targets.loss().as_ref())?;
                metrics::loss(model, &attacked, self.targets)
            }
        }
    }

    /// The quality on rows that are watched.
    pub(super) fn metrics<T: Scalar>(&self, model: &Model<T>, data: &Dataset<T>) -> Result<Metrics> {
        let outputs = metrics::outputs(model, &data.inputs)?;
        Ok(metrics::watch(&outputs, &data.targets.cast(), data.weights.as_deref(), self.targets))
    }
}
