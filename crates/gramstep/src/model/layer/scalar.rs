//! One parameter for all values of a sample: the bias and the scale of Fixup networks (zhang2019fixup).

use super::{Call, Layer, ParameterUse};
use crate::device::{Order, Pointwise, Tile, TileMut, WriteMode, vectorized};
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

    fn works_in_place(&self) -> bool {
        true
    }

    fn forward_in_place(&self, call: &Call<'_, T>, values: TileMut<'_, T>, _: &[Tile<'_, T>]) {
        call.operations.pointwise_in_place(&Shift(number(call)), values);
    }

    fn forward(&self, call: &Call<'_, T>, inputs: &[Tile<'_, T>], out: TileMut<'_, T>, affine: bool, mode: WriteMode) {
        let shift = if affine { number(call) } else { T::ZERO };
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

    fn gradients(&self, call: &Call<'_, T>, _: &[Tile<'_, T>], delta: Tile<'_, T>, mut out: TileMut<'_, T>) {
        // Row by row, so that a sum's bits do not depend on the rows beside it, as those of a product may.
        let ones = vec![T::ONE; self.length];
        out.fill(T::ZERO);
        call.operations.row_dots(out.reshape(delta.rows()), Tile::new(&ones, 1, self.length), delta);
    }
}

/// The one parameter.
fn number<T: Scalar>(call: &Call<'_, T>) -> T {
    call.theta.host()[0]
}

/// x + b, whose derivatives nobody asks for.
#[derive(Debug)]
struct Shift<T>(T);

impl<T: Scalar> Pointwise<T> for Shift<T> {
    fn evaluate(&self, order: Order, z: &[T], out: &mut [T]) {
        debug_assert_eq!(order, Order::Value);
        let shift = self.0;
        vectorized(
            #[inline(always)]
            move || out.iter_mut().zip(z).for_each(|(out, &z)| *out = z + shift),
        );
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
        call.operations.scale_shift(out, mode, number(call), T::ZERO, inputs[0]);
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
        call.operations.scale_shift(into, mode, number(call), T::ZERO, delta);
    }

    fn gradients(&self, call: &Call<'_, T>, inputs: &[Tile<'_, T>], delta: Tile<'_, T>, mut out: TileMut<'_, T>) {
        out.host().fill(T::ZERO);
        let samples = inputs[0].rows();
        let cotangents = delta.rows() / samples.max(1);
        call.operations.row_dots(out.reshape(cotangents), inputs[0], delta);
    }
}
