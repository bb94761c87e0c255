//! The page of an attack: error against radius, which columns moved, and the rows that were misled most.

use std::path::Path;

use super::examples::Example;
use super::{AttackReport, ColumnMove, Transfer};
use crate::data::{Geometry, Preprocessing};
use crate::error::{Error, Result};
use crate::format::text::{count, number, seconds};
use crate::format::whole_file::write_atomically;
use crate::outcome::metrics::Metrics;
use crate::report::{Chart, Page, Picture};
use crate::training::adversarial::Unit;

/// Columns whose moves are shown.
const MOST_COLUMNS: usize = 12;

pub(super) fn write(
    path: &Path,
    report: &AttackReport,
    preprocessing: &Preprocessing,
    examples: &[Example],
) -> Result<()> {
    let unit = if report.unit == Unit::Deviation { " standard deviations of each column" } else { "" };
    let mut page = Page::new(&format!("{} under attack", report.run));
    page.note(concat!("Report by gramstep ", env!("CARGO_PKG_VERSION"))).paragraph(&format!(
        "{} on {} rows ({}): {} changes of at most {}{unit}, in {}.",
        report.attack,
        count(report.clean.rows),
        report.source,
        report.norm,
        number(report.radius),
        seconds(report.seconds),
    ));
    if let Some(drawn) = report.drawn() {
        page.note(&format!("The rows were {drawn}."));
    }
    let curve = || std::iter::once((0.0, &report.clean)).chain(report.robust.iter().map(|at| (at.radius, &at.metrics)));
    let measures = measures(&report.clean);
    let header: Vec<&str> = std::iter::once("radius").chain(measures.iter().map(|measure| measure.name)).collect();
    let row = |(radius, metrics): (f64, &Metrics)| {
        let values = measures.iter().filter_map(|measure| (measure.value)(metrics)).map(number);
        std::iter::once(number(radius)).chain(values).collect::<Vec<_>>()
    };
    page.heading("Error against radius").table(&header, &curve().map(row).collect::<Vec<_>>());
    let chart = |measure: &Measure| {
        let line = curve().filter_map(|(radius, metrics)| Some((radius, (measure.value)(metrics)?)));
        Chart::new(measure.title).axes("radius", measure.name).line("under attack", line)
    };
    page.charts(&measures.iter().map(chart).collect::<Vec<_>>())?;
    if report.moves.len() > 1 {
        page.heading("Which columns moved").note("Mean size of the change at the full radius.");
        let header = ["column", "in its units", "in its standard deviations"];
        page.table(&header, &moves(report));
    }
    if !report.transfer.is_empty() {
        page.heading("Other models on the same changed rows");
        let header: Vec<String> = std::iter::once("run".to_owned())
            .chain(measures.iter().flat_map(|measure| [measure.name.to_owned(), format!("{}, changed", measure.name)]))
            .collect();
        let row = |transfer: &Transfer| {
            let values = measures
                .iter()
                .flat_map(|measure| [(measure.value)(&transfer.clean), (measure.value)(&transfer.attacked)]);
            std::iter::once(transfer.run.clone()).chain(values.flatten().map(number)).collect::<Vec<_>>()
        };
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        page.table(&header, &report.transfer.iter().map(row).collect::<Vec<_>>());
    }
    if !examples.is_empty() {
        page.heading("Rows that were misled most");
        match preprocessing.inputs.geometry() {
            Some(geometry) => {
                let rows = examples.iter().map(|example| pictures(preprocessing, geometry, example));
                page.pictures(&rows.collect::<Result<Vec<_>>>()?);
            }
            None => tables(&mut page, preprocessing, examples),
        }
    }
    write_atomically(path, page.finish().as_bytes())
}

/// The columns that moved most, in standard deviations.
fn moves(report: &AttackReport) -> Vec<Vec<String>> {
    let mut moves: Vec<&ColumnMove> = report.moves.iter().collect();
    moves.sort_by(|a, b| b.deviations.total_cmp(&a.deviations));
    let row = |column: &ColumnMove| vec![column.column.clone(), number(column.mean), number(column.deviations)];
    moves.into_iter().take(MOST_COLUMNS).map(row).collect()
}

/// A number that says how good predictions are.
struct Measure {
    title: &'static str,
    name: &'static str,
    value: fn(&Metrics) -> Option<f64>,
}

fn measures(metrics: &Metrics) -> Vec<Measure> {
    let all = [
        Measure {
            title: "Mean absolute error, in the units of the target",
            name: "mean absolute error",
            value: |metrics| Some(metrics.regression.as_ref()?.mae),
        },
        Measure {
            title: "Share of right classes",
            name: "accuracy",
            value: |metrics| Some(metrics.classification.as_ref()?.accuracy),
        },
        Measure { title: "Loss", name: "loss", value: |metrics| Some(metrics.loss) },
    ];
    all.into_iter().filter(|measure| (measure.value)(metrics).is_some()).collect()
}

/// The values of an example's columns before and after, those first that moved most in standard deviations.
fn tables(page: &mut Page, preprocessing: &Preprocessing, examples: &[Example]) {
    const SHOWN: usize = 5;
    let inputs = &preprocessing.inputs;
    for example in examples {
        let Example { row, target, before, after, .. } = example;
        page.note(&format!("Row {}: {target}, predicted {before}, under attack {after}.", count(row + 1)));
        let mut moves: Vec<(f64, Vec<String>)> = Vec::new();
        for (column, places) in inputs.places().filter(|(column, _)| column.encoding.measured() == 1) {
            let at = places.start;
            let [from, to] = [example.clean[at], example.attacked[at]];
            let units = |u: f64| number(inputs.standardisation.mean[at] + inputs.standardisation.scale[at] * u);
            let change = inputs.standardisation.scale[at] * (to - from);
            moves.push(((to - from).abs(), vec![column.name.clone(), units(from), units(to), number(change)]));
        }
        moves.retain(|(size, _)| *size > 0.0);
        moves.sort_by(|a, b| b.0.total_cmp(&a.0));
        let rows: Vec<Vec<String>> = moves.into_iter().take(SHOWN).map(|(_, cells)| cells).collect();
        page.table(&["column", "was", "became", "change"], &rows);
    }
}

/// An image, its perturbation enlarged to the whole range of grey, and their sum.
fn pictures(preprocessing: &Preprocessing, geometry: Geometry, example: &Example) -> Result<(String, Vec<Picture>)> {
    let standardisation = &preprocessing.inputs.standardisation;
    let pixels = |inputs: &[f64]| -> Vec<f64> {
        let places = standardisation.mean.iter().zip(&standardisation.scale).zip(inputs).take(geometry.len());
        places.map(|((mean, scale), u)| mean + scale * u).collect()
    };
    let (clean, attacked) = (pixels(&example.clean), pixels(&example.attacked));
    let change: Vec<f64> = attacked.iter().zip(&clean).map(|(a, c)| a - c).collect();
    let largest = change.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let enlarged: Vec<f64> = change.iter().map(|value| 0.5 + 0.5 * value / largest.max(f64::MIN_POSITIVE)).collect();
    let picture = |values: &[f64], words: String| Ok::<_, Error>(Picture { png: png(values, geometry)?, words });
    let Example { row, target, before, after, .. } = example;
    let pictures = vec![
        picture(&clean, format!("predicted {before}"))?,
        picture(&enlarged, format!("change, {:.0} times as large", 0.5 / largest.max(f64::MIN_POSITIVE)))?,
        picture(&attacked, format!("under attack {after}"))?,
    ];
    Ok((format!("Row {}, target {target}", count(row + 1)), pictures))
}

/// Pixels from 0 to 1 as a PNG file.
fn png(pixels: &[f64], geometry: Geometry) -> Result<Vec<u8>> {
    let bytes: Vec<u8> = pixels.iter().map(|value| byte(*value)).collect();
    crate::data::png(&bytes, geometry).map_err(|reason| Error::Chart { reason })
}

/// The nearest of the 256 steps from 0 to 1.
// Between 0 and 255 by then.
#[allow(clippy::cast_sign_loss)]
fn byte(value: f64) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}
