//! Numbers of JSON that may not be finite: JSON has no word for infinity, so these are written as `null`, and read back as
//! what is not a number. A loss may overflow, and what was written is to be read again.

use serde::{Deserialize, Deserializer};

/// A number, or NaN of `null`.
pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// The same of a list.
pub(crate) fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let values = Vec::<Option<f64>>::deserialize(deserializer)?;
    Ok(values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}
