//! Numbers that count something, by the name of their argument, as `gramstep/_counts.py` reads them.
//!
//! `#[pyo3(from_py_with = counts::threads)] threads: usize` is a whole number below 2⁶³, whatever its type in Python, and
//! an error that names the argument where it is none: of pyo3's own readers a negative number is an `OverflowError`
//! without a name, and a truth value a number.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBool;

/// What counts something, or several things.
pub(crate) trait Counted: Sized {
    /// Reads it; `least` is the smallest number that is allowed.
    fn read(name: &str, value: &Bound<'_, PyAny>, least: u64) -> PyResult<Self>;
}

impl Counted for u64 {
    fn read(name: &str, value: &Bound<'_, PyAny>, least: u64) -> PyResult<Self> {
        let whole = if value.is_instance_of::<PyBool>() { None } else { value.extract::<i64>().ok() };
        let Some(count) = whole.and_then(|whole| Self::try_from(whole).ok()).filter(|count| *count >= least) else {
            let text = format!("{name} = {}: a whole number of at least {least}, below 2⁶³", value.repr()?);
            return Err(PyValueError::new_err(text));
        };
        Ok(count)
    }
}

impl Counted for usize {
    fn read(name: &str, value: &Bound<'_, PyAny>, least: u64) -> PyResult<Self> {
        let count = u64::read(name, value, least)?;
        Self::try_from(count)
            .map_err(|_| PyValueError::new_err(format!("{name} = {count}: too large for this machine")))
    }
}

impl<C: Counted> Counted for Option<C> {
    fn read(name: &str, value: &Bound<'_, PyAny>, least: u64) -> PyResult<Self> {
        if value.is_none() { Ok(None) } else { C::read(name, value, least).map(Some) }
    }
}

impl<C: Counted> Counted for Vec<C> {
    fn read(name: &str, values: &Bound<'_, PyAny>, least: u64) -> PyResult<Self> {
        values.try_iter()?.map(|value| C::read(name, &value?, least)).collect()
    }
}

/// Height, width and channels.
impl<C: Counted> Counted for (C, C, C) {
    fn read(name: &str, values: &Bound<'_, PyAny>, least: u64) -> PyResult<Self> {
        let (a, b, c): (Bound<'_, PyAny>, Bound<'_, PyAny>, Bound<'_, PyAny>) = values.extract()?;
        Ok((C::read(name, &a, least)?, C::read(name, &b, least)?, C::read(name, &c, least)?))
    }
}

/// A reader for each argument, and what it is at least.
macro_rules! arguments {
    ($($name:ident: $least:literal,)*) => {
        $(pub(crate) fn $name<C: Counted>(value: &Bound<'_, PyAny>) -> PyResult<C> {
            C::read(stringify!($name), value, $least)
        })*
    };
}

arguments! {
    bisections: 1,
    channels: 1,
    dense: 1,
    depth: 0,
    frozen: 0,
    image_shape: 1,
    max_steps: 0,
    n_parameters: 0,
    n_samples: 1,
    order: 0,
    outputs: 1,
    seed: 0,
    sizes: 1,
    steps: 0,
    threads: 0,
    whole: 0,
    widths: 1,
}
