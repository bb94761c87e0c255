//! Attacks on networks, their linearisations, and fitted estimators.

use std::sync::Arc;

use gramstep::attack::{
    Apgd, Attack, Attacked, Criterion, Fgsm, Goal, LargestLoss, Margin, Norm, OwnUnits, Pgd, Problem, Reach, Shift,
    SmallestPerturbation, Targeted, ThreatModel, transfer,
};
use gramstep::loss::SquaredLoss;
use gramstep::model::{Differentiable, Shared};
use gramstep_train::attack::{Bounded, check_measurable};
use gramstep_train::data::{Preprocessing, Targets as TargetColumns};
use gramstep_train::predictor::Learned;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::array::{Input, Number, array_of, array2, owned, rows};
use crate::callable::Callable;
use crate::counts::{self, Counted as _};
use crate::error::{core, train};
use crate::linearised::{Linear, PyLinearisedModel};
use crate::model::{Network, PyModel};
use crate::precision::{ByPrecision, each};
use crate::predictor::PyPredictor;
use crate::raised::Raised;
use crate::worker;

/// What may be changed.
#[pyclass(name = "ThreatModel", module = "gramstep._gramstep", frozen)]
pub(crate) struct PyThreatModel(ThreatModel);

#[pymethods]
impl PyThreatModel {
    #[new]
    #[pyo3(signature = (norm, radius, *, bounds=None, scales=None, frozen=Vec::new(), whole=Vec::new()))]
    fn new(
        norm: &str,
        radius: f64,
        bounds: Option<Vec<(f64, f64)>>,
        scales: Option<Vec<f64>>,
        #[pyo3(from_py_with = counts::frozen)] frozen: Vec<usize>,
        #[pyo3(from_py_with = counts::whole)] whole: Vec<usize>,
    ) -> PyResult<Self> {
        let build = || {
            let norm: Norm = norm.parse()?;
            let mut threat = ThreatModel::new(norm, radius)?.with_frozen(&frozen);
            threat = match bounds.as_deref() {
                None => threat,
                Some(&[(lower, upper)]) => threat.with_box(lower, upper)?,
                Some(limits) => threat.with_column_box(limits.to_vec())?,
            };
            for column in whole {
                threat = threat.with_step(column, 1.0)?;
            }
            match scales {
                None => Ok(threat),
                Some(scales) => threat.with_scales(scales),
            }
        };
        build().map(Self).map_err(core)
    }
}

/// The attack of that name with its settings.
fn named<T: Number>(name: &str, settings: &Bound<'_, PyDict>) -> PyResult<Box<dyn Attack<T> + Send>> {
    let number = |key: &str, least, otherwise| {
        settings.get_item(key)?.map_or(Ok(otherwise), |value| usize::read(key, &value, least))
    };
    let real = |key: &str| settings.get_item(key)?.map(|value| value.extract::<f64>()).transpose();
    let (restarts, seed) = (number("restarts", 1, 1)?, number("seed", 0, 0)? as u64);
    Ok(match name {
        "fgsm" => Box::new(Fgsm),
        "pgd" => {
            let mut pgd = Pgd::new(number("steps", 1, 20)?).with_restarts(restarts).with_seed(seed);
            if let Some(step_size) = real("step_size")? {
                pgd = pgd.with_step_size(step_size);
            }
            if let Some(momentum) = real("momentum")? {
                pgd = pgd.with_momentum(momentum);
            }
            let random = settings.get_item("random_start")?.is_some_and(|value| value.is_truthy().unwrap_or(false));
            Box::new(if random { pgd.with_random_start() } else { pgd })
        }
        "apgd" => Box::new(Apgd::new(number("steps", 1, 100)?).with_restarts(restarts).with_seed(seed)),
        _ => return Err(PyValueError::new_err(format!("attack = {name:?}: expected fgsm, pgd or apgd"))),
    })
}

/// The goal of that name, for a model with `count` outputs.
fn goal(name: &str, output: usize, count: usize) -> PyResult<Box<dyn Goal + Send>> {
    Ok(match name {
        "up" | "down" if output >= count => {
            return Err(core(gramstep::Error::OutOfRange { what: "output", index: output, count }));
        }
        "loss" => Box::new(LargestLoss(&SquaredLoss)),
        "margin" => Box::new(Margin),
        "up" => Box::new(Shift::up(output)),
        "down" => Box::new(Shift::down(output)),
        "reach" => Box::new(Reach),
        "targeted" => Box::new(Targeted),
        _ => {
            let text = format!("goal = {name:?}: expected margin, loss, up, down, reach or targeted");
            return Err(PyValueError::new_err(text));
        }
    })
}

fn criterion(name: &str, by: f64) -> PyResult<Criterion> {
    Ok(match name {
        "none" => Criterion::None,
        "misclassified" => Criterion::Misclassified,
        "classified" => Criterion::Classified,
        "moved" => Criterion::Moved(by),
        "wrong" => Criterion::Wrong(by),
        "reached" => Criterion::Reached(by),
        _ => {
            let text =
                format!("criterion = {name:?}: expected none, misclassified, classified, moved, wrong or reached");
            return Err(PyValueError::new_err(text));
        }
    })
}

/// How models are attacked, as Python's half says it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Plan<'py> {
    threat: PyRef<'py, PyThreatModel>,
    attack: String,
    settings: Bound<'py, PyDict>,
    goal: String,
    output: Bound<'py, PyAny>,
    criterion: String,
    by: f64,
}

type Target<T> = Box<dyn Differentiable<T> + Send>;

/// Models of one number type that can be attacked.
type Targets = ByPrecision<Vec<Target<f32>>, Vec<Target<f64>>>;

impl Targets {
    /// Of networks, their linearisations, and predictors, these in the units of their data.
    fn of(models: &[Bound<'_, PyAny>], raised: &Raised) -> PyResult<Self> {
        let (mut single, mut double) = (Vec::<Target<f32>>::new(), Vec::<Target<f64>>::new());
        // Kernel regressions and combinations compute in f64; networks of estimators beside them do so, too.
        let kernel = |model: &Bound<'_, PyAny>| {
            let is_double = |learned: &Learned| matches!(learned, Learned::Kernel(_) | Learned::Combination(_));
            model.cast::<PyPredictor>().is_ok_and(|own| is_double(own.get().predictor.learned()))
        };
        let widen = models.iter().any(kernel);
        for model in models {
            if let Ok(linear) = model.cast::<PyLinearisedModel>() {
                match &linear.try_borrow()?.linear {
                    Linear::F32(model) => single.push(Box::new(model.clone())),
                    Linear::F64(model) => double.push(Box::new(model.clone())),
                }
            } else if let Ok(predictor) = model.cast::<PyPredictor>() {
                let own = &predictor.get().predictor;
                match own.learned() {
                    Learned::F32(networks) if widen => {
                        double.push(in_own_units(networks.cast::<f64>().map_err(core)?, own.preprocessing())?);
                    }
                    Learned::F32(networks) => single.push(in_own_units(networks.clone(), own.preprocessing())?),
                    Learned::F64(networks) => double.push(in_own_units(networks.clone(), own.preprocessing())?),
                    Learned::Kernel(kernel) => {
                        double.push(in_own_units(kernel.regressor().clone(), own.preprocessing())?);
                    }
                    Learned::Combination(combination) => {
                        double.push(in_own_units(Shared(Arc::clone(combination)), own.preprocessing())?);
                    }
                    _ => return Err(PyValueError::new_err("models: of a kind that this version does not know")),
                }
            } else if Callable::matches(model)? {
                let dtype: String = model.getattr("dtype")?.extract()?;
                match dtype.as_str() {
                    "float32" => single.push(Box::new(Callable::new(model, raised)?)),
                    "float64" => double.push(Box::new(Callable::new(model, raised)?)),
                    _ => return Err(PyValueError::new_err(format!("dtype = {dtype:?}: expected float32 or float64"))),
                }
            } else {
                match &model.extract::<PyRef<'_, PyModel>>()?.network {
                    Network::F32(model) => single.push(Box::new(model.clone())),
                    Network::F64(model) => double.push(Box::new(model.clone())),
                }
            }
        }
        match (single.is_empty(), double.is_empty()) {
            (false, true) => Ok(Self::F32(single)),
            (true, false) => Ok(Self::F64(double)),
            (true, true) => Err(PyValueError::new_err("models: there is none")),
            (false, false) => Err(PyValueError::new_err("models: some are of float32, some of float64")),
        }
    }
}

/// A model of preprocessed data, seen in the units of the data.
fn in_own_units<T: Number>(
    model: impl Differentiable<T> + Send + 'static,
    preprocessing: &Preprocessing,
) -> PyResult<Target<T>> {
    check_measurable(preprocessing).map_err(train)?;
    let inputs = &preprocessing.inputs;
    if inputs.columns.iter().any(|column| column.encoding.width() > column.encoding.measured()) {
        let text = "an estimator that fills gaps cannot be attacked: marks of gaps are no numbers";
        return Err(PyValueError::new_err(text));
    }
    let k = model.outputs();
    let (mean, scale) = match &preprocessing.targets {
        TargetColumns::Regression { standardisation, .. } => {
            (standardisation.mean.clone(), standardisation.scale.clone())
        }
        _ => (vec![0.0; k], vec![1.0; k]),
    };
    let model = Bounded::new(model, inputs);
    let inputs = &inputs.standardisation;
    let own = OwnUnits::new(model, (&inputs.mean, &inputs.scale), (&mean, &scale));
    Ok(Box::new(own.map_err(core)?))
}

/// Attacks every sample; with `bisections` the smallest perturbation is looked for.
#[pyfunction]
#[pyo3(signature = (model, x, y, plan, bisections=None))]
pub(crate) fn run_attack<'py>(
    py: Python<'py>,
    model: Bound<'py, PyAny>,
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    plan: Plan<'py>,
    #[pyo3(from_py_with = counts::bisections)] bisections: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let raised = Raised::default();
    each!(Targets::of(&[model], &raised)?, models => {
        let attacked = attacked(py, (models, &raised), (x, y), &plan, move |attack, models, problem, threat| {
            let problem = problem.with_model(models[0]);
            match bisections {
                None => attack.run(&problem, threat),
                Some(bisections) => SmallestPerturbation::new(bisections).run(attack, &problem, threat),
            }
        })?;
        describe(py, attacked)
    })
}

/// The transfer matrix between models, and the attack on each of them.
#[pyfunction]
pub(crate) fn run_transfer<'py>(
    py: Python<'py>,
    models: Vec<Bound<'py, PyAny>>,
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    plan: Plan<'py>,
) -> PyResult<(Bound<'py, PyAny>, Vec<Bound<'py, PyDict>>)> {
    let raised = Raised::default();
    each!(Targets::of(&models, &raised)?, models => {
        let (errors, attacked) = attacked(py, (models, &raised), (x, y), &plan, |attack, models, problem, threat| {
            transfer(attack, models, problem, threat)
        })?;
        let attacked = attacked.into_iter().map(|attacked| describe(py, attacked)).collect::<PyResult<_>>()?;
        Ok((array2(py, errors)?.into_any(), attacked))
    })
}

/// Runs `work` on models, samples and plan, without the interpreter.
fn attacked<T: Number, R: Send + 'static>(
    py: Python<'_>,
    (models, raised): (Vec<Target<T>>, &Raised),
    (x, y): (&Bound<'_, PyAny>, &Bound<'_, PyAny>),
    plan: &Plan<'_>,
    work: impl FnOnce(
        &(dyn Attack<T> + Send),
        &[&dyn Differentiable<T>],
        &Problem<'_, T>,
        &ThreatModel,
    ) -> gramstep::Result<R>
    + Send
    + 'static,
) -> PyResult<R> {
    let output = usize::read("output", &plan.output, 0)?;
    let (goal, criterion) = (goal(&plan.goal, output, models[0].outputs())?, criterion(&plan.criterion, plan.by)?);
    let (x, y) = (rows(&Input::finite(x, "X")?)?, owned(&Input::finite(y, "y")?)?);
    let (attack, threat) = (named(&plan.attack, &plan.settings)?, plan.threat.0.clone());
    let result = worker::run(py, None, move |stop, _| {
        let models: Vec<&dyn Differentiable<T>> = models.iter().map(|model| model.as_ref() as _).collect();
        let problem = Problem::new(models[0], &x, &y).with_goal(goal.as_ref()).with_criterion(criterion);
        let problem = problem.with_stop(stop);
        work(attack.as_ref(), &models, &problem, &threat)
    });
    raised.or(result?.map_err(core))
}

fn describe<T: Number>(py: Python<'_>, attacked: Attacked<T>) -> PyResult<Bound<'_, PyDict>> {
    let out = PyDict::new(py);
    let n = attacked.samples.len();
    let column = |value: &dyn Fn(&gramstep::attack::SampleOutcome) -> f64| {
        array_of(py, attacked.samples.iter().map(value).collect::<Vec<f64>>(), &[n])
    };
    out.set_item("found", column(&|sample| f64::from(u8::from(sample.found)))?)?;
    out.set_item("size", column(&|sample| sample.size)?)?;
    out.set_item("before", column(&|sample| sample.before)?)?;
    out.set_item("after", column(&|sample| sample.after)?)?;
    out.set_item("steps", column(&|sample| sample.steps as f64)?)?;
    out.set_item("adversarial", array2(py, attacked.inputs)?)?;
    Ok(out)
}
