//! How the targets of a model with many of them do, each by itself.

use super::{Chart, Page};
use crate::error::Result;
use crate::format::text::number;
use crate::outcome::Report;
use crate::outcome::metrics::TargetMetrics;

/// So many of the worst targets are named.
const NAMED: usize = 10;

/// A table of the worst targets and a chart of all, on the rows that judge; nothing where targets are few.
pub(super) fn targets(page: &mut Page, name: &str, report: &Report) -> Result<()> {
    let judged = [("test", report.test.as_ref()), ("validation", report.validation.as_ref())];
    let (part, metrics) =
        judged.into_iter().find_map(|(part, metrics)| Some((part, metrics?))).unwrap_or(("training", &report.train));
    if !metrics.has_many_targets() {
        return Ok(());
    }
    let score = metrics.per_target.first().and_then(TargetMetrics::score).map_or("score", |(score, _)| score);
    let ranked = metrics.ranked_targets();
    page.heading("Targets").note(&format!("{name}: {score} of {} targets on the {part} rows", ranked.len()));
    let values: Vec<f64> = ranked.iter().map(|(_, value)| *value).collect();
    let chart = Chart::new("Targets").note(format!("{score} in the units of each target, number of targets"));
    page.charts(&[chart.axes(score, "targets").histogram("", &values)])?;
    let worst = ranked.iter().rev().take(NAMED).map(|(target, value)| vec![(*target).to_owned(), number(*value)]);
    page.table(&["worst targets", score], &worst.collect::<Vec<_>>());
    Ok(())
}
