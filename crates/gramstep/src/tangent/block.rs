//! A rectangle of G, summed over parts.

use std::ops::Range;

use super::part::{LinearPart, Part, Term};
use crate::device::{Operations, Tile, TileMut, WriteMode};
use crate::scalar::Scalar;

/// Factors of the weight's and of the bias's contribution to G.
pub(super) fn factors<T: Scalar>(part: &LinearPart<T>) -> (T, T) {
    (T::from_f64(part.weight.in_gram()), T::from_f64(part.bias.map_or(0.0, Term::in_gram)))
}

/// A rectangle of G in samples, with k and q Jacobian rows per sample.
pub(super) struct Block {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
    pub(super) k: usize,
    pub(super) q: usize,
}

impl Block {
    pub(super) fn compute<T: Scalar>(
        &self,
        operations: &dyn Operations<T>,
        ours: &[Part<T>],
        theirs: &[Part<T>],
    ) -> Vec<T> {
        let (height, width) = (self.rows.len() * self.k, self.columns.len() * self.q);
        let mut out = vec![T::ZERO; height * width];
        let mut aa = Vec::new();
        let mut dd = Vec::new();
        for (part, other) in ours.iter().zip(theirs) {
            match (part, other) {
                (Part::Linear(part), Part::Linear(other)) if !part.is_frozen() => {
                    let (weight, bias) = factors(part);
                    let (t, s) = (part.places, other.places);
                    aa.resize(self.rows.len() * t * self.columns.len() * s, T::ZERO);
                    dd.resize(height * t * width * s, T::ZERO);
                    let (a_rows, a_columns) = (self.rows.len() * t, self.columns.len() * s);
                    if weight != T::ZERO {
                        let a = part.activation_rows(self.rows.clone());
                        let b = other.activation_rows(self.columns.clone());
                        let out = TileMut::new(&mut aa, a_rows, a_columns);
                        operations.product(out, WriteMode::Replace, T::ONE, a, b.t());
                    }
                    let a = part.delta_rows(self.rows.clone(), self.k);
                    let b = other.delta_rows(self.columns.clone(), self.q);
                    operations.product(
                        TileMut::new(&mut dd, height * t, width * s),
                        WriteMode::Replace,
                        T::ONE,
                        a,
                        b.t(),
                    );
                    let aa = Tile::new(&aa, a_rows, a_columns);
                    if t == 1 && s == 1 {
                        let dd = Tile::new(&dd, height, width);
                        operations.gram_accumulate(TileMut::new(&mut out, height, width), weight, bias, aa, dd);
                    } else {
                        self.contract_places(&mut out, (weight, bias), (t, s), aa.host(), &dd);
                    }
                }
                (Part::Explicit(part), Part::Explicit(other)) if part.term.weight > 0.0 => {
                    let a = part.gradients.tile(self.rows.start * self.k * part.length, height, part.length);
                    let b = other.gradients.tile(self.columns.start * self.q * part.length, width, part.length);
                    let factor = T::from_f64(part.term.in_gram());
                    operations.product(TileMut::new(&mut out, height, width), WriteMode::Accumulate, factor, a, b.t());
                }
                // Frozen.
                (Part::Linear(_), Part::Linear(_)) | (Part::Explicit(_), Part::Explicit(_)) => {}
                _ => unreachable!("both sides take the same form"),
            }
        }
        out
    }

    /// out\[(i,a),(j,b)\] += Σ_{t,s} (weight·aa\[(i,t),(j,s)\] + bias)·dd\[(i,a,t),(j,b,s)\].
    fn contract_places<T: Scalar>(
        &self,
        out: &mut [T],
        (weight, bias): (T, T),
        (t, s): (usize, usize),
        aa: &[T],
        dd: &[T],
    ) {
        let width = self.columns.len() * self.q;
        for (row, line) in out.chunks_exact_mut(width).enumerate() {
            let i = row / self.k;
            for (column, value) in line.iter_mut().enumerate() {
                let j = column / self.q;
                let mut sum = T::ZERO;
                for place in 0..t {
                    let aa = &aa[(i * t + place) * self.columns.len() * s + j * s..][..s];
                    let dd = &dd[(row * t + place) * width * s + column * s..][..s];
                    sum += aa.iter().zip(dd).map(|(&a, &d)| weight.mul_add(a, bias) * d).sum::<T>();
                }
                *value += sum;
            }
        }
    }
}
