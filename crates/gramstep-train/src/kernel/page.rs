//! A page about a kernel matrix: heat map, spectrum, and how the targets lie in it.

use std::path::Path;

use gramstep::Matrix;
use gramstep::kernel::Spectrum;

use super::summary::Summary;
use crate::error::Result;
use crate::format::text::{count, number};
use crate::format::whole_file::write_atomically;
use crate::report::{Chart, Page, Scale};

/// Cells of a side of the heat map.
const CELLS: usize = 48;

pub(super) fn write(
    path: &Path,
    summary: &Summary,
    kernel: &Matrix<f64>,
    spectrum: &Spectrum,
    targets: &Matrix<f64>,
) -> Result<()> {
    let mut page = Page::new(&format!("Kernel {}", summary.kernel));
    page.paragraph(&format!("{} points, {}.", count(summary.size), summary.precision));
    let shown = |value: Option<f64>| value.map_or_else(|| "not finite".to_owned(), number);
    let rows = [
        ("trace", shown(summary.trace)),
        ("largest eigenvalue", shown(summary.largest)),
        ("smallest eigenvalue", shown(summary.smallest)),
        ("condition", shown(summary.condition)),
        ("rank", summary.rank.map_or_else(String::new, count)),
        ("effective rank", shown(summary.effective_rank)),
        ("alignment with the targets", shown(summary.alignment)),
    ];
    page.table(&["", ""], &rows.map(|(name, value)| vec![name.to_owned(), value]));
    page.charts(&[spectrum_chart(spectrum), heat_map(kernel, targets)])?;
    write_atomically(path, page.finish().as_bytes())
}

fn spectrum_chart(spectrum: &Spectrum) -> Chart {
    let values = spectrum.values.iter().rev().filter(|&&value| value > spectrum.rounding);
    let points = values.zip(1..).map(|(&value, number)| (f64::from(number), value));
    Chart::new("Eigenvalues above rounding").axes("number", "eigenvalue").y_scale(Scale::Log).line("kernel", points)
}

/// Means over blocks of rows and columns, rows ordered by the first target.
fn heat_map(kernel: &Matrix<f64>, targets: &Matrix<f64>) -> Chart {
    let n = kernel.rows();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| targets[(i, 0)].total_cmp(&targets[(j, 0)]).then(i.cmp(&j)));
    let cells = n.min(CELLS);
    let block = |cell: usize| &order[n * cell / cells..n * (cell + 1) / cells];
    let mean = |rows: &[usize], columns: &[usize]| {
        let sum: f64 = rows.iter().flat_map(|&i| columns.iter().map(move |&j| kernel[(i, j)])).sum();
        sum / (rows.len() * columns.len()) as f64
    };
    let values = (0..cells * cells).map(|at| mean(block(at / cells), block(at % cells))).collect();
    Chart::new("Kernel").note("rows and columns ordered by the target").heat_map("kernel", cells, values)
}
