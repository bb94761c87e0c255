//! Σ_i α_i x_i: sums, differences and constant factors.

use super::{Call, Layer};
use crate::device::{Tile, TileMut, WriteMode};
use crate::scalar::Scalar;

/// A linear combination of inputs of the same length with constant coefficients.
#[derive(Clone, Debug)]
pub struct Combine {
    length: usize,
    coefficients: Vec<f64>,
}

impl Combine {
    /// Σ_i α_i x_i for inputs x_i of `length` values.
    #[must_use]
    pub fn new(length: usize, coefficients: Vec<f64>) -> Self {
        Self { length, coefficients }
    }
}

impl<T: Scalar> Layer<T> for Combine {
    fn output_len(&self) -> usize {
        self.length
    }

    fn passes_delta(&self, which: usize) -> bool {
        self.coefficients[which] == 1.0
    }

    fn works_in_place(&self) -> bool {
        self.coefficients[0] == 1.0
    }

    fn forward_in_place(&self, call: &Call<'_, T>, mut values: TileMut<'_, T>, others: &[Tile<'_, T>]) {
        for (other, &coefficient) in others.iter().zip(&self.coefficients[1..]) {
            call.operations.axpby(values.reborrow(), T::ONE, T::from_f64(coefficient), *other);
        }
    }

    fn forward(&self, call: &Call<'_, T>, inputs: &[Tile<'_, T>], mut out: TileMut<'_, T>, _: bool, mode: WriteMode) {
        for (i, (input, &coefficient)) in inputs.iter().zip(&self.coefficients).enumerate() {
            let beta = if i == 0 && mode == WriteMode::Replace { T::ZERO } else { T::ONE };
            call.operations.axpby(out.reborrow(), beta, T::from_f64(coefficient), *input);
        }
    }

    fn backward(
        &self,
        call: &Call<'_, T>,
        _: &[Tile<'_, T>],
        which: usize,
        delta: Tile<'_, T>,
        into: TileMut<'_, T>,
        mode: WriteMode,
    ) {
        let beta = if mode == WriteMode::Replace { T::ZERO } else { T::ONE };
        call.operations.axpby(into, beta, T::from_f64(self.coefficients[which]), delta);
    }
}
