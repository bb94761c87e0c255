//! Charts of the kernel that was watched in the course of a training, beside the losses.

use super::{Chart, Scale};
use crate::outcome::KernelWatch;

/// Eigenvalues that have a line.
const MOST_LINES: usize = 5;

/// Drift, alignment, effective rank and sharpness of runs over their epochs, of a single run its largest eigenvalues; empty
/// where nothing was watched.
pub(super) fn charts(runs: &[(&str, &[KernelWatch])]) -> Vec<Chart> {
    let runs: Vec<_> = runs.iter().filter(|(_, watched)| !watched.is_empty()).collect();
    let line = |watched: &[KernelWatch], value: &dyn Fn(&KernelWatch) -> Option<f64>| {
        watched.iter().filter_map(|watch| Some((watch.epoch as f64, value(watch)?))).collect::<Vec<_>>()
    };
    let lines = |chart: Chart, value: &dyn Fn(&KernelWatch) -> Option<f64>| {
        runs.iter().fold(chart, |chart, (name, watched)| chart.line(*name, line(watched, value)))
    };
    let chart = |title: &str, note: &str, label: &str| Chart::new(title).note(note).axes("epoch", label);
    let mut charts = vec![
        lines(
            chart("Drift of the kernel", "‖G − G₀‖ / ‖G₀‖: 0 for the linearised network", "drift"),
            &|watch: &KernelWatch| watch.drift,
        ),
        lines(
            chart("Alignment with the targets", "yᵀG y / (‖G‖ ‖y‖²): 1 where y is all that G sees", "alignment"),
            &|watch: &KernelWatch| Some(watch.alignment),
        ),
        lines(
            chart("Effective rank", "how many directions carry G", "directions").y_scale(Scale::Log),
            &|watch: &KernelWatch| Some(watch.effective_rank),
        ),
    ];
    let note = "λ_max of the Gauss–Newton matrix of the mean loss; steps of sgd grow above 2(1 + μ)/η";
    let mut sharpness = chart("Sharpness", note, "sharpness").y_scale(Scale::Log);
    for (name, watched) in &runs {
        let suffix = if runs.len() > 1 { format!(", {name}") } else { String::new() };
        sharpness = sharpness.line(format!("sharpness{suffix}"), line(watched, &|watch| Some(watch.sharpness)));
        let bound = line(watched, &|watch| watch.stable_below);
        if !bound.is_empty() {
            sharpness = sharpness.line(format!("2(1 + μ)/η{suffix}"), bound);
        }
    }
    charts.push(sharpness);
    if let [(_, watched)] = runs.as_slice() {
        let count = watched.iter().map(|watch| watch.eigenvalues.len()).max().unwrap_or(0);
        let chart =
            chart("Largest eigenvalues", "of G divided by the number of rows", "eigenvalue").y_scale(Scale::Log);
        let nth = |chart: Chart, at: usize| {
            chart.line(format!("λ{}", at + 1), line(watched, &|watch| watch.eigenvalues.get(at).copied()))
        };
        charts.push((0..count.min(MOST_LINES)).fold(chart, nth));
    }
    charts
}
