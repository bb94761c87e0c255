//! The ways to share out rows: classes by themselves, in the order of time, groups as a whole.

use std::collections::HashMap;

use gramstep::random::Purpose;

use super::permutation::permutation;
use super::split::Sizes;
use super::strata::strata;
use super::{Cells, Split, SplitBy, Table};
use crate::error::{Error, Result};

/// Stretches into which the validation rows of a split by time are cut.
const STRETCHES: usize = 5;

/// The rows of a table shared out among training, validation and test by shares of all rows; `classes` are the targets of
/// a classification.
pub(super) fn share_out(
    table: &Table,
    rows: &[usize],
    by: &SplitBy,
    classes: &[String],
    (test, validation): (f64, f64),
    seed: u64,
    notes: &mut Vec<String>,
) -> Result<Split> {
    let origin = table.origin();
    let sizes = Split::sizes(origin, rows.len(), test, validation)?;
    match by {
        SplitBy::Random => match strata(table, rows, classes)? {
            Some(strata) => {
                let split = stratified(rows, &strata, sizes, seed);
                let asked = sizes.test + sizes.validation;
                let got = split.test.len() + split.validation.len();
                if got < asked {
                    notes.push(format!("{origin}: {} rows of rare classes stay in training", asked - got));
                }
                Ok(split)
            }
            None => Split::new(origin, rows, test, validation, seed),
        },
        SplitBy::Time(name) => in_time(table, rows, name, sizes, notes),
        SplitBy::Group(name) => in_groups(table, rows, name, sizes, seed, notes),
    }
}

/// The rows of each stratum shared out by themselves, by shares of all rows.
///
/// # Errors
/// Those of [`Split::new`].
pub(crate) fn by_strata(
    origin: &str,
    (rows, strata): (&[usize], &[usize]),
    (test, validation): (f64, f64),
    seed: u64,
) -> Result<Split> {
    Ok(stratified(rows, strata, Split::sizes(origin, rows.len(), test, validation)?, seed))
}

/// Each stratum is shared out by itself, as nearly as whole rows allow; every one keeps a training row.
fn stratified(rows: &[usize], strata: &[usize], sizes: Sizes, seed: u64) -> Split {
    let order = permutation(rows.len(), seed, Purpose::Split, 0);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); strata.iter().max().map_or(0, |last| last + 1)];
    for &at in &order {
        members[strata[at]].push(at);
    }
    let spare: Vec<usize> = members.iter().map(|members| members.len() - 1).collect();
    let counts: Vec<usize> = members.iter().map(Vec::len).collect();
    let test = quotas(&counts, &spare, sizes.test);
    let left: Vec<usize> = spare.iter().zip(&test).map(|(spare, test)| spare - test).collect();
    let validation = quotas(&counts, &left, sizes.validation);
    let mut split = Split { train: Vec::new(), validation: Vec::new(), test: Vec::new() };
    let mut part = vec![0; rows.len()];
    for ((members, &test), &validation) in members.iter().zip(&test).zip(&validation) {
        members[..test].iter().for_each(|&at| part[at] = 2);
        members[test..test + validation].iter().for_each(|&at| part[at] = 1);
    }
    for at in order {
        let rows_of = [&mut split.train, &mut split.validation, &mut split.test];
        rows_of[part[at]].push(rows[at]);
    }
    split
}

/// That number of `all` rows, in proportion to the classes' rows and at most `most` of each: by largest remainders.
fn quotas(counts: &[usize], most: &[usize], wanted: usize) -> Vec<usize> {
    let all: usize = counts.iter().sum();
    let exact = |class: usize| wanted as f64 * counts[class] as f64 / all as f64;
    #[allow(clippy::cast_sign_loss)] // a count
    let mut quotas: Vec<usize> =
        (0..counts.len()).map(|class| (exact(class).floor() as usize).min(most[class])).collect();
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by(|&a, &b| (exact(b) - quotas[b] as f64).total_cmp(&(exact(a) - quotas[a] as f64)));
    let mut open = wanted.saturating_sub(quotas.iter().sum());
    while open > 0 {
        let before = open;
        for &class in &order {
            if open > 0 && quotas[class] < most[class] {
                quotas[class] += 1;
                open -= 1;
            }
        }
        if before == open {
            break;
        }
    }
    quotas
}

/// The last rows are for the test, those before them for validation; rows without a time are for training. Rows of one
/// time are in one part.
fn in_time(table: &Table, rows: &[usize], name: &str, sizes: Sizes, notes: &mut Vec<String>) -> Result<Split> {
    let column = table.require(name)?;
    let times = match &column.cells {
        Cells::Dates(dates) => dates.as_slice(),
        _ => table.numbers(column)?,
    };
    let mut order = rows.to_vec();
    // Those without a time come first; equal times stay in the order of the file.
    order.sort_by(|&a, &b| times[b].is_nan().cmp(&times[a].is_nan()).then(times[a].total_cmp(&times[b])));
    let without = order.iter().filter(|&&row| times[row].is_nan()).count();
    if without > 0 {
        notes.push(format!("{}: `{name}`: {without} rows without a time are for training", table.origin()));
    }
    let cut = |order: &mut Vec<usize>, size: usize, before: usize| -> Result<Vec<usize>> {
        if size == 0 {
            return Ok(Vec::new());
        }
        let border = border(order, times, (order.len() - size, before)).ok_or_else(|| {
            let purpose = format!("parts that follow each other: too many rows have the same `{name}`");
            Error::TooFewRows { origin: table.origin().to_owned(), rows: rows.len(), purpose }
        })?;
        Ok(order.split_off(border))
    };
    let test = cut(&mut order, sizes.test, usize::from(sizes.validation > 0))?;
    let validation = cut(&mut order, sizes.validation, 0)?;
    Ok(Split { train: order, validation, test })
}

/// The place nearest to `at` where a later time begins, with at least `before` such places before it; a moment belongs
/// to one part as a whole.
fn border(order: &[usize], times: &[f64], (at, before): (usize, usize)) -> Option<usize> {
    let borders = (1..order.len()).filter(|&i| times[order[i - 1]] != times[order[i]] && !times[order[i]].is_nan());
    borders.skip(before).min_by_key(|i| i.abs_diff(at))
}

/// The sets of rows of one part that are more alike than by chance, as a number for every row: groups, or stretches of
/// time. None where chance shared them out.
pub(super) fn sets(table: &Table, rows: &[usize], by: &SplitBy) -> Result<Option<Vec<usize>>> {
    Ok(match by {
        SplitBy::Random => None,
        SplitBy::Time(_) => Some((0..rows.len()).map(|at| at * STRETCHES / rows.len()).collect()),
        SplitBy::Group(name) => Some(groups_of(table, rows, name)?),
    })
}

/// The number of each row's group, counted as they come; what has no group is one of its own.
fn groups_of(table: &Table, rows: &[usize], name: &str) -> Result<Vec<usize>> {
    let column = table.require(name)?;
    let (mut numbers, mut count): (HashMap<String, usize>, usize) = (HashMap::new(), 0);
    let of = |&row: &usize| {
        let number = column.text(row).map_or(count, |group| *numbers.entry(group).or_insert(count));
        count = count.max(number + 1);
        number
    };
    Ok(rows.iter().map(of).collect())
}

/// Whole groups, in a seeded order, until their rows are enough.
fn in_groups(
    table: &Table,
    rows: &[usize],
    name: &str,
    sizes: Sizes,
    seed: u64,
    notes: &mut Vec<String>,
) -> Result<Split> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (&row, group) in rows.iter().zip(groups_of(table, rows, name)?) {
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(row);
    }
    let parts = 1 + usize::from(sizes.test > 0) + usize::from(sizes.validation > 0);
    if groups.len() < parts {
        let purpose = format!("{parts} parts: `{name}` has {} groups", groups.len());
        return Err(Error::TooFewRows { origin: table.origin().to_owned(), rows: rows.len(), purpose });
    }
    let order = permutation(groups.len(), seed, Purpose::Split, 0);
    let mut left = order.into_iter();
    let mut reserve = parts - 1;
    let mut take = |wanted: usize| {
        let mut part: Vec<usize> = Vec::new();
        if wanted > 0 {
            // Groups that the parts after this one need are left.
            while part.len() < wanted && left.len() > reserve {
                part.extend(left.next().into_iter().flat_map(|group| groups[group].iter().copied()));
            }
            reserve -= 1;
        }
        part
    };
    let (test, validation) = (take(sizes.test), take(sizes.validation));
    let train: Vec<usize> = left.flat_map(|group| groups[group].iter().copied()).collect();
    notes.push(format!(
        "{}: {} groups by `{name}` stay together: {} rows for training, {} for validation, {} for the \
         test; `{name}` is no input",
        table.origin(),
        groups.len(),
        train.len(),
        validation.len(),
        test.len()
    ));
    Ok(Split { train, validation, test })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::table_of;

    fn shares(table: &Table, by: &str, class: Option<&str>, seed: u64) -> Result<Split> {
        let rows: Vec<usize> = (0..table.rows()).collect();
        let classes: Vec<String> = class.map(str::to_owned).into_iter().collect();
        share_out(table, &rows, &by.parse()?, &classes, (0.2, 0.2), seed, &mut Vec::new())
    }

    fn all(split: &Split) -> Vec<usize> {
        let mut all = [split.train.clone(), split.validation.clone(), split.test.clone()].concat();
        all.sort_unstable();
        all
    }

    #[test]
    fn classes_have_the_same_shares_in_every_part_and_a_rare_one_is_in_training() {
        let text = (0..200).map(|i| format!("{i},{}\n", ["r", "g", "g", "b"][i % 4])).collect::<Vec<_>>().concat();
        let table = table_of(&format!("a,c\n{text}0,v\n"));
        let column = table.column("c").unwrap();
        for seed in 0..5 {
            let split = shares(&table, "random", Some("c"), seed).unwrap();
            assert_eq!(all(&split), (0..201).collect::<Vec<_>>());
            let count = |rows: &[usize], class: &str| {
                rows.iter().filter(|&&row| column.text(row).as_deref() == Some(class)).count()
            };
            assert_eq!((split.test.len(), split.validation.len()), (40, 40));
            for (class, tenth) in [("r", 10), ("g", 20), ("b", 10)] {
                assert_eq!([count(&split.test, class), count(&split.validation, class)], [tenth; 2], "{class}");
            }
            assert_eq!(count(&split.train, "v"), 1);
        }
    }

    #[test]
    fn every_class_has_a_training_row_however_many_there_are() {
        let text = (0..30).map(|i| format!("{i},k{}\n", i / 2)).collect::<Vec<_>>().concat();
        let table = table_of(&format!("a,c\n{text}"));
        let split = shares(&table, "random", Some("c"), 3).unwrap();
        let classes: std::collections::HashSet<_> =
            split.train.iter().map(|&row| table.column("c").unwrap().text(row)).collect();
        assert_eq!((classes.len(), all(&split).len()), (15, 30));
    }

    #[test]
    fn the_last_rows_in_time_are_the_test_rows() {
        let text = (0..50).map(|i| format!("2024-01-{:02},{i}\n", (i * 7) % 25 + 1)).collect::<Vec<_>>().concat();
        let table = table_of(&format!("d,y\n{text}"));
        let Cells::Dates(dates) = &table.column("d").unwrap().cells else { panic!("dates") };
        let split = shares(&table, "time:d", None, 0).unwrap();
        let latest = |rows: &[usize]| rows.iter().map(|&row| dates[row]).fold(f64::NEG_INFINITY, f64::max);
        let earliest = |rows: &[usize]| rows.iter().map(|&row| dates[row]).fold(f64::INFINITY, f64::min);
        assert!(
            latest(&split.train) <= earliest(&split.validation) && latest(&split.validation) <= earliest(&split.test)
        );
        assert_eq!((all(&split).len(), split.test.len(), split.validation.len()), (50, 10, 10));
        assert!(shares(&table, "time:z", None, 0).is_err());
    }

    #[test]
    fn rows_of_one_time_are_in_one_part() {
        let parts = |years: &[u32]| {
            let text = years.iter().enumerate().map(|(i, year)| format!("{year},{i}\n")).collect::<Vec<_>>().concat();
            let table = table_of(&format!("year,y\n{text}"));
            shares(&table, "time:year", None, 0).map(|split| {
                let of = |rows: &[usize]| rows.iter().map(|&row| years[row]).collect::<std::collections::BTreeSet<_>>();
                [of(&split.train), of(&split.validation), of(&split.test)]
            })
        };
        let panel: Vec<u32> = (0..60).map(|i| 2000 + i % 6).collect();
        let [train, validation, test] = parts(&panel).unwrap();
        assert_eq!((train.len(), validation.len(), test.len()), (4, 1, 1));
        assert!(train.is_disjoint(&validation) && validation.is_disjoint(&test) && train.last() < validation.first());
        let [train, validation, test] = parts(&[vec![1; 50], vec![2; 3], vec![3; 7]].concat()).unwrap();
        assert_eq!([train, validation, test].map(|part| part.into_iter().collect::<Vec<_>>()), [[1], [2], [3]]);
        for years in [vec![1; 60], [vec![1; 30], vec![2; 30]].concat()] {
            assert!(parts(&years).unwrap_err().to_string().contains("the same `year`"));
        }
    }

    #[test]
    fn groups_stay_together() {
        let text = (0..60).map(|i| format!("0{},{i}\n", i % 12)).collect::<Vec<_>>().concat();
        let table = table_of(&format!("g,y\n{text}"));
        for seed in 0..4 {
            let split = shares(&table, "group:g", None, seed).unwrap();
            let groups = |rows: &[usize]| rows.iter().map(|row| row % 12).collect::<std::collections::BTreeSet<_>>();
            let (a, b, c) = (groups(&split.train), groups(&split.validation), groups(&split.test));
            assert!(a.is_disjoint(&b) && a.is_disjoint(&c) && b.is_disjoint(&c));
            assert_eq!((all(&split).len(), split.test.len(), split.validation.len()), (60, 15, 15));
        }
        assert!(shares(&table_of("g,y\nx,1\nx,2\nx,3\nx,4\nx,5\nx,6\n"), "group:g", None, 0).is_err());
    }
}
