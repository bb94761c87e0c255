//! Counter-based random numbers: every stream is named by (seed, purpose, sample, step), so that a result does not
//! depend on the order, the thread or the machine that draws it.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream of random numbers is for. Streams of different purposes are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// Initial parameters.
    Initialisation,
    /// Order of the samples in an epoch.
    Shuffle,
    /// Division of data into training, validation and test rows.
    Split,
    /// Random perturbations of inputs: augmentation, random starts of attacks.
    Perturbation,
    /// Synthetic data.
    Data,
}

/// The random stream of (seed, purpose, sample, step).
///
/// ```
/// use gramstep::random::{stream, Purpose};
/// use rand::Rng;
/// let draw = |sample| stream(7, Purpose::Data, sample, 0).next_u64();
/// assert_eq!(draw(3), draw(3));
/// assert_ne!(draw(3), draw(4));
/// ```
#[must_use]
pub fn stream(seed: u64, purpose: Purpose, sample: u64, step: u64) -> ChaCha8Rng {
    let mut key = [0_u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
    key[16..24].copy_from_slice(&step.to_le_bytes());
    let mut generator = ChaCha8Rng::from_seed(key);
    generator.set_stream(sample);
    generator
}

/// A permutation of 0..n named by (seed, purpose, step): the same on every machine and number of threads.
#[must_use]
pub fn permutation(n: usize, seed: u64, purpose: Purpose, step: u64) -> Vec<usize> {
    let mut generator = stream(seed, purpose, 0, step);
    let mut order: Vec<usize> = (0..n).collect();
    // Fisher-Yates by hand: a library's shuffle may draw differently in its next version.
    for i in (1..n).rev() {
        let j = (u128::from(generator.next_u64()) * (i as u128 + 1)) >> 64;
        order.swap(i, j as usize);
    }
    order
}

/// At most `most` of 0..n in ascending order: the first ones of the [`permutation`] of this name.
#[must_use]
pub fn choice(n: usize, most: usize, seed: u64, purpose: Purpose, step: u64) -> Vec<usize> {
    if n <= most {
        return (0..n).collect();
    }
    let mut chosen = permutation(n, seed, purpose, step);
    chosen.truncate(most);
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_the_beginning_of_the_permutation_in_order() {
        assert_eq!(choice(5, 5, 3, Purpose::Split, 1), [0, 1, 2, 3, 4]);
        let chosen = choice(50, 7, 3, Purpose::Split, 1);
        let order = permutation(50, 3, Purpose::Split, 1);
        assert!(chosen.len() == 7 && chosen.is_sorted() && order[..7].iter().all(|i| chosen.contains(i)));
    }

    #[test]
    fn a_permutation_has_every_number_once_and_depends_on_the_step() {
        let order = permutation(50, 3, Purpose::Shuffle, 1);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
        assert_ne!(order, permutation(50, 3, Purpose::Shuffle, 2));
    }
}
