//! What a kernel with scales says of the columns, as a chart.

use super::chart::Chart;
use crate::outcome::KernelFit;

/// Columns in a chart.
const MOST: usize = 20;

/// How much the columns matter; nothing to draw where the kernel has no scales.
pub(super) fn chart(run: &str, fit: &KernelFit) -> Chart {
    let shown = fit.columns.len().min(MOST);
    let left_out = match fit.columns.len() - shown {
        0 => String::new(),
        more => format!(" The {more} that matter least are left out."),
    };
    Chart::new("How much the columns matter")
        .note(format!(
            "{run}: the variance of the prediction that goes with a column, alone and with others.{left_out}"
        ))
        .axes("column", "share of the variance")
        .bars("", fit.columns[..shown].iter().map(|column| (column.column.clone(), column.effect)))
}
