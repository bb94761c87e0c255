//! Seeded permutations: the order of samples and the split of rows.

use gramstep::random::{Purpose, stream};
use rand::Rng;

/// A permutation of 0..n named by (seed, purpose, step): the same on every machine and number of threads.
pub(crate) fn permutation(n: usize, seed: u64, purpose: Purpose, step: u64) -> Vec<usize> {
    let mut generator = stream(seed, purpose, 0, step);
    let mut order: Vec<usize> = (0..n).collect();
    // Fisher-Yates by hand: a library's shuffle may draw differently in its next version.
    for i in (1..n).rev() {
        let j = (u128::from(generator.next_u64()) * (i as u128 + 1)) >> 64;
        order.swap(i, j as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_has_every_number_once_and_depends_on_the_step() {
        let order = permutation(50, 3, Purpose::Shuffle, 1);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
        assert_ne!(order, permutation(50, 3, Purpose::Shuffle, 2));
    }
}
