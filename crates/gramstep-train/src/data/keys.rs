//! What tells rows apart, and which are the same.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Cells, Column, Table};

/// What tells rows apart.
pub(crate) trait Keyed {
    /// Adds all that a row is to a hash.
    fn feed(&self, row: usize, hasher: &mut DefaultHasher);

    /// Whether two rows are the same.
    fn same(&self, a: usize, b: usize) -> bool;
}

/// Inputs and targets.
pub(super) struct Both<'a, I, T>(pub(super) &'a I, pub(super) &'a T);

impl<I: Keyed, T: Keyed> Keyed for Both<'_, I, T> {
    fn feed(&self, row: usize, hasher: &mut DefaultHasher) {
        self.0.feed(row, hasher);
        self.1.feed(row, hasher);
    }

    fn same(&self, a: usize, b: usize) -> bool {
        self.0.same(a, b) && self.1.same(a, b)
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
    /// These columns alone.
    pub(crate) fn of(table: &'a Table, names: &[String]) -> Self {
        Self(table.columns().iter().filter(|column| names.contains(&column.name)).collect())
    }

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
