//! What each column means: of all ways in which its cells can be read the one that the evidence is for.
//!
//! A column is what the user says, or what it meant in the table that the model was learned from. Else it is numbers if all
//! of its cells are, with one unit or none, in at least one form; dates if all are, in at least one order, or are digits
//! alone such as 20240531; text otherwise, and where digits alone are codes: they begin with 0, or are more than a number
//! holds.

use std::collections::{HashMap, HashSet};

use super::evidence::Evidence;
use super::fill::{Plan, Words};
use super::options::{ColumnType, ReadOptions, TypedColumn};
use super::patterns::resolved;
use super::{Meaning, Reading};
use crate::error::{Error, Result};
use crate::format::date::DateOrder;
use crate::format::number_form::{Decimal, Forms, NumberForm};
use crate::format::remarks::Remarks;

/// What is known of a file beside the evidence of its columns.
pub(super) struct Facts<'a> {
    pub(super) origin: &'a str,
    /// Line of every row.
    pub(super) lines: &'a [u64],
    pub(super) names: &'a [String],
    pub(super) separator: u8,
    pub(super) headless: bool,
    /// Whether a gap is no cell at all, so that a word among text is a value.
    pub(super) says_gaps: bool,
    pub(super) options: &'a ReadOptions,
}

/// What becomes of the columns.
pub(super) struct Decision {
    pub(super) plans: Vec<Plan>,
    pub(super) reading: Reading,
    pub(super) notes: Vec<String>,
}

/// Decides for all columns. Notes are without the name of the file.
pub(super) fn decide(facts: &Facts<'_>, columns: &[Evidence]) -> Result<Decision> {
    let options = facts.options;
    let is_column: HashSet<&str> = facts.names.iter().map(String::as_str).collect();
    let mut labels: HashSet<String> = resolved(&options.labels, facts.names).into_iter().collect();
    let together = resolved(&options.labels_together, facts.names);
    let known = || facts.names.iter().zip(columns).filter(|(name, _)| together.contains(name));
    if known().any(|(_, evidence)| evidence.is_text()) {
        labels.extend(together.iter().cloned());
    }
    if let Some(others) = &options.last_is_label_but {
        let others = resolved(others, facts.names);
        labels.extend(facts.names.iter().rev().find(|name| !others.contains(name)).cloned());
    }
    for typed in &options.types {
        if !is_column.contains(typed.column.as_str()) && options.earlier.is_none() {
            let available = facts.names.to_vec();
            return Err(Error::UnknownColumn {
                origin: facts.origin.to_owned(),
                column: typed.column.clone(),
                available,
            });
        }
    }
    let types: HashMap<&str, ColumnType> =
        options.types.iter().map(|TypedColumn { column, of }| (column.as_str(), *of)).collect();
    let unused: HashSet<String> = resolved(&options.unused, facts.names).into_iter().collect();
    let wanted: HashSet<&str> = options.wanted.iter().map(String::as_str).collect();
    let mut choice = Choice { facts, wanted: &wanted, proof: proof(columns), remarks: Remarks::default() };
    let mut plans = Vec::with_capacity(columns.len());
    let mut reading = Reading {
        headless: facts.headless,
        missing: options.marks_of_gaps(),
        separator: Some(options.separator).filter(|separator| *separator != super::Separator::Auto),
        ..Reading::default()
    };
    for (name, evidence) in facts.names.iter().zip(columns) {
        let said = types.get(name.as_str()).copied().or(labels.contains(name).then_some(ColumnType::Text));
        let is_used = said != Some(ColumnType::Drop)
            && !unused.contains(name)
            && (wanted.is_empty() || wanted.contains(name.as_str()));
        let column = Given { name, evidence, said, is_used };
        let mut plan = choice.plan(&column)?;
        let as_it_stands = types.get(name.as_str()) == Some(&ColumnType::Text);
        plan.words = choice.words(&column, &plan, as_it_stands);
        if plan.meaning != Meaning::PLAIN {
            reading.columns.insert(name.clone(), plan.meaning.clone());
        }
        plans.push(plan);
    }
    Ok(Decision { plans, reading, notes: choice.remarks.sentences() })
}

/// The decimal mark of the columns that can be read with one alone; none where they differ.
fn proof(columns: &[Evidence]) -> Option<Decimal> {
    let numeric = columns.iter().filter(|column| column.is_numeric() && column.numbers > 0);
    let sure = |column: &Evidence| {
        let with = |&decimal: &Decimal| !column.forms.and(Forms::with(decimal)).is_empty();
        let mut marks = Decimal::ALL.iter().copied().filter(with);
        marks.next().filter(|_| marks.next().is_none())
    };
    let mut proofs = numeric.filter_map(sure);
    let first = proofs.next()?;
    proofs.all(|other| other == first).then_some(first)
}

/// A column, and what the user says it is.
pub(super) struct Given<'a> {
    pub(super) name: &'a str,
    pub(super) evidence: &'a Evidence,
    pub(super) said: Option<ColumnType>,
    pub(super) is_used: bool,
}

/// How a column of numbers was written in the table that the model was learned from.
pub(super) struct Earlier {
    pub(super) form: NumberForm,
    pub(super) affix: String,
    /// Whether numbers with and without a unit may stand side by side.
    pub(super) mixed: bool,
}

/// The choice of meanings, column by column.
pub(super) struct Choice<'a> {
    pub(super) facts: &'a Facts<'a>,
    wanted: &'a HashSet<&'a str>,
    /// The decimal mark that other columns of the file show.
    pub(super) proof: Option<Decimal>,
    remarks: Remarks,
}

impl Choice<'_> {
    /// Records before the first row.
    pub(super) fn skipped(&self) -> usize {
        usize::from(!self.facts.headless)
    }

    /// The line of a record.
    pub(super) fn line(&self, record: usize) -> u64 {
        self.facts.lines.get(record.saturating_sub(self.skipped())).copied().unwrap_or(0)
    }

    pub(super) fn remark(&mut self, column: &Given<'_>, kind: &str, text: String) {
        if column.is_used {
            self.remarks.add(kind, column.name, text);
        }
    }

    fn plan(&mut self, column: &Given<'_>) -> Result<Plan> {
        let evidence = column.evidence;
        let earlier = match &self.facts.options.earlier {
            Some(earlier) => match earlier.columns.get(column.name) {
                Some(meaning) => Some(meaning.clone()),
                None => self.wanted.contains(column.name).then_some(Meaning::PLAIN),
            },
            None => None,
        };
        match (column.said, earlier) {
            (Some(ColumnType::Category | ColumnType::Text), _) | (None, Some(Meaning::Text)) => {
                Ok(Plan::sure(Meaning::Text))
            }
            (None, Some(Meaning::Shortened)) => Ok(Plan::sure(Meaning::Shortened)),
            (Some(ColumnType::Date(None)) | None, Some(Meaning::Date { order })) => {
                self.date(column, Some(order), true)
            }
            (Some(ColumnType::Date(order)), _) => self.date(column, order, true),
            (Some(ColumnType::Number) | None, Some(Meaning::Number { form, affix, mixed })) => {
                let mixed = mixed || column.said.is_some();
                self.numbers(column, Some(&Earlier { form, affix, mixed }), true)
            }
            (Some(ColumnType::Number), _) => self.numbers(column, None, true),
            _ if self.facts.says_gaps && evidence.words > 0 && evidence.is_empty() => Ok(Plan::sure(Meaning::Text)),
            _ if evidence.are_stamps() => {
                let text = ": dates, all of them written as 20240531 is; --types COL=number reads numbers";
                self.remark(column, "stamps", text.to_owned());
                self.date(column, Some(DateOrder::Ymd), true)
            }
            _ if evidence.is_numeric() && evidence.is_coded() => {
                if let Some((_, cell)) = &evidence.code {
                    let text = format!(": codes such as `{cell}` stay text; --types COL=number reads numbers");
                    self.remark(column, "codes", text);
                }
                Ok(Plan::sure(Meaning::Text))
            }
            _ if evidence.is_numeric() => self.numbers(column, None, false),
            _ if evidence.is_date() => self.date(column, None, false),
            _ if evidence.is_coded() => Ok(Plan::sure(Meaning::Text)),
            _ if evidence.affix == "%" && evidence.is_partly_affixed() && column.is_used => Err(self.share(column)),
            _ => {
                if let Some(other) = evidence.mixed_unit() {
                    let own = &evidence.affix;
                    let text =
                        format!(": text, of numbers in `{own}` and in `{other}`; in one unit they would be numbers");
                    self.remark(column, "units", text);
                }
                Ok(Plan::doubtful(evidence, self.skipped()))
            }
        }
    }

    /// Which words are values: what was one in training stays one.
    fn words(&self, column: &Given<'_>, plan: &Plan, as_it_stands: bool) -> Words {
        let evidence = column.evidence;
        let is_text = || column.said.is_some() || evidence.is_text() || evidence.numbers + evidence.dates == 0;
        match (&plan.meaning, &self.facts.options.earlier) {
            (Meaning::Number { .. } | Meaning::Date { .. }, _) => Words::Gaps,
            (_, Some(earlier)) => Words::These(earlier.words.get(column.name).cloned().unwrap_or_default()),
            (_, None) if as_it_stands || (self.facts.says_gaps && is_text()) => Words::Values,
            (_, None) => Words::Gaps,
        }
    }

    /// Says which marks are gaps.
    pub(super) fn say_gaps(&mut self, column: &Given<'_>) {
        let evidence = column.evidence;
        if let Some((_, cell)) = evidence.first_weak.as_ref().filter(|_| evidence.numbers + evidence.dates > 0) {
            let text = format!(": `{cell}` is a gap ({} of them); --types COL=text keeps text", evidence.weak);
            self.remark(column, &format!("gap {cell}"), text);
        }
    }
}
