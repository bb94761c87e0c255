//! What an attacker may do to the rows of a table, as the network's input: limits, sizes, columns that stay or move by
//! whole numbers.

use std::ops::Range;

use gramstep::attack::ThreatModel;

use super::options::AttackOptions;
use crate::data::{Encoding, Inputs, Preprocessing, Table};
use crate::error::{Error, Result, out_of_range};
use crate::training::adversarial::{threat_model, unit_sizes};

/// Columns that a note names.
const MOST_NAMED: usize = 5;

/// The threat model with limits, sizes and frozen columns. Columns that hold whole numbers alone move by whole numbers,
/// which is said in a note.
pub(super) fn model(
    preprocessing: &Preprocessing,
    table: &Table,
    options: &AttackOptions,
    notes: &mut Vec<String>,
) -> Result<ThreatModel> {
    let inputs = &preprocessing.inputs;
    let mut sizes = unit_sizes(inputs, options.unit);
    for (name, size) in &options.sizes {
        if !(size.is_finite() && *size >= 0.0) {
            return Err(out_of_range("size", &format!("{name}={size}"), "finite and at least 0"));
        }
        places_of(inputs, name)?.for_each(|place| sizes[place] *= size);
    }
    let mut threat = threat_model(inputs, options.norm, options.radius, sizes)?;
    if let Some((lower, upper)) = options.limits {
        let standardised = inputs.standardisation.mean.iter().zip(&inputs.standardisation.scale);
        // The same operations as for the data, so that a value at the limit is inside.
        let limits = standardised.map(|(mean, scale)| ((lower - mean) / scale, (upper - mean) / scale));
        threat = threat.with_column_box(limits.collect())?;
    }
    let mut frozen = Vec::new();
    for name in &options.frozen {
        frozen.extend(places_of(inputs, name)?);
    }
    threat = threat.with_frozen(&frozen);
    let mut whole = Vec::new();
    for (column, places) in inputs.places() {
        if matches!(column.encoding, Encoding::Number { .. }) && !frozen.contains(&places.start) {
            let numbers = table.numbers(table.require(&column.name)?)?;
            if numbers.iter().filter(|number| !number.is_nan()).all(|number| number.fract() == 0.0) {
                threat = threat.with_step(places.start, 1.0 / inputs.standardisation.scale[places.start])?;
                whole.push(format!("`{}`", column.name));
            }
        }
    }
    if !whole.is_empty() {
        let (named, more) = (whole.len().min(MOST_NAMED), whole.len().saturating_sub(MOST_NAMED));
        let others = if more > 0 { format!(" and {more} more") } else { String::new() };
        notes.push(format!("whole numbers move by whole numbers: {}{others}", whole[..named].join(", ")));
    }
    Ok(threat)
}

/// An error about a sample of the network's input as one about a row of the table, in the units of the data.
pub(super) fn in_the_data(error: Error, preprocessing: &Preprocessing, table: &Table, rows: &[usize]) -> Error {
    let Error::Core(gramstep::Error::OutsideBox { sample, column, value, lower, upper }) = error else { return error };
    let inputs = &preprocessing.inputs;
    let (mean, scale) = (inputs.standardisation.mean[column], inputs.standardisation.scale[column]);
    let own = |value: f64| value * scale + mean;
    Error::OutsideBox {
        origin: table.origin().to_owned(),
        row: rows[sample] + 1,
        column: inputs.names()[column].clone(),
        value: rounded(own(value)),
        lower: rounded(own(lower)),
        upper: rounded(own(upper)),
    }
}

/// Without the last digits, which standardisation has changed.
fn rounded(value: f64) -> f64 {
    let digits = 10_f64.powi(9 - value.abs().max(f64::MIN_POSITIVE).log10().ceil().clamp(-20.0, 20.0) as i32);
    (value * digits).round() / digits
}

/// Where a column of the table is among the inputs.
fn places_of(inputs: &Inputs, name: &str) -> Result<Range<usize>> {
    let found = inputs.places().find(|(column, _)| column.name == name);
    found.map(|(_, places)| places).ok_or_else(|| Error::UnknownColumn {
        origin: "the run".to_owned(),
        column: name.to_owned(),
        available: inputs.columns.iter().map(|column| column.name.clone()).collect(),
    })
}
