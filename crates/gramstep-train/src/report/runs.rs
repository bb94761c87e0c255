//! The page of one run, or of several laid over each other.

use std::path::{Path, PathBuf};

use gramstep::{Device, Scalar};

use super::judgement::Judgement;
use super::losses::{losses, milestones};
use super::rivals::rivals;
use super::shown::Shown;
use super::targets::targets;
use super::{Chart, Page, Scale, usage, watched};
use crate::data::Problem;
use crate::error::{Error, Result};
use crate::folder::{EpochLine, RunFolder, StepLine, check_page};
use crate::format::text::{count, number, seconds};
use crate::format::whole_file::write_atomically;
use crate::outcome::metrics::Metrics;
use crate::outcome::{KernelFit, Report, Trial};
use crate::predictor::Predictor;

/// Writes the page of runs: one file that opens without a network. The data are read again to show predictions; where
/// they are gone or have changed, the page says so instead.
///
/// # Errors
/// When a folder holds no run, or the page cannot be written.
pub fn write_runs(runs: &[PathBuf], out: &Path, device: &Device) -> Result<()> {
    // A run that is not there is the first thing to tell.
    let shown = read(runs, device)?;
    check_page(out, runs)?;
    write_atomically(out, page(&shown, Told::default())?.as_bytes())
}

/// What a comparison has to tell beside its runs.
#[derive(Clone, Copy, Default)]
pub(crate) struct Told<'a> {
    /// What was tried before.
    pub(crate) trials: &'a [Trial],
    /// The methods that came to no end, and why.
    pub(crate) failures: &'a [(String, String)],
}

/// The same for the runs of a comparison, those that came to no end among them; there may be none.
///
/// # Errors
/// Like [`write_runs`].
pub(crate) fn write_comparison(runs: &[PathBuf], told: Told<'_>, out: &Path, device: &Device) -> Result<()> {
    write_atomically(out, page(&read(runs, device)?, told)?.as_bytes())
}

fn read(runs: &[PathBuf], device: &Device) -> Result<Vec<Shown>> {
    runs.iter().map(|run| Shown::read(run, judged_again(run, device))).collect()
}

/// Writes `report.html` of a run whose predictor and data are at hand.
pub(crate) fn write_run<T: Scalar>(folder: &RunFolder, predictor: &Predictor, problem: &Problem<T>) -> Result<()> {
    let shown = Shown::read(folder.path(), Judgement::of(predictor, problem))?;
    write_atomically(&folder.report(), page(&[shown], Told::default())?.as_bytes())
}

/// Writes `report.html` of a run whose data were in memory and are gone.
pub(crate) fn write_page(folder: &RunFolder) -> Result<()> {
    let shown = Shown::read(folder.path(), Err(Error::InMemory))?;
    write_atomically(&folder.report(), page(&[shown], Told::default())?.as_bytes())
}

/// The judgement of a kept run, whose data are read again.
fn judged_again(run: &Path, device: &Device) -> Result<Judgement> {
    let predictor = Predictor::load(run, device)?;
    Judgement::of(&predictor, &predictor.problem(run)?)
}

fn page(runs: &[Shown], told: Told<'_>) -> Result<String> {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let mut page = Page::new(&if names.is_empty() { "Comparison".to_owned() } else { names.join(" · ") });
    page.note(concat!("Report by gramstep ", env!("CARGO_PKG_VERSION")));
    summary(&mut page, runs, told.failures);
    for run in runs {
        page.folded(&format!("All settings of {}", run.name), &run.config);
    }
    let reports = reports(runs);
    rivals(&mut page, &reports);
    for (name, report) in reports {
        targets(&mut page, name, report)?;
    }
    losses(&mut page, runs)?;
    let looks: Vec<_> = runs.iter().map(|run| (run.name.as_str(), run.history.kernel.as_slice())).collect();
    if let Some(rows) = looks.iter().find_map(|(_, looks)| Some(looks.first()?.rows)) {
        page.heading("Kernel").note(&format!("G = J Jᵀ of {rows} training rows, of the first network."));
        page.charts(&watched::charts(&looks))?;
    }
    scales(&mut page, runs)?;
    milestones(&mut page, runs);
    tuning(&mut page, told.trials);
    if runs.is_empty() {
        return Ok(page.finish());
    }
    page.heading("Predictions");
    for run in runs {
        match &run.judgement {
            Ok(judgement) => {
                page.note(&format!("{}, {} rows", run.name, judgement.part)).charts(&judgement.charts)?;
            }
            Err(reason) => {
                page.note(&format!("{}: no predictions to show: {reason}", run.name));
            }
        }
    }
    distances(&mut page, runs)?;
    let solver = solver_charts(runs);
    if solver.iter().any(|chart| !chart.is_empty()) {
        page.heading("Steps").charts(&solver)?;
    }
    page.heading("Use the model");
    for run in runs {
        page.code(&usage::commands(&run.path));
    }
    if runs.iter().any(Shown::is_of_a_kernel) {
        page.paragraph(usage::KERNEL);
    }
    if runs.iter().any(Shown::is_a_combination) {
        page.paragraph(usage::COMBINATION);
    }
    if !runs.iter().all(|run| run.is_of_a_kernel() || run.is_a_combination()) {
        page.paragraph(usage::NETWORK).code(usage::NUMPY);
    }
    Ok(page.finish())
}

/// Of the runs that came to their end.
fn reports(runs: &[Shown]) -> Vec<(&str, &Report)> {
    runs.iter().filter_map(|run| Some((run.name.as_str(), run.history.report.as_ref()?))).collect()
}

fn summary(page: &mut Page, runs: &[Shown], failures: &[(String, String)]) {
    let reports = reports(runs);
    let told = |run: &Shown| failures.iter().any(|(name, _)| *name == run.name);
    for run in runs.iter().filter(|run| run.history.report.is_none() && !told(run)) {
        page.note(&format!("{}: {}.", run.name, run.history.without_end()));
    }
    if !failures.is_empty() {
        let rows: Vec<Vec<String>> = failures.iter().map(|(name, why)| vec![name.clone(), why.clone()]).collect();
        page.table(&["method", "came to no end"], &rows);
    }
    let rows: Vec<Vec<String>> = reports
        .iter()
        .map(|(name, report)| {
            vec![
                (*name).to_owned(),
                report.method(),
                networks(report),
                count(report.parameters),
                count(report.epochs),
                seconds(report.seconds),
                report.stop_reason.to_string(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.table(&["run", "method", "model", "parameters", "epochs", "time", "ended by"], &rows);
    let solved: Vec<Vec<String>> =
        reports.iter().filter_map(|(name, report)| Some(solution(name, report.kernel.as_ref()?))).collect();
    if !solved.is_empty() {
        let header = ["run", "ridge κ", "effective parameters", "log p(y)", "deviation of the noise"];
        page.table(&header, &solved);
    }
    let mut quality = Vec::new();
    for (name, report) in &reports {
        let parts = [
            ("training", Some(&report.train)),
            ("validation", report.validation.as_ref()),
            ("test", report.test.as_ref()),
        ];
        for (part, metrics) in parts.into_iter().filter_map(|(part, metrics)| Some((part, metrics?))) {
            quality.push([vec![format!("{name}, {part}"), count(metrics.rows)], measures(metrics)].concat());
        }
    }
    let regression = reports.first().is_some_and(|(_, report)| report.train.regression.is_some());
    let errors: &[&str] = if regression { &["rmse", "mae", "r²"] } else { &["accuracy"] };
    page.table(&[&["rows of", "rows", "loss"], errors].concat(), &quality);
}

/// What kernels say of the columns.
fn scales(page: &mut Page, runs: &[Shown]) -> Result<()> {
    let kernel = |run: &'_ Shown| run.history.report.as_ref().and_then(|report| report.kernel.clone());
    let charts: Vec<Chart> =
        runs.iter().filter_map(|run| Some(super::scales::chart(&run.name, &kernel(run)?))).collect();
    let charts: Vec<Chart> = charts.into_iter().filter(|chart| !chart.is_empty()).collect();
    if !charts.is_empty() {
        page.heading("Columns").charts(&charts)?;
    }
    Ok(())
}

/// What a kernel regression found.
fn solution(name: &str, fit: &KernelFit) -> Vec<String> {
    let noise: Vec<String> = fit.noise.iter().copied().map(number).collect();
    let noise = if noise.is_empty() { "–".to_owned() } else { noise.join(", ") };
    let numbers = [fit.ridge, fit.effective_parameters, fit.log_marginal_likelihood].map(number);
    std::iter::once(name.to_owned()).chain(numbers).chain([noise]).collect()
}

/// The architecture, and of how many networks.
fn networks(report: &Report) -> String {
    match report.ensemble {
        _ if report.is_combination() => report.model.clone(),
        1 => report.model.clone(),
        networks => format!("{networks} × {}", report.model),
    }
}

fn measures(metrics: &Metrics) -> Vec<String> {
    let mut cells = vec![number(metrics.loss)];
    if let Some(errors) = &metrics.regression {
        cells.extend([number(errors.rmse), number(errors.mae)]);
        cells.push(errors.r2.map_or_else(|| "–".to_owned(), number));
    }
    if let Some(classification) = &metrics.classification {
        cells.push(number(classification.accuracy));
    }
    cells
}

/// How far the layers of adversarially trained networks went.
fn distances(page: &mut Page, runs: &[Shown]) -> Result<()> {
    let charts: Vec<Chart> = runs
        .iter()
        .filter_map(|run| {
            let layers = run.first_network().next()?.distances.keys();
            let chart = Chart::new(&run.name).note("‖W − W₀‖ of each layer").axes("epoch", "distance");
            let line = |layer: &String| {
                let far = |line: &EpochLine| Some((line.epoch as f64, *line.distances.get(layer)?));
                run.first_network().filter_map(far).collect::<Vec<_>>()
            };
            Some(layers.fold(chart, |chart, layer| chart.line(layer.clone(), line(layer))))
        })
        .filter(|chart| !chart.is_empty())
        .collect();
    if !charts.is_empty() {
        page.heading("Distance from the start").note(
            "Losses of training and validation are those under attack. Adversarial training of a wide network finds a \
             robust fit near its start.",
        );
        page.charts(&charts)?;
    }
    Ok(())
}

/// The settings that were tried.
fn tuning(page: &mut Page, trials: &[Trial]) {
    if trials.is_empty() {
        return;
    }
    let loss = |trial: &Trial| trial.validation_loss.map_or_else(|| "diverged".to_owned(), number);
    let row = |trial: &Trial| {
        let damping = trial.damping.map_or_else(|| "–".to_owned(), |damping| damping.to_string());
        let share = format!("{:.0} %", 100.0 * trial.share);
        let [rate, momentum] = [trial.learning_rate, trial.momentum].map(number);
        vec![trial.optimizer.to_string(), rate, momentum, damping, trial.schedule.to_string(), share, loss(trial)]
    };
    let cost = number(trials.iter().map(|trial| trial.share).sum());
    page.heading("Settings that were tried before").note(&format!(
        "{} runs, as long together as {cost} of those above; in each round every setting got the same share, and a third went \
         on. Shown is the last round of each.",
        trials.len()
    ));
    let last = |trial: &&Trial| {
        let same = |other: &&Trial| other.optimizer == trial.optimizer;
        trial.share >= trials.iter().filter(same).map(|other| other.share).fold(0.0, f64::max)
    };
    let header = ["method", "learning rate", "momentum", "damping", "schedule", "share", "validation loss"];
    page.table(&header, &trials.iter().filter(last).map(row).collect::<Vec<_>>());
}

/// Damping, gain ratio and residual of the solve over the steps.
fn solver_charts(runs: &[Shown]) -> Vec<Chart> {
    let chart = |title: &str, note: &str, label: &str, scale, value: fn(&StepLine) -> Option<f64>| {
        let chart = Chart::new(title).note(note).axes("step", label).y_scale(scale);
        runs.iter().fold(chart, |chart, run| {
            let line: Vec<(f64, f64)> = run.steps().filter_map(|line| Some((line.step as f64, value(line)?))).collect();
            if line.is_empty() { chart } else { chart.line(run.name.clone(), line) }
        })
    };
    vec![
        chart("Damping", "λ relative to the mean diagonal of G", "damping", Scale::Log, |line| line.damping),
        chart(
            "Gain ratio",
            "actual over predicted decrease of the loss; 1 is a perfect model",
            "gain ratio",
            Scale::Linear,
            |line| line.gain_ratio.map(|ratio| ratio.clamp(-1.0, 3.0)),
        ),
        chart("Residual of the solve", "‖(G + λI)c − r‖ / ‖r‖", "residual", Scale::Log, |line| {
            line.solve.map(|solve| solve.residual)
        }),
    ]
}
