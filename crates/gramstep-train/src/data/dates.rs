//! A column of dates as inputs: the time that has gone by, and how far year, week and day have gone.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use super::Standardisation;
use super::rows::Rows;
use super::summary::{median, present, range};
use crate::format::date::{shares, written};

const DAY: f64 = 86_400.0;

/// Within fewer days than these the season is the time that has gone by.
const SEASON: f64 = 60.0;

/// How a date becomes columns of a network's input: days since the first training date, and sine and cosine of the share
/// of year, week and day that has gone by, of those that differ between the training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DateParts {
    /// The first and the last date of the training rows, in seconds from 1970-01-01 00:00.
    pub range: [f64; 2],
    /// Stands in for a missing date, in seconds.
    pub median: f64,
    /// Whether there are columns for the share of the year, of the week and of the day.
    pub cycles: [bool; 3],
    /// Whether a 0/1 column follows that marks missing dates.
    pub flag: bool,
}

impl DateParts {
    /// From the given rows; or why the column is left out.
    pub(super) fn fit(
        dates: &[f64],
        given: Rows<'_>,
        standardisation: &mut Standardisation,
    ) -> std::result::Result<Self, &'static str> {
        let (present, weights) = present(given.rows.iter().map(|&row| dates[row]), given.weights);
        if present.is_empty() {
            return Err("no value in the training rows");
        }
        let (range, flag) = (range(&present), present.len() < given.rows.len());
        if range[0] == range[1] && !flag {
            return Err("the same value in every training row");
        }
        let first = shares(range[0]);
        let differs = |cycle: usize| present.iter().any(|&date| (shares(date)[cycle] - first[cycle]).abs() > 1e-9);
        let days = range[1] - range[0] >= DAY;
        // A week differs by its hours too.
        let cycles = [range[1] - range[0] >= SEASON * DAY, days && differs(1), differs(2)];
        let parts = Self { range, median: median(present, weights.as_deref()), cycles, flag };
        let elapsed: Vec<f64> = given.rows.iter().map(|&row| parts.elapsed(dates[row])).collect();
        standardisation.push(&elapsed, given.weights);
        Ok(parts)
    }

    /// Days since the first training date.
    fn elapsed(&self, date: f64) -> f64 {
        let date = if date.is_nan() { self.median } else { date };
        (date - self.range[0]) / DAY
    }

    /// How many columns it becomes; the first one is measured, the others lie between -1 and 1.
    pub(super) fn width(&self) -> usize {
        1 + 2 * self.cycles.iter().filter(|&&cycle| cycle).count() + usize::from(self.flag)
    }

    /// Names of the columns.
    pub(super) fn names(&self, column: &str) -> Vec<String> {
        let mut names = vec![format!("{column}_days")];
        for (cycle, _) in ["year", "week", "day"].iter().zip(self.cycles).filter(|(_, there)| *there) {
            names.extend(["sin", "cos"].map(|part| format!("{column}_{cycle}_{part}")));
        }
        names.extend(self.flag.then(|| format!("{column}_missing")));
        names
    }

    /// Writes the columns of a date, which may be missing.
    pub(super) fn encode(&self, date: f64, out: &mut [f64]) {
        let gap = date.is_nan();
        out[0] = self.elapsed(date);
        let shares = shares(if gap { self.median } else { date });
        let mut at = 1;
        for (share, _) in shares.iter().zip(self.cycles).filter(|(_, there)| *there) {
            (out[at], out[at + 1]) = (TAU * share).sin_cos();
            at += 2;
        }
        if self.flag {
            out[at] = f64::from(u8::from(gap));
        }
    }

    /// What is said of it.
    pub(super) fn describe(&self) -> String {
        let cycles: Vec<&str> = ["year", "week", "day"]
            .into_iter()
            .zip(self.cycles)
            .filter(|(_, there)| *there)
            .map(|(name, _)| name)
            .collect();
        let shares = match cycles[..] {
            [] => String::new(),
            _ => format!(" and the time of {} as sine and cosine", cycles.join(", ")),
        };
        let [first, last] = self.range.map(written);
        if (0.0..DAY).contains(&self.range[0]) && self.range[1] <= DAY {
            return format!(": times of day; inputs are the time itself{shares}; --types COL=text keeps text");
        }
        format!(
            ": dates from {first} to {last}; inputs are the days since the first{shares}; --types COL=text keeps text"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::date::{DateOrder, seconds};

    fn fit(dates: &[&str]) -> std::result::Result<(DateParts, Standardisation, Vec<f64>), &'static str> {
        let dates: Vec<f64> = dates.iter().map(|date| seconds(date, DateOrder::Ymd).unwrap_or(f64::NAN)).collect();
        let rows: Vec<usize> = (0..dates.len()).collect();
        let mut standardisation = Standardisation::default();
        let parts = DateParts::fit(&dates, Rows { rows: &rows, weights: None }, &mut standardisation)?;
        Ok((parts, standardisation, dates))
    }

    #[test]
    fn a_date_is_days_gone_by_and_what_differs_of_year_week_and_day() {
        let (parts, standardisation, dates) = fit(&["2024-01-01", "2024-01-08", "2024-07-01"]).unwrap();
        assert_eq!((parts.cycles, parts.width(), standardisation.mean.len()), ([true, false, false], 3, 1));
        assert_eq!(parts.names("d"), ["d_days", "d_year_sin", "d_year_cos"]);
        let mut out = [0.0; 3];
        parts.encode(dates[0], &mut out);
        assert_eq!(out, [0.0, 0.0, 1.0]);
        parts.encode(dates[2], &mut out);
        assert!((out[0] - 182.0).abs() < 1e-12 && (out[2] + 1.0).abs() < 1e-3, "{out:?}");
        let (parts, ..) = fit(&["2024-01-01 00:00", "2024-01-02 06:00", "2024-01-03 12:00"]).unwrap();
        assert_eq!(parts.cycles, [false, true, true]);
    }

    #[test]
    fn a_year_later_is_the_same_season_and_a_gap_is_marked() {
        let (parts, _, _) = fit(&["2021-03-01", "", "2023-03-01", "2022-07-05"]).unwrap();
        assert!(parts.flag && parts.names("d").last().is_some_and(|name| name == "d_missing"));
        let of = |date: &str| {
            let mut out = vec![0.0; parts.width()];
            parts.encode(seconds(date, DateOrder::Ymd).unwrap_or(f64::NAN), &mut out);
            out
        };
        assert!((of("2021-06-01")[1] - of("2022-06-01")[1]).abs() < 1e-12);
        assert_eq!((of("2021-06-01")[5 + usize::from(parts.cycles[2]) * 2], of("")[parts.width() - 1]), (0.0, 1.0));
    }

    #[test]
    fn a_gap_takes_the_middle_date_of_the_weights() {
        let dates = [0.0, DAY, 9.0 * DAY, f64::NAN];
        let fit = |rows: &[usize], weights: Option<&[f64]>| {
            DateParts::fit(&dates, Rows { rows, weights }, &mut Standardisation::default()).unwrap().median
        };
        assert_eq!(fit(&[0, 1, 2, 3], Some(&[1.0, 1.0, 5.0, 1.0])), fit(&[0, 1, 2, 2, 2, 2, 2, 3], None));
        assert_eq!(fit(&[0, 1, 2, 3], Some(&[1.0, 1.0, 5.0, 1.0])), 9.0 * DAY);
    }

    #[test]
    fn dates_that_say_nothing_are_left_out() {
        assert!(fit(&["2024-01-01", "2024-01-01"]).is_err());
        assert!(fit(&["", ""]).is_err());
    }
}
