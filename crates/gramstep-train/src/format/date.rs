//! How dates and times are written, and the seconds that they are.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The order of day, month and year in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DateOrder {
    /// 2024-05-31, also 20240531.
    Ymd,
    /// 31.05.2024, 31/5/24.
    Dmy,
    /// 05/31/2024.
    Mdy,
}

impl DateOrder {
    pub(crate) const ALL: [Self; 3] = [Self::Ymd, Self::Dmy, Self::Mdy];
}

impl fmt::Display for DateOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ymd => "ymd",
            Self::Dmy => "dmy",
            Self::Mdy => "mdy",
        })
    }
}

/// A set of orders: those in which a cell, or every cell of a column, is a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Orders(u8);

impl Orders {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self(0b111);

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn contains(self, order: DateOrder) -> bool {
        self.0 & (1 << order as u8) != 0
    }

    /// Whether a cell of these orders is another day with day and month changed over.
    pub(crate) fn can_be_turned(self, cell: &str) -> bool {
        self.contains(DateOrder::Dmy)
            && self.contains(DateOrder::Mdy)
            && seconds(cell, DateOrder::Dmy) != seconds(cell, DateOrder::Mdy)
    }

    /// The orders in which a trimmed cell is a date; all of them where its numbers are told apart by themselves.
    pub(crate) fn of(cell: &str) -> Self {
        let orders = DateOrder::ALL.into_iter().filter(|&order| seconds(cell, order).is_some());
        orders.fold(Self::NONE, |set, order| Self(set.0 | 1 << order as u8))
    }
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const DAY: f64 = 86_400.0;

/// Seconds from 1970-01-01 00:00, UTC where the cell says an offset; none of a cell that is no date in this order.
///
/// A year has four digits, or two (1969 to 2068) at the end; without a day it is the first of the month. A time of day
/// without a date is one of 1970-01-01.
pub(crate) fn seconds(cell: &str, order: DateOrder) -> Option<f64> {
    let (date, time) = parts(cell);
    if date.contains(':') {
        return seconds_of_day(date);
    }
    let [year, month, day] = calendar(date, order)?;
    let time = if time.is_empty() { Some(0.0) } else { seconds_of_day(time) };
    Some(days(year, month, day)? as f64 * DAY + time?)
}

/// Whether a cell is digits alone that are a date of the 20th or 21st century: 20240531.
pub(crate) fn is_stamp(cell: &str) -> bool {
    let of_a_century = cell.starts_with("19") || cell.starts_with("20");
    of_a_century && cell.len() == 8 && !cell.contains(':') && seconds(cell, DateOrder::Ymd).is_some()
}

/// The date and, after `T` or a space before a time with a colon, the time.
fn parts(cell: &str) -> (&str, &str) {
    let Some(colon) = cell.find(':') else { return (cell, "") };
    let at = cell[..colon].rfind(['T', ' ']);
    at.map_or((cell, ""), |at| (cell[..at].trim_end().trim_end_matches(','), &cell[at + 1..]))
}

/// Year, month and day.
fn calendar(date: &str, order: DateOrder) -> Option<[i64; 3]> {
    if !date.is_ascii() {
        return None;
    }
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if date.len() == 8 && digits(date) && order == DateOrder::Ymd {
        return Some([date[..4].parse().ok()?, date[4..6].parse().ok()?, date[6..].parse().ok()?]);
    }
    if date.len() == 4 && digits(date) && order == DateOrder::Ymd {
        return Some([date.parse().ok()?, 1, 1]);
    }
    let separator = date.chars().find(|c| !c.is_ascii_alphanumeric())?;
    if !matches!(separator, '-' | '/' | '.' | ' ' | ',') {
        return None;
    }
    let tokens: Vec<&str> = if date.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        date.split(|c: char| !c.is_ascii_alphanumeric()).filter(|token| !token.is_empty()).collect()
    } else {
        date.split(separator).collect()
    };
    if tokens.iter().any(|token| token.is_empty() || token.len() > 9) {
        return None;
    }
    let number = |text: &str, most: usize| text.parse::<i64>().ok().filter(|_| digits(text) && text.len() <= most);
    match tokens[..] {
        [first, second] if first.len() == 4 && separator != '.' => Some([number(first, 4)?, number(second, 2)?, 1]),
        [first, second] if second.len() == 4 && separator == '/' => Some([number(second, 4)?, number(first, 2)?, 1]),
        [a, b, c] => {
            if let Some(month) = month(b) {
                return if a.len() == 4 {
                    Some([number(a, 4)?, month, number(c, 2)?])
                } else {
                    Some([year(c)?, month, number(a, 2)?])
                };
            }
            if let Some(month) = month(a) {
                return Some([year(c)?, month, number(b, 2)?]);
            }
            match order {
                DateOrder::Ymd if a.len() == 4 => Some([number(a, 4)?, number(b, 2)?, number(c, 2)?]),
                DateOrder::Dmy => Some([year(c)?, number(b, 2)?, number(a, 2)?]),
                DateOrder::Mdy if separator != '.' => Some([year(c)?, number(a, 2)?, number(b, 2)?]),
                DateOrder::Ymd | DateOrder::Mdy => None,
            }
        }
        _ => None,
    }
}

/// A year of four digits, or of two.
fn year(text: &str) -> Option<i64> {
    let year: i64 = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    match text.len() {
        4 => Some(year),
        2 => Some(if year < 69 { 2000 + year } else { 1900 + year }),
        _ => None,
    }
}

/// The number of a month by its name, or by three letters or more of it.
fn month(text: &str) -> Option<i64> {
    let text = text.to_ascii_lowercase();
    (1..).zip(MONTHS).find(|(_, name)| text.len() >= 3 && name.starts_with(&text)).map(|(number, _)| number)
}

/// Seconds since midnight of `15:04`, `15:04:05.678`, `3:04 PM`, with `Z`, `UTC` or `+01:00` after it.
fn seconds_of_day(time: &str) -> Option<f64> {
    let (time, offset) = without_offset(time.trim())?;
    let (time, half) = match time.to_ascii_lowercase() {
        lower if lower.ends_with("am") => (time[..time.len() - 2].trim_end(), Some(0.0)),
        lower if lower.ends_with("pm") => (time[..time.len() - 2].trim_end(), Some(12.0)),
        _ => (time, None),
    };
    let mut tokens = time.split(':');
    let two = |text: Option<&str>, most: f64| {
        let text =
            text.filter(|text| (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()))?;
        text.parse::<f64>().ok().filter(|value| *value <= most)
    };
    let (hour, minute) = (two(tokens.next(), 24.0)?, tokens.next().filter(|text| text.len() == 2));
    let minute = two(minute, 59.0)?;
    let second = match tokens.next() {
        Some(text) if text.starts_with(|c: char| c.is_ascii_digit()) => {
            text.replace(',', ".").parse::<f64>().ok().filter(|value| (0.0..61.0).contains(value))?
        }
        Some(_) => return None,
        None => 0.0,
    };
    let hour = half.map_or(hour, |half| hour % 12.0 + half);
    tokens.next().is_none().then_some(3600.0 * hour + 60.0 * minute + second - offset)
}

/// A time without its offset, and that in seconds.
fn without_offset(time: &str) -> Option<(&str, f64)> {
    for zero in ["Z", "z", "UTC", "GMT"] {
        if let Some(time) = time.strip_suffix(zero) {
            return Some((time.trim_end(), 0.0));
        }
    }
    let Some(at) = time.rfind(['+', '-']) else { return Some((time, 0.0)) };
    let digits: String = time[at + 1..].chars().filter(|c| *c != ':').collect();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || ![2, 4].contains(&digits.len()) {
        return None;
    }
    let (hours, minutes) = digits.split_at(2);
    let size = 3600.0 * hours.parse::<f64>().ok()? + 60.0 * minutes.parse().unwrap_or(0.0);
    Some((time[..at].trim_end(), if time.as_bytes()[at] == b'-' { -size } else { size }))
}

/// Days from 1970-01-01 of the Gregorian calendar; none where there is no such day.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    // Years begin with March, so that the day of the leap year is the last one.
    let shifted = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    (1..=length).contains(&day).then_some(era * 146_097 + 365 * of_era + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// A day as it is written: `2024-05-31`.
pub(crate) fn written(seconds: f64) -> String {
    let (year, month, day) = civil((seconds / DAY).floor() as i64);
    format!("{year:04}-{:02}-{:02}", month + 1, day + 1)
}

/// Year, month and day, both counted from 0, of a number of days from 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let began = shifted.div_euclid(146_097) * 400 + year;
    (began + i64::from(month > 9), (month + 2) % 12, of_year - (153 * month + 2) / 5)
}

/// How far the year, the week (from Monday) and the day have gone at a time, as shares of them.
pub(crate) fn shares(seconds: f64) -> [f64; 3] {
    let day = (seconds / DAY).floor();
    let of_day = seconds / DAY - day;
    let (year, _, _) = civil(day as i64);
    let first = days(year, 1, 1).map_or(0.0, |day| day as f64);
    let length = if days(year, 2, 29).is_some() { 366.0 } else { 365.0 };
    [(day - first + of_day) / length, ((day + 3.0).rem_euclid(7.0) + of_day) / 7.0, of_day]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_number_of_days_and_back() {
        assert_eq!((days(1970, 1, 1), days(2000, 3, 1), days(1900, 2, 29)), (Some(0), Some(11_017), None));
        for day in (-800_000..800_000).step_by(997) {
            let (year, month, of_month) = civil(day);
            assert_eq!(days(year, month + 1, of_month + 1), Some(day));
        }
        assert_eq!((written(0.0), written(19_846.0 * DAY + 5.0)), ("1970-01-01".to_owned(), "2024-05-03".to_owned()));
    }

    #[test]
    fn dates_are_read_in_the_ways_that_people_write_them() {
        let day = |cell, order| seconds(cell, order).map(|seconds| seconds / DAY);
        let expected = days(2024, 5, 3).map(|days| days as f64);
        for cell in ["2024-05-03", "2024/5/3", "20240503", "2024.05.03"] {
            assert_eq!(day(cell, DateOrder::Ymd), expected, "{cell}");
        }
        for cell in ["3.5.2024", "03/05/2024", "3-5-24", "3 May 2024", "03-May-2024", "May 3, 2024", "3 MAY 24"] {
            assert_eq!(day(cell, DateOrder::Dmy), expected, "{cell}");
        }
        assert_eq!(day("5/3/2024", DateOrder::Mdy), expected);
        assert_eq!(day("2024-05", DateOrder::Ymd), expected.map(|day| day - 2.0));
        assert_eq!(day("2024", DateOrder::Ymd), expected.map(|day| day - 123.0));
        for cell in
            ["2024-13-01", "2023-02-29", "1.2.3", "12", "1-2", "32/01/2024", "x", "", "2024-05-03x", "a b c", "10-12-1"]
        {
            assert!(Orders::of(cell).is_empty(), "{cell}");
        }
    }

    #[test]
    fn times_and_offsets_are_read() {
        let at = |cell| seconds(cell, DateOrder::Ymd).map(|seconds| seconds - 19_846.0 * DAY);
        for (cell, expected) in [
            ("2024-05-03 15:04", 54_240.0),
            ("2024-05-03T15:04:05", 54_245.0),
            ("2024-05-03T15:04:05.5Z", 54_245.5),
            ("2024-05-03 16:04+01:00", 54_240.0),
            ("2024-05-03 10:04:00-0500", 54_240.0),
            ("2024-05-03, 3:04 PM", 54_240.0),
            ("2024-05-03 12:04 am", 240.0),
            ("15:04", 54_240.0 - 19_846.0 * DAY),
            ("3:04:05 pm", 54_245.0 - 19_846.0 * DAY),
        ] {
            assert_eq!(at(cell), Some(expected), "{cell}");
        }
        for cell in ["2024-05-03 25:00", "2024-05-03 12:60", "2024-05-03 12:00:xx", "16:9", "4:3", "a:30", "90:15"] {
            assert_eq!(at(cell), None, "{cell}");
        }
    }

    #[test]
    fn a_time_is_a_share_of_its_year_week_and_day() {
        let at = |cell| shares(seconds(cell, DateOrder::Ymd).unwrap());
        assert_eq!(at("2024-01-01"), [0.0, 0.0, 0.0]);
        assert_eq!(at("2023-12-31 12:00"), [364.5 / 365.0, 6.5 / 7.0, 0.5]);
        assert_eq!(at("1969-12-31 06:00")[2], 0.25);
    }

    #[test]
    fn the_order_is_known_by_a_day_beyond_the_twelfth() {
        let orders =
            |cell| DateOrder::ALL.into_iter().filter(|&order| Orders::of(cell).contains(order)).collect::<Vec<_>>();
        assert_eq!(orders("03/05/2024"), [DateOrder::Dmy, DateOrder::Mdy]);
        assert_eq!(orders("31/05/2024"), [DateOrder::Dmy]);
        assert_eq!(orders("05/31/2024"), [DateOrder::Mdy]);
        assert_eq!(orders("3.5.2024"), [DateOrder::Dmy]);
        assert_eq!(orders("3 May 2024").len(), 3);
    }
}
