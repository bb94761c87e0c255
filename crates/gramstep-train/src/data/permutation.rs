//! Seeded permutations: the order of samples and the split of rows.

pub(crate) use gramstep::random::permutation;
