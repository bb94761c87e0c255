//! Ridge regression beside a run's networks: what a table that needs no network is predicted by. Nothing that is kept
//! may be worse.

use gramstep::kernel::RidgeRegression;
use gramstep::model::{Average, Shape};
use gramstep::random::Purpose;
use gramstep::{Architecture, Matrix, Model, Scalar};

use crate::data::permutation::choice;
use crate::data::{Dataset, Features, Inputs, Problem, Targets, Task};
use crate::error::Result;
use crate::outcome::HeldOut;
use crate::outcome::metrics::{Metrics, measure};
use crate::predictor::{Learned, inverse_temperature, inverse_temperature_of_labels};

/// Numbers of the rows that it is fitted to, at most; more rows than that say nothing new of so few coefficients.
const NUMBERS: usize = 1 << 22;
/// But at least this number of rows for each column.
const ROWS_PER_COLUMN: usize = 16;
/// And no more rows than these, of however few columns.
const ROWS: usize = 1 << 16;
/// Fewer rows are no regression.
const FEWEST: usize = 3;

/// Ridge regression on the training rows, and how well it predicts the rows that judge.
pub(super) struct Reference {
    /// As a network of one layer, of inputs without bounds.
    pub(super) learned: Learned,
    /// κ, where it is one number.
    pub(super) ridge: Option<f64>,
    /// On rows that it has not seen.
    pub(super) unseen: Metrics,
    /// What it says of them.
    pub(super) outputs: Matrix<f64>,
}

impl Reference {
    /// Beside a model that was judged by `held_out`, or by validation rows; none for images, for quantiles and counts, nor
    /// where nothing judges.
    /// `trained_on` are the rows among which those held out have their places.
    pub(super) fn of<T: Scalar>(
        problem: &Problem<T>,
        held_out: Option<&HeldOut<T>>,
        trained_on: &Dataset<T>,
        threads: usize,
    ) -> Result<Option<Self>> {
        let targets = &problem.preprocessing.targets;
        if !is_comparable(problem) || (held_out.is_none() && problem.validation.is_none()) {
            return Ok(None);
        }
        let inputs = &problem.preprocessing.inputs;
        let own = Fit::new(&Sample::of(&problem.train, inputs).rows, targets, threads)?;
        let (outputs, rows) = match (held_out, &problem.validation) {
            (Some(held_out), _) => {
                let some = Sample::of(trained_on, inputs);
                let fit = Fit::new(&some.rows, targets, threads)?;
                (fit.unseen(&some, trained_on, &held_out.places, inputs)?, &held_out.rows)
            }
            (None, Some(validation)) => (own.outputs(&unbounded(&validation.inputs, inputs))?, validation),
            (None, None) => return Ok(None),
        };
        let unseen = measure(&outputs, &rows.targets.cast(), rows.weights.as_deref(), targets);
        Ok(Some(Self { learned: Learned::networks(&own.network()?)?, ridge: own.ridge(), unseen, outputs }))
    }
}

/// Ridge regression on rows as a network of one layer, of inputs without bounds, and what it says of those in some places
/// without having seen them; none where there is no such thing.
pub(super) fn line<T: Scalar>(
    rows: &Dataset<f64>,
    places: &[usize],
    problem: &Problem<T>,
    threads: usize,
) -> Result<Option<(Average<f64>, Matrix<f64>)>> {
    if !is_comparable(problem) {
        return Ok(None);
    }
    let (inputs, targets) = (&problem.preprocessing.inputs, &problem.preprocessing.targets);
    let some = Sample::of(rows, inputs);
    let fit = Fit::new(&some.rows, targets, threads)?;
    let outputs = fit.unseen(&some, rows, places, inputs)?;
    Ok(Some((fit.network()?, outputs)))
}

/// What the fit to some rows says of others.
pub(super) fn line_of_others<T: Scalar>(
    (rows, others): (&Dataset<f64>, &Features<f64>),
    problem: &Problem<T>,
    threads: usize,
) -> Result<Matrix<f64>> {
    let (inputs, targets) = (&problem.preprocessing.inputs, &problem.preprocessing.targets);
    Fit::new(&Sample::of(rows, inputs).rows, targets, threads)?.outputs(&unbounded(others, inputs))
}

/// Whether a line is a rival: of images it is none, nor of quantiles and counts.
fn is_comparable<T: Scalar>(problem: &Problem<T>) -> bool {
    let targets = &problem.preprocessing.targets;
    let images = problem.preprocessing.inputs.geometry().is_some();
    !images && (targets.task() == Task::Classification || targets.has_residuals()) && problem.train.rows() >= FEWEST
}

/// A fit, its outputs scaled to logits where the targets are classes: β(f − m), m = ½ for labels of 0 and 1.
struct Fit {
    regression: RidgeRegression,
    /// β of the softmax; 1 in a regression.
    scale: f64,
    /// m
    middle: f64,
}

impl Fit {
    fn new(rows: &Dataset<f64>, targets: &Targets, threads: usize) -> Result<Self> {
        let regression = RidgeRegression::fit(&rows.inputs, &rows.targets, rows.weights.as_deref(), threads)?;
        let mut fit = Self { regression, scale: 1.0, middle: 0.0 };
        match targets {
            Targets::Regression { .. } => {}
            Targets::Classification { .. } => fit.scale = inverse_temperature(&fit.left_out(rows), rows),
            Targets::MultiLabel { .. } => {
                fit.middle = 0.5;
                fit.scale = inverse_temperature_of_labels(&fit.left_out(rows), rows);
            }
        }
        Ok(fit)
    }

    /// What every row is predicted by the fit without it.
    fn left_out(&self, rows: &Dataset<f64>) -> Matrix<f64> {
        let (residuals, y) = (self.regression.leave_one_out(), &rows.targets);
        Matrix::from_fn(y.rows(), y.columns(), |i, a| self.scale * (y[(i, a)] + residuals[(i, a)] - self.middle))
    }

    /// What all rows in some places are predicted by the fit to some of the rows: each of these without itself.
    fn unseen<T: Scalar>(
        &self,
        some: &Sample,
        all: &Dataset<T>,
        places: &[usize],
        inputs: &Inputs,
    ) -> Result<Matrix<f64>> {
        let left_out = self.left_out(&some.rows);
        let Some(chosen) = &some.places else { return Ok(left_out.select_rows(places)) };
        let mut outputs = self.outputs(&unbounded(&all.inputs.select_rows(places), inputs))?;
        for (i, place) in places.iter().enumerate() {
            if let Ok(at) = chosen.binary_search(place) {
                outputs.row_mut(i).copy_from_slice(left_out.row(at));
            }
        }
        Ok(outputs)
    }

    fn outputs(&self, inputs: &Matrix<f64>) -> Result<Matrix<f64>> {
        let mut outputs = self.regression.predict(inputs)?;
        outputs.as_mut_slice().iter_mut().for_each(|value| *value = self.scale * (*value - self.middle));
        Ok(outputs)
    }

    fn network(&self) -> Result<Average<f64>> {
        let beta = self.regression.coefficients();
        let (d, k) = (beta.rows(), beta.columns());
        let weights = (0..k).flat_map(|a| (0..d).map(move |j| (j, a))).map(|at| beta[at]);
        let intercept = self.regression.intercept().iter().map(|value| value - self.middle);
        let theta = weights.chain(intercept).map(|value| self.scale * value);
        let specification = Architecture::Linear.specification(Shape::Vector(d), k);
        let model = Model::builder(specification).theta(theta.collect::<Vec<f64>>()).build()?;
        Ok(Average::new(vec![model])?)
    }

    fn ridge(&self) -> Option<f64> {
        let ridge = self.regression.ridge();
        Some(ridge[0]).filter(|first| ridge.iter().all(|ridge| ridge == first))
    }
}

/// As many rows as are needed, their inputs without bounds.
struct Sample {
    rows: Dataset<f64>,
    /// Their places among all, ascending; none where they are all.
    places: Option<Vec<usize>>,
}

impl Sample {
    fn of<T: Scalar>(all: &Dataset<T>, inputs: &Inputs) -> Self {
        let columns = all.inputs.columns().max(1);
        let most = (NUMBERS / columns).min(ROWS).max(ROWS_PER_COLUMN * columns);
        let places = (all.rows() > most).then(|| choice(all.rows(), most, 0, Purpose::Split, 2));
        let mut rows: Dataset<f64> = match &places {
            Some(places) => all.select(places).into_type(),
            None => all.cast(),
        };
        inputs.unbound(&mut rows.inputs);
        Self { rows, places }
    }
}

/// Inputs as a line sees them.
fn unbounded<T: Scalar>(rows: &Features<T>, inputs: &Inputs) -> Matrix<f64> {
    let mut rows = rows.cast();
    inputs.unbound(&mut rows);
    rows.into_matrix()
}
