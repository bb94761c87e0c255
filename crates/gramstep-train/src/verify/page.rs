//! The report on claims: verdicts, then every claim with its pictures, assumptions and numbers.

use gramstep::theory::{Certificate, Mark, Picture, Role, Verdict};

use super::verification::{Tried, Verification};
use crate::error::Result;
use crate::format::text::{number, seconds};
use crate::report::{Chart, Page, Scale};

/// Colours of the report: the same in every picture.
const fn colour(role: Role) -> usize {
    match role {
        Role::Measured => 0,
        Role::Predicted => 1,
        _ => 5,
    }
}

pub(super) fn page(found: &Verification) -> Result<String> {
    let mut page = Page::new("Claims of the theory, predicted and measured");
    page.paragraph(
        "Each claim below was tried as a small program: it states what the theorem assumes, predicts a number, and \
         measures it. In every picture blue is measured and orange is predicted.",
    );
    let on = found.data.as_deref().map_or_else(|| "synthetic points".to_owned(), |data| format!("the table {data}"));
    page.note(&format!("Effort: {}; on {on}.", found.effort));
    for note in &found.notes {
        page.note(&format!("Note: {note}."));
    }
    let rows: Vec<Vec<String>> = found.claims.iter().map(row).collect();
    page.table(&["claim", "verdict", "predicted", "measured", "margin", "seeds", "time"], &rows);
    page.note(
        "Predicted and measured are those of the comparison that came closest to failing; the margin is the distance \
         that was left, as a share of the prediction. An assumption that is not met means that the theorem says \
         nothing here; it is no refutation.",
    );
    for tried in &found.claims {
        claim(&mut page, &tried.certificate)?;
    }
    Ok(page.finish())
}

fn row(tried: &Tried) -> Vec<String> {
    let certificate = &tried.certificate;
    vec![
        certificate.claim.clone(),
        certificate.verdict.to_string(),
        number(certificate.predicted),
        number(certificate.measured),
        tried.margin(),
        certificate.seeds.len().to_string(),
        seconds(tried.seconds),
    ]
}

fn claim(page: &mut Page, certificate: &Certificate) -> Result<()> {
    page.heading(&format!("{}: {}", certificate.claim, certificate.verdict)).paragraph(&certificate.statement);
    page.paragraph(&certificate.sentence);
    if certificate.verdict == Verdict::AssumptionsNotMet {
        page.paragraph("What was measured shows what happens then.");
    }
    page.note(&format!("Paper: {}. Setting: {}.", certificate.source, certificate.setting));
    page.charts(&certificate.pictures.iter().map(chart).collect::<Vec<_>>())?;
    let assumptions: Vec<Vec<String>> = certificate
        .assumptions
        .iter()
        .map(|assumption| {
            let met = match (assumption.met, assumption.asymptotic) {
                (true, _) => "yes",
                (false, false) => "no",
                (false, true) => "no, and not needed here",
            };
            // The largest number stands for any finite one.
            let required = if assumption.required == f64::MAX {
                "finite".to_owned()
            } else {
                format!("{} {}", assumption.relation, number(assumption.required))
            };
            vec![assumption.name.clone(), required, number(assumption.measured), met.to_owned()]
        })
        .collect();
    page.table(&["assumption", "asked for", "found", "met"], &assumptions);
    let checks: Vec<Vec<String>> = certificate
        .checks
        .iter()
        .map(|check| {
            let tolerance = if check.tolerance > 0.0 { number(check.tolerance) } else { "–".to_owned() };
            let predicted = format!("{} {}", check.relation, number(check.predicted));
            let holds = if check.holds { "yes" } else { "no" };
            vec![check.name.clone(), predicted, tolerance, number(check.measured), holds.to_owned()]
        })
        .collect();
    page.table(&["comparison", "predicted", "tolerance", "measured", "holds"], &checks);
    let constants: Vec<Vec<String>> =
        certificate.constants.iter().map(|constant| vec![constant.name.clone(), number(constant.value)]).collect();
    page.table(&["constant", "value"], &constants);
    Ok(())
}

fn chart(picture: &Picture) -> Chart {
    let scale = |logarithmic| if logarithmic { Scale::Log } else { Scale::Linear };
    let chart = Chart::new(&picture.title)
        .axes(&picture.x.label, &picture.y.label)
        .x_scale(scale(picture.x.logarithmic))
        .y_scale(scale(picture.y.logarithmic))
        .sentence(&picture.sentence);
    picture.curves.iter().fold(chart, |chart, curve| {
        let points = curve.points.iter().copied();
        let drawn = match curve.mark {
            Mark::Line => chart.line(&curve.name, points),
            _ => chart.points(&curve.name, points),
        };
        drawn.coloured(colour(curve.role))
    })
}
