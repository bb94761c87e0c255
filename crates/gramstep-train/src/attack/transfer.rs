//! What the perturbations found for one model do to others.

use std::path::Path;

use gramstep::{Device, Matrix};
use serde::{Deserialize, Serialize};

use super::bounded::{outputs, unbounded};
use crate::data::{Dataset, Preprocessing, Table, Targets};
use crate::error::{Result, out_of_range};
use crate::outcome::metrics::{Metrics, measure};
use crate::predictor::Predictor;

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

/// The inputs under attack, as the attacked model sees them.
pub(super) struct Perturbed<'a> {
    pub(super) preprocessing: &'a Preprocessing,
    pub(super) clean: &'a Matrix<f64>,
    pub(super) attacked: &'a Matrix<f64>,
}

/// Another run, ready to be judged on the rows under attack.
pub(super) struct Other {
    run: String,
    model: Predictor,
    data: Dataset<f64>,
}

impl Other {
    /// Reads the run; it has to predict what the attacked one predicts.
    pub(super) fn load(
        run: &Path,
        (table, rows): (&Table, &[usize]),
        (attacked, under_attack): (&Preprocessing, &Dataset<f64>),
        device: &Device,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let model = Predictor::load(run, device)?;
        let own = model.preprocessing();
        if !same_targets(&own.targets, &attacked.targets) {
            return Err(out_of_range(
                "transfer",
                &run.display(),
                "runs with the targets and classes of the attacked one",
            ));
        }
        let alike = attacked.inputs.places().all(|(column, _)| {
            let mut theirs = own.inputs.columns.iter().filter(|other| other.name == column.name);
            theirs.all(|other| other.encoding.measured() == column.encoding.measured())
        });
        if !alike {
            let range = "runs that read every column alike, images in one size and colour";
            return Err(out_of_range("transfer", &run.display(), range));
        }
        let data = unbounded(own).dataset(table, rows, notes)?.with_weights(under_attack.weights.clone())?;
        Ok(Self { run: run.display().to_string(), model, data })
    }

    /// Its quality on the rows as they are and as they were changed. Columns that it does not read do not matter to it.
    pub(super) fn judge(&self, of: &Perturbed<'_>) -> Result<Transfer> {
        let own = self.model.preprocessing();
        let mut inputs = self.data.inputs.clone();
        for (column, places) in of.preprocessing.inputs.places() {
            let Some((_, theirs)) = own.inputs.places().find(|(other, _)| other.name == column.name) else {
                continue;
            };
            for (from, to) in places.zip(theirs).take(column.encoding.measured()) {
                let factor = of.preprocessing.inputs.standardisation.scale[from] / own.inputs.standardisation.scale[to];
                for i in 0..inputs.rows() {
                    inputs[(i, to)] += factor * (of.attacked[(i, from)] - of.clean[(i, from)]);
                }
            }
        }
        let metrics = |inputs| {
            let outputs = outputs(self.model.learned(), &own.inputs, inputs)?;
            Ok(measure(&outputs, &self.data.targets, self.data.weights.as_deref(), &own.targets))
        };
        let (clean, attacked): (Result<_>, Result<_>) = (metrics(&self.data.inputs), metrics(&inputs));
        Ok(Transfer { run: self.run.clone(), clean: clean?, attacked: attacked? })
    }
}

fn same_targets(a: &Targets, b: &Targets) -> bool {
    match (a, b) {
        (Targets::Regression { columns: a, .. }, Targets::Regression { columns: b, .. }) => a == b,
        (
            Targets::Classification { column: a, classes, .. },
            Targets::Classification { column: b, classes: others, .. },
        ) => a == b && classes == others,
        (Targets::MultiLabel { columns: a, classes, .. }, Targets::MultiLabel { columns: b, classes: others, .. }) => {
            a == b && classes == others
        }
        _ => false,
    }
}
