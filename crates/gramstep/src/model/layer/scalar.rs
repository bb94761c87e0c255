//! One parameter for all values of a sample: the bias and the scale of Fixup networks (zhang2019fixup).

use super::{Call, Layer, ParameterUse};
use crate::device::{Tile, TileMut, WriteMode};
use crate::model::parameters::{Distribution, ParameterRequest};
use crate::scalar::Scalar;

/// y = x + b with one number b, which starts at 0.
#[derive(Clone, Debug)]
pub struct ScalarBias {
    length: usize,
}

impl ScalarBias {
    /// For samples of `length` values.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { length }
    }
}

impl<T: Scalar> Layer<T> for ScalarBias {
    fn output_len(&self) -> usize {
        self.length
    }

    fn parameters(&self) -> Vec<ParameterRequest> {
        vec![ParameterRequest { name: "bias", shape: vec![1], distribution: Distribution::Zeros }]
    }

    fn parameter_use(&self) -> Option<ParameterUse> {
        Some(ParameterUse::Explicit)
    }

    fn is_additive(&self) -> bool {
        true
    }

    fn forward(&self, call: &Call<'_, T>, inputs: &[Tile<'_, T>], out: TileMut<'_, T>, affine: bool, mode: WriteMode) {
        let shift = if affine { call.theta.host()[0] } else { T::ZERO };
        call.operations.scale_shift(out, mode, T::ONE, shift, inputs[0]);
    }

    fn backward(
        &self,
        call: &Call<'_, T>,
        _: &[Tile<'_, T>],
        _which: usize,
        delta: Tile<'_, T>,
        into: TileMut<'_, T>,
        mode: WriteMode,
    ) {
        call.operations.scale_shift(into, mode, T::ONE, T::ZERO, delta);
    }

    fn gradients(&self, call: &Call<'_, T>, _: &[Tile<'_, T>], delta: Tile<'_, T>, out: TileMut<'_, T>) {
        let ones = vec![T::ONE; self.length];
        call.operations.product(out, WriteMode::Replace, T::ONE, delta, Tile::new(&ones, self.length, 1));
    }
}

/// y = s·x with one number s, which starts at 1.
#[derive(Clone, Debug)]
pub struct ScalarScale {
    length: usize,
}

impl ScalarScale {
    /// For samples of `length` values.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { length }
    }
}

impl<T: Scalar> Layer<T> for ScalarScale {
    fn output_len(&self) -> usize {
        self.length
    }

    fn parameters(&self) -> Vec<ParameterRequest> {
        vec![ParameterRequest { name: "scale", shape: vec![1], distribution: Distribution::Ones }]
    }

    fn parameter_use(&self) -> Option<ParameterUse> {
        Some(ParameterUse::Explicit)
    }

    fn forward(&self, call: &Call<'_, T>, inputs: &[Tile<'_, T>], out: TileMut<'_, T>, _: bool, mode: WriteMode) {
        call.operations.scale_shift(out, mode, call.theta.host()[0], T::ZERO, inputs[0]);
    }

    fn backward(
        &self,
        call: &Call<'_, T>,
        _: &[Tile<'_, T>],
        _which: usize,
        delta: Tile<'_, T>,
        into: TileMut<'_, T>,
        mode: WriteMode,
    ) {
        call.operations.scale_shift(into, mode, call.theta.host()[0], T::ZERO, delta);
    }

    fn gradients(&self, call: &Call<'_, T>, inputs: &[Tile<'_, T>], delta: Tile<'_, T>, mut out: TileMut<'_, T>) {
        out.host().fill(T::ZERO);
        let samples = inputs[0].rows();
        let cotangents = delta.rows() / samples.max(1);
        call.operations.row_dots(out.reshape(cotangents), inputs[0], delta);
    }
}
