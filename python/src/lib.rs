//! The compiled half of the Python package `gramstep`: arguments in, results out, no mathematics.

use pyo3::prelude::*;

mod array;
mod error;
mod features;
mod kernels;
mod model;
mod step;

/// Everything that the Python half of the package is made of.
#[pymodule(gil_used = false)]
fn _gramstep(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<model::PyModel>()?;
    module.add_class::<model::PyLinearisedModel>()?;
    module.add_class::<features::PyTangentFeatures>()?;
    module.add_function(wrap_pyfunction!(step::gram_gauss_newton_step, module)?)?;
    module.add_function(wrap_pyfunction!(kernels::infinite_kernel, module)?)?;
    module.add_function(wrap_pyfunction!(kernels::empirical_ntk, module)?)?;
    Ok(())
}
