//! The order of day, month and year in a column of dates.

use super::Meaning;
use super::decide::{Choice, Given};
use super::fill::Plan;
use crate::error::{Error, Result};
use crate::format::date::DateOrder;

/// Why a cell is a fault where dates are asked for, and what they are.
pub(super) const NO_DATE: &str = "is no date";
pub(super) const DATES: &str = "dates are as 2024-05-31, 31.05.2024 or 05/31/2024, all in one order, with or without a time; \
     --types COL=date:dmy says the order, COL=text keeps text";

impl Choice<'_> {
    /// A column of dates; `asked` where that is no guess.
    pub(super) fn date(&mut self, column: &Given<'_>, said: Option<DateOrder>, asked: bool) -> Result<Plan> {
        let evidence = column.evidence;
        let orders = evidence.orders;
        let fault = |record: usize, value: String, reason: String, hint: &'static str| Error::Cell {
            origin: self.facts.origin.to_owned(),
            line: self.line(record),
            column: column.name.to_owned(),
            value,
            reason,
            hint,
        };
        // Digits alone are a date where that is asked for: 20240531.
        let numeric = asked && evidence.numbers > 0 && evidence.is_numeric();
        let possible =
            if numeric { evidence.code.is_none() && evidence.whole == evidence.numbers } else { evidence.is_date() };
        let nothing = evidence.numbers + evidence.dates + evidence.texts == 0;
        if asked && !possible && !nothing {
            if !column.is_used {
                return Ok(Plan::doubtful(evidence, self.skipped()));
            }
            // Filled as dates, it tells the first cell that is none.
            return Ok(Plan::sure(Meaning::Date { order: said.unwrap_or(DateOrder::Ymd) }));
        }
        let order = match said {
            Some(order) if numeric || nothing || orders.contains(order) => order,
            Some(order) => {
                let (record, cell) = evidence.date.clone().unwrap_or_default();
                return Err(fault(
                    record,
                    cell,
                    format!("is no date in the order {order}"),
                    "say the order with --types COL=date:dmy, date:mdy or date:ymd",
                ));
            }
            None if numeric || nothing => DateOrder::Ymd,
            None => {
                let Some(order) = order(column) else {
                    let (record, cell) = evidence.turned.clone().unwrap_or_default();
                    let reason = "may have the day or the month first".to_owned();
                    let hint = "say which with --types COL=date:dmy or --types COL=date:mdy";
                    return Err(fault(record, cell, reason, hint));
                };
                order
            }
        };
        // What becomes of dates as inputs is said there.
        if let Some((_, cell)) = evidence.turned.as_ref().filter(|_| said.is_none()) {
            let first = if order == DateOrder::Mdy { "month" } else { "day" };
            let text = format!(": dates such as `{cell}` have the {first} first, as others of them show");
            self.remark(column, &format!("{first} first"), text);
        }
        self.say_gaps(column);
        Ok(Plan::sure(Meaning::Date { order }))
    }
}

/// The order of all dates; none where two are equally likely.
fn order(column: &Given<'_>) -> Option<DateOrder> {
    let orders = column.evidence.orders;
    let is_open =
        column.evidence.turned.is_some() && orders.contains(DateOrder::Dmy) && orders.contains(DateOrder::Mdy);
    let first = DateOrder::ALL.into_iter().find(|&order| orders.contains(order));
    first.filter(|_| !(is_open && column.is_used))
}
