//! Rows of a classification that differ in their class alone.
//!
//! Where copies were joined, or weights count them, inputs come again, and their classes may differ: (k, no) 7 times and
//! (k, yes) 3 times are two rows. If one were learned from and the other judged, each would be told wrong for certain; so rows with the same
//! inputs are on one side of every split.

use std::collections::{HashMap, HashSet};

use super::keys::{Keyed, TableKeys, bits, owners};
use super::observations::{REPEATS, note_of_inputs};
use super::{Cells, Column, Table};

/// A number of so many values or fewer may be a level.
const MOST_LEVELS: usize = 20;

/// Rows by their inputs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alike {
    /// The rows of each input, in the order of their first rows.
    sets: Vec<Vec<usize>>,
}

impl Alike {
    /// By keys of inputs alone.
    pub(crate) fn new(rows: &[usize], inputs: &impl Keyed) -> Self {
        let Some(owners) = owners(rows, inputs) else { return Self::apart(rows) };
        let mut place = vec![0; rows.len()];
        let mut sets: Vec<Vec<usize>> = Vec::new();
        for (at, &owner) in owners.iter().enumerate() {
            if owner == at {
                place[at] = sets.len();
                sets.push(Vec::new());
            }
            sets[place[owner]].push(rows[at]);
        }
        Self { sets }
    }

    /// Each row by itself.
    pub(crate) fn apart(rows: &[usize]) -> Self {
        Self { sets: rows.iter().map(|&row| vec![row]).collect() }
    }

    /// The first row of each set.
    pub(crate) fn firsts(&self) -> Vec<usize> {
        self.sets.iter().map(|set| set[0]).collect()
    }

    /// All rows of the sets of these first rows, those of a set one after the other.
    pub(crate) fn whole(&self, firsts: &[usize]) -> Vec<usize> {
        let places: HashMap<usize, usize> = self.sets.iter().enumerate().map(|(place, set)| (set[0], place)).collect();
        firsts.iter().flat_map(|first| self.sets[places[first]].iter().copied()).collect()
    }

    /// What the user should know of a regression in which most inputs come again with other targets, where they are not a
    /// few levels: measurements of the same patient, days of the same shop.
    pub(crate) fn note_of_repeats(rows: &[usize], inputs: &TableKeys<'_>, table: &Table) -> Option<String> {
        let owners = owners(rows, inputs)?;
        let firsts: Vec<usize> = (0..rows.len()).filter(|&at| owners[at] == at).map(|at| rows[at]).collect();
        let has_many_values = |column: &&Column| match &column.cells {
            Cells::Numbers(values) => {
                firsts.iter().map(|&row| bits(values[row])).collect::<HashSet<u64>>().len() > MOST_LEVELS
            }
            Cells::Dates(_) | Cells::Text(_) | Cells::Images(_) => false,
        };
        let repeated = rows.len() >= REPEATS * firsts.len() && inputs.columns().iter().any(has_many_values);
        repeated.then(|| format!("{}: {} rows have {}", table.origin(), rows.len(), note_of_inputs(firsts.len())))
    }

    /// What the user should know.
    pub(crate) fn note(&self) -> Option<String> {
        let several = self.sets.iter().filter(|set| set.len() > 1).count();
        let sets = if several == 1 { "set of inputs comes" } else { "sets of inputs come" };
        let what = "are learned from or judged together, as inputs that were not seen";
        (several > 0).then(|| format!("{several} {sets} with several classes: their rows {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::keys::TableKeys;
    use crate::data::table_of;

    #[test]
    fn rows_with_the_same_inputs_are_a_set() {
        let table = table_of("a,b,c\n1,x,no\n2,x,no\n1,x,yes\n1,z,no\n2,x,yes\n2,x,perhaps\n");
        let alike = Alike::new(&[0, 1, 2, 3, 4, 5], &TableKeys::without(&table, &["c".to_owned()]));
        assert_eq!(alike.firsts(), [0, 1, 3]);
        assert_eq!(alike.whole(&[3, 1]), [3, 1, 4, 5]);
        assert!(alike.note().unwrap().starts_with("2 sets of inputs come with several classes"));
        let apart = Alike::new(&[3, 0, 1], &TableKeys::without(&table, &["c".to_owned()]));
        assert_eq!((apart.firsts(), apart.note()), (vec![3, 0, 1], None));
        assert_eq!(apart, Alike::apart(&[3, 0, 1]));
    }

    #[test]
    fn measurements_of_the_same_are_said_and_levels_are_not() {
        let note = |text: &str| {
            let table = table_of(text);
            let keys = TableKeys::without(&table, &["y".to_owned()]);
            Alike::note_of_repeats(&(0..table.rows()).collect::<Vec<_>>(), &keys, &table)
        };
        let of =
            |different: usize| (0..90).map(|i| format!("{}.5,a,{i}\n", i % different)).collect::<Vec<_>>().concat();
        let told = note(&format!("u,v,y\n{}", of(30)));
        assert!(told.unwrap().contains("90 rows have 30 different inputs"));
        assert_eq!(note(&format!("u,v,y\n{}", of(45))), None, "twice each");
        assert_eq!(note(&format!("u,v,y\n{}", of(10))), None, "ten levels");
    }
}
