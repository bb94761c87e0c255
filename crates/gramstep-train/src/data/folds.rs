//! The parts of a cross-validation: every row is judged once, by a fit that has not seen it, but the only row of a class.

use std::collections::HashMap;

use gramstep::random::Purpose;

use super::permutation::permutation;
use super::strata::strata;
use super::{SplitBy, Table};
use crate::error::{Result, conflict, out_of_range};

/// One of several parts of the rows, which judges a fit of all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Fold {
    /// Its number, from 0 on.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

/// The rows of a fold and all others, both in their order: by chance, of a classification class by class, groups as a
/// whole.
///
/// # Errors
/// For more folds than there are rows or groups to fill them. Rows in the order of time have no folds: all but the last would
/// be judged by later rows.
pub(super) fn fold(
    table: &Table,
    rows: &[usize],
    (by, classes): (&SplitBy, &[String]),
    fold: Fold,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let order = permutation(rows.len(), seed, Purpose::Split, 2);
    // None: in no fold, but among the others of each.
    let mut part = vec![None; rows.len()];
    match by {
        SplitBy::Time(_) => {
            return Err(conflict("folds", format!("--split {by}"), "most rows would be judged by a fit of later ones"));
        }
        SplitBy::Group(name) => {
            let column = table.require(name)?;
            let mut groups: HashMap<Option<String>, usize> = HashMap::new();
            let mut sizes = vec![0; fold.of];
            for at in order {
                let value = column.text(rows[at]);
                // What has no group is one of its own; each goes where the fewest rows are.
                let least = (0..fold.of).min_by_key(|&part| sizes[part]).unwrap_or(0);
                let own = if value.is_some() { *groups.entry(value).or_insert(least) } else { least };
                sizes[own] += 1;
                part[at] = Some(own);
            }
        }
        SplitBy::Random => {
            let mut order = order;
            if let Some(strata) = strata(table, rows, classes)? {
                // Stable: by chance within a class; the count goes on from class to class, so that parts are as large.
                order.sort_by_key(|&at| strata[at]);
                // A fit that has not seen the only row of a class does not know the class.
                let classes = order.chunk_by(|&a, &b| strata[a] == strata[b]);
                order = classes.filter(|rows| rows.len() > 1).flatten().copied().collect();
            }
            for (count, at) in order.into_iter().enumerate() {
                part[at] = Some(count % fold.of);
            }
        }
    }
    // Each of too few rows or groups has a fold to itself.
    let filled = part.iter().flatten().max().map_or(0, |last| last + 1);
    if filled < fold.of {
        let units = by.column().map_or_else(|| "different rows".to_owned(), |name| format!("groups of `{name}`"));
        return Err(out_of_range("folds", &fold.of, &format!("at most {filled}, the number of {units}")));
    }
    let (own, others): (Vec<_>, Vec<_>) = rows.iter().zip(part).partition(|(_, part)| *part == Some(fold.number));
    let rows = |pairs: Vec<(&usize, Option<usize>)>| pairs.into_iter().map(|(&row, _)| row).collect();
    Ok((rows(own), rows(others)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::table_of;

    fn folds(text: &str, by: &str, class: Option<&str>) -> Vec<Vec<usize>> {
        let table = table_of(text);
        let rows: Vec<usize> = (0..table.rows()).collect();
        let by = by.parse().unwrap();
        let part = |number| {
            let classes: Vec<String> = class.map(str::to_owned).into_iter().collect();
            let (own, others) = fold(&table, &rows, (&by, &classes), Fold { number, of: 5 }, 3).unwrap();
            assert_eq!(own.len() + others.len(), rows.len());
            assert!(own.iter().all(|row| !others.contains(row)));
            own
        };
        (0..5).map(part).collect()
    }

    fn table(rows: usize) -> String {
        let row = |i: usize| format!("{i},{},g{}\n", ["a", "b", "b"][i % 3], i % 11);
        format!("x,c,g\n{}", (0..rows).map(row).collect::<String>())
    }

    #[test]
    fn every_row_is_in_one_fold_and_folds_are_as_large() {
        for (by, class) in [("random", None), ("random", Some("c"))] {
            let folds = folds(&table(62), by, class);
            let mut all = folds.concat();
            all.sort_unstable();
            assert_eq!(all, (0..62).collect::<Vec<_>>());
            assert!(folds.iter().all(|fold| (12..=13).contains(&fold.len())), "{folds:?}");
        }
    }

    #[test]
    fn folds_have_the_same_share_of_every_class_and_whole_groups() {
        for fold in folds(&table(60), "random", Some("c")) {
            assert_eq!(fold.iter().filter(|row| *row % 3 == 0).count(), 4);
        }
        let folds = folds(&table(110), "group:g", None);
        for group in 0..11 {
            assert_eq!(folds.iter().filter(|fold| fold.iter().any(|row| row % 11 == group)).count(), 1);
        }
    }

    #[test]
    fn the_only_row_of_a_class_learns_in_every_fold() {
        let row = |i: usize| format!("{i},{}\n", ["a", "b"][i % 2]);
        let text = format!("x,c\n{}99,rare\n", (0..20).map(row).collect::<String>());
        let folds = folds(&text, "random", Some("c"));
        assert!(folds.iter().all(|own| own.len() == 4 && !own.contains(&20)), "{folds:?}");
    }

    #[test]
    fn more_folds_than_groups_or_rows_are_refused_with_their_number() {
        let rows: Vec<usize> = (0..22).collect();
        let refused = |text: &str, rows: &[usize], by: &str, of: usize| {
            let found = fold(&table_of(text), rows, (&by.parse().unwrap(), &[]), Fold { number: 0, of }, 0);
            found.err().filter(crate::Error::is_usage).map(|error| error.to_string())
        };
        let told = refused(&table(22), &rows, "group:g", 12).unwrap();
        assert!(told.contains("at most 11") && told.contains("groups of `g`"), "{told}");
        assert_eq!(refused(&table(22), &rows, "group:g", 11), None);
        assert!(refused(&table(22), &rows[..4], "random", 5).unwrap().contains("at most 4"));
        assert_eq!(refused(&table(22), &rows[..4], "random", 4), None);
        // What has no group is one of its own.
        assert_eq!(refused("x,g\n1,a\n2,\n3,\n4,a\n", &[0, 1, 2, 3], "group:g", 3), None);
    }

    #[test]
    fn the_order_of_time_has_no_folds() {
        let table = table_of("t,y\n1,1\n2,2\n");
        let of = fold(&table, &[0, 1], (&SplitBy::Time("t".to_owned()), &[]), Fold { number: 0, of: 2 }, 0);
        assert!(of.is_err_and(|error| error.is_usage()));
    }
}
