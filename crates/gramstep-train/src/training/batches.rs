//! Which rows make which step.

use gramstep::random::Purpose;

use crate::data::permutation::permutation;
use crate::settings::BatchSize;

/// The batches of an epoch; `None` is all rows in their own order. Batches are equally large up to one row: a short
/// last one would be interpolated by a second-order step at the expense of all others. The order depends on `seed` and
/// `epoch` alone.
///
/// ```
/// use gramstep::{Matrix, optim::Batch};
/// use gramstep_train::{data::Dataset, settings::BatchSize, training::batches::batches};
/// let data = Dataset::new(Matrix::<f64>::zeros(10, 2), Matrix::zeros(10, 1))?;
/// for rows in batches(data.rows(), BatchSize::Rows(5), 7, 1) {
///     let rows = rows.map_or_else(|| data.clone(), |rows| data.select(&rows));
///     assert_eq!(Batch::new(&rows.inputs, &rows.targets).samples(), 5);
/// }
/// # Ok::<(), gramstep_train::Error>(())
/// ```
pub fn batches(samples: usize, size: BatchSize, seed: u64, epoch: usize) -> impl Iterator<Item = Option<Vec<usize>>> {
    let count = size.batches(samples);
    let order = if count == 1 { Vec::new() } else { permutation(samples, seed, Purpose::Shuffle, epoch as u64) };
    (0..count).map(move |i| (count > 1).then(|| order[i * samples / count..(i + 1) * samples / count].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_has_every_row_once_in_equal_batches() {
        let rows: Vec<Vec<usize>> = batches(103, BatchSize::Rows(20), 5, 1).map(Option::unwrap).collect();
        assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [17, 17, 17, 17, 17, 18]);
        let mut all = rows.concat();
        all.sort_unstable();
        assert_eq!(all, (0..103).collect::<Vec<_>>());
    }

    #[test]
    fn the_order_depends_on_seed_and_epoch_alone() {
        let order = |seed, epoch| batches(50, BatchSize::Rows(7), seed, epoch).collect::<Vec<_>>();
        assert_eq!(order(1, 2), order(1, 2));
        assert_ne!(order(1, 2), order(1, 3));
        assert_ne!(order(1, 2), order(2, 2));
    }

    #[test]
    fn a_batch_as_large_as_the_data_is_the_data() {
        for size in [BatchSize::Full, BatchSize::Rows(50), BatchSize::Rows(500)] {
            assert_eq!(batches(50, size, 1, 1).collect::<Vec<_>>(), [None]);
        }
    }
}
