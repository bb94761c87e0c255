//! Rows that are observations of a few inputs.
//!
//! Passengers by class, age and sex, patients by days and ward: the same inputs come often, with different targets, and so
//! will those of new rows. There copies are no twins that would tell of each other, and of a few inputs none can be left
//! out. Weights that are whole numbers count such rows.

use std::collections::{HashMap, HashSet};

use super::keys::{Keyed, owners};

/// Rows of an input, in the mean, from which they are said to come again.
pub(super) const REPEATS: usize = 3;
/// Targets that come again are at most so many.
const MOST_LEVELS: usize = 20;
/// Rows up to which each is learned from; beyond, those of a pair of input and target are fewer rows of more weight.
const MOST: usize = 10_000;
/// But of no pair fewer than these.
const LEAST_OF_A_PAIR: usize = 20;

/// How many rows and inputs there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Observations {
    rows: usize,
    inputs: usize,
    /// Whether weights counted the rows.
    counted: bool,
}

/// All rows of an input and a target.
#[derive(Default)]
struct Pair {
    rows: Vec<usize>,
    weight: f64,
    /// How often it was observed.
    count: usize,
}

impl Observations {
    /// Of rows whose inputs come three times in the mean, and with different targets for at least half of the rows; targets
    /// are levels, of which each comes with at least two inputs in the mean. `same_inputs`: the place of the first row with
    /// the inputs of each. Returns the rows to learn from, some of them several times, and their weights.
    pub(super) fn of(
        rows: &[usize],
        (same_inputs, targets): (&[usize], &impl Keyed),
        weight: &dyn Fn(usize) -> f64,
    ) -> Option<(Vec<usize>, Vec<f64>, Self)> {
        let same_targets = owners(rows, targets)?;
        let counted = are_counts(rows, weight);
        let mut pairs: HashMap<(usize, usize), Pair> = HashMap::new();
        for (&row, key) in rows.iter().zip(same_inputs.iter().copied().zip(same_targets.iter().copied())) {
            let pair = pairs.entry(key).or_default();
            pair.rows.push(row);
            pair.weight += weight(row);
            #[allow(clippy::cast_sign_loss)] // weights are above 0
            let count = if counted { weight(row) as usize } else { 1 };
            pair.count += count;
        }
        let mut inputs: HashMap<usize, (usize, usize)> = HashMap::new();
        for ((input, _), pair) in &pairs {
            let (count, levels) = inputs.entry(*input).or_default();
            (*count, *levels) = (*count + pair.count, *levels + 1);
        }
        let all: usize = inputs.values().map(|(count, _)| count).sum();
        let mixed: usize = inputs.values().filter(|(_, levels)| *levels > 1).map(|(count, _)| count).sum();
        let levels = same_targets.iter().collect::<HashSet<_>>().len();
        let come_again = all > pairs.len() && all >= REPEATS * inputs.len() && 2 * mixed >= all;
        if !come_again || levels > MOST_LEVELS || 2 * levels > pairs.len() {
            return None;
        }
        let most = most_of_a_pair(pairs.values().map(|pair| pair.count).collect());
        let learned = |pair: &Pair| {
            let count = pair.count.min(most);
            let weight = pair.weight / count as f64;
            pair.rows.iter().cycle().take(count).map(move |&row| (row, weight)).collect::<Vec<_>>()
        };
        let mut learned: Vec<(usize, f64)> = pairs.values().flat_map(learned).collect();
        learned.sort_by_key(|&(row, _)| row);
        let (rows, weights) = learned.into_iter().unzip();
        Some((rows, weights, Self { rows: all, inputs: inputs.len(), counted }))
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

/// Whether weights are whole numbers, and not all 1.
fn are_counts(rows: &[usize], weight: &dyn Fn(usize) -> f64) -> bool {
    let mut weights = rows.iter().map(|&row| weight(row));
    weights.clone().any(|weight| weight != 1.0) && weights.all(|weight| weight.fract() == 0.0)
}

/// The number of rows of a pair that keeps all rows at [`MOST`], or nearly so.
fn most_of_a_pair(mut counts: Vec<usize>) -> usize {
    counts.sort_unstable();
    let mut left = MOST;
    for (at, &count) in counts.iter().enumerate() {
        let share = left / (counts.len() - at);
        if count > share {
            return share.max(LEAST_OF_A_PAIR);
        }
        left -= count;
    }
    usize::MAX
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
    fn of_many_observations_a_pair_has_fewer_rows_and_its_whole_weight() {
        let table = "1,x,30000,no\n1,x,7,yes\n2,x,9000,no\n2,x,60000,yes\n";
        let found = distinct(table);
        let of = |row: usize| {
            let weights = found.rows.iter().zip(found.weights.as_ref().unwrap()).filter(|(found, _)| **found == row);
            weights.fold((0, 0.0), |(count, sum), (_, weight)| (count + 1, sum + weight))
        };
        assert_eq!(of(1), (7, 7.0));
        for (row, whole) in [(0, 30_000.0), (2, 9_000.0), (3, 60_000.0)] {
            let (count, sum) = of(row);
            assert!(count == 3331 && (sum - whole).abs() < 1e-6, "{count} {sum}");
        }
        assert!(found.note().unwrap().starts_with("99007 rows"));
        assert_eq!(super::most_of_a_pair(vec![5000, 5000]), usize::MAX);
        assert_eq!(super::most_of_a_pair(vec![1_000_000; 1000]), super::LEAST_OF_A_PAIR);
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
