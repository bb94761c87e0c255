//! The compiled half of the Python package `gramstep`: arguments in, results out, no mathematics.

// X and X2 are arguments by these names in Python.
#![allow(non_snake_case)]

use pyo3::prelude::*;

mod array;
mod attack;
mod callable;
mod compare;
mod counts;
mod dynamics;
mod error;
mod features;
mod infinite;
mod kernels;
mod linearised;
mod model;
mod precision;
mod predictor;
mod raised;
mod regression;
mod samples;
mod solve;
mod step;
mod taylor;
mod verify;
mod worker;

/// Everything that the Python half of the package is made of.
#[pymodule(gil_used = false)]
fn _gramstep(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<model::PyModel>()?;
    module.add_class::<linearised::PyLinearisedModel>()?;
    module.add_class::<taylor::PyTaylorModel>()?;
    module.add_class::<features::PyTangentFeatures>()?;
    module.add_class::<dynamics::PyKernelDynamics>()?;
    module.add_class::<regression::FittedKernel>()?;
    module.add_class::<attack::PyThreatModel>()?;
    module.add_class::<samples::PyData>()?;
    module.add_class::<predictor::PyPredictor>()?;
    module.add_function(wrap_pyfunction!(step::gram_gauss_newton_step, module)?)?;
    module.add_function(wrap_pyfunction!(taylor::taylor_expand, module)?)?;
    module.add_function(wrap_pyfunction!(solve::damped_solve, module)?)?;
    module.add_function(wrap_pyfunction!(kernels::infinite_kernel, module)?)?;
    module.add_function(wrap_pyfunction!(model::activations, module)?)?;
    module.add_function(wrap_pyfunction!(model::is_activation, module)?)?;
    module.add_function(wrap_pyfunction!(infinite::network_kernel, module)?)?;
    module.add_function(wrap_pyfunction!(kernels::empirical_ntk, module)?)?;
    module.add_function(wrap_pyfunction!(kernels::monte_carlo_kernel, module)?)?;
    module.add_function(wrap_pyfunction!(attack::run_attack, module)?)?;
    module.add_function(wrap_pyfunction!(attack::run_transfer, module)?)?;
    module.add_function(wrap_pyfunction!(predictor::fit, module)?)?;
    module.add_function(wrap_pyfunction!(compare::run_compare, module)?)?;
    module.add_function(wrap_pyfunction!(kernels::kernel_name, module)?)?;
    module.add_function(wrap_pyfunction!(verify::run_verify, module)?)?;
    Ok(())
}
