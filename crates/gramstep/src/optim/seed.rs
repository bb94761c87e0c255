//! Cotangents of the outputs that a loss decides, one a sample, in f64 whatever the network computes in.

use std::ops::Range;

use crate::device::{Tile, TileMut};
use crate::scalar::Scalar;

/// For the walk: what `cotangent` makes of a sample's number and outputs, written into its last argument.
pub(super) fn by_sample<T: Scalar>(
    cotangent: impl Fn(usize, &[f64], &mut [f64]) + Sync,
) -> impl Fn(Range<usize>, Tile<'_, T>, TileMut<'_, T>) + Sync {
    move |samples, f, mut out| {
        let k = f.columns();
        let (mut wide, mut u) = (vec![0.0; k], vec![0.0; k]);
        for ((i, f), out) in samples.zip(f.host().chunks_exact(k)).zip(out.host().chunks_exact_mut(k)) {
            wide.iter_mut().zip(f).for_each(|(wide, f)| *wide = f.to_f64());
            cotangent(i, &wide, &mut u);
            out.iter_mut().zip(&u).for_each(|(out, &u)| *out = T::from_f64(u));
        }
    }
}
