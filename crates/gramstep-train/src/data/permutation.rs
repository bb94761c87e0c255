//! Seeded permutations and choices: the order of samples, the split of rows, some of many.

pub(crate) use gramstep::random::{choice, permutation};
