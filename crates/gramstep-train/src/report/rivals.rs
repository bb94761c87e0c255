//! What the models of runs were judged beside, and what combinations are made of.

use super::Page;
use crate::format::text::{count, number};
use crate::outcome::Report;

/// A table of losses on unseen rows, and the weights of combinations; nothing where no rows judged.
pub(super) fn rivals(page: &mut Page, reports: &[(&str, &Report)]) {
    let judged: Vec<(&str, &Report, usize)> = reports
        .iter()
        .filter(|(_, report)| !report.candidates.is_empty())
        .filter_map(|&(name, report)| Some((name, report, report.validation.as_ref()?.rows)))
        .collect();
    let Some(&(name, _, rows)) = judged.first() else { return };
    let (several, combined) = (judged.len() > 1, judged.iter().any(|(_, report, _)| report.is_combination()));
    page.heading(match (several, combined) {
        (false, false) => "What the model was judged beside",
        (false, true) => "What the model is made of",
        (true, _) => "What the models were judged beside",
    });
    let alike = judged.iter().all(|(_, _, own)| *own == rows);
    let rows = if alike { format!("{} rows", count(rows)) } else { "rows".to_owned() };
    let losses = if several { "Losses".to_owned() } else { format!("{name}: losses") };
    page.note(&format!("{losses} on {rows} that no candidate had seen"));
    let mut lines: Vec<Vec<String>> = Vec::new();
    for (name, report, _) in &judged {
        let line = |model: &str, loss: f64, weight: String| {
            let run = several.then(|| (*name).to_owned());
            run.into_iter().chain([model.to_owned(), number(loss), weight]).collect::<Vec<_>>()
        };
        if let Some(unseen) = report.validation.as_ref().filter(|_| report.is_combination()) {
            lines.push(line(&report.model, unseen.loss, String::new()));
        }
        lines.extend(report.candidates.iter().map(|one| {
            let kept = if one.kept { "kept" } else { "" };
            line(&one.model, one.loss, one.weight.map_or_else(|| kept.to_owned(), |weight| format!("{weight:.3}")))
        }));
    }
    let run: &[&str] = if several { &["run"] } else { &[] };
    page.table(&[run, &["candidate", "loss", if combined { "weight" } else { "" }]].concat(), &lines);
}
