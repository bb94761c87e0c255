//! What a kernel with scales says of the inputs, as a chart.

use super::chart::Chart;
use crate::outcome::KernelFit;

/// Inputs in a chart.
const MOST: usize = 20;

/// How much the inputs matter; nothing to draw where the kernel has no scales.
pub(super) fn chart(run: &str, fit: &KernelFit) -> Chart {
    let shown = fit.columns.len().min(MOST);
    let left_out = match fit.columns.len() - shown {
        0 => String::new(),
        more => format!(" The {more} that matter least are left out."),
    };
    Chart::new("How much the inputs matter")
        .note(format!("{run}: what an input alone takes off the correlation of two rows, in the mean.{left_out}"))
        .axes("input", "correlation lost")
        .bars("", fit.columns[..shown].iter().map(|column| (column.column.clone(), column.importance)))
}
