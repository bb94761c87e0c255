//! Results as text for people: aligned, readable at 60 columns; and as JSON for programs.

use std::fmt::Write;

use gramstep_train::attack::AttackReport;
use gramstep_train::format::text::{count, number, seconds};
use gramstep_train::outcome::metrics::{Metrics, RegressionMetrics};
use gramstep_train::outcome::{Candidate, FoldScore, KernelFit, KernelWatch, Report};
use gramstep_train::run::compare::{Comparison, Entry};
use gramstep_train::run::forecast::Forecast;
use gramstep_train::run::info::{ProgramInfo, RunInfo};
use gramstep_train::run::system::SystemInfo;
use gramstep_train::training::adversarial::Unit;
use serde::Serialize;

/// Columns that `attack` lists.
const MOST_MOVES: usize = 10;

/// One JSON object on one line.
pub(crate) fn json(value: &impl Serialize) -> std::io::Result<String> {
    serde_json::to_string(value).map_err(std::io::Error::other)
}

/// Rows of cells: the first column to the left, the others to the right.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |j: usize| rows.iter().filter_map(|row| row.get(j)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(j, (cell, &width))| match j {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The names and the values of metrics, in order.
fn entries(metrics: &Metrics) -> Vec<(String, f64)> {
    let mut entries = vec![("loss".to_owned(), metrics.loss)];
    if let Some(RegressionMetrics { rmse, mae, r2, .. }) = &metrics.regression {
        entries.push(("rmse".to_owned(), *rmse));
        entries.push(("mae".to_owned(), *mae));
        entries.push(("r2".to_owned(), r2.unwrap_or(f64::NAN)));
    }
    entries.extend(metrics.scores_of_targets());
    if let Some(classification) = &metrics.classification {
        if let Some(labels) = &classification.labels {
            entries.push(("all right".to_owned(), labels.subset_accuracy));
            entries.push(("f1".to_owned(), labels.f1.unwrap_or(f64::NAN)));
            entries.push(("auc".to_owned(), labels.auc.unwrap_or(f64::NAN)));
        }
        entries.push(("accuracy".to_owned(), classification.accuracy));
    }
    entries
}

/// Metrics in one line.
pub(crate) fn judgement(metrics: &Metrics) -> String {
    let entries = entries(metrics).into_iter().map(|(name, value)| format!("{name} {}", number(value)));
    format!("{} rows with known target: {}", count(metrics.rows), entries.collect::<Vec<_>>().join(", "))
}

/// The metrics of a report, one column a part of the data.
fn metrics_table(report: &Report) -> String {
    let parts: Vec<(&str, &Metrics)> =
        [("train", Some(&report.train)), ("validation", report.validation.as_ref()), ("test", report.test.as_ref())]
            .into_iter()
            .filter_map(|(name, metrics)| Some((name, metrics?)))
            .collect();
    let row = |name: &str, cells: Vec<String>| std::iter::once(name.to_owned()).chain(cells).collect::<Vec<_>>();
    let mut rows = vec![
        row("", parts.iter().map(|(name, _)| (*name).to_owned()).collect()),
        row("rows", parts.iter().map(|(_, metrics)| count(metrics.rows)).collect()),
    ];
    for (i, (name, _)) in entries(&report.train).into_iter().enumerate() {
        rows.push(row(&name, parts.iter().map(|(_, metrics)| number(entries(metrics)[i].1)).collect()));
    }
    table(&rows)
}

/// What the model is, how it was judged, and beside what.
fn headline(report: &Report) -> String {
    if report.is_combination() {
        let parts = report.candidates.iter().filter(|candidate| candidate.kept).count();
        let (rows, loss) = report.validation.as_ref().map_or((0, f64::NAN), |metrics| (metrics.rows, metrics.loss));
        return format!("combination of {parts} parts: loss {} on {} rows not seen", number(loss), count(rows));
    }
    let networks =
        if report.ensemble > 1 { format!("average of {} networks ", report.ensemble) } else { String::new() };
    let model = if report.optimizer.is_some() || report.kernel.is_some() {
        format!("{networks}{}", report.model)
    } else {
        report.method()
    };
    let Some(kept) = report.candidates.iter().find(|candidate| candidate.kept) else {
        return format!("{model}: not judged by rows that it has not seen");
    };
    let others = report.candidates.iter().filter(|candidate| !candidate.kept);
    let others: Vec<String> = others.map(|other| format!("{} {}", other.model, number(other.loss))).collect();
    let rows = report.validation.as_ref().map_or(0, |metrics| metrics.rows);
    format!("{model}: loss {} on {} rows not seen\nbeside {}", number(kept.loss), count(rows), others.join(", "))
}

/// How a network was trained.
fn trained(report: &Report) -> String {
    let mut text = format!(
        "{} by {}, {} parameters, {}\n{} epochs, {} steps, {} ({}",
        report.task,
        report.method(),
        count(report.parameters),
        report.precision,
        count(report.epochs),
        count(report.steps),
        seconds(report.seconds),
        report.stop_reason,
    );
    if let Some(best) = report.best_epoch.filter(|&best| best != report.epochs) {
        let _ = write!(text, "; kept epoch {}", count(best));
    }
    text + ")"
}

/// How a kernel regression was solved.
fn solved(report: &Report, fit: &KernelFit) -> String {
    let mut text = format!(
        "{} by {}\nridge {}, {} effective parameters, {}",
        report.task,
        report.method(),
        number(fit.ridge),
        number(fit.effective_parameters),
        seconds(report.seconds),
    );
    if !fit.noise.is_empty() {
        let noise: Vec<String> = fit.noise.iter().copied().map(number).collect();
        let _ = write!(text, "\nstandard deviation of the noise {}", noise.join(", "));
    }
    if !fit.columns.is_empty() {
        const SHOWN: usize = 6;
        let columns = fit.columns.iter().take(SHOWN);
        let columns: Vec<String> =
            columns.map(|column| format!("{} {}", column.column, number(column.effect))).collect();
        let more = if fit.columns.len() > SHOWN { ", …" } else { "" };
        let _ = write!(
            text,
            "\nshare of the prediction's variance that goes with each column: {}{more}",
            columns.join(", ")
        );
    }
    text
}

/// What a combination is made of, and what was tried beside it.
fn parts(report: &Report) -> String {
    let weight = |weight: Option<f64>| weight.map_or_else(String::new, |weight| format!("{weight:.3}"));
    let line = |candidate: &Candidate| vec![candidate.model.clone(), number(candidate.loss), weight(candidate.weight)];
    let mut lines = vec![["candidate", "loss", "weight"].map(str::to_owned).to_vec()];
    lines.extend(report.candidates.iter().map(line));
    table(&lines)
}

/// What `train` prints.
pub(crate) fn report(report: &Report) -> String {
    let how = match &report.kernel {
        Some(fit) => solved(report, fit),
        None => trained(report),
    };
    let mut text = format!("{}\n{how}\n\n", headline(report));
    if report.is_combination() {
        text = text + &parts(report) + "\n";
    }
    text.push_str(&metrics_table(report));
    if let Some(folds) = &report.cross_validation {
        let score = |score: &FoldScore| format!("{} {} ± {}", score.name, number(score.mean), number(score.deviation));
        let scores: Vec<String> = folds.scores.iter().map(score).collect();
        let diverged: Vec<String> = folds.diverged.iter().map(usize::to_string).collect();
        let without = if diverged.is_empty() { String::new() } else { format!(" (diverged: {})", diverged.join(", ")) };
        let _ = writeln!(text, "\nmean ± deviation of {} folds{without}: {}", folds.folds, scores.join(", "));
    }
    if let [first, .., last] = report.kernel_watch.as_slice() {
        text = text + "\n" + &watched(first, last) + "\n";
    }
    if let Some(run) = &report.run {
        let _ = write!(text, "\nkept in {run}\n");
    }
    text
}

/// What became of the kernel that was watched.
fn watched(first: &KernelWatch, last: &KernelWatch) -> String {
    let drift = last.drift.map_or_else(String::new, |drift| format!("drift {}, ", number(drift)));
    let bound = last.stable_below.map_or_else(String::new, |bound| format!(", 2(1 + μ)/η {}", number(bound)));
    let from_to = |value: fn(&KernelWatch) -> f64| format!("{} → {}", number(value(first)), number(value(last)));
    format!(
        "kernel of {} rows: {drift}alignment {}\neffective rank {}, sharpness {}{bound}",
        last.rows,
        from_to(|watch| watch.alignment),
        from_to(|watch| watch.effective_rank),
        from_to(|watch| watch.sharpness),
    )
}

/// What `attack` prints.
pub(crate) fn attack(report: &AttackReport) -> String {
    let unit = if report.unit == Unit::Deviation { " standard deviations" } else { "" };
    let mut text = format!(
        "{} against {}\n{} rows ({}), {} radius {}{unit}, {}{}\n\n",
        report.attack,
        report.run,
        count(report.clean.rows),
        report.source,
        report.norm,
        number(report.radius),
        seconds(report.seconds),
        if report.interrupted { ", interrupted" } else { "" },
    );
    if let Some(drawn) = report.drawn() {
        text.insert_str(text.len() - 1, &(drawn + "\n"));
    }
    let points = std::iter::once((0.0, &report.clean)).chain(report.robust.iter().map(|at| (at.radius, &at.metrics)));
    let header = std::iter::once("radius".to_owned()).chain(entries(&report.clean).into_iter().map(|(name, _)| name));
    let mut rows = vec![header.collect::<Vec<_>>()];
    rows.extend(points.map(|(radius, metrics)| {
        let values = entries(metrics).into_iter().map(|(_, value)| number(value));
        std::iter::once(number(radius)).chain(values).collect()
    }));
    text.push_str(&table(&rows));
    if report.moves.len() > 1 {
        let moved = report.moves.iter().take(MOST_MOVES).map(|column| vec![column.column.clone(), number(column.mean)]);
        let header = vec!["column".to_owned(), "mean change".to_owned()];
        text.push('\n');
        text.push_str(&table(&std::iter::once(header).chain(moved).collect::<Vec<_>>()));
    }
    if !report.transfer.is_empty() {
        let names = entries(&report.clean).into_iter().flat_map(|(name, _)| [name.clone(), format!("{name} changed")]);
        let mut rows = vec![std::iter::once("other run".to_owned()).chain(names).collect::<Vec<_>>()];
        rows.extend(report.transfer.iter().map(|transfer| {
            let pairs = entries(&transfer.clean).into_iter().zip(entries(&transfer.attacked));
            let values = pairs.flat_map(|((_, clean), (_, attacked))| [number(clean), number(attacked)]);
            std::iter::once(transfer.run.clone()).chain(values).collect()
        }));
        text.push('\n');
        text.push_str(&table(&rows));
    }
    text
}

/// What `compare` prints.
pub(crate) fn comparison(comparison: &Comparison) -> String {
    let done =
        || comparison.runs.iter().filter_map(|run| if let Entry::Done(report) = run { Some(report) } else { None });
    let regression = done().any(|report| report.train.regression.is_some());
    let quality = |metrics: Option<&Metrics>| {
        let value = metrics.and_then(|metrics| match (&metrics.regression, &metrics.classification) {
            (Some(regression), _) => Some(regression.rmse),
            (_, Some(classification)) => Some(classification.accuracy),
            _ => None,
        });
        value.map_or_else(|| "-".to_owned(), number)
    };
    let header = ["", "epochs", "train loss", "validation", "test", if regression { "test rmse" } else { "accuracy" }];
    let shown = if done().next().is_some() { header.len() } else { 2 };
    let mut rows = vec![header[..shown].iter().map(|&cell| cell.to_owned()).collect()];
    let mut failures = String::new();
    for run in &comparison.runs {
        match run {
            Entry::Done(report) => {
                let loss = |metrics: Option<&Metrics>| metrics.map_or_else(|| "-".to_owned(), |m| number(m.loss));
                rows.push(vec![
                    report.method(),
                    count(report.epochs),
                    number(report.lowest_train_loss),
                    loss(report.validation.as_ref()),
                    loss(report.test.as_ref()),
                    quality(report.test.as_ref()),
                ]);
            }
            Entry::Failed { optimizer, error, diverged, .. } => {
                let how = if diverged.is_some() { "diverged" } else { "failed" };
                rows.push(vec![optimizer.to_string(), how.to_owned()]);
                let _ = writeln!(failures, "{optimizer}: {error}");
            }
            _ => {}
        }
    }
    let mut text = String::new();
    if let Some(report) = done().next() {
        let longest = done().map(|report| report.seconds).fold(0.0, f64::max);
        let _ = writeln!(
            text,
            "{}, {} parameters, {}; {} rows, {} each\n",
            report.model,
            count(report.parameters),
            report.precision,
            count(report.train.rows),
            seconds(longest),
        );
    }
    text.push_str(&table(&rows));
    text.push_str(&failures);
    if done().next().is_some() {
        text.push_str("\ntrain loss: lowest reached; the others: at the lowest\nvalidation loss\n");
    }
    text
}

/// What `info --system` prints.
pub(crate) fn system(info: &SystemInfo) -> String {
    let unknown = || "unknown".to_owned();
    let bytes = |bytes: Option<u64>| bytes.map_or_else(unknown, |bytes| format!("{} MiB", bytes >> 20));
    let mut text = program(&info.program);
    for (name, value) in [
        ("build", [&[info.profile], &info.features[..]].concat().join(" ")),
        (
            "formats",
            format!("config {}, record {}, model {}", info.formats.config, info.formats.record, info.formats.model),
        ),
        ("processor", info.processor.clone().unwrap_or_else(unknown)),
        ("usable", format!("{} processors", info.processors)),
        ("kernel", info.kernel.clone().unwrap_or_else(unknown)),
        ("memory", format!("{}, {} free", bytes(info.memory), bytes(info.free_memory))),
        ("budget", format!("{} for the matrix of a step", bytes(Some(info.memory_budget as u64)))),
    ] {
        let _ = writeln!(text, "{name:<9}  {value}");
    }
    text
}

/// What `train --dry-run` prints.
pub(crate) fn forecast(forecast: &Forecast) -> String {
    let gigabytes = |bytes: usize| format!("{:.2}", bytes as f64 / 1e9);
    let memory = forecast.memory;
    let networks = if forecast.ensemble > 1 { format!("{} networks ", forecast.ensemble) } else { String::new() };
    format!(
        "{networks}{}, {} parameters, {}\n{} training rows, {} steps an epoch of {} rows\n\
         memory  {} GB: data {}, network and optimiser {}, step {}, its system {}\n\
         time    {} a step, {} an epoch with judging; {} epochs take at most {} h\n",
        forecast.model,
        count(forecast.parameters),
        forecast.precision,
        count(forecast.rows),
        count(forecast.steps_per_epoch),
        count(forecast.batch_rows),
        gigabytes(memory.sum()),
        gigabytes(memory.data),
        gigabytes(memory.network),
        gigabytes(memory.step),
        gigabytes(memory.system),
        seconds(forecast.seconds_per_step),
        seconds(forecast.seconds_per_epoch),
        count(forecast.epochs),
        number(forecast.hours),
    )
}

/// What `info` prints.
pub(crate) fn program(info: &ProgramInfo) -> String {
    format!(
        "gramstep {}\n{}\nthreads    {}\nsimd       {}\n",
        info.version,
        format_args!("machine    {} {}", info.architecture, info.system),
        info.threads,
        if info.simd.is_empty() { "none known".to_owned() } else { info.simd.join(" ") },
    )
}

/// What `info RUN` prints.
pub(crate) fn run(info: &RunInfo) -> String {
    let mut text = format!("{}, written by {}\n", info.run, info.program);
    let _ = writeln!(text, "{} of {} from {} columns", info.task, info.target.join(", "), info.columns.len());
    if let Some(classes) = &info.classes {
        let _ = writeln!(text, "classes  {}", classes.join(", "));
    }
    for (target, classes) in info.target.iter().zip(&info.labels) {
        let _ = writeln!(text, "{target}  {}", classes.join(", "));
    }
    let _ = writeln!(text, "columns  {}", info.columns.join(", "));
    if let Some(report) = &info.report {
        text.push('\n');
        text.push_str(&self::report(report));
    } else {
        let _ = writeln!(text, "{}, {} parameters, {}", info.model, count(info.parameters), info.precision);
    }
    if let Some(why) = info.without_end() {
        let _ = writeln!(text, "{why}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["bcd".to_owned(), "23".to_owned()]];
        assert_eq!(table(&rows), "a     1\nbcd  23\n");
    }
}
