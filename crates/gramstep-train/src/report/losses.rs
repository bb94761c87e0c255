//! Charts of losses over epochs and over time, and when runs reached what.

use super::seeds::{Seeds, band, by_settings};
use super::shown::Shown;
use super::{Chart, Page, Scale};
use crate::data::quantile::quantile;
use crate::folder::EpochLine;
use crate::format::text::{count, number, seconds};

/// Networks of an ensemble whose losses are drawn.
const MOST_NETWORKS: usize = 3;

type X = fn(&EpochLine) -> f64;
type Y = fn(&EpochLine) -> Option<f64>;

const BY_EPOCH: X = |line| line.epoch as f64;
const BY_TIME: X = |line| line.seconds;

/// The losses of runs, where they have been written down.
///
/// # Errors
/// Those of the page.
pub(super) fn losses(page: &mut Page, runs: &[Shown]) -> crate::error::Result<()> {
    if runs.iter().all(|run| run.history.epochs.is_empty()) {
        return Ok(());
    }
    page.heading("Loss").note(
        "Mean squared error in the standardised target, or what --loss says; of classes the mean negative log-likelihood.",
    );
    if let [run] = runs {
        let networks = run.members().len();
        if networks > MOST_NETWORKS {
            page.note(&format!("The first {MOST_NETWORKS} of {networks} networks."));
        }
        page.charts(&of_one(run))?;
        return Ok(());
    }
    let settings = by_settings(runs);
    if settings.len() < runs.len() {
        page.note("Runs that differ in their seed alone are one line, their median, in a band from the lowest to the highest.");
    }
    page.charts(&of_several(&settings))?;
    Ok(())
}

/// Training and validation loss of the first networks of a run.
fn of_one(run: &Shown) -> [Chart; 2] {
    [("Loss over epochs", "epoch", BY_EPOCH), ("Loss over time", "seconds", BY_TIME)].map(|(title, label, x)| {
        let chart = Chart::new(title).axes(label, "loss").y_scale(Scale::Log);
        let lines = member_lines(run, x).into_iter().filter(|line| !line.1.is_empty());
        lines.fold(chart, |chart, (name, line)| chart.line(name, line))
    })
}

fn member_lines(run: &Shown, x: X) -> Vec<(String, Vec<(f64, f64)>)> {
    let members = run.members();
    let mut lines = Vec::new();
    for &member in members.iter().take(MOST_NETWORKS) {
        let suffix = if members.len() > 1 { format!(", network {}", member + 1) } else { String::new() };
        let of_member = |y: Y| points(run.epochs(member), x, y);
        lines.push((format!("training{suffix}"), of_member(|line| Some(line.train_loss))));
        lines.push((format!("validation{suffix}"), of_member(|line| line.validation_loss)));
        let validated = run.epochs(member).any(|line| line.validation_loss.is_some());
        let part = if validated { "validation" } else { "training" };
        lines.push((format!("{part} without attack{suffix}"), of_member(|line| line.clean_loss)));
    }
    lines
}

/// What several runs are compared by: a line for each of their settings, of the first network.
fn of_several(settings: &[Seeds<'_>]) -> Vec<Chart> {
    let losses: [(&str, Y); 3] = [
        ("Training loss", |line| Some(line.train_loss)),
        ("Validation loss", |line| line.validation_loss),
        ("Test loss", |line| Some(line.test.as_ref()?.loss)),
    ];
    let error: Y = |line| Some(line.test.as_ref()?.regression.as_ref()?.mae);
    let over = [("over epochs", "epoch", BY_EPOCH), ("over time", "seconds", BY_TIME)];
    let mut charts = Vec::new();
    for (what, y) in losses {
        for (over, label, x) in over {
            let chart = Chart::new(format!("{what} {over}")).axes(label, "loss").y_scale(Scale::Log);
            charts.push(with_lines(chart, settings, x, y));
        }
    }
    for (over, label, x) in over {
        let chart = Chart::new(format!("Mean absolute error on the test rows {over}"));
        let chart = chart.note("in the units of the target").axes(label, "mean absolute error");
        charts.push(with_lines(chart, settings, x, error));
    }
    charts
}

fn with_lines(mut chart: Chart, settings: &[Seeds<'_>], x: X, y: Y) -> Chart {
    for of in settings {
        let curves: Vec<_> = of.runs.iter().map(|run| points(run.first_network(), x, y)).collect();
        let band = band(&curves);
        if band.is_empty() {
            continue;
        }
        if curves.len() > 1 {
            chart = chart.band(band.iter().map(|&(x, [_, low, high])| (x, low, high)));
        }
        chart = chart.line(of.name.clone(), band.iter().map(|&(x, [middle, ..])| (x, middle)));
    }
    chart
}

fn points<'a>(lines: impl Iterator<Item = &'a EpochLine>, x: X, y: Y) -> Vec<(f64, f64)> {
    lines.filter_map(|line| Some((x(line), y(line)?))).collect()
}

/// How long runs took to reach the best training loss of each; of several seeds the medians.
pub(super) fn milestones(page: &mut Page, runs: &[Shown]) {
    let settings: Vec<Seeds<'_>> =
        by_settings(runs).into_iter().filter(|of| of.runs.iter().any(|run| !run.history.epochs.is_empty())).collect();
    if settings.len() < 2 {
        return;
    }
    let lowest = |run: &Shown| run.first_network().map(|line| line.train_loss).fold(f64::INFINITY, f64::min);
    let mut goals: Vec<(f64, &str)> = settings
        .iter()
        .map(|of| (over_seeds(of, lowest), of.name.as_str()))
        .filter(|goal| goal.0.is_finite())
        .collect();
    goals.sort_by(|a, b| b.0.total_cmp(&a.0));
    let reached = |of: &Seeds<'_>, goal: f64| {
        let at = |x: X| {
            let first = |run: &Shown| run.first_network().find(|line| line.train_loss <= goal).map_or(f64::INFINITY, x);
            over_seeds(of, first)
        };
        match at(BY_TIME) {
            #[allow(clippy::cast_sign_loss)] // epochs are counted
            time if time.is_finite() => format!("{}, {} epochs", seconds(time), count(at(BY_EPOCH).round() as usize)),
            _ => "not reached".to_owned(),
        }
    };
    let row = |&(goal, name): &(f64, &str)| {
        let first = format!("{} (best of {name})", number(goal));
        [first].into_iter().chain(settings.iter().map(|of| reached(of, goal))).collect::<Vec<_>>()
    };
    let header: Vec<&str> = ["training loss"].into_iter().chain(settings.iter().map(|of| of.name.as_str())).collect();
    page.note("Time and epochs until a training loss was reached, by the first network of a run; of several seeds the medians.");
    page.table(&header, &goals.iter().map(row).collect::<Vec<_>>());
}

/// The median of a number of each run; there is one run at least.
fn over_seeds(of: &Seeds<'_>, number: impl Fn(&Shown) -> f64) -> f64 {
    quantile(&of.runs.iter().map(|run| number(run)).collect::<Vec<f64>>(), None, 0.5)
}
