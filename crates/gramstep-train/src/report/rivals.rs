//! What a run's model was judged beside, and what a combination is made of.

use super::Page;
use crate::format::text::{count, number};
use crate::outcome::Report;

/// A table of losses on unseen rows, and the weights of a combination; nothing where no rows judged.
pub(super) fn rivals(page: &mut Page, name: &str, report: &Report) {
    let Some(unseen) = report.validation.as_ref().filter(|_| !report.candidates.is_empty()) else { return };
    let combined = report.is_combination();
    let rows = count(unseen.rows);
    page.heading(if combined { "What the model is made of" } else { "What the model was judged beside" })
        .note(&format!("{name}: losses on {rows} rows that no candidate had seen"));
    let mut lines: Vec<Vec<String>> = Vec::new();
    if combined {
        lines.push(vec![report.model.clone(), number(unseen.loss), String::new()]);
    }
    lines.extend(report.candidates.iter().map(|one| {
        let kept = if one.kept { "kept" } else { "" };
        let weight = one.weight.map_or_else(|| kept.to_owned(), |weight| format!("{weight:.3}"));
        vec![one.model.clone(), number(one.loss), weight]
    }));
    page.table(&["candidate", "loss", if combined { "weight" } else { "" }], &lines);
}
