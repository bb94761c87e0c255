//! Predictions for the rows of a table.

use std::path::Path;

use gramstep::Matrix;

use super::whole::check_finite;
use super::{Predictor, half_width};
use crate::data::{
    BrokenImages, DataHash, FrameCells, Preprocessing, Problem, ReadOptions, Source, Table, Targets, WeightedRows,
};
use crate::error::{Error, Result};
use crate::folder::RunFolder;
use crate::outcome::Predictions;
use crate::outcome::labels::chosen;
use crate::outcome::metrics::{Metrics, in_own_units, measure};
use crate::settings::Config;

/// What is written beside each prediction of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(clippy::exhaustive_structs)]
pub struct ErrorBars {
    /// The standard deviation of a new observation.
    pub deviation: bool,
    /// Lower and upper end of the interval that holds a new observation with this probability.
    pub interval: Option<f64>,
    /// How many draws of new observations, and their seed.
    pub samples: Option<(usize, u64)>,
}

impl ErrorBars {
    /// Names of the columns of one target.
    fn header<'t>(&self, target: &'t str) -> impl Iterator<Item = String> + use<'t> {
        let deviation = self.deviation.then(|| format!("std_{target}"));
        let ends = self.interval.map(|_| [format!("lower_{target}"), format!("upper_{target}")]);
        let samples = (1..=self.samples.map_or(0, |(count, _)| count)).map(move |s| format!("sample{s}_{target}"));
        deviation.into_iter().chain(ends.into_iter().flatten()).chain(samples)
    }
}

impl Predictor {
    /// Reads the rows to predict; images in the size and colour of the training images. Broken ones are named, and their
    /// rows are [gaps](Table::gaps).
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn read(&self, source: &Source, threads: usize) -> Result<Table> {
        self.read_with(source, &ReadOptions::default(), threads)
    }

    /// The same; `options` say of the cells what is not as it was in training.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn read_with(&self, source: &Source, options: &ReadOptions, threads: usize) -> Result<Table> {
        source.check_options(options)?;
        let mut images = self.preprocessing().inputs.image_settings(BrokenImages::Skip, threads);
        images.gaps = true;
        source.read_with(&self.preprocessing().read_options(options), &images, &mut |_, _| {})
    }

    /// The rows to predict from columns in memory, of which text is read as that of a file; `origin` is what messages call
    /// them.
    ///
    /// # Errors
    /// Those of [`Table::of_frame`].
    pub fn frame(&self, origin: &str, columns: Vec<(String, FrameCells)>) -> Result<Table> {
        Table::of_frame(origin, columns, &self.preprocessing().read_options(&ReadOptions::default()))
    }

    /// Predicts every row of a table with the input columns of the training data.
    ///
    /// # Errors
    /// When columns are missing or cells do not fit.
    pub fn predict(&self, table: &Table) -> Result<Predictions> {
        Ok(self.predict_inputs(table)?.0.with_gaps(table.gaps()))
    }

    /// The same with error bars beside every prediction of a number; of classes with 1 beside each that belongs to the set
    /// of this probability, else 0.
    ///
    /// # Errors
    /// Like [`predict`](Self::predict), and those of [`uncertainty`](Self::uncertainty).
    pub fn predict_with(&self, table: &Table, bars: ErrorBars) -> Result<Predictions> {
        if bars == ErrorBars::default() {
            return self.predict(table);
        }
        let (mut predictions, x) = self.predict_inputs(table)?;
        if let (
            Targets::Classification { classes, .. },
            ErrorBars { deviation: false, interval: Some(level), samples: None },
        ) = (&self.preprocessing().targets, bars)
        {
            let sets = self.class_sets(&predictions.values, level)?;
            predictions.header.extend(classes.iter().map(|class| format!("set_{class}")));
            let (p, k) = (&predictions.values, classes.len());
            let entry = |i: usize, a: usize| if a < k { p[(i, a)] } else { f64::from(u8::from(sets[i][a - k])) };
            predictions.values = Matrix::from_fn(x.rows(), 2 * k, entry);
            return Ok(predictions.with_gaps(table.gaps()));
        }
        let open = self.open_by_gaps(table, &x)?;
        let deviation = bars.deviation.then(|| self.uncertainty()?.deviation(&x)).transpose()?;
        let widths = bars.interval.map(|level| self.half_widths(&x, level)).transpose()?;
        let draws = bars.samples.map(|(count, seed)| self.draw(&x, &open, count, seed)).transpose()?;
        let normal = bars.interval.map_or(0.0, half_width);
        let all = &self.preprocessing().targets;
        let targets = all.columns();
        let names = predictions.header.iter().zip(targets);
        predictions.header =
            names.flat_map(|(name, target)| std::iter::once(name.clone()).chain(bars.header(target))).collect();
        let mut wide = Vec::with_capacity(x.rows() * predictions.header.len());
        for i in 0..x.rows() {
            for (a, &f) in predictions.values.row(i).iter().enumerate() {
                let gap = open[(i, a)];
                wide.push(f);
                wide.extend(deviation.as_ref().map(|deviation| all.own_deviation(f, deviation[(i, a)]).hypot(gap)));
                let ends = widths.as_ref().map(|widths| all.interval(f, widths[(i, a)], normal * gap));
                wide.extend(ends.into_iter().flatten());
                wide.extend(draws.iter().flatten().map(|drawn| drawn[(i, a)]));
            }
        }
        predictions.values = Matrix::from_vec(x.rows(), predictions.header.len(), wide)?;
        Ok(predictions.with_gaps(table.gaps()))
    }

    /// Half the width of the interval that holds a new value with this probability, in the units of the targets or of
    /// their logarithms, m×targets. x: preprocessed.
    ///
    /// # Errors
    /// Those of [`uncertainty`](Self::uncertainty).
    pub fn half_widths(&self, x: &Matrix<f64>, level: f64) -> Result<Matrix<f64>> {
        let targets = &self.preprocessing().targets;
        let (mut widths, factors): (_, Vec<f64>) =
            if let (Some(spread), Targets::Regression { standardisation, .. }) = (self.spread(), targets) {
                let scale = standardisation.scale.iter().enumerate();
                (spread.scale(x)?, scale.map(|(a, scale)| scale * spread.half_width(a, level)).collect())
            } else {
                let (uncertainty, all) = (self.uncertainty()?, 0..targets.outputs());
                (uncertainty.deviation(x)?, all.map(|a| uncertainty.half_width(a, level)).collect())
            };
        for i in 0..widths.rows() {
            widths.row_mut(i).iter_mut().zip(&factors).for_each(|(width, factor)| *width *= factor);
        }
        Ok(widths)
    }

    /// The network's inputs of all rows, and what was repaired.
    pub(super) fn inputs_of(&self, table: &Table, notes: &mut Vec<String>) -> Result<Matrix<f64>> {
        let rows: Vec<usize> = (0..table.rows()).collect();
        self.preprocessing().inputs.apply(table, &rows, notes)
    }

    /// Predictions, and the network's inputs.
    fn predict_inputs(&self, table: &Table) -> Result<(Predictions, Matrix<f64>)> {
        let Preprocessing { inputs, targets, .. } = self.preprocessing();
        let mut notes = table.notes().to_vec();
        let x = self.inputs_of(table, &mut notes)?;
        notes.extend(inputs.out_of_range(table));
        let outputs = self.learned().outputs(&x)?;
        let metrics = judge(table, &outputs, self.preprocessing(), &mut notes);
        let header = targets.predicted_names();
        let mut values = outputs;
        in_own_units(&mut values, targets);
        let mut classes = vec![Vec::with_capacity(x.rows()); targets.classes().len()];
        for i in 0..x.rows() {
            let chosen = chosen(targets, values.row(i)).into_iter().map(str::to_owned);
            classes.iter_mut().zip(chosen).for_each(|(column, class)| column.push(class));
        }
        check_finite(&values)?;
        let names = table.names().to_vec();
        Ok((Predictions { header, classes, names, kept: Vec::new(), values, metrics, notes }, x))
    }

    /// The settings of the run that wrote this predictor, and its data, which are read again.
    ///
    /// # Errors
    /// When the data of the run are gone or have changed.
    pub(crate) fn problem(&self, run: &Path) -> Result<Problem> {
        let config = Config::read(&RunFolder::open(run).config())?;
        let own = self.preprocessing();
        // A file of an earlier version knows its data by the preprocessing that they ask for.
        let earlier = self.data().map(|_| own).or(config.init.as_ref().map(|_| own));
        let problem = Problem::load_with(&config.data_options()?, earlier, &mut |_, _| {})?;
        self.check_data(run, &problem.hash)?;
        if problem.preprocessing == *own { Ok(problem) } else { Err(Error::DataChanged { run: run.to_owned() }) }
    }

    /// The rows that the run was judged on at its end, in their table, which is read again.
    ///
    /// # Errors
    /// When the data of the run are gone or have changed, or it kept no rows for a test.
    pub(crate) fn test_rows(&self, run: &Path) -> Result<(Table, WeightedRows)> {
        let config = Config::read(&RunFolder::open(run).config())?;
        let (table, rows, hash) = Problem::test_rows(&config.data_options()?, self.preprocessing(), &mut |_, _| {})?;
        self.check_data(run, &hash)?;
        if rows.0.is_empty() { Err(Error::NoTestRows { run: run.to_owned() }) } else { Ok((table, rows)) }
    }

    /// Refuses data that are not those of the run.
    fn check_data(&self, run: &Path, found: &DataHash) -> Result<()> {
        match self.data().filter(|own| *own != found) {
            Some(_) => Err(Error::DataChanged { run: run.to_owned() }),
            None => Ok(()),
        }
    }
}

/// Metrics over the rows that have a value in every target, if the table has the targets.
fn judge(
    table: &Table,
    outputs: &Matrix<f64>,
    preprocessing: &Preprocessing,
    notes: &mut Vec<String>,
) -> Option<Metrics> {
    let targets = &preprocessing.targets;
    if targets.columns().iter().any(|name| table.column(name).is_none()) {
        return None;
    }
    let judged = preprocessing.judged(table).and_then(|(rows, weights)| {
        let expected = targets.apply(table, &rows)?;
        Ok((!rows.is_empty()).then(|| measure(&outputs.select_rows(&rows), &expected, weights.as_deref(), targets)))
    });
    // Targets are not needed to predict: a table whose targets are no use is still predicted.
    judged.unwrap_or_else(|error| {
        notes.push(format!("not judged: {error}"));
        None
    })
}
