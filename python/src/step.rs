//! One step of Gram-Gauss-Newton.

use gramstep::loss::{CrossEntropyLoss, HuberLoss, LogisticLoss, Loss, SquaredLoss};
use gramstep::optim::{Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer, StepInfo};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::array::{Input, Number};
use crate::error::core;
use crate::model::PyModel;
use crate::precision::each;

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

/// One step of Gram-Gauss-Newton in place, θ ← θ − η Jᵀ(G + λI)⁻¹r (cai2019).
///
/// Parameters
/// ----------
/// model : Model
/// X : array of shape (n, inputs)
/// y : array of shape (n, k)
/// damping : float
///     λ ≥ 0, in absolute terms.
/// learning_rate : float
///     η > 0.
/// loss : {"squared", "huber", "cross_entropy", "logistic"}
///     Of another loss than the squared one the residual and the curvature are the generalised ones.
/// ridge : float
///     κ ≥ 0: weight decay ½κ‖θ‖² beside the summed loss.
/// sample_weight : array of shape (n,), optional
///
/// Returns
/// -------
/// dict
///     ``loss`` before the step (squared: mean of r²), ``relative_damping`` (λ over the mean diagonal of G), and of the
///     solve ``solver``, ``size``, ``residual``, ``repaired``.
///
/// Raises
/// ------
/// ValueError, FloatingPointError, ArithmeticError, MemoryError
///     If the batch does not fit, numbers are not finite, the system cannot be solved or would not fit in memory. The model
///     is left as it was.
///
/// Examples
/// --------
/// >>> import numpy as np, gramstep
/// >>> model = gramstep.Model.mlp([1, 64, 1], activation="softplus", seed=3)
/// >>> X, y = np.array([[-1.0], [-0.3], [0.4], [1.0]]), np.array([[1.0], [-1.0], [0.5], [2.0]])
/// >>> losses = [gramstep.gram_gauss_newton_step(model, X, y, damping=1e-9)["loss"] for _ in range(20)]
/// >>> losses[-1] < 1e-8
/// True
#[pyfunction]
#[pyo3(signature = (model, X, y, *, damping, learning_rate=1.0, loss="squared", ridge=0.0, sample_weight=None))]
pub(crate) fn gram_gauss_newton_step<'py>(
    py: Python<'py>,
    model: &Bound<'py, PyModel>,
    X: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    damping: f64,
    learning_rate: f64,
    loss: &str,
    ridge: f64,
    sample_weight: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let loss = self::loss(loss)?;
    let weights = sample_weight.map(|weights| Input::<f64>::finite(weights, "sample_weight")?.vector()).transpose()?;
    let config = GramGaussNewtonConfig::default()
        .with_damping(Damping::Absolute(damping))
        .with_learning_rate(learning_rate)
        .with_ridge(ridge);
    let info = each!(&mut model.try_borrow_mut()?.network, model => {
        step(py, model, X, y, config, loss.as_ref(), weights.as_deref())
    })?;
    describe(py, &info)
}

fn step<T: Number>(
    py: Python<'_>,
    model: &mut gramstep::Model<T>,
    X: &Bound<'_, PyAny>,
    y: &Bound<'_, PyAny>,
    config: GramGaussNewtonConfig,
    loss: &dyn Loss,
    weights: Option<&[f64]>,
) -> PyResult<StepInfo> {
    let (x, y) = (Input::finite(X, "X")?, Input::finite(y, "y")?);
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
