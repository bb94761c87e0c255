//! The parts of the rows of a classification that are shared out each by itself.

use std::collections::HashMap;

use super::Table;
use crate::error::Result;

/// A stratum for each of some rows of a table, as in [`by_rarest`]; none where nothing is classified.
pub(super) fn strata(table: &Table, rows: &[usize], targets: &[String]) -> Result<Option<Vec<usize>>> {
    let numbers = |target: &String| {
        let column = table.require(target)?;
        let mut places: HashMap<Option<String>, usize> = HashMap::new();
        let number = |&row: &usize| {
            let next = places.len();
            *places.entry(column.text(row)).or_insert(next)
        };
        Ok(rows.iter().map(number).collect())
    };
    Ok(by_rarest(targets.iter().map(numbers).collect::<Result<Vec<_>>>()?))
}

/// A stratum for each row, numbered in the order of the rows: its class; of several targets the one of its classes that is
/// rarest, as a rare label is what a part can lack. None without targets, each of which is the number of every row's class.
pub(crate) fn by_rarest(targets: Vec<Vec<usize>>) -> Option<Vec<usize>> {
    let mut rarest: Option<Vec<(usize, usize)>> = None;
    let mut all = 0;
    for own in targets {
        let classes = own.iter().max().map_or(0, |last| last + 1);
        let mut counts = vec![0_usize; classes];
        for &class in &own {
            counts[class] += 1;
        }
        let found = own.into_iter().map(|class| (counts[class], all + class));
        rarest = Some(match rarest {
            None => found.collect(),
            Some(before) => before.into_iter().zip(found).map(|(a, b)| if b.0 < a.0 { b } else { a }).collect(),
        });
        all += classes;
    }
    rarest.map(|rarest| numbered(rarest.into_iter().map(|(_, class)| class)))
}

/// The same parts with numbers from 0 on, in the order in which they are met.
fn numbered(parts: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut places: HashMap<usize, usize> = HashMap::new();
    let number = |part| {
        let next = places.len();
        *places.entry(part).or_insert(next)
    };
    parts.map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::table_of;

    fn parts(targets: &[&str]) -> Option<Vec<usize>> {
        let table = table_of("a,b,c\n0,x,1\n0,y,1\n1,x,1\n0,y,1\n0,y,0\n0,x,1\n");
        let rows: Vec<usize> = (0..6).collect();
        strata(&table, &rows, &targets.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn one_target_has_a_stratum_a_class_and_several_that_of_the_rarest() {
        assert_eq!(parts(&[]), None);
        assert_eq!(parts(&["b"]), Some(vec![0, 1, 0, 1, 1, 0]));
        // Row 2 is the only one of `a` = 1, row 4 of `c` = 0; all others are told by `b`.
        assert_eq!(parts(&["a", "b", "c"]), Some(vec![0, 1, 2, 1, 3, 0]));
    }
}
