//! Exact copies of a row are one row that counts as often.
//!
//! A copy that is left in while its twin is left out makes every residual look too small: of folds, of splits, of
//! leave-one-out. So rows with the same inputs and targets are joined before anything is decided, and their weights
//! added up.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Cells, Column, Table};

/// Rows of which no two are copies.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Distinct {
    /// The first row of each set of copies, in their order.
    pub(crate) rows: Vec<usize>,
    /// The summed weight of each of them; none where all are 1.
    pub(crate) weights: Option<Vec<f64>>,
    /// How many rows were joined to another one.
    pub(crate) copies: usize,
}

impl Distinct {
    /// What the user should know of the joining.
    pub(crate) fn note(&self) -> Option<String> {
        let word = if self.copies == 1 { "copy" } else { "copies" };
        let joined =
            || format!("{} exact {word} of another row: they count as one row of their summed weight", self.copies);
        (self.copies > 0).then(joined)
    }
}

/// The mean of weights above 0, relative to the largest, so that the sum does not overflow.
pub(crate) fn mean_weight(weights: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    let (largest, count) = (weights.clone().fold(0.0, f64::max), weights.len() as f64);
    largest * weights.map(|weight| weight / largest).sum::<f64>() / count
}

/// What tells rows apart.
pub(crate) trait Keyed {
    /// Adds all that a row is to a hash.
    fn feed(&self, row: usize, hasher: &mut DefaultHasher);

    /// Whether two rows are the same.
    fn same(&self, a: usize, b: usize) -> bool;
}

/// Joins the copies among some rows. `weight` is that of a row; all count the same where there is none.
pub(crate) fn distinct(rows: &[usize], keys: &impl Keyed, weight: Option<&dyn Fn(usize) -> f64>) -> Distinct {
    let weight = |at: usize| weight.map_or(1.0, |weight| weight(rows[at]));
    let Some(owner) = owners(rows, keys) else {
        let differ = (0..rows.len()).any(|at| weight(at) != 1.0);
        let weights = differ.then(|| (0..rows.len()).map(weight).collect());
        return Distinct { rows: rows.to_vec(), weights, copies: 0 };
    };
    let mut sums = vec![0.0; rows.len()];
    for (at, &owner) in owner.iter().enumerate() {
        sums[owner] += weight(at);
    }
    let kept: Vec<usize> = (0..rows.len()).filter(|&at| owner[at] == at).collect();
    let weights: Vec<f64> = kept.iter().map(|&at| sums[at]).collect();
    Distinct {
        copies: rows.len() - kept.len(),
        weights: Some(weights).filter(|weights| weights.iter().any(|&weight| weight != 1.0)),
        rows: kept.into_iter().map(|at| rows[at]).collect(),
    }
}

/// For each of some rows the place among them of the first that is the same; none where all differ.
pub(super) fn owners(rows: &[usize], keys: &impl Keyed) -> Option<Vec<usize>> {
    let hash = |row: usize| {
        let mut hasher = DefaultHasher::new();
        keys.feed(row, &mut hasher);
        hasher.finish()
    };
    let hashes = || rows.iter().map(|&row| hash(row)).collect::<Vec<u64>>();
    // Mostly there are none, and rows may be many: the hashes are made again where there are some.
    let mut sorted = hashes();
    sorted.sort_unstable();
    let repeated = sorted.windows(2).any(|pair| pair[0] == pair[1]);
    drop(sorted);
    if !repeated {
        return None;
    }
    let hashes = hashes();
    let mut owner: Vec<usize> = (0..rows.len()).collect();
    let mut order = owner.clone();
    order.sort_unstable_by_key(|&at| (hashes[at], at));
    for group in order.chunk_by(|&a, &b| hashes[a] == hashes[b]) {
        for (i, &at) in group.iter().enumerate() {
            let twin = group[..i].iter().find(|&&first| owner[first] == first && keys.same(rows[first], rows[at]));
            owner[at] = twin.copied().unwrap_or(at);
        }
    }
    Some(owner)
}

/// The bits that tell numbers apart: both zeros are one, and so are all gaps.
pub(crate) fn bits(value: f64) -> u64 {
    if value.is_nan() { u64::MAX } else { (value + 0.0).to_bits() }
}

/// The columns of a table that say what a row is.
pub(crate) struct TableKeys<'a>(Vec<&'a Column>);

impl<'a> TableKeys<'a> {
    /// All columns but these.
    pub(crate) fn without(table: &'a Table, left_out: &[String]) -> Self {
        Self(table.columns().iter().filter(|column| !left_out.contains(&column.name)).collect())
    }

    /// These.
    pub(crate) fn columns(&self) -> &[&'a Column] {
        &self.0
    }

    /// Whether images are among them.
    pub(crate) fn has_images(&self) -> bool {
        self.0.iter().any(|column| matches!(column.cells, Cells::Images(_)))
    }
}

impl Keyed for TableKeys<'_> {
    fn feed(&self, row: usize, hasher: &mut DefaultHasher) {
        for column in &self.0 {
            match &column.cells {
                Cells::Numbers(values) | Cells::Dates(values) => bits(values[row]).hash(hasher),
                Cells::Text(text) => text.codes[row].hash(hasher),
                Cells::Images(images) => images.image(row).hash(hasher),
            }
        }
    }

    fn same(&self, a: usize, b: usize) -> bool {
        self.0.iter().all(|column| match &column.cells {
            Cells::Numbers(values) | Cells::Dates(values) => bits(values[a]) == bits(values[b]),
            Cells::Text(text) => text.codes[a] == text.codes[b],
            Cells::Images(images) => images.image(a) == images.image(b),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::table_of;

    #[test]
    fn copies_are_one_row_with_the_sum_of_their_weights() {
        let table = table_of("a,c,w,y\n1,x,2,5\n2,x,1,5\n1,x,3,5\n1,z,1,5\n0,x,1,1\n-0.0,x,1,1\n");
        let keys = TableKeys::without(&table, &["w".to_owned()]);
        let rows = [0, 1, 2, 3, 4, 5];
        let joined = distinct(&rows, &keys, None);
        assert_eq!((joined.rows, joined.copies), (vec![0, 1, 3, 4], 2));
        assert_eq!(joined.weights, Some(vec![2.0, 1.0, 1.0, 2.0]));
        let weights = [2.0, 1.0, 3.0, 1.0, 1.0, 1.0];
        let weighted = distinct(&rows, &keys, Some(&|row| weights[row]));
        assert_eq!(weighted.weights, Some(vec![5.0, 1.0, 1.0, 2.0]));
        let all = TableKeys::without(&table, &[]);
        assert_eq!(
            distinct(&rows, &all, None),
            Distinct { rows: vec![0, 1, 2, 3, 4], weights: Some(vec![1.0, 1.0, 1.0, 1.0, 2.0]), copies: 1 }
        );
    }

    #[test]
    fn rows_without_copies_stay_as_they_are() {
        let table = table_of("a,y\n1,5\n2,5\n3,5\n");
        let keys = TableKeys::without(&table, &[]);
        assert_eq!(distinct(&[2, 0], &keys, None), Distinct { rows: vec![2, 0], weights: None, copies: 0 });
    }
}
