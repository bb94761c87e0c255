//! The rows that the preprocessing is decided on.

/// The rows that decide, each with its weight; without weights all count the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    pub(super) rows: &'a [usize],
    pub(super) weights: Option<&'a [f64]>,
}

impl Rows<'_> {
    /// Each row with its weight.
    pub(super) fn weighted(&self) -> impl Iterator<Item = (usize, f64)> {
        self.rows.iter().enumerate().map(|(at, &row)| (row, self.weights.map_or(1.0, |weights| weights[at])))
    }
}
