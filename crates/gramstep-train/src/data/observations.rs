//! Rows that are observations of a few inputs.
//!
//! Passengers by class, age and sex, patients by days and ward: the same inputs come often, with different targets, and so
//! will those of new rows. There copies are no twins that would tell of each other, and of a few inputs none can be left
//! out. Weights that are whole numbers count such rows.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::keys::{Keyed, owners};

/// Rows of an input, in the mean, from which they are said to come again.
pub(super) const REPEATS: usize = 3;
/// Targets that come again are at most so many.
const MOST_LEVELS: usize = 20;
/// Rows that weights may count.
const MOST_COUNTED: f64 = 1e5;

/// How many rows and inputs there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Observations {
    rows: usize,
    inputs: usize,
    /// Whether weights counted the rows.
    pub(super) counted: bool,
}

impl Observations {
    /// Of rows whose inputs come three times in the mean, and with different targets for at least half of the rows; targets
    /// are levels, of which each comes with at least two inputs in the mean. `same_inputs`: the place of the first row with
    /// the inputs of each. Each row as often as it was observed.
    pub(super) fn of<'a>(
        rows: &'a [usize],
        (same_inputs, targets): (&[usize], &impl Keyed),
        weight: &dyn Fn(usize) -> f64,
    ) -> Option<(Cow<'a, [usize]>, Self)> {
        let same_targets = owners(rows, targets)?;
        let counts = counts(rows, weight);
        let mut sets: HashMap<usize, (usize, HashSet<usize>)> = HashMap::new();
        for (at, (&input, &target)) in same_inputs.iter().zip(&same_targets).enumerate() {
            let (count, levels) = sets.entry(input).or_default();
            *count += counts.as_ref().map_or(1, |counts| counts[at]);
            levels.insert(target);
        }
        let levels = same_targets.iter().enumerate().filter(|(at, first)| at == *first).count();
        let pairs: usize = sets.values().map(|(_, levels)| levels.len()).sum();
        let all: usize = sets.values().map(|(count, _)| count).sum();
        let mixed: usize = sets.values().filter(|(_, levels)| levels.len() > 1).map(|(count, _)| count).sum();
        let come_again = all >= REPEATS * sets.len() && 2 * mixed >= all;
        let found = Self { rows: all, inputs: sets.len(), counted: counts.is_some() };
        (come_again && levels <= MOST_LEVELS && 2 * levels <= pairs && all > pairs).then(|| {
            let each = counts.map(|counts| rows.iter().zip(counts).flat_map(|(&row, n)| std::iter::repeat_n(row, n)));
            (each.map_or(Cow::Borrowed(rows), |each| Cow::Owned(each.collect())), found)
        })
    }

    /// What the user should know.
    pub(crate) fn note(self) -> String {
        let by = if self.counted { ", counted by their weights," } else { "" };
        format!("{} rows{by} have {}", self.rows, note_of_inputs(self.inputs))
    }
}

/// What the user should know of that many inputs.
pub(super) fn note_of_inputs(inputs: usize) -> String {
    let seen = "scores and intervals are of inputs that were seen";
    format!("{inputs} different inputs: {seen}; --split group:COL tells of new ones")
}

/// How often each row was observed, where weights that are whole numbers say it.
fn counts(rows: &[usize], weight: &dyn Fn(usize) -> f64) -> Option<Vec<usize>> {
    let weights = || rows.iter().map(|&row| weight(row));
    let whole = weights().all(|weight| weight.fract() == 0.0) && weights().any(|weight| weight != 1.0);
    #[allow(clippy::cast_sign_loss)] // weights are above 0
    (whole && weights().sum::<f64>() <= MOST_COUNTED).then(|| weights().map(|weight| weight as usize).collect())
}

#[cfg(test)]
mod tests {
    use crate::data::copies::Distinct;
    use crate::data::keys::TableKeys;
    use crate::data::table_of;

    /// Rows, weighted by a column w where there is one.
    fn distinct(text: &str) -> Distinct {
        let table = table_of(&format!("a,c,w,y\n{text}"));
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let keys = [&["a", "c"][..], &["y"]].map(|columns| TableKeys::of(&table, &names(columns)));
        let weights = table.numbers(table.column("w").unwrap()).unwrap();
        Distinct::of(&(0..table.rows()).collect::<Vec<_>>(), (&keys[0], &keys[1]), &|row| weights[row])
    }

    fn observed(text: &str) -> Option<(usize, usize)> {
        let found = distinct(text);
        assert_eq!(found.observations.is_some(), found.copies == 0);
        found.observations.map(|found| (found.rows, found.inputs))
    }

    const MIXED: &str = "1,x,1,no\n1,x,1,yes\n1,x,1,no\n2,x,1,yes\n2,x,1,yes\n2,x,1,no\n";

    #[test]
    fn a_few_inputs_with_different_targets_are_observed() {
        assert_eq!(observed(MIXED), Some((6, 2)));
        assert_eq!(observed(&MIXED.repeat(50)), Some((300, 2)));
        assert_eq!(observed(&MIXED.repeat(5).replace("yes", "1").replace("no", "0")), Some((30, 2)));
        assert!(distinct(MIXED).note().unwrap().starts_with("6 rows have 2 different inputs"));
    }

    #[test]
    fn copies_of_a_table_in_its_file_are_no_observations() {
        // A target that follows from its inputs, few copies, and measurements at each of two inputs, all of them thrice.
        assert_eq!(observed(&"1,x,1,5\n2,x,1,6\n3,x,1,7\n".repeat(3)), None);
        assert_eq!(observed(&format!("{MIXED}{}", "3,x,1,no\n4,x,1,yes\n".repeat(4))), None);
        let measured = |i: usize| format!("{},x,1,{}\n", i % 2, (i * i) as f64 / 7.0);
        assert_eq!(observed(&(0..12).map(measured).collect::<String>().repeat(3)), None);
    }

    #[test]
    fn whole_weights_count_rows_and_others_do_not() {
        let table = "1,x,30,no\n1,x,70,yes\n2,x,20,no\n2,x,5,yes\n";
        let found = distinct(table);
        assert_eq!((found.rows.len(), found.weights.clone(), found.copies), (125, None, 0));
        assert_eq!(found.rows.iter().filter(|&&row| row == 2).count(), 20);
        assert!(found.note().unwrap().starts_with("125 rows, counted by their weights, have 2 different inputs"));
        let other = distinct(&table.replace("30", "30.5"));
        assert_eq!((other.rows.len(), other.observations), (4, None));
        // Means of that many measurements.
        assert_eq!(distinct("1,x,30,5.1\n1,x,70,4.2\n2,x,20,7.3\n2,x,5,6.4\n").observations, None);
    }
}
