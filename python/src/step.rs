//! One step of Gram-Gauss-Newton.

use gramstep::loss::{CrossEntropyLoss, HuberLoss, LogisticLoss, Loss, SquaredLoss};
use gramstep::optim::{Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer, StepInfo};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::array::{Input, Number};
use crate::error::core;
use crate::model::{PyModel, each};

/// The loss of that name.
pub(crate) fn loss(name: &str) -> PyResult<Box<dyn Loss>> {
    Ok(match name {
        "squared" => Box::new(SquaredLoss),
        "huber" => Box::new(HuberLoss::new(1.0).map_err(core)?),
        "cross_entropy" => Box::new(CrossEntropyLoss),
        "logistic" => Box::new(LogisticLoss),
        _ => {
            let text = format!("loss = {name:?}: expected squared, huber, cross_entropy or logistic");
            return Err(PyValueError::new_err(text));
        }
    })
}

/// θ ← θ − η Jᵀ(G + λI)⁻¹r in place, with an absolute λ.
#[pyfunction]
#[pyo3(signature = (model, x, y, *, damping, learning_rate=1.0, loss="squared", ridge=0.0, sample_weight=None))]
pub(crate) fn gram_gauss_newton_step<'py>(
    py: Python<'py>,
    model: &Bound<'py, PyModel>,
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    damping: f64,
    learning_rate: f64,
    loss: &str,
    ridge: f64,
    sample_weight: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let loss = self::loss(loss)?;
    let weights = sample_weight.map(|weights| Ok::<_, PyErr>(Input::<f64>::new(weights, "sample_weight")?.to_vec()));
    let weights = weights.transpose()?;
    let config = GramGaussNewtonConfig::default()
        .with_damping(Damping::Absolute(damping))
        .with_learning_rate(learning_rate)
        .with_ridge(ridge);
    let info = each!(&mut model.borrow_mut().network, model => {
        step(py, model, x, y, config, loss.as_ref(), weights.as_deref())
    })?;
    describe(py, &info)
}

fn step<T: Number>(
    py: Python<'_>,
    model: &mut gramstep::Model<T>,
    x: &Bound<'_, PyAny>,
    y: &Bound<'_, PyAny>,
    config: GramGaussNewtonConfig,
    loss: &dyn Loss,
    weights: Option<&[f64]>,
) -> PyResult<StepInfo> {
    let (x, y) = (Input::new(x, "X")?, Input::new(y, "y")?);
    let mut batch = Batch::new(x.samples()?, y.matrix()?).with_loss(loss);
    if let Some(weights) = weights {
        batch = batch.with_weights(weights);
    }
    py.detach(|| GramGaussNewton::new(config)?.step(model, &batch)).map_err(core)
}

/// What a step did, for a person.
fn describe<'py>(py: Python<'py>, info: &StepInfo) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    out.set_item("loss", info.loss)?;
    out.set_item("learning_rate", info.learning_rate)?;
    out.set_item("relative_damping", info.damping)?;
    if let Some(solve) = &info.solve {
        out.set_item("solver", solve.solver.to_string())?;
        out.set_item("size", solve.size)?;
        out.set_item("residual", solve.residual)?;
        out.set_item("repaired", solve.repaired)?;
    }
    Ok(out)
}
