//! What the perturbations found for one model do to others.

use std::path::{Path, PathBuf};

use gramstep::{Device, Matrix};
use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Preprocessing, Table};
use crate::error::Result;
use crate::metrics::{Metrics, measure};
use crate::settings::outside;
use crate::trained::TrainedModel;

/// The quality of another model on the perturbed rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Transfer {
    /// Its run folder.
    pub run: String,
    /// On the rows as they are.
    pub clean: Metrics,
    /// On the rows with the perturbations of the full radius.
    pub attacked: Metrics,
}

/// The rows under attack: as a table, and as the inputs of the attacked model.
pub(super) struct Perturbed<'a> {
    pub(super) table: &'a Table,
    pub(super) rows: &'a [usize],
    pub(super) preprocessing: &'a Preprocessing,
    pub(super) data: &'a Dataset<f64>,
    pub(super) attacked: &'a Matrix<f64>,
}

pub(super) fn judge(runs: &[PathBuf], of: &Perturbed<'_>, device: &Device) -> Result<Vec<Transfer>> {
    runs.iter().map(|run| judge_one(run, of, device)).collect()
}

fn judge_one(run: &Path, of: &Perturbed<'_>, device: &Device) -> Result<Transfer> {
    let other = TrainedModel::load(run, device.clone())?;
    let own = &other.metadata().preprocessing;
    // What there is to say of the rows was said of the attacked model.
    let data = own.dataset(of.table, of.rows, &mut Vec::new())?;
    let mut inputs = data.inputs.clone();
    for (column, places) in of.preprocessing.inputs.places() {
        let Some((other, theirs)) = own.inputs.places().find(|(other, _)| other.name == column.name) else {
            continue;
        };
        let measured = column.encoding.measured();
        if other.encoding.measured() != measured {
            let range = "runs that read every column alike, images in one size and colour";
            return Err(outside("transfer", &run.display(), range));
        }
        for (from, to) in places.zip(theirs).take(measured) {
            let factor = of.preprocessing.inputs.standardisation.scale[from] / own.inputs.standardisation.scale[to];
            for i in 0..inputs.rows() {
                inputs[(i, to)] += factor * (of.attacked[(i, from)] - of.data.inputs[(i, from)]);
            }
        }
    }
    let metrics = |inputs: &Matrix<f64>| Ok(measure(&other.outputs(inputs)?, &data.targets, &own.targets));
    let (clean, attacked): (Result<_>, Result<_>) = (metrics(&data.inputs), metrics(&inputs));
    Ok(Transfer { run: run.display().to_string(), clean: clean?, attacked: attacked? })
}
