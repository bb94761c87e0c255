//! One type for all that was learned.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gramstep::model::Average;
use gramstep::{Device, Matrix, MatrixView, Model, Scalar};

use super::file;
use super::file::SpreadMetadata;
use super::learned::CHUNK;
use super::{ClassSets, Known, Learned, Metadata, Spread, Uncertainty, half_width};
use crate::data::{DataHash, Dataset, Preprocessing, Problem, Task};
use crate::error::{Error, Result};
use crate::folder::RunFolder;
use crate::format::whole_file::write_atomically;
use crate::outcome::metrics::{Metrics, in_own_units};

/// Networks or a kernel regression, the preprocessing of their data, and what they remember of these.
///
/// It predicts from a [`Table`](crate::data::Table) or from an array with the columns of the training data, and is kept in
/// one file.
#[derive(Debug)]
pub struct Predictor {
    learned: Learned,
    metadata: Metadata,
    known: Option<Known>,
    spread: Option<Arc<Spread>>,
    sets: Option<ClassSets>,
    uncertainty: Mutex<Option<Arc<Uncertainty>>>,
}

impl Clone for Predictor {
    fn clone(&self) -> Self {
        Self::assemble(self.learned.clone(), self.metadata.clone(), self.known.clone())
            .with_spread(self.spread.clone())
            .with_sets(self.sets.clone())
    }
}

impl Predictor {
    /// What was learned from data that were preprocessed so; `name` is the architecture in short, `data` what the data
    /// are known by, `ridge` the κ of training where it is one number, for weights of mean 1.
    pub(crate) fn new(
        learned: Learned,
        (name, ridge): (String, Option<f64>),
        preprocessing: &Preprocessing,
        data: &DataHash,
        known: Option<Known>,
    ) -> Self {
        let metadata = Metadata::of(&learned, (name, ridge), preprocessing, data, known.as_ref());
        Self::assemble(learned, metadata, known)
    }

    /// A network that was trained by hand on the rows of a problem, whose preprocessing and error bars come with it;
    /// `name` is the architecture in short, as `--model` takes it, or any word.
    ///
    /// # Errors
    /// [`Shape`](gramstep::Error::Shape) if its inputs or outputs are not those of the problem.
    ///
    /// ```
    /// use gramstep::optim::{Batch, GramGaussNewton, GramGaussNewtonConfig, Optimizer};
    /// use gramstep::{Activation, Matrix, Model};
    /// use gramstep_train::Predictor;
    /// use gramstep_train::arrays::{ArrayTargets, Samples};
    /// let x = Matrix::from_fn(30, 1, |i, _| i as f64 / 15.0 - 1.0);
    /// let y = Matrix::from_fn(30, 1, |i, _| 5.0 + (3.0 * x[(i, 0)]).sin());
    /// let problem = Samples::new(x.view(), ArrayTargets::numbers(y.clone())).problem(0.1, 0)?;
    /// let mut model = Model::mlp(&[1, 32, 1], Activation::Tanh).build()?;
    /// let mut optimizer = GramGaussNewton::new(GramGaussNewtonConfig::default())?;
    /// for _ in 0..40 {
    ///     optimizer.step(&mut model, &Batch::new(&problem.train.inputs, &problem.train.targets))?;
    /// }
    /// let predictor = Predictor::of_network(&model, &problem, "mlp:32:tanh")?;
    /// let f = predictor.predict_array(x.view())?;
    /// assert!((0..30).all(|i| (f[(i, 0)] - y[(i, 0)]).abs() < 0.1));
    /// # Ok::<(), gramstep_train::Error>(())
    /// ```
    pub fn of_network<T: Scalar>(model: &Model<T>, problem: &Problem<T>, name: &str) -> Result<Self> {
        let rows = &problem.train;
        for (what, expected, got) in [
            ("inputs of the network", rows.inputs.columns(), model.inputs()),
            ("outputs of the network", rows.targets.columns(), model.outputs()),
        ] {
            if expected != got {
                return Err(gramstep::Error::Shape { what, expected, got }.into());
            }
        }
        let learned = Learned::networks(&Average::new(vec![model.clone()])?)?;
        let remembers = problem.preprocessing.targets.has_residuals();
        let known = remembers.then(|| Known::of(problem, false, model.seed())).transpose()?;
        Ok(Self::new(learned, (name.to_owned(), None), &problem.preprocessing, &problem.hash, known))
    }

    fn assemble(learned: Learned, metadata: Metadata, known: Option<Known>) -> Self {
        Self { learned, metadata, known, spread: None, sets: None, uncertainty: Mutex::default() }
    }

    /// The same with what is known of its errors on rows that it has not seen.
    #[must_use]
    pub(crate) fn with_spread(self, spread: Option<Arc<Spread>>) -> Self {
        let metadata = Metadata { spread: spread.as_deref().map(SpreadMetadata::of), ..self.metadata };
        Self { metadata, spread, ..self }
    }

    /// The same with what is known of the classes of rows that it has not seen.
    #[must_use]
    pub(crate) fn with_sets(self, sets: Option<ClassSets>) -> Self {
        let metadata = Metadata { unseen_rows: sets.as_ref().map(|sets| sets.scores.len()), ..self.metadata };
        Self { metadata, sets, ..self }
    }

    /// Which classes belong to the sets that hold the right one with this probability; m×classes. p: their probabilities.
    ///
    /// # Errors
    /// [`Error::Setting`] for a regression, and for a model that kept no rows it had not seen.
    pub fn class_sets(&self, p: &Matrix<f64>, level: f64) -> Result<Vec<Vec<bool>>> {
        let Some(sets) = &self.sets else {
            let range = "a setting of classifications that were judged on rows not seen in training: train with \
                         --validation 0.2";
            return Err(Error::Setting { name: "interval", value: level.to_string(), range: range.to_owned() });
        };
        Ok((0..p.rows()).map(|i| sets.holds(p.row(i), level)).collect())
    }

    /// Reads the model of a run folder.
    ///
    /// # Errors
    /// When there is none or it cannot be used.
    pub fn load(run: &Path, device: &Device) -> Result<Self> {
        let path = RunFolder::open(run).model();
        let bytes = std::fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        Self::parse(&path, &bytes, device)
    }

    /// The predictor in the bytes of a model file; `path` is for messages.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn parse(path: &Path, bytes: &[u8], device: &Device) -> Result<Self> {
        let file::Parsed { learned, metadata, known, spread, sets } = file::parse(path, bytes, device)?;
        Ok(Self { spread: spread.map(Arc::new), sets, ..Self::assemble(learned, metadata, known) })
    }

    /// The bytes of its model file; `path` is for messages.
    ///
    /// # Errors
    /// If a network has layers of the caller's own, which no file can name.
    pub fn to_bytes(&self, path: &Path) -> Result<Vec<u8>> {
        file::bytes(
            path,
            &self.learned,
            &self.metadata,
            (self.known.as_ref(), self.spread.as_deref(), self.sets.as_ref()),
        )
    }

    /// Writes its model file.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn save(&self, path: &Path) -> Result<()> {
        write_atomically(path, &self.to_bytes(path)?)
    }

    /// What the model file says beside its numbers.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The networks, or the kernel regression.
    #[must_use]
    pub fn learned(&self) -> &Learned {
        &self.learned
    }

    /// What is known of its errors on rows that it has not seen.
    #[must_use]
    pub fn spread(&self) -> Option<&Arc<Spread>> {
        self.spread.as_ref()
    }

    /// The rows that networks remember.
    pub(super) fn known(&self) -> Option<&Known> {
        self.known.as_ref()
    }

    /// From columns of the data to inputs and targets.
    #[must_use]
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.metadata.preprocessing
    }

    /// What the data are known by; none in a file of an earlier version.
    #[must_use]
    pub fn data(&self) -> Option<&DataHash> {
        self.metadata.data.as_ref()
    }

    /// Where error bars come from, made at the first call.
    ///
    /// # Errors
    /// For a classification, whose classes have their probabilities, and for a network that remembers no rows.
    pub fn uncertainty(&self) -> Result<Arc<Uncertainty>> {
        let mut made = self.uncertainty.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(uncertainty) = &*made {
            return Ok(Arc::clone(uncertainty));
        }
        let targets = &self.metadata.preprocessing.targets;
        let uncertainty = Arc::new(Uncertainty::of(
            &self.learned,
            (self.known.as_ref(), self.spread.as_ref()),
            self.metadata.ridge,
            targets,
        )?);
        *made = Some(Arc::clone(&uncertainty));
        Ok(uncertainty)
    }

    /// Its quality on preprocessed rows.
    ///
    /// # Errors
    /// If the rows have other columns.
    pub(crate) fn judge<T: Scalar>(&self, rows: &Dataset<T>) -> Result<Metrics> {
        self.learned.judge(rows, &self.preprocessing().targets)
    }

    /// The inputs of the network for rows of an array.
    ///
    /// # Errors
    /// If the array has other columns, or an infinite value; a gap (NaN) becomes the median of its column.
    pub fn inputs<T: Scalar>(&self, x: MatrixView<'_, T>) -> Result<Matrix<T>> {
        self.preprocessing().inputs.apply_array(x, 0..x.rows())
    }

    /// Targets in their own units, or the probability of every class, for rows of an array; m×k.
    ///
    /// # Errors
    /// Those of [`inputs`](Self::inputs), and if a prediction is not finite.
    pub fn predict_array<T: Scalar>(&self, x: MatrixView<'_, T>) -> Result<Matrix<f64>> {
        let mut outputs = self.outputs_of_array(x, |inputs| self.learned.outputs(&inputs))?;
        in_own_units(&mut outputs, &self.preprocessing().targets);
        check_finite(&outputs)?;
        Ok(outputs)
    }

    /// The standard deviation of a new observation, noise included, in the targets' own units; m×k.
    ///
    /// # Errors
    /// Those of [`inputs`](Self::inputs) and of [`uncertainty`](Self::uncertainty).
    pub fn deviation_array<T: Scalar>(&self, x: MatrixView<'_, T>) -> Result<Matrix<f64>> {
        let uncertainty = self.uncertainty()?;
        let mut deviation = self.outputs_of_array(x, |inputs| uncertainty.deviation(&inputs.into_f64()))?;
        let targets = &self.preprocessing().targets;
        if targets.is_logarithm() {
            let f = self.predict_array(x)?;
            let pairs = deviation.as_mut_slice().iter_mut().zip(f.as_slice());
            pairs.for_each(|(deviation, &f)| *deviation = targets.own_deviation(f, *deviation));
        }
        let open = self.open_by_gaps_of_array(x)?;
        let pairs = deviation.as_mut_slice().iter_mut().zip(open.as_slice());
        pairs.for_each(|(deviation, open)| *deviation = deviation.hypot(*open));
        Ok(deviation)
    }

    /// Lower and upper end of the interval that holds a new observation of each target with this probability; m×2k.
    ///
    /// # Errors
    /// Those of [`inputs`](Self::inputs) and of [`half_widths`](Self::half_widths).
    pub fn interval_array<T: Scalar>(&self, x: MatrixView<'_, T>, level: f64) -> Result<Matrix<f64>> {
        let widths = self.outputs_of_array(x, |inputs| self.half_widths(&inputs.into_f64(), level))?;
        let (f, targets) = (self.predict_array(x)?, &self.preprocessing().targets);
        let (open, normal) = (self.open_by_gaps_of_array(x)?, half_width(level));
        let each = f.as_slice().iter().zip(widths.as_slice()).zip(open.as_slice());
        let ends = each.flat_map(|((&f, &width), open)| targets.interval(f, width, normal * open)).collect();
        Ok(Matrix::from_vec(f.rows(), 2 * f.columns(), ends)?)
    }

    /// The sets of classes of [`class_sets`](Self::class_sets) for rows of an array.
    ///
    /// # Errors
    /// Those of [`inputs`](Self::inputs) and of [`class_sets`](Self::class_sets).
    pub fn class_sets_array<T: Scalar>(&self, x: MatrixView<'_, T>, level: f64) -> Result<Vec<Vec<bool>>> {
        self.class_sets(&self.predict_array(x)?, level)
    }

    /// Some rows at a time: their inputs are no second copy of a large array.
    fn outputs_of_array<T: Scalar>(
        &self,
        x: MatrixView<'_, T>,
        work: impl Fn(Matrix<T>) -> Result<Matrix<f64>>,
    ) -> Result<Matrix<f64>> {
        let mut values = Vec::new();
        let k = self.preprocessing().targets.outputs();
        for start in (0..x.rows()).step_by(CHUNK) {
            let part = x.row_range(start..x.rows().min(start + CHUNK));
            values.extend(work(self.inputs(part)?)?.into_vec());
        }
        if x.rows() == 0 {
            self.inputs(x)?;
        }
        Ok(Matrix::from_vec(x.rows(), k, values)?)
    }

    /// Regression or classification.
    #[must_use]
    pub fn task(&self) -> Task {
        self.preprocessing().targets.task()
    }
}

/// A number that is not there is no prediction.
pub(super) fn check_finite(predictions: &Matrix<f64>) -> Result<()> {
    if predictions.as_slice().iter().all(|value| value.is_finite()) {
        return Ok(());
    }
    Err(gramstep::Error::NonFinite { what: "a prediction", layer: None }.into())
}

#[cfg(test)]
mod tests {
    use gramstep::kernel::Ridge;
    use gramstep::model::Average;
    use gramstep::{Activation, Model};

    use super::*;
    use crate::data::{DataOptions, Problem, table_of};
    use crate::predictor::KernelModel;

    fn problem() -> Problem {
        problem_of(1.0)
    }

    fn problem_of(unit: f64) -> Problem {
        let row = |i: i32| format!("{},{},{}\n", i, i * 7 % 5, unit * (f64::from(i) / 5.0).sin());
        let text = format!("a,b,y\n{}", (0..40).map(row).collect::<String>());
        Problem::of_table(&table_of(&text), &DataOptions::of("csv:t".parse().unwrap())).unwrap()
    }

    fn networks<T: Scalar>(members: u64) -> Average<T> {
        let build = |seed| Model::<T>::mlp(&[2, 5, 1], Activation::Tanh).seed(seed).build().unwrap();
        Average::new((0..members).map(build).collect()).unwrap()
    }

    fn of(problem: &Problem, learned: Learned, name: &str) -> Predictor {
        let known = Known::of(problem, learned.members() > 1, 0).unwrap();
        let known = if matches!(learned, Learned::Kernel(_)) { None } else { Some(known) };
        Predictor::new(learned, (name.to_owned(), None), &problem.preprocessing, &problem.hash, known)
    }

    fn all(problem: &Problem) -> Vec<Predictor> {
        let kernel = "ntk:depth=1:relu".parse().unwrap();
        let (rows, task) = (problem.train.clone(), problem.preprocessing.targets.task());
        let kernel = KernelModel::fit(rows, task, kernel, Ridge::LeaveOneOut, &Device::cpu(1)).unwrap();
        vec![
            of(problem, Learned::networks(&networks::<f32>(1)).unwrap(), "mlp:5:tanh"),
            of(problem, Learned::networks(&networks::<f64>(3)).unwrap(), "mlp:5:tanh"),
            of(problem, Learned::Kernel(Arc::new(kernel)), "ntk:depth=1:relu"),
        ]
    }

    #[test]
    fn what_is_read_back_says_the_same_to_the_bit_and_is_written_to_the_same_bytes() {
        let problem = problem();
        let x = &problem.test.as_ref().unwrap().inputs;
        for predictor in all(&problem) {
            let bytes = predictor.to_bytes(Path::new("m")).unwrap();
            let read = Predictor::parse(Path::new("m"), &bytes, &Device::cpu(1)).unwrap();
            assert_eq!(read.learned.outputs(x).unwrap(), predictor.learned.outputs(x).unwrap());
            let deviation = |predictor: &Predictor| predictor.uncertainty().unwrap().deviation(x).unwrap();
            assert_eq!(deviation(&read), deviation(&predictor));
            assert_eq!(read.to_bytes(Path::new("m")).unwrap(), bytes);
            assert_eq!((read.data(), &read.known), (Some(&problem.hash), &predictor.known));
        }
    }

    #[test]
    fn an_array_of_many_rows_is_predicted_as_each_of_them() {
        let problem = problem();
        let x = Matrix::from_fn(4100, 2, |i, j| (i % 90) as f64 + j as f64);
        for predictor in all(&problem) {
            let whole = predictor.predict_array(x.view()).unwrap();
            for i in [0, 4095, 4096, 4099] {
                let one = predictor.predict_array(x.view().row_range(i..i + 1)).unwrap();
                assert!((whole[(i, 0)] - one[(0, 0)]).abs() < 1e-6, "row {i}");
            }
            assert_eq!(predictor.predict_array(x.view().row_range(0..0)).unwrap().rows(), 0);
            assert!(predictor.predict_array(Matrix::<f64>::zeros(0, 3).view()).is_err());
        }
    }
    #[test]
    fn numbers_that_are_not_there_are_errors_and_no_predictions() {
        let problem = problem_of(1e10);
        let x = Matrix::from_fn(3, 2, |i, _| 50.0 + i as f64);
        let with = |value: f64| {
            let model = Model::<f64>::mlp(&[2, 5, 1], Activation::Relu).theta(vec![value; 21]).build().unwrap();
            let learned = Learned::networks(&Average::new(vec![model]).unwrap()).unwrap();
            Predictor::new(learned, ("mlp:5:relu".to_owned(), None), &problem.preprocessing, &problem.hash, None)
        };
        assert!(with(0.1).predict_array(x.view()).is_ok());
        let is_layer = |value: f64| match with(value).predict_array(x.view()).unwrap_err() {
            Error::Core(gramstep::Error::NonFinite { what, layer }) => layer.is_some() && what != "a prediction",
            error => panic!("{error}"),
        };
        // Too large for a layer, and for the units of the target alone.
        assert!(is_layer(1e200) && !is_layer(1e150));
        let bytes = with(f64::NAN).to_bytes(Path::new("m")).unwrap();
        let error = Predictor::parse(Path::new("m"), &bytes, &Device::cpu(1)).unwrap_err().to_string();
        assert!(error.contains("not finite"), "{error}");
    }
}
