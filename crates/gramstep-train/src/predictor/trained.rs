//! A trained model that predicts from a raw table.

use std::path::Path;

use gramstep::{Device, Matrix, Model, Scalar};

use crate::data::{BrokenImages, Preprocessing, Problem, Source, Table, Targets};
use crate::error::{Error, Result, outside};
use crate::folder::RunFolder;
use crate::outcome::Predictions;
use crate::outcome::metrics::{self, Metrics, largest};
use crate::predictor::model_file::{self, Metadata, Network};
use crate::predictor::uncertainty::ErrorBars;
use crate::settings::Config;

/// A network, or a kernel regression, and the preprocessing that it was trained with.
#[derive(Clone, Debug)]
pub struct TrainedModel {
    network: Network,
    metadata: Metadata,
}

impl TrainedModel {
    /// Reads the model of a run folder.
    ///
    /// # Errors
    /// When there is none or it cannot be used.
    pub fn load(run: &Path, device: Device) -> Result<Self> {
        let (network, metadata) = model_file::load(&RunFolder::open(run).model(), device)?;
        Ok(Self { network, metadata })
    }

    /// The model in the bytes of a model file; `path` is for messages.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn parse(path: &Path, bytes: &[u8], device: Device) -> Result<Self> {
        let (network, metadata) = model_file::parse(path, bytes, device)?;
        Ok(Self { network, metadata })
    }

    /// What the model file says.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// A copy of the network with parameters of type `T`.
    pub(crate) fn network_as<T: Scalar>(&self) -> Result<Model<T>> {
        match &self.network {
            Network::F32(model) => Ok(model.cast()?),
            Network::F64(model) => Ok(model.cast()?),
            Network::Infinite(_) => Err(self.no_start()),
        }
    }

    /// That training cannot begin with a kernel regression.
    fn no_start(&self) -> Error {
        outside("init", &self.metadata.model, "the run of a network: a kernel has no parameters")
    }

    /// Whether training can begin with it.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is a kernel regression.
    pub(crate) fn check_start(&self) -> Result<()> {
        if self.metadata.specification.is_some() { Ok(()) } else { Err(self.no_start()) }
    }

    /// Length of θ; of a kernel regression the number of its coefficients.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        match &self.network {
            Network::F32(model) => model.parameter_count(),
            Network::F64(model) => model.parameter_count(),
            Network::Infinite(model) => model.coefficients().as_slice().len(),
        }
    }

    /// The settings of the run that wrote this model, and its data, which are read again.
    ///
    /// # Errors
    /// When the data of the run are gone or have changed.
    pub(crate) fn problem(&self, run: &Path) -> Result<(Config, Problem)> {
        let config = Config::read(&RunFolder::open(run).config())?;
        let own = &self.metadata.preprocessing;
        let problem = Problem::load_with(&config, config.init.as_ref().map(|_| own), &mut |_, _| {})?;
        if problem.preprocessing != *own {
            return Err(Error::DataChanged { run: run.to_owned() });
        }
        Ok((config, problem))
    }

    /// The rows that the run was judged on at its end, in their table, which is read again.
    ///
    /// # Errors
    /// When the data of the run are gone or have changed, or it kept no rows for a test.
    pub(crate) fn test_rows(&self, run: &Path) -> Result<(Table, Vec<usize>)> {
        let config = Config::read(&RunFolder::open(run).config())?;
        let own = &self.metadata.preprocessing;
        let (table, rows, fitted) = Problem::test_rows(&config, own, &mut |_, _| {})?;
        if fitted != *own {
            return Err(Error::DataChanged { run: run.to_owned() });
        }
        if rows.is_empty() { Err(Error::NoTestRows { run: run.to_owned() }) } else { Ok((table, rows)) }
    }

    /// The network's outputs for preprocessed inputs.
    pub(crate) fn outputs(&self, inputs: &Matrix<f64>) -> Result<Matrix<f64>> {
        match &self.network {
            Network::F32(model) => metrics::outputs(model, &inputs.cast()),
            Network::F64(model) => metrics::outputs(model, inputs),
            Network::Infinite(model) => model.outputs(inputs),
        }
    }

    /// Reads the rows to predict; images in the size and colour of the training images, broken ones left out and named.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn read(&self, source: &Source, threads: usize) -> Result<Table> {
        let images = self.metadata.preprocessing.inputs.image_settings(BrokenImages::Skip, threads);
        source.read_with(&images, &mut |_, _| {})
    }

    /// Predicts every row of a table with the input columns of the training data.
    ///
    /// # Errors
    /// When columns are missing or cells do not fit.
    pub fn predict(&self, table: &Table) -> Result<Predictions> {
        Ok(self.predict_inputs(table)?.0)
    }

    /// The same for a regression, with error bars beside every prediction.
    ///
    /// # Errors
    /// Like [`predict`](Self::predict).
    pub fn predict_with(&self, table: &Table, bars: &ErrorBars<'_>) -> Result<Predictions> {
        let (mut predictions, x) = self.predict_inputs(table)?;
        let deviation = bars.uncertainty.deviation(&x)?;
        let targets = self.metadata.preprocessing.targets.columns();
        let names = predictions.header.iter().zip(targets);
        predictions.header =
            names.flat_map(|(name, target)| [vec![name.clone()], bars.header(target)].concat()).collect();
        let values = predictions.values.as_slice().iter().zip(deviation.as_slice());
        let wide = values.flat_map(|(&f, &deviation)| [vec![f], bars.values(f, deviation)].concat()).collect();
        predictions.values = Matrix::from_vec(x.rows(), predictions.header.len(), wide)?;
        Ok(predictions)
    }

    /// Predictions, and the network's inputs.
    fn predict_inputs(&self, table: &Table) -> Result<(Predictions, Matrix<f64>)> {
        let Preprocessing { inputs, targets } = &self.metadata.preprocessing;
        let mut notes = table.notes().to_vec();
        let rows: Vec<usize> = (0..table.rows()).collect();
        let x = inputs.apply(table, &rows, &mut notes)?;
        notes.extend(inputs.outside(table));
        let outputs = self.outputs(&x)?;
        let metrics = judge(table, &outputs, targets, &mut notes)?;
        let (header, classes) = match targets {
            Targets::Regression { columns, .. } => {
                (columns.iter().map(|name| format!("predicted_{name}")).collect(), None)
            }
            Targets::Classification { column, classes } => {
                let chosen = (0..rows.len()).map(|i| classes[largest(outputs.row(i))].clone()).collect();
                let header = (std::iter::once(format!("predicted_{column}")))
                    .chain(classes.iter().map(|class| format!("probability_{class}")))
                    .collect();
                (header, Some(chosen))
            }
        };
        let mut values = outputs;
        metrics::in_own_units(&mut values, targets);
        let names = table.names().to_vec();
        Ok((Predictions { header, classes, names, values, metrics, notes }, x))
    }
}

/// Metrics over the rows that have a value in every target, if the table has the targets.
fn judge(table: &Table, outputs: &Matrix<f64>, targets: &Targets, notes: &mut Vec<String>) -> Result<Option<Metrics>> {
    if targets.columns().iter().any(|name| table.column(name).is_none()) {
        return Ok(None);
    }
    let rows = Targets::rows(table, targets.columns())?;
    if rows.is_empty() {
        return Ok(None);
    }
    match targets.apply(table, &rows) {
        Ok(expected) => Ok(Some(metrics::measure(&outputs.select_rows(&rows), &expected, targets))),
        // Targets are not needed to predict: a table whose targets are no use is still predicted.
        Err(error) => {
            notes.push(format!("not judged: {error}"));
            Ok(None)
        }
    }
}
